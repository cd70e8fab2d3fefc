"""TIFF files that are written band by band: every pixel of every level, and their marks."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.io.test_places import GEO

from pixelwise.errors import OutputError
from pixelwise.io import (
    NOWHERE,
    Place,
    TiffBands,
    class_pixels,
    class_planes,
    fill_planes,
    grey_pixels,
    holds_probabilities,
    is_result,
    levels,
    open_windows,
    picture_pixels,
    probability_planes,
    read_image,
    read_mask_values,
    read_pixels,
    read_place,
    tiff_bands,
)

COLORS = ("#000000", "#ff0000", "#00ff00")
random = np.random.default_rng(0)


def write(path, pixels, values, heights=(170,), place=NOWHERE):
    """Write (h, W), (K, h, W) or (h, W, 3) in bands of some heights, again and again."""
    axis = pixels.axes.index("Y")
    size = values.shape[axis], values.shape[axis + 1]
    with TiffBands(path, size, pixels, place) as file:
        top = number = 0
        while top < size[0]:
            height = heights[number % len(heights)]
            file.write(values.take(range(top, min(top + height, size[0])), axis))
            top, number = top + height, number + 1
    return path


@pytest.fixture
def small_levels(monkeypatch):
    """Levels of every image, until it is 16 pixels long, in tiles of 16."""
    monkeypatch.setattr(levels, "LARGE_BYTES", 0)
    monkeypatch.setattr(levels, "COARSEST", 16)
    monkeypatch.setattr(tiff_bands, "TILE", 16)


def read_levels(path):
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.series) == 1
        assert [page.subfiletype for page in tiff.pages[0].pages or ()] == [1] * (
            len(tiff.series[0].levels) - 1
        )
        return [level.asarray() for level in tiff.series[0].levels]


class TestOneLevel:
    def test_a_mask_of_many_tiles(self, tmp_path):
        """Bands of any height; tiles at the edges are cut."""
        mask = random.integers(0, 3, (1300, 1100), np.uint8)
        path = write(tmp_path / "m.tif", class_pixels(COLORS), mask)
        np.testing.assert_array_equal(read_mask_values(path), mask)
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            assert page.is_tiled and page.tile == (256, 256)
            assert [c >> 8 for c in page.colormap[:, 1]] == [255, 0, 0]
            assert not page.subifds  # 1.4 MB are not large
        assert is_result(path) and not holds_probabilities(path)
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("num_classes", [1, 2, 3, 4, 6, 60])
    def test_planes_are_pages_of_a_stack(self, num_classes, tmp_path):
        values = random.integers(0, 256, (num_classes, 50, 70), np.uint8)
        path = write(tmp_path / "p.tif", probability_planes(num_classes), values, (7,))
        np.testing.assert_array_equal(read_pixels(path).values, np.moveaxis(values, 0, -1))
        with tifffile.TiffFile(path) as tiff:
            assert tiff.pages.first.tile == (64, 80)  # no larger than they must be
        assert is_result(path) and holds_probabilities(path)

    def test_planes_of_0_and_1_are_those_that_are_written_of_the_whole(self, tmp_path):
        from pixelwise.io import write_planes

        mask = random.random((2, 40, 30)) < 0.5
        one = write(tmp_path / "one.tif", class_planes(5), fill_planes(mask), (9,))
        other = write_planes(tmp_path / "other", mask)
        np.testing.assert_array_equal(read_mask_values(one), read_mask_values(other))
        with tifffile.TiffFile(one) as one, tifffile.TiffFile(other) as other:
            assert one.series[0].axes == other.series[0].axes == "CYX"
            assert one.series[0].shape == other.series[0].shape == (5, 40, 30)

    def test_a_picture_looks_as_it_was(self, tmp_path):
        """JPEG: smooth colours come back within 3 of 255, at the edges too."""
        y, x = np.mgrid[:300, :500]
        picture = np.stack([x / 2, y / 2, (x + y) / 4], -1).astype(np.uint8)
        path = write(tmp_path / "o.tif", picture_pixels(), picture)
        found = read_image(path)
        assert np.abs(found.astype(int) - picture).max() <= 3
        assert is_result(path)
        assert path.stat().st_size < picture.nbytes / 10

    def test_more_than_two_gigabytes_are_a_bigtiff(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tiff_bands, "BIG_BYTES", 100)
        path = write(tmp_path / "g.tif", grey_pixels(), random.integers(0, 255, (99, 99), np.uint8))
        with tifffile.TiffFile(path) as tiff:
            assert tiff.is_bigtiff

    @given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 90))
    @settings(deadline=None, max_examples=25)
    def test_the_file_does_not_depend_on_the_bands(self, tmp_path_factory, heights, height):
        folder = tmp_path_factory.mktemp("bands")
        mask = np.arange(height * 33, dtype=np.uint32).reshape(height, 33) // 7 % 3
        mask = mask.astype(np.uint8)
        one = write(folder / "one.tif", class_pixels(COLORS), mask, heights)
        other = write(folder / "other.tif", class_pixels(COLORS), mask, (height,))
        assert one.read_bytes() == other.read_bytes()
        np.testing.assert_array_equal(read_mask_values(one), mask)


@pytest.mark.usefixtures("small_levels")
class TestLevels:
    def test_of_a_mask_every_second_pixel_of_every_second_row(self, tmp_path):
        mask = random.integers(0, 3, (75, 101), np.uint8)
        found = read_levels(write(tmp_path / "m.tif", class_pixels(COLORS), mask, (1, 20)))
        assert [level.shape for level in found] == [(75, 101), (38, 51), (19, 26), (10, 13)]
        for number, level in enumerate(found):
            np.testing.assert_array_equal(level, mask[:: 2**number, :: 2**number])
        np.testing.assert_array_equal(read_mask_values(tmp_path / "m.tif"), mask)

    def test_of_other_values_the_mean_of_four(self, tmp_path):
        values = np.zeros((33, 34), np.uint8)
        values[0, :4] = 10, 20, 30, 41
        values[1, :4] = 30, 41, 10, 20
        values[32, :2] = 100, 50  # the last row has no other below it
        found = read_levels(write(tmp_path / "g.tif", grey_pixels(), values))
        assert [level.shape for level in found] == [(33, 34), (17, 17), (9, 9)]
        assert found[1][0, :3].tolist() == [25, 25, 0]  # 101 / 4 = 25.25
        assert found[1][16, :2].tolist() == [75, 0]
        assert found[2][0, :2].tolist() == [13, 0]  # (25 + 25 + 0 + 0) / 4 = 12.5
        assert found[2][8, 0] == 38  # (75 + 0) / 2 = 37.5

    def test_of_planes_each_has_its_own(self, tmp_path):
        planes = random.integers(0, 2, (6, 40, 50), np.uint8)
        path = write(tmp_path / "p.tif", class_planes(6), planes, (11,))
        found = read_levels(path)
        assert [level.shape for level in found] == [(6, 40, 50), (6, 20, 25), (6, 10, 13)]
        for number, level in enumerate(found):
            np.testing.assert_array_equal(level, planes[:, :: 2**number, :: 2**number])
        np.testing.assert_array_equal(read_mask_values(path), np.moveaxis(planes, 0, -1))

    def test_of_a_picture_colours_are_averaged(self, tmp_path):
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[:, :32] = 200, 100, 50
        found = read_levels(write(tmp_path / "o.tif", picture_pixels(), picture, (5,)))
        assert [level.shape for level in found] == [(64, 64, 3), (32, 32, 3), (16, 16, 3)]
        for level in found:
            side = len(level)
            assert np.abs(level[:, : side // 2 - 8].astype(int) - (200, 100, 50)).max(initial=0) < 4
            assert level[:, side // 2 + 8 :].max(initial=0) < 4

    def test_place_size_and_signature_stay(self, tmp_path):
        mask = random.integers(0, 3, (75, 101), np.uint8)
        path = write(tmp_path / "m.tif", class_pixels(COLORS), mask, place=Place(spacing_um=(2, 1)))
        assert read_place(path).spacing_um == (2, 1)
        place = Place(tuple(tag[:4] for tag in GEO))
        path = write(tmp_path / "geo.tif", class_pixels(COLORS), mask, place=place)
        assert read_place(path) == place
        assert is_result(path)

    def test_gdal_finds_the_levels(self, tmp_path):
        rasterio = pytest.importorskip("rasterio")
        mask = random.integers(0, 3, (75, 101), np.uint8)
        with rasterio.open(write(tmp_path / "m.tif", class_pixels(COLORS), mask)) as file:
            assert file.overviews(1) == [2, 4, 8]
            np.testing.assert_array_equal(file.read(1), mask)

    def test_the_finest_level_is_read_in_windows(self, tmp_path):
        mask = random.integers(0, 3, (75, 101), np.uint8)
        path = write(tmp_path / "m.tif", class_pixels(COLORS), mask)
        assert open_windows(path, least_bytes=0).shape == (75, 101, 3)


def test_large_images_have_levels(tmp_path):
    """16 MB are large."""
    mask = np.zeros((4096, 4096), np.uint8)
    mask[1000:3000, 500:700] = 1
    found = read_levels(write(tmp_path / "m.tif", class_pixels(COLORS), mask, (600,)))
    assert [level.shape for level in found] == [(4096,) * 2, (2048,) * 2, (1024,) * 2]
    np.testing.assert_array_equal(found[2], mask[::4, ::4])


class TestFailures:
    def test_nothing_is_left_where_it_breaks_off(self, tmp_path):
        with (
            pytest.raises(ZeroDivisionError),
            TiffBands(tmp_path / "m.tif", (1300, 1100), grey_pixels()) as file,
        ):
            file.write(np.zeros((600, 1100), np.uint8))
            _ = 1 / 0
        assert list(tmp_path.iterdir()) == []

    def test_too_few_rows_leave_nothing(self, tmp_path):
        with (
            pytest.raises(AssertionError),
            TiffBands(tmp_path / "m.tif", (1300, 1100), grey_pixels()) as file,
        ):
            file.write(np.zeros((600, 1100), np.uint8))
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(OutputError, match="Make the folder"):
            write(tmp_path / "none" / "m.tif", grey_pixels(), np.zeros((60, 70), np.uint8))

    def test_a_disk_that_is_full_before_the_end(self, tmp_path, monkeypatch):
        """The temporary file is full: the file before stays."""
        path = write(tmp_path / "m.tif", grey_pixels(), np.zeros((60, 70), np.uint8))
        before = path.read_bytes()

        class Full:
            def __init__(self, *_, **__): ...
            def __enter__(self):
                return self

            def __exit__(self, *_): ...
            def write(self, _):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(tiff_bands, "SpooledTemporaryFile", Full)
        with pytest.raises(OutputError, match=r"m\.tif cannot be written.*Free some space"):
            write(path, grey_pixels(), np.ones((60, 70), np.uint8))
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
