"""Pascal VOC: lists of the splits, names of the classes, and 255 that is left out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.voc import find_voc
from pixelwise.doctor import examine_dataset


def write(root: Path, names: str, masks: str = "SegmentationClass") -> Path:
    """Grey pictures and palette masks: 0, a square of 1 and its edge of 255, for each letter."""
    values = np.zeros((12, 12), np.uint8)
    values[2:9, 2:9], values[3:8, 3:8] = 255, 1
    for number, name in enumerate(names):
        image = np.random.default_rng(number).integers(0, 255, (12, 12), dtype=np.uint8)
        palette = Image.fromarray(values, "P")
        palette.putpalette([0, 0, 0, 128, 0, 0] + [224] * 762)
        for folder, picture in (("JPEGImages", Image.fromarray(image)), (masks, palette)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            picture.save(root / folder / f"{name}.png")
    return root


def write_lists(root: Path, **splits: str) -> None:
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    for split, names in splits.items():
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")


def splits_of(root: Path) -> dict[str, str | None]:
    return {sample.name: sample.split for sample in find_layout(root).samples}


def test_lists_say_the_splits(tmp_path):
    write_lists(write(tmp_path, "abcd"), train="ab", val="c", test="d", trainval="abc")
    assert splits_of(tmp_path) == {"a": "train", "b": "train", "c": "val", "d": "test"}


def test_without_lists_there_are_no_splits(tmp_path):
    assert splits_of(write(tmp_path, "ab")) == {"a": None, "b": None}


def test_images_of_other_tasks_are_left_out_where_lists_name_ours(tmp_path):
    write_lists(write(tmp_path, "abc"), train="a")
    (tmp_path / "JPEGImages" / "boxes.png").touch()
    (tmp_path / "SegmentationClass" / "c.png").unlink()
    assert splits_of(tmp_path) == {"a": "train", "b": "train"}


@pytest.mark.parametrize("file", ["class_names.txt", "labels.txt", "classes.txt"])
def test_names_of_the_classes(tmp_path, file):
    (write(tmp_path, "abc") / file).write_text("__ignore__\n_background_\naeroplane\n\n")
    declaration = find_layout(tmp_path).declaration
    assert [c.name for c in declaration.classes] == ["_background_", "aeroplane"]
    assert declaration.ignore == (255,)


@pytest.mark.parametrize("with_names", [True, False])
def test_255_is_left_out(tmp_path, with_names):
    write(tmp_path, "abc")
    if with_names:
        (tmp_path / "class_names.txt").write_text("_background_\naeroplane\n")
    dataset = examine_dataset(tmp_path).dataset
    assert dataset.encoding.ignore == (255,)
    mask = dataset.samples("train")[0].mask
    assert [int((mask == value).sum()) for value in (0, 1, 255)] == [144 - 49, 25, 24]


def test_masks_without_an_image_are_kept_apart(tmp_path):
    write(tmp_path, "ab")
    (tmp_path / "JPEGImages" / "b.png").unlink()
    layout = find_layout(tmp_path)
    assert [path.name for path in layout.lone_masks] == ["b.png"]


def test_folders_of_objects_and_of_arrays_are_left_alone(tmp_path):
    write(tmp_path, "ab")
    for folder in ("SegmentationObject", "SegmentationClassVisualization"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    assert find_layout(tmp_path).description == "VOC: JPEGImages/ + SegmentationClass/"


def test_pictures_win_over_arrays_of_the_same_masks(tmp_path):
    write(tmp_path, "ab", "SegmentationClassPNG")
    (tmp_path / "SegmentationClass").mkdir()
    np.save(tmp_path / "SegmentationClass" / "a.npy", np.zeros((12, 12)))
    layout = find_layout(tmp_path)
    assert layout.description == "VOC: JPEGImages/ + SegmentationClassPNG/"
    assert [sample.mask.path.suffix for sample in layout.samples] == [".png", ".png"]


def test_a_person_who_names_folders_is_heard_first(tmp_path):
    write(tmp_path, "ab")
    assert find_voc(tmp_path, LayoutOptions(masks=Path("SegmentationClass"))) is None
    assert find_voc(tmp_path / "JPEGImages", LayoutOptions()) is None


@pytest.mark.parametrize(("listed", "severity"), [("a b c", "warning"), ("a b c d e", "error")])
def test_names_in_the_lists_that_have_no_image_are_said(tmp_path, listed, severity):
    root = write(tmp_path, "ab")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(listed.split()))
    (finding,) = find_voc(root, LayoutOptions()).findings
    assert (finding.code, finding.severity) == ("missing-image", severity)
    assert "not there: c" in finding.message
