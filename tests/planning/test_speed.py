"""The speed of a step: a fixed part, and one for each pixel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.planning import Timing
from pixelwise.planning.speed import Speed, fixed_cost, measured_speed, pixel_cost

NARROW, WIDE, WIDEST = ((w, 2 * w, 4 * w, 8 * w, 16 * w) for w in (8, 16, 32))


def timing(batch_size, seconds, patch_size=(100, 100), widths=NARROW):
    return Timing(
        batch_size=batch_size, patch_size=patch_size, widths=widths, precision="float32",
        channels_last=True, seconds_per_step=seconds,
    )  # fmt: skip


def test_two_batches_tell_both_parts():
    """0.04 s, and 0.01 s for each image of 10,000 pixels."""
    speed = measured_speed(timing(2, 0.06), timing(8, 0.12))
    assert speed == pytest.approx((0.04, 1e-6))
    assert speed.seconds(4, (100, 100), NARROW) == pytest.approx(0.08)
    assert speed.seconds(8, (50, 50), NARROW) == pytest.approx(0.06)


@given(
    fixed=st.floats(0.001, 1), per_pixel=st.floats(1e-9, 1e-4), ranks=st.integers(1, 4),
    widths=st.sampled_from([NARROW, WIDE, WIDEST]),
)  # fmt: skip
def test_what_was_measured_comes_back(fixed, per_pixel, ranks, widths):
    speed = Speed(fixed, per_pixel)
    few, many = (
        timing(batch, speed.seconds(batch * ranks, (64, 64), widths), (64, 64), widths)
        for batch in (2, 8)
    )
    found = measured_speed(few, many, ranks)
    assert found.seconds(8 * ranks, (64, 64), widths) == pytest.approx(many.seconds_per_step)
    share = fixed * fixed_cost(widths) / many.seconds_per_step
    if 0.06 < share < 0.89:
        assert found == pytest.approx(speed, rel=1e-6)


@pytest.mark.parametrize(("small", "large"), [(0.2, 0.1), (0.1, 0.1), (0.001, 0.1), (0.1, 0.5)])
def test_odd_timings_give_a_speed_all_the_same(small, large):
    """Another program may have held up either."""
    speed = measured_speed(timing(2, small), timing(8, large))
    assert speed.fixed > 0 and speed.per_pixel > 0
    assert speed.seconds(8, (100, 100), NARROW) == pytest.approx(large)


def test_one_batch_alone_is_half_fixed():
    speed = measured_speed(timing(2, 0.1), timing(2, 0.1))
    assert speed.fixed == pytest.approx(0.05)


def test_wide_networks_cost_more_of_both():
    assert [pixel_cost(w) for w in (NARROW, WIDE, WIDEST)] == [1, 2, 4]
    assert [fixed_cost(w) for w in (NARROW, WIDE, WIDEST)] == pytest.approx([1, 1.42, 4.78])
