"""Layouts: which folder arrangements are understood, and what is said about the others."""

from pathlib import Path

import pytest

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.folders import find_folders
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.names import mask_stem
from pixelwise.errors import LayoutError


def touch(root: Path, *names: str) -> Path:
    """Empty files: the layout looks at names only."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def pairs_of(root: Path) -> dict[str, tuple[str, str | None, str | None]]:
    return {
        pair.name: (
            pair.image.relative_to(root).as_posix(),
            pair.mask.path.relative_to(root).as_posix() if pair.mask else None,
            pair.split,
        )
        for pair in find_layout(root).samples
    }


@pytest.mark.parametrize("images", ["images", "image", "imgs", "img", "Images"])
@pytest.mark.parametrize(
    "masks", ["masks", "mask", "labels", "label", "annotations", "gt", "segmentation", "targets"]
)
def test_two_folders_under_their_usual_names(tmp_path, images, masks):
    touch(tmp_path, f"{images}/a.jpg", f"{masks}/a.png")
    assert pairs_of(tmp_path) == {"a": (f"{images}/a.jpg", f"{masks}/a.png", None)}
    assert find_layout(tmp_path).description == f"{images}/ + {masks}/"


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("training", "train"),
        ("val", "val"),
        ("valid", "val"),
        ("validation", "val"),
        ("test", "test"),
        ("Testing", "test"),
    ],
)
def test_split_folders_under_their_usual_names(tmp_path, folder, split):
    touch(tmp_path, f"{folder}/images/a.png", f"{folder}/masks/a.png")
    assert pairs_of(tmp_path)["a"][2] == split


def test_splits_inside_images_and_masks(tmp_path):
    touch(tmp_path, "images/train/a.png", "masks/train/a.png", "images/val/b.png")
    touch(tmp_path, "masks/validation/b.png")
    assert pairs_of(tmp_path) == {
        "a": ("images/train/a.png", "masks/train/a.png", "train"),
        "b": ("images/val/b.png", "masks/validation/b.png", "val"),
    }


@pytest.mark.parametrize("suffix", ["_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_Mask"])
def test_side_by_side_by_suffix(tmp_path, suffix):
    touch(tmp_path, "a.png", f"a{suffix}.png", "b.png", f"b{suffix}.png")
    assert pairs_of(tmp_path) == {
        "a": ("a.png", f"a{suffix}.png", None),
        "b": ("b.png", f"b{suffix}.png", None),
    }
    assert find_layout(tmp_path).description == f"x.png + x{suffix}.png side by side"


def test_side_by_side_by_words(tmp_path):
    touch(tmp_path, "1_sat.jpg", "1_mask.png", "2_sat.jpg", "2_mask.png")
    assert pairs_of(tmp_path)["2_sat"] == ("2_sat.jpg", "2_mask.png", None)
    assert find_layout(tmp_path).description == "X_sat -> X_mask side by side"


def test_side_by_side_by_type(tmp_path):
    touch(tmp_path, "a.jpg", "a.png", "b.jpg", "b.png", "c.jpg")
    assert pairs_of(tmp_path) == {
        "a": ("a.jpg", "a.png", None),
        "b": ("b.jpg", "b.png", None),
        "c": ("c.jpg", None, None),
    }


def test_side_by_side_in_split_folders_and_in_images(tmp_path):
    touch(tmp_path / "one", "train/a.png", "train/a_mask.png", "test/b.png", "test/b_mask.png")
    assert pairs_of(tmp_path / "one")["b"] == ("test/b.png", "test/b_mask.png", "test")
    touch(tmp_path / "two", "images/a.png", "images/a_mask.png")
    assert pairs_of(tmp_path / "two") == {"a": ("images/a.png", "images/a_mask.png", None)}


def test_masks_with_a_suffix_in_their_own_folder(tmp_path):
    touch(tmp_path, "images/a.jpg", "masks/a_mask.gif", "images/b_seg.jpg", "masks/b_seg.png")
    assert pairs_of(tmp_path) == {
        "a": ("images/a.jpg", "masks/a_mask.gif", None),
        "b_seg": ("images/b_seg.jpg", "masks/b_seg.png", None),
    }


def test_images_beside_a_folder_of_masks(tmp_path):
    touch(tmp_path, "a.png", "masks/a.png")
    assert pairs_of(tmp_path) == {"a": ("a.png", "masks/a.png", None)}


def test_nested_folders_keep_step(tmp_path):
    touch(tmp_path, "images/x/a.png", "images/y/a.png", "masks/x/a.png", "masks/y/a.png")
    assert list(pairs_of(tmp_path)) == ["x/a", "y/a"]


def test_other_folders_hidden_files_and_texts_do_not_confuse(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png", "instances/a.png", "images/.b.png")
    touch(tmp_path, "images/Thumbs.db", "masks/notes.txt", ".cache/images/c.png", "labels/a.txt")
    assert pairs_of(tmp_path) == {"a": ("images/a.png", "masks/a.png", None)}


def test_the_same_name_in_two_splits_gets_the_split_in_front(tmp_path):
    touch(tmp_path, "train/images/a.png", "train/masks/a.png", "val/images/a.png")
    touch(tmp_path, "val/masks/a.png")
    assert sorted(pairs_of(tmp_path)) == ["train/a", "val/a"]


def test_one_split_folder_given_alone_is_that_split(tmp_path):
    touch(tmp_path, "train/images/a.png", "train/masks/a.png", "test/images/b.png")
    touch(tmp_path, "test/masks/b.png")
    assert pairs_of(tmp_path / "test")["b"][2] == "test"


def test_a_folder_called_test_without_siblings_is_any_folder(tmp_path):
    touch(tmp_path, "test/images/a.png", "test/masks/a.png")
    assert pairs_of(tmp_path / "test")["a"][2] is None


def test_unpaired_files_are_kept_apart(tmp_path):
    touch(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/c.png")
    layout = find_layout(tmp_path)
    assert pairs_of(tmp_path)["b"][1] is None
    assert [path.name for path in layout.lone_masks] == ["c.png"]


def test_split_without_masks_is_unlabelled(tmp_path):
    touch(tmp_path, "train/images/a.png", "train/masks/a.png", "test/images/b.png")
    assert pairs_of(tmp_path)["b"] == ("test/images/b.png", None, "test")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "it is empty"),
        (["readme.txt"], "holds no images: it holds readme.txt"),
        (["images/a.png"], "1 image but no masks"),
        (["a.png", "b.png"], "2 images but no masks"),
        (["images/a.png", "masks/b.png"], "no two names match .images: a.png; masks: b.png"),
        (["images/a.png", "images/a.jpg", "masks/a.png"], "have the same name"),
        (["images/a.png", "masks/a.png", "masks/a_mask.png"], "both masks of a"),
        (["images/a.png", "masks/a.png", "labels/a.png"], "may both hold the masks"),
        (["images/a.png", "img/a.png", "masks/a.png"], "may both hold the images"),
        (["a.bmp", "a.png"], "which are images and which are masks"),
        (["a.png", "a_mask.png", "a_gt.png"], "both masks of a"),
        (["a_mask.png", "a_mask_mask.png"], "no two names match"),
        (["train/a.png", "training/b.png"], "two folders for one split"),
        (["masks/a.png"], "holds no images"),
    ],
)
def test_what_cannot_be_understood_is_an_error_with_the_fix(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(LayoutError, match=message):
        find_layout(tmp_path)


def test_a_json_file_of_another_kind_is_named(tmp_path):
    touch(tmp_path, "images/a.png")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(LayoutError, match=r"other.json cannot be read as masks"):
        find_layout(tmp_path)


def test_missing_folder_file_and_unreadable_folder(tmp_path, monkeypatch):
    with pytest.raises(LayoutError, match="does not exist"):
        find_layout(tmp_path / "none")
    with pytest.raises(LayoutError, match=r"is a file. Give the folder"):
        find_layout(touch(tmp_path, "a.png") / "a.png")

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(LayoutError, match="may not be read"):
        find_layout(tmp_path)


def test_mask_stem():
    assert mask_stem("cell_mask") == "cell"
    assert mask_stem("cell_labels") == "cell"
    assert mask_stem("cell") is None
    assert mask_stem("_mask") is None


@pytest.mark.parametrize("splits", [{"": 3}, {"train": 3, "val": 2, "test": 2}])
@pytest.mark.parametrize("image", ["{0}/images/{0}.png", "{0}/{0}.png"])
def test_where_each_folder_holds_one_image_the_folder_pairs(tmp_path, splits, image):
    for split, number in splits.items():
        for n in range(number):
            touch(tmp_path / split, image.format(n), f"{n}/masks/o1.png")
    layout = find_folders(tmp_path, LayoutOptions())
    assert len(layout.samples) == sum(splits.values()) and layout.lone_masks == ()
    for sample in layout.samples:
        folder = tmp_path / (sample.split or "") / sample.image.stem
        assert sample.mask.path == folder / "masks" / "o1.png"


def test_one_image_and_one_mask_of_other_names_are_no_pair(tmp_path):
    touch(tmp_path, "images/a.png", "masks/o1.png")
    with pytest.raises(LayoutError, match="no two names match"):
        find_layout(tmp_path)


def test_a_folder_of_two_images_pairs_by_names_alone(tmp_path):
    touch(tmp_path, "1/images/a.png", "1/masks/o1.png", "2/images/b.png", "2/masks/o1.png")
    touch(tmp_path, "3/images/c.png", "3/images/d.png", "3/masks/c.png")
    layout = find_layout(tmp_path)
    assert [s.image.stem for s in layout.samples if s.mask] == ["c"]
    assert len(layout.lone_masks) == 2
