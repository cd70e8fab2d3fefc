"""Why training ends: the user before the clock, the clock before the number of steps."""

import pytest

from pixelwise.training.ranks import Decision


@pytest.mark.parametrize(
    ("is_asked", "is_over", "step", "has_budget", "reason"),
    [
        (False, False, 9, False, ""),
        (False, False, 10, False, "all steps were done"),
        (False, False, 10, True, "the budget was used"),
        (False, True, 3, True, "the budget was used"),
        (True, True, 10, True, "it was interrupted"),
    ],
)
def test_why_training_ends(is_asked, is_over, step, has_budget, reason):
    turn = Decision(is_asked, is_over, True, True, num_steps=10)
    assert turn.why_stop(step, has_budget=has_budget) == reason
