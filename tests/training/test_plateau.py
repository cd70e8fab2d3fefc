"""Training without a time limit: when the score counts as flat, and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.training.schedule import (
    DECAY_SHARE,
    MIN_GAIN,
    MIN_VALIDATIONS,
    PATIENCE_SHARE,
    WARMUP_STEPS,
    Plateau,
    describe_outlook,
    find_plateau,
    learning_rate_until,
)

EVERY = 100


def rows(scores):
    return [{"step": EVERY * n, "val_dice": score} for n, score in enumerate(scores, 1)]


class TestFlat:
    def test_a_score_that_rises_is_never_flat(self):
        assert find_plateau(rows([0.01 * n for n in range(50)]), EVERY).flat_step is None

    def test_flat_where_the_last_third_of_the_steps_brought_nothing(self):
        scores = [0.1 * n for n in range(8)] + [0.7] * 20  # the last gain is that of step 800
        plateau = find_plateau(rows(scores), EVERY)
        assert plateau.flat_step == 1200  # 800 is 0.67 of it, and 0.73 of 1100
        assert plateau.end_step == 1500

    def test_noise_below_the_least_gain_is_no_gain(self):
        noisy = [0.5 + n / MIN_VALIDATIONS * 0.9 * MIN_GAIN for n in range(MIN_VALIDATIONS)]
        assert find_plateau(rows(noisy), EVERY).flat_step == MIN_VALIDATIONS * EVERY

    def test_a_slow_rise_adds_up_to_gains(self):
        assert find_plateau(rows([0.4 * MIN_GAIN * n for n in range(60)]), EVERY).flat_step is None

    def test_not_before_there_were_enough_validations(self):
        few = rows([0.5] * (MIN_VALIDATIONS - 1))
        assert find_plateau(few, EVERY) == Plateau(None, 1000)
        assert find_plateau([], EVERY) == Plateau(None, 1000)

    def test_a_score_that_is_not_there_is_no_gain(self):
        assert find_plateau(rows([float("nan")] * 9), EVERY).flat_step == 800

    @given(st.lists(st.floats(0, 1), max_size=40))
    def test_what_comes_later_changes_nothing_and_the_end_is_never_behind(self, scores):
        history = rows(scores)
        whole = find_plateau(history, EVERY)
        for number in range(len(history)):
            part = find_plateau(history[:number], EVERY)
            assert part.end_step > number * EVERY or part.flat_step is not None
            if part.flat_step is not None:
                assert part == whole
        if whole.flat_step is not None:
            decay = whole.end_step - whole.flat_step
            assert decay == pytest.approx(DECAY_SHARE * whole.flat_step, abs=1)
        assert 0 < PATIENCE_SHARE < 1


class TestLearningRate:
    def test_up_then_constant_then_down(self):
        plateau = Plateau(1000, 1200)
        rates = [learning_rate_until(step, plateau, 1.0) for step in range(1200)]
        assert rates[0] == 1 / WARMUP_STEPS
        assert set(rates[WARMUP_STEPS:1001]) == {1.0}
        assert rates[1100] == pytest.approx(0.5)
        assert rates[1199] == pytest.approx(0.01)
        assert rates[1000:] == sorted(rates[1000:], reverse=True)

    def test_constant_while_nothing_is_flat(self):
        assert learning_rate_until(5000, Plateau(None, 10), 2.0) == 2.0


class TestOutlook:
    def test_it_says_what_the_second_half_brought(self):
        said = describe_outlook(rows([0.1, 0.2, 0.3, 0.5, 0.6, 0.55, 0.62, 0.61]))
        assert "second half of the training brought +0.120 validation Dice" in said

    def test_validations_without_a_dice_say_nothing(self):
        nan = float("nan")
        said = describe_outlook(rows([0.1, 0.5, nan, 0.3, 0.4, 0.6, 0.55, 0.62, 0.61, nan]))
        assert "brought +0.120 validation Dice" in said
        assert describe_outlook(rows([nan] * 10)) == ""

    def test_nothing_of_a_few_validations(self):
        assert describe_outlook(rows([0.1, 0.2])) == ""
