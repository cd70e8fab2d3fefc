"""Outlines of regions as GeoJSON, as QGIS and QuPath read them."""

from collections.abc import Sequence
from typing import Any

from pixelwise.colors import parse_color
from pixelwise.io import Place
from pixelwise.objects.formats import RegionFormat, json_items, to_json
from pixelwise.objects.measure import Region
from pixelwise.objects.polygons import Polygon, trace_regions


def geojson_format(
    class_names: Sequence[str], class_colors: Sequence[str], place: Place
) -> RegionFormat:
    """A GeoJSON FeatureCollection: a feature for each region.

    Coordinates are those of the map where the image is a GeoTIFF, else pixels, from the outer edge
    of the first one.

    Args:
        class_names: of the model.
        class_colors: "#rrggbb" of each class.
        place: where the image is.
    """
    to_map = place.to_map()
    head: dict[str, Any] = {"type": "FeatureCollection", "generator": "pixelwise result"}
    if place.epsg is not None and to_map is not None:
        name = f"urn:ogc:def:crs:EPSG::{place.epsg}"
        head["crs"] = {"type": "name", "properties": {"name": name}}

    def write(regions: Sequence[Region]) -> str:
        traced = trace_regions(regions)
        if to_map is not None:
            traced = [[[to_map(ring) for ring in one] for one in parts] for parts in traced]
        pairs = zip(regions, traced, strict=True)
        return json_items(regions, (_feature(*pair, class_names, class_colors) for pair in pairs))

    return RegionFormat(f'{to_json(head)[:-1]},"features":[', write, "\n]}\n")


def _feature(
    region: Region,
    polygons: Sequence[Polygon],
    class_names: Sequence[str],
    class_colors: Sequence[str],
) -> dict[str, Any]:
    is_one, name = len(polygons) == 1, class_names[region.class_index]
    return {
        "type": "Feature",
        "id": region.number,
        "geometry": {
            "type": "Polygon" if is_one else "MultiPolygon",
            "coordinates": polygons[0] if is_one else polygons,
        },
        "properties": {
            "objectType": "annotation",
            "class": name,
            "classification": {
                "name": name,
                "color": list(parse_color(class_colors[region.class_index])),
            },
            "area_px": region.area,
        },
    }
