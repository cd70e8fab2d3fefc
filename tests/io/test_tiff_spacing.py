"""Spacing of TIFF files: where a program meant the size of a pixel, and nowhere else."""

import numpy as np
import pytest
import tifffile

from pixelwise.io.image_files import read_pixels

PICTURE = np.zeros((20, 30), np.uint8)
STACK = np.zeros((9, 20, 30), np.uint8)


def geotiff_tags(unit: int, model: int = 1) -> list[tuple]:
    """ModelPixelScale of 30 and 20, and the keys for the model type and the unit of length."""
    keys = (1, 1, 0, 2, 1024, 0, 1, model, 3076, 0, 1, unit)
    return [(33550, "d", 3, (20.0, 30.0, 0.0), True), (34735, "H", len(keys), keys, True)]


@pytest.mark.parametrize(
    ("values", "options", "spacing"),
    [
        (PICTURE, {"imagej": True, "resolution": (2, 4), "metadata": {"unit": "um"}}, (0.25, 0.5)),
        (PICTURE, {"imagej": True, "resolution": (2, 4), "metadata": {"unit": "nm"}},
         (0.00025, 0.0005)),
        (PICTURE, {"imagej": True, "resolution": (2, 4), "metadata": {"unit": "pixel"}}, None),
        (PICTURE, {"imagej": True, "resolution": (72, 72), "metadata": {"unit": "inch"}}, None),
        (PICTURE, {"imagej": True}, None),
        (STACK, {"imagej": True, "resolution": (2, 2),
                 "metadata": {"axes": "ZYX", "unit": "mm", "spacing": 3.0}}, (3000, 500, 500)),
        (STACK, {"imagej": True, "resolution": (2, 2), "metadata": {"axes": "ZYX", "unit": "mm"}},
         None),
        (STACK, {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.1,
                                           "PhysicalSizeY": 0.2, "PhysicalSizeZ": 0.5}},
         (0.5, 0.2, 0.1)),
        (PICTURE, {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 100.0,
                                             "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.2}},
         (0.2, 0.1)),
        (PICTURE, {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 100.0}}, None),
        (PICTURE, {"extratags": geotiff_tags(9001), "metadata": None}, (3e7, 2e7)),
        (PICTURE, {"extratags": geotiff_tags(9002), "metadata": None}, None),
        (PICTURE, {"extratags": geotiff_tags(9001, model=2), "metadata": None}, None),
        (PICTURE, {"resolution": (300, 300), "resolutionunit": "inch"}, None),
    ],
    ids=[
        "imagej", "imagej-nm", "imagej-pixel", "imagej-inch", "imagej-none", "imagej-stack",
        "imagej-stack-without-spacing", "ome", "ome-units", "ome-one-axis", "geo-metres",
        "geo-feet", "geo-degrees", "dpi",
    ],
)  # fmt: skip
def test_spacing(save, values, options, spacing):
    pixels = read_pixels(save("a.tif", values, **options))
    assert pixels.spacing_um == spacing
    assert pixels.spatial_dims == values.ndim


def test_spacing_turns_with_the_picture(save):
    tag = (274, "H", 1, 6, True)
    path = save("a.tif", PICTURE, extratags=[*geotiff_tags(9001), tag], metadata=None)
    pixels = read_pixels(path)
    assert (pixels.values.shape, pixels.spacing_um) == ((30, 20, 1), (2e7, 3e7))


def test_real_files_say_what_tifffile_reads(shared_data):
    """Every ImageJ file with a unit: pixel size = 1 / resolution, in that unit."""
    factor = {"micron": 1.0, "micrometer": 1.0, "nm": 1e-3}
    num_known = 0
    for path in sorted((shared_data / "formats" / "microscopy_tiff").rglob("*.tif*")):
        with tifffile.TiffFile(path) as file:
            unit = (file.imagej_metadata or {}).get("unit")
            tags = file.pages.first.tags
            expected = None
            if unit:
                expected = tuple(
                    factor[unit] * tags[name].value[1] / tags[name].value[0]
                    for name in ("YResolution", "XResolution")
                )
        found = read_pixels(path).spacing_um
        assert (found is None) == (expected is None), path.name
        assert found is None or found == pytest.approx(expected, rel=1e-5), path.name
        num_known += expected is not None
    assert num_known == 28
