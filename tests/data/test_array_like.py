"""Tensors and PIL images as arrays: a PIL image is what its file is read as."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise import ArrayError, FileError
from pixelwise.data.array_like import as_plain, to_numbers
from pixelwise.data.array_source import ArraySource
from pixelwise.data.sequences import find_pairs
from pixelwise.io import read_image, read_mask_values

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
COLORS = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
RGB = Image.fromarray(COLORS)


def palette(transparency=None):
    picture = RGB.quantize(16)
    if transparency is not None:
        picture.info["transparency"] = transparency
    return picture


FILES = {  # mode: a picture, and an ending that keeps the mode
    "1": (Image.fromarray(RAMP).convert("1"), "png"),
    "L": (Image.fromarray(RAMP), "png"),
    "LA": (Image.fromarray(np.stack([RAMP, RAMP], -1), "LA"), "png"),
    "P": (palette(), "png"),
    "P, transparent": (palette(3), "png"),
    "RGB": (RGB, "png"),
    "RGBA": (Image.fromarray(np.dstack([COLORS, RAMP])), "png"),
    "CMYK": (RGB.convert("CMYK"), "jpg"),
    "I;16": (Image.fromarray(RAMP.astype(np.uint16) * 200), "png"),
}


@pytest.mark.parametrize(
    ("mode", "as_mask"),
    [*((mode, False) for mode in FILES), *((mode, True) for mode in FILES if mode != "CMYK")],
)
def test_a_pil_image_is_what_its_file_is_read_as(mode, as_mask, tmp_path):
    picture, ending = FILES[mode]
    path = tmp_path / f"a.{ending}"
    picture.save(path)
    expected = (read_mask_values if as_mask else read_image)(path)
    for source in (Image.open(path), picture) if ending == "png" else (Image.open(path),):
        found = as_plain("x", source, as_mask=as_mask)
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize(
    ("picture", "dtype", "shape"),
    [
        (Image.fromarray(RAMP.astype(np.int32) * 1000), np.int32, (8, 8)),  # mode I
        (Image.fromarray(RAMP.astype(np.float32) / 7), np.float32, (8, 8)),  # mode F
        (RGB.convert("YCbCr"), np.uint8, (8, 8, 3)),
        (RGB.convert("HSV"), np.uint8, (8, 8, 3)),
        (Image.fromarray(np.stack([RAMP, RAMP], -1), "LA").convert("PA"), np.uint8, (8, 8, 4)),
    ],
)
def test_other_modes_are_numbers_or_colours(picture, dtype, shape):
    found = as_plain("x", picture)
    assert (found.dtype, found.shape) == (dtype, shape)
    if picture.mode in ("YCbCr", "HSV"):
        assert np.abs(found.astype(int) - COLORS).max() <= 8  # rounding of the other colour space


def test_a_picture_is_turned_as_its_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    RGB.save(tmp_path / "a.png", exif=exif)
    found = as_plain("x", Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(found, read_image(tmp_path / "a.png"))
    np.testing.assert_array_equal(found, np.rot90(COLORS, -1))


def test_colours_that_pillow_cuts_to_8_bits_are_refused(tmp_path):
    import imagecodecs

    data = imagecodecs.png_encode(COLORS.astype(np.uint16) * 257)
    with pytest.raises(ArrayError, match=r"16 bits a channel.*Give its path"):
        as_plain("x", Image.open(io.BytesIO(data)))


def test_modes_that_pillow_cannot_convert_are_refused():
    with pytest.raises(ArrayError, match=r"mode LAB.*convert"):
        as_plain("x", Image.new("LAB", (8, 8)))


def test_damaged_pictures_are_refused(tmp_path):
    RGB.resize((200, 200)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ArrayError, match="cannot be taken"):
        as_plain("x", Image.open(io.BytesIO(data[: len(data) // 2])))


def test_lists_are_turned_item_by_item():
    found = to_numbers("x", [palette(), RGB])
    assert found.shape == (2, 8, 8, 3)
    assert to_numbers("y", [palette(), palette()], as_mask=True).shape == (2, 8, 8)
    tensors = [torch.ones(2, requires_grad=True), torch.zeros(2).bfloat16()]
    np.testing.assert_array_equal(to_numbers("x", tensors), [[1, 1], [0, 0]])


def test_everything_else_is_left_as_it_is():
    for value in (np.ones(3), [1, 2], "text", None):
        assert as_plain("x", value) is value


class Odd:
    """An array of another library that NumPy cannot read."""

    def __array__(self, *_, **__):
        raise RuntimeError("implicit conversion is not allowed")


def test_arrays_that_numpy_cannot_read_are_refused():
    with pytest.raises(ArrayError, match=r"x is a Odd.*implicit conversion"):
        to_numbers("x", Odd())


def test_sequences_take_tensors_and_pil_images():
    image, mask = palette(), palette()
    layout = find_pairs([(image, mask), (torch.ones(8, 8, requires_grad=True), np.zeros((8, 8)))])
    first, second = layout.samples
    assert first.images.read().shape == (8, 8, 3)
    assert first.mask.read().shape == (8, 8)
    assert second.images.read().dtype == np.float32


def test_a_sequence_that_gives_what_cannot_be_read_is_a_file_error():
    with pytest.raises(FileError, match="cannot be read"):
        ArraySource("array 0", lambda: torch.zeros(8, 8, device="meta")).read()
