"""Outlines: hand-checked, and every one painted back gives its pixels."""

import json
from itertools import pairwise

import numpy as np
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.draw import polygon2mask
from skimage.measure import label
from tests.io.test_places import GEO
from tests.objects.test_objects import COLORS, MASK, NAMES, paint, regions

from pixelwise.io import NOWHERE, Place, read_place
from pixelwise.objects import geojson_format, trace_regions


def rings_of(pixels):
    """Rings of each part of the only region."""
    (polygons,) = trace_regions(regions(np.array(pixels, np.uint8)))
    return polygons


def content_of(found, place=NOWHERE):
    form = geojson_format(NAMES, COLORS, place)
    return json.loads(form.start + form.write(found) + form.end)


class TestOutlines:
    def test_a_square_and_a_ring_by_hand(self):
        square, _, ring = trace_regions(regions())
        assert square == [[[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]]
        ((outer, hole),) = ring
        assert outer == [[1, 3], [4, 3], [4, 6], [1, 6], [1, 3]]
        assert sorted(hole[:-1]) == [[2, 4], [2, 5], [3, 4], [3, 5]]
        assert hole[0] == hole[-1]

    def test_steps_by_hand(self):
        """Sides of runs that are cut short below, to the left and to the right."""
        ((ring,),) = rings_of([[1, 1, 1, 1], [0, 1, 1, 0]])
        assert ring == [[0, 0], [4, 0], [4, 1], [3, 1], [3, 2], [1, 2], [1, 1], [0, 1], [0, 0]]

    def test_parts_that_touch_by_a_corner_are_two_polygons(self):
        assert len(trace_regions(regions())[1]) == 2

    def test_a_hole_that_touches_the_outside_by_a_corner(self):
        """Two rings that meet at a corner, and not one that meets itself."""
        (rings,) = rings_of([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]])
        assert len(rings) == 2
        assert all(len({tuple(c) for c in ring}) == len(ring) - 1 for ring in rings)

    def test_two_holes_that_touch_by_a_corner_are_two(self):
        (rings,) = rings_of([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
        assert len(rings) == 3

    def test_a_region_in_the_hole_of_another(self):
        """One is around the other; each has rings of its own."""
        mask = np.pad(np.pad(np.ones((1, 1), np.uint8), 1), 1, constant_values=1)
        inner, outer = trace_regions(regions(mask))
        assert inner == [[[[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]]]
        assert [len(polygon) for polygon in outer] == [2]

    @settings(deadline=None, max_examples=300)
    @given(arrays.arrays(np.bool_, st.tuples(*[st.integers(1, 9)] * 2)))
    def test_painted_back_they_are_the_pixels(self, mask):
        """Rings are simple, and enclose exactly the pixels (their centres, by even and odd)."""
        found = regions(mask.astype(np.uint8))
        for region, polygons in zip(found, trace_regions(found), strict=True):
            inside, painted = paint(region, mask.shape), np.zeros(mask.shape, bool)
            assert len(polygons) == label(inside, connectivity=1).max()
            for polygon in polygons:
                painted ^= _paint_polygon(polygon, mask.shape)
            np.testing.assert_array_equal(painted, inside)

    def test_of_no_regions(self):
        assert trace_regions([]) == []


def _paint_polygon(polygon, size):
    """The pixels whose centres its rings enclose; the outer ring is first, and holds all."""
    painted = np.zeros(size, bool)
    for number, ring in enumerate(polygon):
        assert len({tuple(corner) for corner in ring}) == len(ring) - 1
        assert ring[0] == ring[-1]
        turns = {(a[0] == b[0], a[1] == b[1]) for a, b in pairwise(ring)}
        assert turns == {(True, False), (False, True)}  # no corner on a straight line
        enclosed = polygon2mask(size, np.array(ring)[:, ::-1] - 0.5)
        assert number == 0 or not (enclosed & ~painted).any()
        painted ^= enclosed
    return painted


class TestGeojson:
    def test_pixels_without_a_map(self):
        content = content_of(regions())
        assert "crs" not in content
        one, two_parts, _ = content["features"]
        assert one["geometry"]["type"] == "Polygon"
        assert two_parts["geometry"]["type"] == "MultiPolygon"
        assert one["properties"] == {
            "objectType": "annotation", "class": "cell", "area_px": 4,
            "classification": {"name": "cell", "color": [255, 0, 0]},
        }  # fmt: skip

    def test_of_no_regions(self):
        assert content_of([])["features"] == []

    def test_coordinates_of_the_map(self, tmp_path):
        """10 m a pixel, from 500,000 east and 4,600,000 north on, in UTM zone 33."""
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, MASK, extratags=GEO)
        content = content_of(regions(), read_place(path))
        assert content["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
        assert content["features"][0]["geometry"]["coordinates"] == [
            [[500000, 4600000], [500020, 4600000], [500020, 4599980], [500000, 4599980],
             [500000, 4600000]]
        ]  # fmt: skip

    def test_where_the_tie_point_is_the_middle_of_a_pixel(self):
        keys = (1, 1, 0, 1, 1025, 0, 1, 2)
        tags = ((33550, 12, 3, (10.0, 10.0, 0.0)), (33922, 12, 6, (0.0,) * 3 + (5.0, 95.0, 0.0)),
                (34735, 3, len(keys), keys))  # fmt: skip
        assert Place(tags).to_map()([[0, 0]]) == [[0, 100]]
