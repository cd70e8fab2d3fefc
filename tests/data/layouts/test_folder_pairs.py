"""Which folder of images belongs to which folder of masks."""

from pathlib import Path

import pytest

from pixelwise.data.layouts.folder_pairs import (
    by_name,
    find_folder_pairs,
    is_view,
    pair_files,
    read_tags,
    settle,
)
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.errors import LayoutError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def pairs_of(root: Path, **options: Path) -> list[tuple[str, str | None, str | None]]:
    return [
        (pair.images.name, pair.masks and pair.masks.name, pair.split)
        for pair in find_folder_pairs(root, LayoutOptions(**options))
    ]


@pytest.mark.parametrize(
    ("folders", "pairs"),
    [
        (["images", "masks"], [("images", "masks", None)]),
        (["train_images", "train_masks", "val_images", "val_masks"],
         [("train_images", "train_masks", "train"), ("val_images", "val_masks", "val")]),
        (["rural_images", "rural_masks", "urban_images", "urban_masks"],
         [("rural_images", "rural_masks", None), ("urban_images", "urban_masks", None)]),
        (["train", "train_masks", "test"], [("train", "train_masks", "train")]),
        (["train_images", "train_masks", "test_images"],
         [("train_images", "train_masks", "train"), ("test_images", None, "test")]),
        (["top", "gts"], [("top", "gts", None)]),
        (["images", "raw", "masks", "instances"], [("images", "masks", None)]),
        (["images", "overlays"], []),
        (["masks"], []),
    ],
)  # fmt: skip
def test_folders_belong_together_by_their_names(tmp_path, folders, pairs):
    touch(tmp_path, *(f"{folder}/a.png" for folder in folders))
    assert pairs_of(tmp_path) == pairs


def test_else_the_names_of_the_files_decide(tmp_path):
    touch(tmp_path, "one/a.png", "one/b.png", "two/c.png", "two/d.png", "labels/c.png")
    assert pairs_of(tmp_path) == [("two", "labels", None)]
    touch(tmp_path, "three/c.png", "three/d.png")
    with pytest.raises(LayoutError, match=r"three/ and two/, which may both hold the images"):
        find_folder_pairs(tmp_path, LayoutOptions())


def test_the_images_may_be_the_files_beside_the_folder(tmp_path):
    touch(tmp_path, "a.png", "masks/a.png", "other/b.png")
    (pair,) = find_folder_pairs(tmp_path, LayoutOptions())
    assert (pair.images, pair.masks) == (tmp_path, tmp_path / "masks")


@pytest.mark.parametrize(
    ("options", "pair"),
    [
        ({"masks": Path("instances")}, ("images", "instances", None)),
        ({"images": Path("other")}, ("other", "masks", None)),
        ({"images": Path("other"), "masks": Path("instances")}, ("other", "instances", None)),
        ({"images": Path("masks"), "masks": Path("images")}, ("masks", "images", None)),
    ],
)
def test_folders_that_a_person_named_come_first(tmp_path, options, pair):
    touch(tmp_path, *(f"{name}/a.png" for name in ("images", "masks", "instances", "other")))
    assert pairs_of(tmp_path, **options) == [pair]
    assert pairs_of(tmp_path, **{key: tmp_path / path for key, path in options.items()}) == [pair]


def test_folders_that_only_wrap_are_opened(tmp_path):
    touch(tmp_path, "labels/sem/masks/a.png", "labels/sem/colormaps/a.png", "images/10k/a.png")
    masks, images = tmp_path / "labels", tmp_path / "images"
    assert settle(masks, images) == masks / "sem" / "masks"
    assert settle(images, masks) == images / "10k"


@pytest.mark.parametrize("name", ["day1", "train"])
def test_folders_that_keep_step_and_splits_are_not_opened(tmp_path, name):
    touch(tmp_path, f"images/{name}/a.png", f"masks/{name}/a.png")
    assert settle(tmp_path / "masks", tmp_path / "images") == tmp_path / "masks"


def test_splits_inside_are_called_alike(tmp_path):
    touch(tmp_path, "images/train/x/a.png", "images/val/b.png", "masks/training/x/a.png")
    touch(tmp_path, "masks/validation/b.png")
    paired = pair_files(tmp_path / "images", tmp_path / "masks")
    assert paired.splits == {("train/x", "a"): "train", ("val", "b"): "val"}
    assert paired.pairing.pairs == {name: name for name in paired.images}


def test_other_views_are_left_aside(tmp_path):
    touch(tmp_path, "images/a.png", "images/a_superpixels.png", "masks/a_ids.png")
    touch(tmp_path, "masks/a_color.png", "masks/b_ids.png", "images/b.png")
    paired = pair_files(tmp_path / "images", tmp_path / "masks")
    assert [path.name for path in paired.aside] == ["a_superpixels.png", "a_color.png"]
    assert len(paired.pairing.pairs) == 2


def test_names_are_folder_and_stem_and_must_differ(tmp_path):
    files = [tmp_path / "x" / "a.png", tmp_path / "a.nii.gz"]
    assert list(by_name(tmp_path, files)) == [("x", "a"), ("", "a")]
    with pytest.raises(LayoutError, match=r"a\.png and .*a\.jpg have the same name"):
        by_name(tmp_path, [tmp_path / "a.png", tmp_path / "a.jpg"])


def test_what_follows_the_name_of_another_file():
    files = [
        Path("a.png"),
        Path("a_1.png"),
        Path("a_1_mask.png"),
        Path("ab.png"),
        Path("x/a_2.png"),
    ]
    assert read_tags(files) == {Path("a_1.png"): "_1", Path("a_1_mask.png"): "_mask"}


@pytest.mark.parametrize(("text", "expected"), [("_instance_ids", True), ("_labelIds", False)])
def test_names_of_other_views(text, expected):
    assert is_view(text) == expected
