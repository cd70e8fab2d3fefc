"""Outlines of regions along the edges of their pixels, as GeoJSON.

The corner of a pixel is where its edges meet, so that the pixel in row 2 and column 3 has the
corners (3, 2), (4, 2), (4, 3) and (3, 3) in x and y. A polygon has its outer ring first, then its
holes; a region whose parts touch by corners alone is a MultiPolygon.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from pixelwise.colors import parse_color
from pixelwise.io import Place
from pixelwise.objects.regions import Region

Ring = list[list[float]]
# directions in which an edge runs, the region on its right: x and y of the next corner
RIGHT, DOWN, LEFT, UP = range(4)
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def to_geojson(
    regions: Iterable[Region],
    class_names: Sequence[str],
    class_colors: Sequence[str],
    place: Place,
) -> dict[str, Any]:
    """A GeoJSON FeatureCollection: a feature for each region, as QGIS and QuPath read them.

    Coordinates are those of the map where the image is a GeoTIFF, else pixels, from the outer edge
    of the first one.

    Args:
        regions: of one mask.
        class_names: of the model.
        class_colors: "#rrggbb" of each class.
        place: where the image is.
    """
    to_map = place.to_map()
    features = []
    for region in regions:
        polygons = trace_region(region)
        if to_map is not None:
            polygons = [[to_map(ring) for ring in polygon] for polygon in polygons]
        is_one = len(polygons) == 1
        features.append(
            {
                "type": "Feature",
                "id": region.number,
                "geometry": {
                    "type": "Polygon" if is_one else "MultiPolygon",
                    "coordinates": polygons[0] if is_one else polygons,
                },
                "properties": {
                    "objectType": "annotation",
                    "class": class_names[region.class_index],
                    "classification": {
                        "name": class_names[region.class_index],
                        "color": list(parse_color(class_colors[region.class_index])),
                    },
                    "area_px": int(region.inside.sum()),
                },
            }
        )
    found: dict[str, Any] = {"type": "FeatureCollection", "generator": "pixelwise result"}
    if place.epsg is not None and to_map is not None:
        name = f"urn:ogc:def:crs:EPSG::{place.epsg}"
        found["crs"] = {"type": "name", "properties": {"name": name}}
    return found | {"features": features}


def trace_region(region: Region) -> list[list[Ring]]:
    """Polygons of the parts of a region: rings of (x, y) in pixels of the image, closed."""
    rows, columns = region.place
    parts = label(region.inside, connectivity=1)  # type: ignore[no-untyped-call]
    polygons = []
    for number in range(1, int(parts.max()) + 1):
        rings = trace(parts == number)
        polygons.append(
            [[[float(x + columns.start), float(y + rows.start)] for x, y in r] for r in rings]
        )
    return polygons


def trace(inside: NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """The rings around pixels that are connected by edges: the outer one, then those of holes.

    Args:
        inside: (h, w) bool.

    Returns:
        Corners (x, y) of each ring, the first one again at its end; corners on a straight line are
        left out. With y down, outer rings run clockwise.
    """
    edges = _edges(inside)
    rings = []
    while edges:
        first = next(iter(edges))
        rings.append(_follow(edges, first, next(iter(edges[first]))))
    return sorted(rings, key=_area, reverse=True)


def _follow(
    edges: dict[tuple[int, int], set[int]], first: tuple[int, int], began: int
) -> list[tuple[int, int]]:
    """Take the edges of the ring that begins at a corner in a direction, and return its corners."""
    corner, heading, ring = first, began, [first]
    while True:
        edges[corner].discard(heading)
        if not edges[corner]:
            del edges[corner]
        corner = (corner[0] + STEPS[heading][0], corner[1] + STEPS[heading][1])
        is_back = corner == first
        turned = _turn(heading, edges.get(corner, set()) | ({began} if is_back else set()))
        if is_back and turned == began:
            break
        if turned != heading:
            ring.append(corner)
        heading = turned
    if heading == began:  # the first corner lies on a straight line
        ring = ring[1:]
    return [*ring, ring[0]]


def _turn(heading: int, possible: set[int]) -> int:
    """Where to go on; to the left where pixels touch by a corner, so that no ring meets itself."""
    return next(h for h in ((heading + 3) % 4, heading, (heading + 1) % 4) if h in possible)


def _edges(inside: NDArray[np.bool_]) -> dict[tuple[int, int], set[int]]:
    """The directions of the edges that begin at each corner, the region on their right."""
    padded = np.pad(inside, 1)
    core = padded[1:-1, 1:-1]
    found: dict[tuple[int, int], set[int]] = {}
    sides = (
        (RIGHT, padded[:-2, 1:-1], 0, 0),  # nothing above: along the upper edge
        (DOWN, padded[1:-1, 2:], 1, 0),
        (LEFT, padded[2:, 1:-1], 1, 1),
        (UP, padded[1:-1, :-2], 0, 1),
    )
    for heading, neighbour, dx, dy in sides:
        for y, x in np.argwhere(core & ~neighbour).tolist():
            found.setdefault((x + dx, y + dy), set()).add(heading)
    return found


def _area(ring: Sequence[tuple[int, int]]) -> float:
    """Twice the area of a ring; negative of holes."""
    corners = np.array(ring, dtype=np.float64)
    x, y = corners.T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
