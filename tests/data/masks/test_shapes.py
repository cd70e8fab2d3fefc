"""Painting: hand-checked grids, and the COCO API as the reference."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from scipy.ndimage import binary_dilation, binary_erosion

from pixelwise.data.masks import shapes
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.runs import decode_runs, encode_runs, join_runs
from pixelwise.data.masks.shapes import paint_rings, paint_runs, paint_shapes
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.errors import MaskError


def ring(*corners):
    return np.array(corners, dtype=np.float64)


def box(top, left, bottom, right):
    return ring((top, left), (top, right), (bottom, right), (bottom, left))


def paint_ring(corners, size):
    (patch,) = paint_rings([corners], size)
    return patch


def whole(patch, size):
    """A patch in an empty image."""
    painted = np.zeros(size, dtype=bool)
    if patch is not None:
        painted[patch.place] = patch.inside
    return painted


rings = st.lists(
    st.lists(
        st.tuples(st.floats(-30, 50), st.floats(-30, 50)) | st.just((np.nan, 1.0)), max_size=7
    ).map(lambda corners: np.array(corners, dtype=np.float64).reshape(-1, 2)),
    max_size=6,
)


@given(rings, st.integers(1, 40))
def test_many_rings_are_painted_as_each_alone(many, at_once):
    """However many are painted at a time."""
    alone = [whole(paint_ring(one, (20, 25)), (20, 25)) for one in many]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "GROUP_PIXELS", at_once)
        together = [whole(one, (20, 25)) for one in paint_rings(many, (20, 25))]
    assert np.array_equal(together, alone)


def test_a_rectangle_covers_the_pixels_whose_centres_are_inside():
    painted = whole(paint_ring(box(0, 1, 3, 4), (4, 6)), (4, 6))
    assert painted.astype(int).tolist() == [
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("edge", "num_rows"), [(2.49, 2), (2.5, 2), (2.51, 3), (3.49, 3), (3.51, 4)]
)
def test_a_pixel_counts_from_its_centre_on(edge, num_rows):
    assert whole(paint_ring(box(0, 0, edge, 1), (8, 8)), (8, 8)).sum() == num_rows


def test_neighbours_share_no_pixel_and_leave_none_out():
    parts = [box(0, 0, 2.5, 3.5), box(2.5, 0, 5, 3.5), box(0, 3.5, 2.5, 7), box(2.5, 3.5, 5, 7)]
    painted = sum(whole(paint_ring(part, (5, 7)), (5, 7)).astype(int) for part in parts)
    assert (painted == 1).all()


def test_a_triangle_by_hand():
    painted = whole(paint_ring(ring((0, 0), (4, 0), (4, 4)), (4, 4)), (4, 4))
    # The centres on the diagonal itself lie on the right edge, which is outside.
    assert painted.astype(int).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
    ]


def test_a_ring_that_crosses_itself_is_outside_where_it_encloses_twice():
    twice = np.concatenate([box(0, 0, 6, 6), ring((0, 0)), box(2, 2, 4, 4), ring((2, 2))])
    painted = whole(paint_ring(twice, (6, 6)), (6, 6))
    assert painted.sum() == 36 - 4
    assert not painted[2:4, 2:4].any()


def test_several_rings_are_parts_never_holes():
    painted = paint_shapes([Shape(3, (box(0, 0, 6, 6), box(2, 2, 4, 4)))], (6, 6))
    assert (painted.values == 3).all()
    assert painted.num_overlap == 0  # a shape does not overlap itself


def test_a_ring_is_cut_at_the_edge_of_the_image():
    painted = whole(paint_ring(box(-5, -5, 2, 100), (4, 6)), (4, 6))
    assert painted[:2].all() and not painted[2:].any()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_direction_of_a_ring_does_not_matter(sign):
    corners = ring((1, 1), (2, 7), (7, 6), (5, 3))
    assert whole(paint_ring(corners[::sign], (9, 9)), (9, 9)).sum() == 19  # area 19.5


def polygon_lists(size=40):
    coordinate = st.floats(-10, size + 10, allow_nan=False)
    return st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8)


@settings(max_examples=60, deadline=None)
@given(polygon_lists())
def test_random_rings_agree_with_the_rule_checked_point_by_point(corners):
    """The definition itself: an odd number of edges to the left of the centre."""
    size = (30, 35)
    painted = whole(paint_ring(ring(*corners), size), size)
    ends = corners[1:] + corners[:1]
    for row in range(0, 30, 3):
        for column in range(0, 35, 3):
            y, x = row + 0.5, column + 0.5
            crossings = [
                c0 + (y - r0) / (r1 - r0) * (c1 - c0)
                for (r0, c0), (r1, c1) in zip(corners, ends, strict=True)
                if (r0 <= y) != (r1 <= y)
            ]
            if all(abs(crossing - x) > 1e-6 for crossing in crossings):
                assert painted[row, column] == sum(c < x for c in crossings) % 2


def test_later_shapes_cover_earlier_ones_and_ids_count_from_one():
    shapes = [Shape(5, (box(0, 0, 4, 4),)), Shape(7, (box(2, 2, 6, 6),))]
    painted = paint_shapes(shapes, (6, 6))
    assert painted.values[3, 3] == 7 and painted.values[1, 1] == 5 and painted.values[0, 5] == 0
    assert painted.instances[3, 3] == 2 and painted.instances[1, 1] == 1
    assert painted.num_overlap == 4
    assert painted.values.dtype == painted.instances.dtype == np.int32


@pytest.mark.parametrize(
    "shape",
    [
        Shape(2, (box(0, 0, 4, 4),), is_group=True),
        Shape(255, (box(0, 0, 4, 4),)),
        Shape(0, (box(0, 0, 4, 4),)),
    ],
    ids=["crowd", "ignored", "background"],
)
def test_what_is_no_object_gets_its_value_but_no_id(shape):
    painted = paint_shapes([Shape(1, (box(0, 0, 2, 2),)), shape], (6, 6))
    assert (painted.values[:4, :4] == shape.value).all()
    assert not painted.instances.any()
    assert painted.num_overlap == 0


def test_relative_corners_are_shares_of_the_size():
    painted = paint_shapes([Shape(1, (box(0.5, 0.25, 1, 0.5),), is_relative=True)], (4, 8))
    assert np.argwhere(painted.values).tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


@pytest.mark.parametrize(
    ("corners", "num_outside"),
    [
        (box(0, 0, 6, 6), 0),
        (box(-1, -1, 7, 7), 0),
        (box(-1.1, 0, 4, 4), 1),
        (box(0, 0, 4, 7.1), 1),
    ],
)
def test_shapes_more_than_a_pixel_outside_are_counted(corners, num_outside):
    assert paint_shapes([Shape(1, (corners,))], (6, 6)).num_outside == num_outside


@pytest.mark.parametrize(
    "corners",
    [
        ring((0, 0), (3, 3)),
        np.zeros((0, 2)),
        ring((0, 0), (np.nan, 3), (3, 3)),
        ring((0, 0), (np.inf, 3), (3, 3)),
        ring((0, 0), (1e300, 3), (3, -1e300)),
        box(1, 1, 1, 5),
        box(1.6, 1.6, 2.4, 2.4),
        box(10, 10, 12, 12),
    ],
    ids=["two", "none", "nan", "inf", "absurd", "flat", "tiny", "beyond"],
)
def test_shapes_without_a_pixel_are_counted_and_paint_nothing(corners):
    painted = paint_shapes([Shape(1, (corners,)), Shape(2, (box(0, 0, 1, 1),))], (6, 6))
    assert painted.num_undrawn == 1
    assert painted.values.sum() == 2


def test_run_lengths_go_down_the_columns():
    painted = whole(paint_runs(np.array([5, 2, 2, 2, 5]), (4, 4)), (4, 4))
    assert np.argwhere(painted).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_only_the_columns_touched_are_painted():
    patch = paint_runs(np.array([5, 2, 93]), (10, 10))
    assert patch is not None and patch.inside.shape == (10, 1)
    assert paint_runs(np.array([100]), (10, 10)) is None


@pytest.mark.parametrize("runs", [[5, 2, 2], [5, 2, 2, 2, 6], [], [20, -4], [2**62, 2**62]])
def test_run_lengths_that_do_not_fill_the_image_are_refused(runs):
    with pytest.raises(MaskError, match="annotation 17: run lengths cover"):
        paint_shapes([Shape(1, runs=np.array(runs, dtype=np.int64), name="annotation 17")], (4, 4))


def test_open_run_lengths_may_end_early_but_not_late():
    early = Shape(1, runs=np.array([2, 3]), is_open=True)
    assert paint_shapes([early], (4, 4)).values.sum() == 3
    with pytest.raises(MaskError, match="shape 1: run lengths cover 17 pixels"):
        paint_shapes([Shape(1, runs=np.array([2, 15]), is_open=True)], (4, 4))


def test_the_message_names_the_annotation_file(tmp_path):
    source = MaskShapes(tmp_path / "a.json", (Shape(1, runs=np.array([3]), name="annotation 9"),))
    with pytest.raises(MaskError, match=r"a\.json, annotation 9: run lengths cover 3 pixels"):
        read_stored_mask(source, (4, 4))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_run_lengths_agree_with_the_coco_api(height, width, density, seed):
    inside = np.random.default_rng(seed).random((height, width)) < density
    reference = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
    runs = decode_runs(reference["counts"])
    assert np.array_equal(runs, decode_runs(reference["counts"].decode()))
    assert np.array_equal(runs, encode_runs(inside))
    assert np.array_equal(whole(paint_runs(runs, (height, width)), (height, width)), inside)
    again = coco_mask.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
    assert again["counts"] == reference["counts"]


def test_long_compressed_runs_agree_with_the_coco_api():
    runs = np.array([0, 1_000_000, 3, 999_000, 700_000, 7, 2_300_990])
    packed = coco_mask.frPyObjects({"size": [1000, 5000], "counts": runs.tolist()}, 1000, 5000)
    assert decode_runs(packed["counts"]).tolist() == runs.tolist()


@pytest.mark.parametrize("text", ["5220P", "52 03", "52\x7f", "5oooooooooo0", "é"])
def test_damaged_compressed_runs_are_refused(text):
    with pytest.raises(MaskError, match="Export them again"):
        decode_runs(text)


def test_no_runs_at_all():
    assert decode_runs("").tolist() == []


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # raised inside pycocotools
def test_polygons_of_car_parts_differ_from_the_coco_api_on_the_boundary_alone(shared_data):
    """All 398 differ in 0.17 % of their pixels, each of which touches the outline."""
    content = json.loads((shared_data / "car_parts_coco/test/annotations.json").read_bytes())
    sizes = {entry["id"]: (entry["height"], entry["width"]) for entry in content["images"]}
    num_pixels = num_different = 0
    for entry in content["annotations"][::10]:
        height, width = size = sizes[entry["image_id"]]
        rings = tuple(np.reshape(part, (-1, 2))[:, ::-1] for part in entry["segmentation"])
        painted = paint_shapes([Shape(1, rings)], size).values > 0
        runs = coco_mask.frPyObjects(entry["segmentation"], height, width)
        reference = coco_mask.decode(coco_mask.merge(runs)).astype(bool)
        different = painted != reference
        edge = binary_dilation(reference, np.ones((3, 3))) & ~binary_erosion(
            reference, np.ones((3, 3))
        )
        assert not (different & ~edge).any()
        num_pixels += reference.sum()
        num_different += different.sum()
    assert num_pixels > 300_000
    assert num_different / num_pixels < 0.003


def test_500_polygons_take_less_than_a_second():
    random = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    circle = 20 * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    shapes = [Shape(1, (circle + random.random(2) * (480, 640),)) for _ in range(500)]
    start = time.perf_counter()
    painted = paint_shapes(shapes, (480, 640))
    assert time.perf_counter() - start < 1.0  # about 60 ms on a free core
    assert painted.num_undrawn == 0


def test_a_small_mask_in_a_large_image_is_as_if_it_were_painted():
    random = np.random.default_rng(0)
    for _ in range(100):
        inside = random.random(random.integers(1, 7, 2)) < random.random()
        size, corner = random.integers(1, 9, 2), random.integers(0, 9, 2)
        painted = np.zeros(size, dtype=np.bool_)
        place = painted[corner[0] :, corner[1] :][: inside.shape[0], : inside.shape[1]]
        place |= inside[: place.shape[0], : place.shape[1]]
        runs = encode_runs(inside, tuple(corner.tolist()), tuple(size.tolist()))
        assert runs.tolist() == encode_runs(painted).tolist()


def test_joined_run_lengths_are_those_of_what_lies_in_any_part():
    random = np.random.default_rng(0)
    for number in range(100):
        parts = [random.random((5, 6)) < random.random() for _ in range(number % 4 + 1)]
        joined = join_runs([encode_runs(part) for part in parts])
        assert joined.tolist() == encode_runs(np.any(parts, axis=0)).tolist()
