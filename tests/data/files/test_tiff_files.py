"""TIFF: number types, channel order from the file's own axes, palettes, volumes refused."""

import numpy as np
import pytest

from pixelwise.data import read_image, read_mask_values
from pixelwise.data.files.image_files import decode_image
from pixelwise.errors import FileError

CHANNELS = np.arange(5 * 40 * 50, dtype=np.uint16).reshape(5, 40, 50)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_number_types_survive(save, dtype, compression):
    values = np.arange(20 * 30, dtype=dtype).reshape(20, 30)
    image = read_image(save("a.tif", values, compression=compression))
    assert image.dtype == dtype
    np.testing.assert_array_equal(image[:, :, 0], values)


def test_double_and_half_floats_become_single(save):
    for dtype in (np.float16, np.float64):
        image = read_image(save("a.tif", np.full((4, 5), 0.5, dtype=dtype)))
        assert image.dtype == np.float32
        assert (image == 0.5).all()


def test_int64_labels_with_no_data_are_kept(save):
    values = np.array([[-1, 0], [3, 7]], dtype=np.int64)
    np.testing.assert_array_equal(read_mask_values(save("a.tif", values)), values)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "CYX"}},
        {"ome": True, "metadata": {"axes": "CYX"}},
        {"metadata": {"axes": "CYX"}, "photometric": "minisblack"},
        {"photometric": "minisblack", "planarconfig": "separate"},
    ],
    ids=["imagej", "ome", "axes", "planar"],
)
def test_channel_first_is_read_from_the_metadata(save, options):
    image = read_image(save("a.tif", CHANNELS, **options))
    assert image.shape == (40, 50, 5)
    np.testing.assert_array_equal(image, np.moveaxis(CHANNELS, 0, 2))


def test_channel_last_is_read_from_the_metadata(save):
    values = np.moveaxis(CHANNELS, 0, 2)
    path = save("a.tif", values, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_image(path), values)


def test_rgb_tiff(save):
    values = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(save("a.tif", values, photometric="rgb")), values)


def test_unnamed_short_axis_is_taken_for_channels_and_said(save):
    path = save("a.tif", CHANNELS, photometric="minisblack", metadata=None)
    pixels = decode_image(path.read_bytes(), path)
    assert pixels.values.shape == (40, 50, 5)
    assert "the first was taken for channels" in pixels.note


@pytest.mark.parametrize("shape", [(40, 5, 50), (40, 44, 50), (12, 16, 20)])
def test_unnamed_axes_that_cannot_be_told_apart_are_refused(save, shape):
    path = save("a.tif", np.zeros(shape, np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(FileError, match="without the names of its axes"):
        read_image(path)


@pytest.mark.parametrize(("axis", "word"), [("Z", "volume"), ("T", "film")])
def test_volumes_and_films_are_refused(save, axis, word):
    path = save("a.tif", CHANNELS, imagej=True, metadata={"axes": f"{axis}YX"})
    with pytest.raises(FileError, match=word) as caught:
        read_image(path)
    assert "a.tif" in str(caught.value)


def test_axes_of_length_one_are_dropped(save):
    path = save("a.tif", CHANNELS[None, :1], imagej=True, metadata={"axes": "ZCYX"})
    assert read_image(path).shape == (40, 50, 1)


def test_one_bit_is_bright_as_image_and_one_as_mask(save):
    values = np.array([[0, 1, 1], [1, 0, 0]], dtype=bool)
    path = save("a.tif", values, photometric="minisblack")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], values * 255)
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_zero_is_white_is_turned_for_images_only(save):
    values = np.array([[0, 10], [255, 3]], dtype=np.uint8)
    path = save("a.tif", values, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], 255 - values)
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_palette_is_expanded_for_images_only(save):
    colormap = np.zeros((3, 256), dtype=np.uint16)
    colormap[:, 1] = 256 * np.array([200, 100, 50])
    values = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    path = save("a.tif", values, photometric="palette", colormap=colormap)
    image = read_image(path)
    assert image.shape == (2, 2, 3)
    assert image[0, 1].tolist() == [200, 100, 50]
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_truncated_tiff_is_a_file_error(save):
    path = save("a.tif", CHANNELS[0], photometric="minisblack")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(FileError, match="damaged or truncated"):
        read_image(path)


def test_complex_numbers_are_refused(save):
    path = save("a.tif", np.zeros((4, 4), dtype=np.complex64))
    with pytest.raises(FileError, match="complex"):
        read_image(path)
