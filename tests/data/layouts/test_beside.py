"""Images and masks side by side in one folder: which files are which."""

from pathlib import Path

import pytest

from pixelwise.data.layouts.beside import Beside, pair_beside
from pixelwise.errors import LayoutError


def sort_out(*names: str) -> Beside:
    return pair_beside(sorted(Path("data", name) for name in names))


def masks_of(beside: Beside) -> dict[str, str]:
    """Names of the masks of each image, joined."""
    return {image.name: " ".join(p.name for p in masks) for image, masks in beside.masks.items()}


@pytest.mark.parametrize(
    ("names", "masks", "description"),
    [
        (("a.png", "a_mask.png", "b.png"), {"a.png": "a_mask.png", "b.png": ""},
         "x.png + x_mask.png side by side"),
        (("a.tif", "a_cp_masks.png"), {"a.tif": "a_cp_masks.png"},
         "x.tif + x_cp_masks.png side by side"),
        (("a.jpg", "a_L.png", "b.jpg", "b_L.png"), {"a.jpg": "a_L.png", "b.jpg": "b_L.png"},
         "x.jpg + x_L.png side by side"),
        (("1_sat.jpg", "1_mask.png", "2_sat.jpg", "2_mask.png"),
         {"1_sat.jpg": "1_mask.png", "2_sat.jpg": "2_mask.png"}, "X_sat -> X_mask side by side"),
        (("a.jpg", "a.png", "b.jpg"), {"a.jpg": "a.png", "b.jpg": ""},
         "x.jpg + x.png side by side"),
        (("image.png", "label.png"), {"image.png": "label.png"}, "images and masks side by side"),
        (("a.png", "b.png"), {"a.png": "", "b.png": ""}, "images alone"),
        (("a.png", "a_1.png", "a_2.png"), {"a.png": "", "a_1.png": "", "a_2.png": ""},
         "images alone"),  # numbers are no masks
        (("a.png", "a_x.png", "b.png"), {"a.png": "", "a_x.png": "", "b.png": ""},
         "images alone"),  # not every image has it
        (("a_1.png", "a_1_mask.png", "a_1_2.png", "a_1_2_mask.png"),
         {"a_1.png": "a_1_mask.png", "a_1_2.png": "a_1_2_mask.png"},
         "x.png + x_mask.png side by side"),
    ],
)  # fmt: skip
def test_files_are_paired(names, masks, description):
    beside = sort_out(*names)
    assert (masks_of(beside), beside.description) == (masks, description)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.png", "a_mask.png", "a_gt.png"), "both masks of a. Remove one"),
        (("a.bmp", "a.png"), "a.bmp, a.png: which are images .* Move them to images/ and masks/"),
        (("a.jpg", "a.png", "a.gif"), "cannot be told"),
        (("a.jpg", "a_one.png", "a_two.png", "b.jpg", "b_one.png", "b_two.png"),
         "2 files beside each image, .* X -> X_one, or X -> X_two"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(names, message):
    with pytest.raises(LayoutError, match=message):
        sort_out(*names)


def test_lone_masks_and_other_views():
    beside = sort_out("a.png", "a_mask.png", "a_overlay.png", "b_mask.png", "c.png")
    assert masks_of(beside) == {"a.png": "a_mask.png", "c.png": ""}
    assert [path.name for path in beside.lone] == ["b_mask.png"]
    assert [path.name for path in beside.aside] == ["a_overlay.png"]


def test_near_names_are_paired_and_said():
    beside = sort_out("a.png", "a_mask.png", "Scan 7.png", "scan 7_mask.png")
    assert masks_of(beside)["Scan 7.png"] == "scan 7_mask.png"
    assert [path.name for path in beside.near_misses] == ["scan 7_mask.png"]


def test_several_masks_of_one_image_by_number():
    beside = sort_out("a.png", "a_mask.png", "a_mask_1.png", "a_mask_2.png")
    assert masks_of(beside) == {"a.png": "a_mask.png a_mask_1.png a_mask_2.png"}


@pytest.mark.parametrize(
    ("names", "mask"),
    [
        (("a.tif", "a_masks.tif", "a_seg.npy"), "a_masks.tif"),
        (("a.jpg", "a.png", "a.npy"), "a.png"),
        (("a.png", "a_label.png", "a_label_color.png"), "a_label.png"),
    ],
)
def test_pictures_win_over_arrays_and_over_colours(names, mask):
    beside = sort_out(*names)
    assert masks_of(beside)[min(names, key=len)] == mask
    assert {path.name for path in beside.aside} <= set(names) - {mask}


def test_an_array_beside_an_image_may_be_its_mask():
    assert masks_of(sort_out("a.png", "a_seg.npy")) == {"a.png": "a_seg.npy"}
