"""Where annotation files lie, the images they speak of, and their split."""

from pathlib import Path

import pytest

from pixelwise.data.layouts.found import FoundSample, LayoutOptions
from pixelwise.data.layouts.places import MAX_CANDIDATES, find_places, split_of
from pixelwise.data.masks.sources import MaskFile


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def places_of(root: Path, **options: Path) -> list[tuple[str, str, str | None]]:
    """File, folder of images and split of each place, below the root."""
    return [
        (place.path.relative_to(root).as_posix(), place.images.relative_to(root).as_posix(),
         place.split)
        for place in find_places(root, LayoutOptions(**options), ".json")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "places"),
    [
        (["a.json", "a.jpg"], [("a.json", ".", None)]),
        (["train/_annotations.coco.json", "train/a.jpg", "valid/_annotations.coco.json"],
         [("train/_annotations.coco.json", "train", "train"),
          ("valid/_annotations.coco.json", "valid", "val")]),
        (["annotations/instances_train2017.json", "train2017/a.jpg"],
         [("annotations/instances_train2017.json", "train2017", "train")]),
        (["annotations/instances_val2017.json", "images/val2017/a.jpg"],
         [("annotations/instances_val2017.json", "images/val2017", "val")]),
        (["train.json", "val.json", "train/a.jpg", "images/val/b.jpg"],
         [("train.json", "train", "train"), ("val.json", "images/val", "val")]),
        (["instances_train.json", "pictures/a.jpg"], [("instances_train.json", ".", "train")]),
        (["train/annotations/x.json", "train/a.jpg"],
         [("train/annotations/x.json", "train", "train")]),
        ([".hidden.json", "a.txt"], []),
    ],
)  # fmt: skip
def test_places(tmp_path, files, places):
    assert places_of(touch(tmp_path, *files)) == places


def test_a_file_and_a_folder_may_be_named(tmp_path):
    touch(tmp_path, "notes/one.json", "notes/two.json", "pictures/a.jpg", "other.json")
    images = Path("pictures")
    assert places_of(tmp_path, masks=Path("notes/two.json"), images=images) == [
        ("notes/two.json", "pictures", None)
    ]
    assert len(places_of(tmp_path, masks=Path("notes"))) == 2
    assert places_of(tmp_path, masks=Path("pictures/a.jpg")) == []


def test_many_files_belong_to_single_images(tmp_path):
    touch(tmp_path, *(f"{number}.json" for number in range(MAX_CANDIDATES + 1)))
    assert places_of(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "split"),
    [("valid/x/a.jpg", "val"), ("images/test/a.jpg", "test"), ("a.jpg", None), ("x/a.jpg", None)],
)
def test_the_split_of_a_file_by_its_folders(tmp_path, path, split):
    assert split_of(touch(tmp_path, path) / path, tmp_path) == split


def test_a_split_given_alone_and_files_elsewhere(tmp_path):
    touch(tmp_path, "data/train/a.jpg", "data/test/b.jpg", "elsewhere/c.jpg")
    test = tmp_path / "data" / "test"
    assert split_of(test / "b.jpg", test) == "test"
    assert split_of(tmp_path / "elsewhere" / "c.jpg", tmp_path / "data") is None


def test_a_found_sample_stands_for_its_first_file():
    sample = FoundSample("a", (Path("a_0.png"), Path("a_1.png")), MaskFile(Path("m.png")))
    assert sample.image == Path("a_0.png") and sample.image_paths == sample.images
    assert (sample.split, sample.group) == (None, None)
