"""Masks lie where their images do: read back by tifffile, and by rasterio where it is there."""

import numpy as np
import pytest
import tifffile

from pixelwise.io import (
    NOWHERE,
    Place,
    TiffBands,
    class_pixels,
    probability_planes,
    read_mask_values,
    read_place,
)

# a pixel of 10 m at 500,000 east and 4,600,000 north, in UTM zone 33
KEYS = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633, 3076, 0, 1, 9001)
GEO = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 500_000.0, 4_600_000.0, 0.0), True),
    (34735, 3, len(KEYS), KEYS, True),
]
MASK = np.arange(60 * 70, dtype=np.uint8).reshape(60, 70) % 3
COLORS = ("#000000", "#ff0000", "#00ff00")


@pytest.fixture
def geotiff(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((60, 70, 3), np.uint8), photometric="rgb", extratags=GEO)
    return path


def write(path, place, mask=MASK):
    with TiffBands(path, mask.shape, class_pixels(COLORS), place) as file:
        file.write(mask[:25])
        file.write(mask[25:])


def test_a_mask_of_a_geotiff_is_one(geotiff, tmp_path):
    place = read_place(geotiff)
    assert place
    write(tmp_path / "mask.tif", place)
    with tifffile.TiffFile(tmp_path / "mask.tif") as one, tifffile.TiffFile(geotiff) as other:
        assert one.geotiff_metadata == other.geotiff_metadata
        for code, _, _, value, _ in GEO:
            assert tuple(one.pages.first.tags[code].value) == tuple(value)
    np.testing.assert_array_equal(read_mask_values(tmp_path / "mask.tif"), MASK)


def test_rasterio_finds_it_in_the_same_place(geotiff, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    write(tmp_path / "mask.tif", read_place(geotiff))
    with rasterio.open(tmp_path / "mask.tif") as one, rasterio.open(geotiff) as other:
        assert one.crs == other.crs
        assert one.transform == other.transform
        assert one.colormap(1)[1] == (255, 0, 0, 255)
        np.testing.assert_array_equal(one.read(1), MASK)


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_the_size_of_pixels_is_kept(kind, tmp_path):
    path = tmp_path / "image.ome.tif"
    if kind == "ome":
        sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
        tifffile.imwrite(path, MASK, ome=True, metadata={"axes": "YX"} | sizes)
    else:
        tifffile.imwrite(path, MASK, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    place = read_place(path)
    assert place.spacing_um == (0.5, 0.25)
    write(tmp_path / "mask.tif", place)
    assert read_place(tmp_path / "mask.tif").spacing_um == (0.5, 0.25)
    with TiffBands(tmp_path / "p.tif", (60, 70), probability_planes(2), place) as file:
        file.write(np.zeros((2, 60, 70), np.uint8))
    assert read_place(tmp_path / "p.tif").spacing_um == (0.5, 0.25)


def test_of_other_files_nothing_is_known(tmp_path, save):
    assert read_place(save("a.png", MASK)) == NOWHERE
    assert read_place(save("a.tif", MASK)) == NOWHERE
    assert not Place()
