"""Pictures of images and masks."""

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise as pw
from pixelwise.segmenter.show import GAP

RED = (230, 25, 75)
IMAGE = np.zeros((300, 400), np.uint8)
MASK = np.zeros((300, 400), np.uint8)
MASK[100:200, 50:150] = 1


def pixel(picture, x, y):
    return picture.getpixel((x, y))


def is_reddish(color):
    return color[0] > 60 and color[0] > 2 * max(color[1:])


def test_an_image_alone():
    picture = pw.show(np.full((300, 400, 3), 7, np.uint8))
    assert isinstance(picture, Image.Image)
    assert picture.size == (400, 300)


@pytest.mark.parametrize(
    "mask",
    [
        MASK,
        MASK[..., np.newaxis],
        MASK * 255,
        MASK.astype(bool),
        MASK * np.float32(0.9),
        (MASK * np.float32(0.9))[..., np.newaxis],
        np.stack([1 - MASK, MASK], -1) * 0.8,
        torch.from_numpy(MASK),
        Image.fromarray(MASK),
        MASK.astype(np.int64),
    ],
)
def test_a_mask_in_any_form_tints_its_pixels(mask):
    picture = pw.show(IMAGE, mask)
    assert is_reddish(pixel(picture, 100, 150))
    assert pixel(picture, 10, 10) == pixel(pw.show(IMAGE), 10, 10)


def test_outlines_are_drawn_in_full():
    assert pixel(pw.show(IMAGE, MASK), 50, 150) == RED


def test_classes_that_overlap():
    planes = np.zeros((300, 400, 2), bool)
    planes[100:200, 50:150, 1] = True
    assert pw.show(IMAGE, planes).size == (400, 300)
    assert pixel(pw.show(IMAGE, planes, colors=("#00ff00", "#0000ff")), 50, 150) == (0, 0, 255)


def test_ignored_pixels_beside_classes_are_left_as_they_are():
    mask = MASK.copy()
    mask[:50] = 255
    assert pixel(pw.show(IMAGE, mask), 200, 20) == pixel(pw.show(IMAGE), 200, 20)


def test_several_masks_lie_side_by_side():
    picture = pw.show(IMAGE, MASK, 0 * MASK)
    assert picture.size == (800 + GAP, 300)
    assert is_reddish(pixel(picture, 100, 150))
    assert pixel(picture, 402, 150) == (255, 255, 255)
    assert not is_reddish(pixel(picture, 508, 150))


def test_small_pictures_are_enlarged_by_whole_numbers():
    assert pw.show(IMAGE[:30, :100]).size == (200, 60)


def test_files(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    Image.fromarray(MASK * 255).save(tmp_path / "m.png")
    assert pw.show(tmp_path / "a.png", tmp_path / "m.png") == pw.show(IMAGE, MASK)


def test_the_colours_are_given():
    assert pixel(pw.show(IMAGE, MASK, colors=("#000000", "#0000ff")), 50, 150) == (0, 0, 255)


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (np.zeros((2, 3, 4, 5)), MASK, r"one of several as images\[0\]"),
        (IMAGE, MASK[:20], "pixel for pixel"),
        (IMAGE, np.zeros(5), "expected class indices"),
        (IMAGE, MASK.astype(int) - 1, "expected class indices"),
    ],
)
def test_what_cannot_be_shown_is_said(image, mask, words):
    with pytest.raises(pw.ArrayError, match=words):
        pw.show(image, mask)
