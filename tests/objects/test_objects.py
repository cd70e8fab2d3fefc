"""Objects of masks: hand-checked tables and outlines, and every outline painted back."""

import csv
import io
import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.draw import polygon2mask
from skimage.measure import label
from tests.io.test_places import GEO
from tests.workflows.test_predict_parts import EXACT, make_model

import pixelwise as pw
from pixelwise.io import NOWHERE, Place, read_place
from pixelwise.objects import describe_regions, find_regions, to_geojson, trace_region
from pixelwise.objects.polygons import trace

NAMES, COLORS = ("background", "cell", "rim"), ("#000000", "#ff0000", "#00ff00")
MASK = np.array(
    [
        [1, 1, 0, 0, 0, 2],
        [1, 1, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 0, 1, 0, 255],
        [0, 1, 1, 1, 0, 0],
    ],
    np.uint8,
)


def regions(mask=MASK, has_background=True):
    return list(find_regions(mask, has_background=has_background))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


class TestRegions:
    def test_of_each_class_by_edges_and_corners(self):
        found = regions()
        assert [(r.number, r.class_index, int(r.inside.sum())) for r in found] == [
            (1, 1, 4), (2, 1, 8), (3, 2, 2),
        ]  # fmt: skip
        assert found[2].place == (slice(0, 2), slice(4, 6))

    def test_without_background_class_0_has_regions_too(self):
        assert [r.class_index for r in regions(has_background=False)] == [0, 0, 1, 1, 2]

    def test_of_classes_that_overlap(self):
        planes = np.stack([MASK == 1, MASK > 0])
        assert [r.class_index for r in regions(planes)] == [0, 0, 1, 1, 1, 1]

    @settings(deadline=None)
    @given(
        arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2), elements=st.integers(0, 2))
    )
    def test_they_are_the_mask(self, mask):
        painted = np.zeros_like(mask)
        for region in regions(mask):
            assert not painted[region.place][region.inside].any()
            painted[region.place][region.inside] = region.class_index
            assert label(region.inside, connectivity=2).max() == 1
        np.testing.assert_array_equal(painted, mask)


class TestTable:
    IMAGE = np.arange(72, dtype=np.uint16).reshape(6, 6, 2)

    def test_by_hand(self):
        rows = rows_of(describe_regions(regions(), NAMES, self.IMAGE))
        assert len(rows) == 3
        first = {name: rows[0][name] for name in rows[0] if name != "perimeter_px"}
        assert first == {
            "object": "1", "class": "cell", "area_px": "4", "row_px": "0.5", "column_px": "0.5",
            "top_px": "0", "left_px": "0", "bottom_px": "2", "right_px": "2", "eccentricity": "0.0",
            "mean_1": "7.0", "mean_2": "8.0",
        }  # fmt: skip
        assert [row["class"] for row in rows] == ["cell", "cell", "rim"]
        assert (rows[1]["row_px"], rows[1]["column_px"]) == ("4.0", "2.0")

    def test_in_micrometres(self):
        (row, *_) = rows_of(describe_regions(regions(), NAMES, self.IMAGE, (0.5, 0.25)))
        assert (row["area_um2"], row["row_um"], row["column_um"]) == ("0.5", "0.25", "0.125")

    def test_a_mask_without_objects_has_a_heading(self):
        text = describe_regions(regions(np.zeros((4, 4), np.uint8)), NAMES, self.IMAGE)
        assert text.startswith("object,class,area_px")
        assert rows_of(text) == []


class TestOutlines:
    def test_a_square_and_a_ring_by_hand(self):
        square, ring, _ = regions()
        assert trace_region(square) == [[[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]]
        (outer, hole) = trace_region(ring)[0]
        assert outer == [[1, 3], [4, 3], [4, 6], [1, 6], [1, 3]]
        assert sorted(hole[:-1]) == [[2, 4], [2, 5], [3, 4], [3, 5]]
        assert hole[0] == hole[-1]

    def test_parts_that_touch_by_a_corner_are_two_polygons(self):
        assert len(trace_region(regions()[2])) == 2

    def test_a_hole_that_touches_the_outside_by_a_corner(self):
        """Two rings that meet at a corner, and not one that meets itself."""
        inside = np.ones((4, 4), bool)
        inside[1, 1] = inside[0, 0] = False
        rings = trace(inside)
        assert len(rings) == 2
        assert all(len(set(ring[:-1])) == len(ring) - 1 for ring in rings)

    @settings(deadline=None, max_examples=200)
    @given(arrays.arrays(np.bool_, st.tuples(*[st.integers(1, 9)] * 2)))
    def test_painted_back_they_are_the_pixels(self, mask):
        """Rings are simple, and enclose exactly the pixels (their centres, by even and odd)."""
        painted = np.zeros(mask.shape, bool)
        for region in regions(mask.astype(np.uint8)):
            for polygon in trace_region(region):
                for ring in polygon:
                    assert len({tuple(corner) for corner in ring}) == len(ring) - 1
                    corners = np.array(ring)[:, ::-1] - 0.5  # (row, column) of pixel centres
                    painted ^= _inside(mask.shape, corners)
        np.testing.assert_array_equal(painted, mask)

    def test_pixels_without_a_map(self):
        content = to_geojson(regions(), NAMES, COLORS, NOWHERE)
        assert "crs" not in content
        one, _, two_parts = content["features"]
        assert one["geometry"]["type"] == "Polygon"
        assert two_parts["geometry"]["type"] == "MultiPolygon"
        assert one["properties"]["classification"] == {"name": "cell", "color": [255, 0, 0]}
        json.dumps(content)

    def test_coordinates_of_the_map(self, tmp_path):
        """10 m a pixel, from 500,000 east and 4,600,000 north on, in UTM zone 33."""
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, MASK, extratags=GEO)
        content = to_geojson(regions(), NAMES, COLORS, read_place(path))
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


def _inside(shape, corners):
    """Pixels whose centre a ring encloses; no centre lies on it."""
    return polygon2mask(shape, corners)


@pytest.mark.parametrize("task", ["exclusive", "overlap"])
def test_predict_saves_them(task, tmp_path):
    from pixelwise.task import Task

    model = make_model(tmp_path, Task.MULTILABEL if task == "overlap" else Task.MULTICLASS)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", extratags=GEO)
    save = ("mask", "table", "polygons")
    options = EXACT | {"save": save}
    _, table, polygons = pw.predict(model, tmp_path / "x.tif", tmp_path / "out", **options)
    assert (table.name, polygons.name) == ("x_objects.csv", "x_polygons.geojson")
    rows, content = rows_of(table.read_text()), json.loads(polygons.read_text())
    assert len(rows) == len(content["features"]) > 0
    assert [row["class"] for row in rows] == [f["properties"]["class"] for f in content["features"]]
    again = pw.workflows.predict_images(model, tmp_path / "x.tif", tmp_path / "out", **options)
    assert again.num_kept == 1
    table.write_text("mine,and,not,yours\n")
    with pytest.raises(pw.OutputError, match="is no result that pixelwise wrote"):
        pw.predict(model, tmp_path / "x.tif", tmp_path / "out", **options)
