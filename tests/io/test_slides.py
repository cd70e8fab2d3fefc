"""Whole slides are one picture: its finest level, in windows and whole, with the size of pixels."""

import numpy as np
import pytest
import tifffile

from pixelwise.io import is_image_file, open_windows, read_image, read_place
from pixelwise.io.image_files import read_pixels

from .slides import APERIO, SLIDE, write_ndpi, write_svs

WRITERS = {"svs": write_svs, "ndpi": write_ndpi}


@pytest.fixture(params=WRITERS)
def slide(request, tmp_path):
    return WRITERS[request.param](tmp_path / f"slide.{request.param}")


def test_it_is_the_finest_level_and_nothing_is_said_of_label_and_thumbnail(slide):
    assert is_image_file(slide)
    pixels = read_pixels(slide)
    assert (pixels.values.shape, pixels.note) == (SLIDE.shape, "")
    assert np.median(np.abs(pixels.values.astype(int) - SLIDE)) < 4  # JPEG
    assert read_place(slide).num_planes == 1


def test_in_windows_it_is_what_is_read_whole(slide):
    whole, windows = read_image(slide), open_windows(slide, least_bytes=0)
    assert windows.shape == SLIDE.shape
    for rows, columns in ((slice(0, 100), slice(7, 300)), (slice(150, 320), slice(100, 384))):
        np.testing.assert_array_equal(windows[rows, columns], whole[rows, columns])


def test_the_size_of_its_pixels_is_known(tmp_path):
    assert read_place(write_svs(tmp_path / "a.svs")).spacing_um == (0.252, 0.252)
    assert read_place(write_ndpi(tmp_path / "a.ndpi", 0.23)).spacing_um == (0.23, 0.23)
    tifffile.imwrite(tmp_path / "b.svs", SLIDE, tile=(64, 64), description="Aperio x\r\nno size")
    assert read_place(tmp_path / "b.svs").spacing_um is None


@pytest.mark.filterwarnings("ignore:hamamatsu-format metadata parsing")
def test_tiffslide_reads_the_same(slide):
    tiffslide = pytest.importorskip("tiffslide")
    with tiffslide.TiffSlide(slide) as other:
        found = np.asarray(other.read_region((100, 50), 0, (90, 80)))
        spacing = [other.properties[f"tiffslide.mpp-{axis}"] for axis in "yx"]
    np.testing.assert_array_equal(open_windows(slide, 0)[50:130, 100:190], found)
    np.testing.assert_allclose(read_place(slide).spacing_um, spacing)


@pytest.mark.parametrize(("compression", "is_ycbcr"), [(33005, False), (33003, True)])
def test_jpeg_2000_of_aperio(compression, is_ycbcr, tmp_path):
    """33003 means YCbCr, whatever the tag of colours says: here white, pure red and black."""
    colors = {True: [(255, 128, 128), (76, 85, 255), (0, 128, 128)],
              False: [(255, 255, 255), (254, 0, 0), (0, 0, 0)]}[is_ycbcr]  # fmt: skip
    values = np.zeros((300, 384, 3), np.uint8)
    for number, color in enumerate(colors):
        values[:, 128 * number : 128 * (number + 1)] = color
    path = tmp_path / "a.svs"
    tifffile.imwrite(
        path, values, photometric="rgb", tile=(128, 128), compression=compression,
        description=APERIO.format("J2K"), metadata=None,
    )  # fmt: skip
    for found in (read_image(path), open_windows(path, least_bytes=0)[0:300, 0:384]):
        expected = [(255, 255, 255), (254, 0, 0), (0, 0, 0)]
        for number, color in enumerate(expected):
            assert np.abs(found[:, 128 * number + 64].astype(int) - color).max() <= 2


def test_reduced_copies_are_no_other_pictures(tmp_path):
    """As GDAL writes overviews, and others a thumbnail: smaller pages behind the first."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        options = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None}
        writer.write(SLIDE, **options)
        writer.write(SLIDE[::2, ::2], subfiletype=1, **options)
        writer.write(SLIDE[:40, ::7], subfiletype=1, **options)
    pixels = read_pixels(tmp_path / "a.tif")
    assert pixels.note == ""
    np.testing.assert_array_equal(pixels.values, SLIDE)
    windows = open_windows(tmp_path / "a.tif", least_bytes=0)
    np.testing.assert_array_equal(windows[100:200, 50:90], SLIDE[100:200, 50:90])


@pytest.mark.parametrize("axes", ["YXS", "CYX"])
def test_ome_with_levels_is_read_in_windows(axes, tmp_path):
    """Levels in SubIFDs, as QuPath and Bio-Formats write them."""
    values = SLIDE if axes == "YXS" else np.moveaxis(SLIDE, -1, 0).copy()
    look = {"photometric": "rgb" if axes == "YXS" else "minisblack", "tile": (64, 64),
            "compression": "zlib"}  # fmt: skip
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
        writer.write(values, subifds=2, metadata={"axes": axes} | sizes, **look)
        for step in (2, 4):
            small = SLIDE[::step, ::step]
            small = small if axes == "YXS" else np.moveaxis(small, -1, 0).copy()
            writer.write(small, subfiletype=1, metadata=None, **look)
    windows = open_windows(tmp_path / "a.ome.tif", least_bytes=0)
    np.testing.assert_array_equal(windows[100:310, 50:90], SLIDE[100:310, 50:90])
    assert read_place(tmp_path / "a.ome.tif").spacing_um == (0.5, 0.25)
