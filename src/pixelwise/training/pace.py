"""Pace: how many steps fit, when to validate, save and end, by the clock."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

FORECAST_SHARE = 0.1  # of the budget, the most kept back for a validation not yet measured
VALIDATION_MARGIN = 1.15  # the last validation may take longer than the one before
MAX_SLOWDOWN = 4.0  # of steps since a validation, as far as the next one is expected to follow
MAX_VALIDATION_SHARE = 0.12  # of the time, under a budget
CHECKPOINT_SECONDS = 30.0  # between checkpoints, or longer:
CHECKPOINT_SHARE = 0.02  # of the budget between two of them, and of the time for writing them
SMOOTHING = 0.05  # weight of the newest step in the running mean of step times


class Clock:
    """Seconds since a start; goes on from earlier seconds when training is resumed."""

    def __init__(self, already: float = 0.0, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._start = now() - already

    @property
    def elapsed(self) -> float:
        """Seconds used so far."""
        return self._now() - self._start


class Pace:
    """Steps that fit: all of the plan's, or as many as end when the budget does.

    Args:
        clock: seconds used so far.
        num_steps: planned steps.
        budget: seconds for everything; None for as long as the planned steps take.
        validate_every: steps between validations, whose time is taken into account.
        closing_seconds: kept back for what follows training (files, report).
        seconds_per_step: first guess, measured anew while training.
        seconds_per_validation: first guess, measured anew while training.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        num_steps: int,
        budget: float | None,
        validate_every: int,
        closing_seconds: float = 0.0,
        seconds_per_step: float = 0.0,
        seconds_per_validation: float = 0.0,
    ) -> None:
        self.clock = clock
        self.num_steps = num_steps
        self.budget = budget
        self._validate_every = validate_every
        self._planned_steps = num_steps
        self._last_validated = (0, 0.0)  # step, seconds elapsed
        self._closing_seconds = closing_seconds
        self._seconds_per_step = seconds_per_step
        # a forecast must not take the time from training: it may be wrong
        most = FORECAST_SHARE * budget if budget is not None else seconds_per_validation
        self._seconds_per_validation = min(seconds_per_validation, most)
        self._most_per_validation = most
        self._least_per_validation = self._seconds_per_validation  # of the last two
        self._num_measured = 0
        self._slowdown = 1.0  # of steps, where other programs took the cores since a validation
        self._seconds_before = seconds_per_step  # of a step, at that validation
        self._saved_at, self._seconds_per_checkpoint = -math.inf, 0.0

    def stepped(self, step: int, seconds: float) -> None:
        """Take note of a step's time, and plan the rest of the budget anew."""
        self._num_measured += 1
        weight = max(SMOOTHING, 1 / self._num_measured)
        self._seconds_per_step += weight * (seconds - self._seconds_per_step)
        if self._seconds_before > 0:  # a step that was held up once must not count for many
            slowdown = min(MAX_SLOWDOWN, seconds / self._seconds_before)
            self._slowdown += SMOOTHING * (slowdown - self._slowdown)
        if self.budget is not None:
            self.num_steps = step + int(max(0.0, self._left) / self._cost_per_step)

    def is_validation_due(self, step: int) -> bool:
        """Whether to validate after this step.

        Without a budget every `validate_every` steps. Under a budget as many times as planned,
        however many steps turn out to fit, but never so often that it takes much of the time, nor
        shortly before the end, which is validated anyway.
        """
        if self.budget is None:
            return step > 0 and step % self._validate_every == 0
        last_step, last_seconds = self._last_validated
        wanted = self._validate_every * self.num_steps / self._planned_steps
        earliest = last_seconds + self._least_per_validation / MAX_VALIDATION_SHARE
        is_near_end = self.num_steps - step < wanted / 4
        return step - last_step >= wanted and self.clock.elapsed >= earliest and not is_near_end

    def validated(self, step: int, seconds: float) -> None:
        """Take note of a validation and its time.

        One that another program held up is no reason to validate seldom from then on.
        """
        self._last_validated = step, self.clock.elapsed
        self._least_per_validation = min(self._seconds_per_validation, seconds)
        self._seconds_per_validation = seconds
        self._most_per_validation = math.inf  # it is measured, and no forecast any more
        self._slowdown, self._seconds_before = 1.0, self._seconds_per_step

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Take note of the last validation of a training that goes on."""
        if history:
            self._last_validated = int(history[-1]["step"]), history[-1]["seconds"]

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether work that is worth saving was done since the last checkpoint."""
        every = max(
            CHECKPOINT_SECONDS,
            CHECKPOINT_SHARE * (self.budget or 0.0),
            self._seconds_per_checkpoint / CHECKPOINT_SHARE,
        )
        return self.clock.elapsed - self._saved_at >= every

    def checkpointed(self, seconds: float | None = None) -> None:
        """Take note of a checkpoint, and of the time that writing it took, where it is known."""
        self._saved_at = self.clock.elapsed
        if seconds is not None:
            self._seconds_per_checkpoint = seconds

    @property
    def seconds_left(self) -> float:
        """Until the end of training, as a forecast."""
        return 0.0 if self.budget is None else max(0.0, self.budget - self.clock.elapsed)

    def seconds_for(self, num_steps: int) -> float:
        """Forecast of the time that this many steps and their validations take."""
        return num_steps * self._cost_per_step

    @property
    def is_over(self) -> bool:
        """Whether another step would pass the budget."""
        return self.budget is not None and self._left < min(
            self._seconds_per_step, FORECAST_SHARE * self.budget
        )

    @property
    def _left(self) -> float:
        """Seconds for steps: without the last validation and what follows training.

        Where steps have become slower since the last validation, so will be the next one.
        """
        assert self.budget is not None
        validation = self._seconds_per_validation * max(1.0, self._slowdown)
        reserve = VALIDATION_MARGIN * min(validation, self._most_per_validation)
        return self.budget - self.clock.elapsed - self._closing_seconds - reserve

    @property
    def _cost_per_step(self) -> float:
        """Seconds a step, its share of the validations included."""
        share = self._seconds_per_validation / self._validate_every
        if self.budget is not None:
            share = min(share, self._seconds_per_step * MAX_VALIDATION_SHARE)
        return max(1e-6, self._seconds_per_step + share)
