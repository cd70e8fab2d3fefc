"""The learning rate over a training: its shape, not its numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.training.schedule import learning_rate_at

shares = st.floats(0, 0.9)


def rate(progress, warmup_share=0.1, schedule="cosine", highest=2.0):
    return learning_rate_at(progress, highest, warmup_share=warmup_share, schedule=schedule)


def test_a_warm_up_rises_in_a_straight_line_to_the_highest():
    assert [rate(progress) for progress in (0.025, 0.05, 0.1)] == [0.5, 1, 2]


def test_the_first_step_is_not_wasted():
    assert 0 < rate(0) < 0.1 * rate(0.1)


def test_half_a_cosine():
    middle = rate(0.55)
    assert middle == pytest.approx((rate(0.1) + rate(1)) / 2)
    assert rate(0.325) - middle == pytest.approx(middle - rate(0.775))


def test_it_ends_near_zero():
    assert 0 < rate(1) < 0.02 * 2


def test_past_the_end_it_stays_there():
    assert rate(1.5) == rate(1)


def test_without_warm_up_the_first_is_the_highest():
    assert rate(0, warmup_share=0) == 2


@pytest.mark.parametrize("progress", [0.1, 0.5, 1, 2])
def test_constant(progress):
    assert rate(progress, schedule="constant") == 2


@given(shares, st.floats(0, 1), st.floats(0, 1))
def test_after_the_warm_up_it_never_rises(warmup_share, one, other):
    early, late = sorted(max(warmup_share, progress) for progress in (one, other))
    assert rate(early, warmup_share) >= rate(late, warmup_share)


@given(shares, st.floats(0, 1.2), st.sampled_from(["cosine", "constant"]))
def test_it_is_positive_and_never_above_the_highest(warmup_share, progress, schedule):
    assert 0 < rate(progress, warmup_share, schedule) <= 2


@given(shares, st.floats(0, 0.999))
def test_it_does_not_jump(warmup_share, progress):
    step = 1e-6
    steepest = 2 * max(1 / max(warmup_share, 1e-9), 4 / (1 - warmup_share))
    if warmup_share == 0 or progress > 0.011 * warmup_share:
        change = abs(rate(progress + step, warmup_share) - rate(progress, warmup_share))
        assert change <= steepest * step * 1.01 + 1e-9
