"""Tile geometry: what is drawn in the docstring, and what must hold for every size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.inference import plan_tiles

from .plans import plans

THIRD = 1 / 3


def coverage(size, tiles):
    """(sum of weights, number of tiles) at each pixel."""
    weights, count = np.zeros(size), np.zeros(size, int)
    for tile in tiles:
        weights[tile.slices] += tile.blend_weights()
        count[tile.slices] += 1
    return weights, count


class TestTheDrawing:
    """An axis of 20 pixels, tile size 8, overlap 2."""

    def test_starts(self):
        assert [tile.starts for tile in plan_tiles([20], [8], 2)] == [(0,), (6,), (12,)]

    def test_slices(self):
        assert plan_tiles([20], [8], 2)[1].slices == (slice(6, 14),)

    def test_weights(self):
        first, middle, last = (tile.blend_weights() for tile in plan_tiles([20], [8], 2))
        np.testing.assert_allclose(first, [1, 1, 1, 1, 1, 1, 2 * THIRD, THIRD], atol=1e-6)
        np.testing.assert_allclose(
            middle, [THIRD, 2 * THIRD, 1, 1, 1, 1, 2 * THIRD, THIRD], atol=1e-6
        )
        np.testing.assert_allclose(last, first[::-1], atol=1e-6)


class TestEveryPlan:
    @given(plans())
    def test_weights_add_to_1_at_every_pixel(self, plan):
        size = plan[0]
        weights, count = coverage(size, plan_tiles(*plan))
        np.testing.assert_allclose(weights, 1, atol=1e-6)
        assert count.min() >= 1

    @given(plans())
    def test_tiles_are_equally_long_and_inside(self, plan):
        size, tile_size, overlap, _ = plan
        sides = tuple(min(side, length) for side, length in zip(tile_size, size, strict=True))
        for tile in plan_tiles(size, tile_size, overlap):
            assert tile.blend_weights().shape == sides
            for start, side, length in zip(tile.starts, sides, size, strict=True):
                assert 0 <= start <= length - side

    @given(plans())
    def test_tiles_begin_at_steps_and_the_last_may_be_shorter(self, plan):
        size, tile_size, overlap, step = plan
        for tile in plan_tiles(*plan):
            for span, side, length in zip(tile.spans, tile_size, size, strict=True):
                own_step = step if step <= side - overlap else 1
                assert span.start % own_step == 0
                side = min(side, length)
                is_last = span.stop == length
                assert len(span.weights) == side or (
                    is_last and side - own_step < len(span.weights) < side
                )

    @given(plans())
    def test_weights_are_positive_and_at_most_1(self, plan):
        for tile in plan_tiles(*plan):
            weights = tile.blend_weights()
            assert weights.dtype == np.float32
            assert weights.min() > 0
            assert weights.max() <= 1 + 1e-6

    @given(st.integers(1, 500), st.integers(1, 80), st.integers(1, 20), st.data())
    def test_neighbours_overlap_by_at_least_what_was_asked(self, length, side, step, data):
        overlap = data.draw(st.integers(0, (side - 1) // 2))
        starts = [tile.starts[0] for tile in plan_tiles([length], [side], overlap, step)]
        assert all(side - gap >= overlap for gap in np.diff(starts))

    @given(st.integers(1, 500), st.integers(2, 80), st.data())
    def test_no_more_tiles_than_needed(self, length, side, data):
        overlap = data.draw(st.integers(0, (side - 1) // 2))
        reach = math.ceil(max(0, length - side) / (side - overlap))
        assert len(plan_tiles([length], [side], overlap)) == 1 + reach

    @given(plans())
    def test_the_same_plan_twice(self, plan):
        once, twice = plan_tiles(*plan), plan_tiles(*plan)
        assert [tile.starts for tile in once] == [tile.starts for tile in twice]


class TestByHand:
    def test_an_axis_shorter_than_the_tile_has_one_tile_as_long_as_the_axis(self):
        (tile,) = plan_tiles([5], [8], 2)
        assert tile.slices == (slice(0, 5),)
        np.testing.assert_array_equal(tile.blend_weights(), np.ones(5))

    def test_one_pixel(self):
        (tile,) = plan_tiles([1, 1], [64, 64], 16)
        np.testing.assert_array_equal(tile.blend_weights(), [[1]])

    def test_without_overlap_tiles_lie_side_by_side(self):
        tiles = plan_tiles([9], [3], 0)
        assert [tile.starts for tile in tiles] == [(0,), (3,), (6,)]
        assert all((tile.blend_weights() == 1).all() for tile in tiles)

    def test_the_rest_is_shared_by_all_overlaps(self):
        # 3 tiles of 8 cover 21 pixels with overlaps of 1 and 2, not 1 whole and one moved back
        assert [tile.starts[0] for tile in plan_tiles([21], [8], 1)] == [0, 6, 13]

    def test_groups_of_4_pixels_stay_together(self):
        # tiles of 8 at 0, 6, 12 would cut the groups 4-7 and 12-15; here the overlap is 4, not 2
        tiles = plan_tiles([19], [8], 2, step=4)
        assert [tile.slices[0] for tile in tiles] == [
            slice(0, 8),
            slice(4, 12),
            slice(8, 16),
            slice(12, 19),
        ]

    def test_rows_come_first(self):
        starts = [tile.starts for tile in plan_tiles([6, 9], [3, 3], 0)]
        assert starts == [(0, 0), (0, 3), (0, 6), (3, 0), (3, 3), (3, 6)]

    def test_weights_of_two_axes_multiply(self):
        tile = plan_tiles([20, 20], [8, 8], 2)[0]
        assert tile.blend_weights()[7, 7] == pytest.approx(THIRD * THIRD)
        assert tile.blend_weights()[0, 7] == pytest.approx(THIRD)

    def test_weights_rise_and_fall_without_a_jump(self):
        (_, middle, _) = plan_tiles([60], [32], 15)
        assert np.abs(np.diff(middle.blend_weights())).max() < 1 / 8
