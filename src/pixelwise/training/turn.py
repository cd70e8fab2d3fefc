"""The turn: what the clock and the user want before the next step."""

from typing import NamedTuple

from pixelwise.training.interrupt import INTERRUPTED

ALL_DONE = "all steps were done"


class Turn(NamedTuple):
    """What is due, and how many steps there will be; of several ranks all act on the same."""

    is_asked: bool  # by the user, to end
    is_over: bool
    is_validation_due: bool
    is_checkpoint_due: bool
    num_steps: int

    def why_stop(self, step: int, *, has_budget: bool) -> str:
        """Return why training is to end after so many steps, or nothing."""
        if self.is_asked:
            return INTERRUPTED
        if self.is_over:
            return "the budget was used"
        if step >= self.num_steps:
            return "the budget was used" if has_budget else ALL_DONE
        return ""
