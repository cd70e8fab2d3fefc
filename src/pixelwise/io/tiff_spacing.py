"""Physical size of the pixels of a TIFF file: OME-XML, ImageJ, GeoTIFF, slides, our own copies.

The resolution tags count only where ImageJ or a slide scanner wrote them, with a unit of length:
elsewhere they are dots per inch of a page.
"""

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pixelwise.io.spacing import spacing_of, unit_to_um

if TYPE_CHECKING:
    from tifffile import TiffFile

SVS_SIZE = re.compile(r"\bMPP *= *([0-9.]+)")  # micrometres
CENTIMETRE = 3  # of the tag of the unit
METRE = 9001  # EPSG code of the unit
PROJECTED = 1  # model type of a GeoTIFF whose coordinates are lengths, not degrees


def read_spacing(tiff: "TiffFile", axes: str) -> tuple[float, ...] | None:
    """Micrometres along the axes "YX" or "ZYX"; None where the file does not say, or not sanely."""
    if tiff.is_ome and tiff.ome_metadata:
        return spacing_of(axes, _ome_sizes(tiff.ome_metadata))
    if tiff.is_imagej:
        return spacing_of(axes, _imagej_sizes(tiff))
    if tiff.is_geotiff:
        return spacing_of(axes, _geotiff_sizes(tiff))
    return spacing_of(axes, _slide_sizes(tiff))


def _ome_sizes(xml: str) -> dict[str, float | None]:
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    if pixels is None:
        return {}
    sizes: dict[str, float | None] = {}
    for axis in "XYZ":
        unit = unit_to_um(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        size = pixels.get(f"PhysicalSize{axis}")
        sizes[axis] = None if unit is None or size is None else float(size) * unit
    return sizes


def _imagej_sizes(tiff: "TiffFile") -> dict[str, float | None]:
    facts, tags = tiff.imagej_metadata or {}, tiff.pages.first.tags
    unit = unit_to_um(str(facts.get("unit", "")))
    if unit is None:
        return {}
    sizes: dict[str, float | None] = {"Z": float(facts.get("spacing", 0)) * unit}
    for axis in "XY":
        tag = tags.get(f"{axis}Resolution")  # pixels in one unit, as a fraction
        pixels, units = tag.value if tag else (0, 0)
        sizes[axis] = units / pixels * unit if pixels else None
    return sizes


def _geotiff_sizes(tiff: "TiffFile") -> dict[str, float | None]:
    facts = tiff.geotiff_metadata or {}
    scale = facts.get("ModelPixelScale", ())
    is_metric = facts.get("ProjLinearUnitsGeoKey") == METRE
    if not is_metric or facts.get("GTModelTypeGeoKey") != PROJECTED or len(scale) < 2:
        return {}
    return {"X": float(scale[0]) * 1e6, "Y": float(scale[1]) * 1e6}


def _slide_sizes(tiff: "TiffFile") -> dict[str, float | None]:
    """Of SVS by its description ("... |MPP = 0.25|..."), of NDPI by pixels in a centimetre."""
    page = tiff.pages.first
    if tiff.is_svs and (found := SVS_SIZE.search(page.description)):
        return dict.fromkeys("XY", float(found[1]))
    if tiff.is_ndpi and page.resolutionunit == CENTIMETRE and all(page.resolution):
        across, down = page.resolution
        return {"X": 1e4 / across, "Y": 1e4 / down}
    return {}
