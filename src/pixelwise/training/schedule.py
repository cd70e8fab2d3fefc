r"""When things happen in a training: the learning rate, validations, checkpoints, and the end.

Under a budget as many steps as fit (`Timetable`); without one until validation has stopped
improving, then a short decay:

    learning rate   ________________________________
                   /                                \__
    validation      .-'''''''''----------------------'
                   0          last gain          flat  end

A gain is a score that passes the last one by MIN_GAIN. Where PATIENCE_SHARE of all steps brought
none, the score is flat; the learning rate then falls over DECAY_SHARE of the steps so far, which
brings what is left to be had. All of it follows from the history, so that a resumed training goes
on as it would have.

Source of the schedule: Hu et al., MiniCPM (warm-up, stable, decay), 2024.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

FINAL_SHARE = 0.01  # of the highest learning rate, left at the end of a cosine
MIN_GAIN = 0.002  # of the validation Dice
PATIENCE_SHARE = 0.3  # of the steps, without a gain
DECAY_SHARE = 0.25  # of the steps until then
MIN_VALIDATIONS = 8  # before the score can be called flat
WARMUP_STEPS = 50
Rows = Sequence[Mapping[str, float]]
PATIENCE = 3  # validations in a row with a loss above the lowest
MIN_RISE = 1.1  # times the lowest validation loss
ADVICE = (
    "More images, stronger augmentation, a smaller network (fewer or lower widths) or fewer epochs "
    "help."
)
FORECAST_SHARE = 0.1  # of the budget, the most kept back for a validation not yet measured
VALIDATION_MARGIN = 1.15  # the last validation may take longer than the one before
MAX_SLOWDOWN = 4.0  # of steps since a validation, as far as the next one is expected to follow
MAX_VALIDATION_SHARE = 0.12  # of the time, under a budget
CHECKPOINT_SECONDS = 30.0  # between checkpoints, or longer:
CHECKPOINT_SHARE = 0.02  # of the budget between two of them, and of the time for writing them
SMOOTHING = 0.05  # weight of the newest step in the running mean of step times


def learning_rate_at(
    progress: float,
    highest: float,
    *,
    warmup_share: float,
    schedule: Literal["cosine", "constant"],
) -> float:
    """Return the learning rate at a progress of 0 (start) to 1 (end).

    A linear warm-up, then half a cosine down to 1 % of the highest rate (Loshchilov and Hutter,
    SGDR, 2017), or constant.

    >>> learning_rate_at(0.5, 1e-3, warmup_share=0.0, schedule="constant")
    0.001
    """
    if progress < warmup_share:
        return highest * max(progress / warmup_share, FINAL_SHARE)
    if schedule == "constant":
        return highest
    rest = min(1.0, (progress - warmup_share) / (1 - warmup_share))
    return highest * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * rest)) / 2)


class Plateau(NamedTuple):
    """How far a training is that ends when it is flat."""

    flat_step: int | None  # at which the decay begins; None: not flat yet
    end_step: int  # of the training; before it is flat, the earliest possible


def find_plateau(history: Rows, validate_every: int) -> Plateau:
    """Say whether the score is flat, and when training ends.

    Args:
        history: rows with `step` and `val_dice`, oldest first.
        validate_every: steps between validations.
    """
    reference, gained = float("-inf"), 0
    earliest = MIN_VALIDATIONS * validate_every
    for row in history:
        step, score = int(row["step"]), row["val_dice"]
        if score > reference + MIN_GAIN:
            reference, gained = score, step
        if step >= max(earliest, gained / (1 - PATIENCE_SHARE)):
            return Plateau(step, _end(step))
    newest = int(history[-1]["step"]) if history else 0
    expected = max(earliest, int(gained / (1 - PATIENCE_SHARE)), newest + validate_every)
    return Plateau(None, _end(expected))


def learning_rate_until(step: int, plateau: Plateau, highest: float) -> float:
    """Return the learning rate of a step, from 0: warm-up, then constant, then down to 1 %.

    >>> learning_rate_until(200, Plateau(None, 500), 1e-3)
    0.001
    """
    if plateau.flat_step is None or step < plateau.flat_step:
        return highest * min(1.0, (step + 1) / WARMUP_STEPS)
    progress = (step - plateau.flat_step) / max(1, plateau.end_step - plateau.flat_step)
    return highest * max(0.01, 1 - progress)


def describe_outlook(history: Rows) -> str:
    """Say what more time would be likely to bring: at most what the last doubling brought."""
    rows = [row for row in history if math.isfinite(row.get("val_dice", math.nan))]
    if len(rows) < MIN_VALIDATIONS:
        return ""
    newest = rows[-1]["step"]
    early = max((row["val_dice"] for row in rows if row["step"] <= newest / 2), default=0.0)
    gain = max(row["val_dice"] for row in rows) - early
    return (
        f"The second half of the training brought {gain:+.3f} validation Dice; twice the time "
        "would be likely to bring less than that."
    )


def _end(flat_step: int) -> int:
    return flat_step + max(1, round(DECAY_SHARE * flat_step))


def find_overfitting(history: Sequence[Mapping[str, float]]) -> str | None:
    """Say whether validation loss has risen for several validations while training loss fell.

    Args:
        history: rows with `step`, `train_loss` and `val_loss`, oldest first.

    Returns:
        A sentence for the user, or None.
    """
    rows = [row for row in history if "val_loss" in row and "train_loss" in row]
    if len(rows) <= PATIENCE:
        return None
    best = min(range(len(rows)), key=lambda index: rows[index]["val_loss"])
    since, lowest, newest = len(rows) - 1 - best, rows[best], rows[-1]
    is_rising = since >= PATIENCE and newest["val_loss"] > MIN_RISE * lowest["val_loss"]
    if not (is_rising and newest["train_loss"] < lowest["train_loss"]):
        return None
    return (
        f"Over-fitting: validation loss rose from {lowest['val_loss']:.4f} (step "
        f"{lowest['step']:.0f}) to {newest['val_loss']:.4f} (step {newest['step']:.0f}) while "
        f"training loss fell from {lowest['train_loss']:.4f} to {newest['train_loss']:.4f}. "
        f"{ADVICE}"
    )


class Clock:
    """Seconds since a start; goes on from earlier seconds when training is resumed."""

    def __init__(self, already: float = 0.0, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._start = now() - already

    @property
    def elapsed(self) -> float:
        """Seconds used so far."""
        return self._now() - self._start


class Timetable:
    """Steps that fit: all of the plan's, or as many as end when the budget does.

    Args:
        clock: seconds used so far.
        num_steps: planned steps.
        budget: seconds for everything; None for as long as the planned steps take.
        validate_every: steps between validations, whose time is taken into account.
        closing_seconds: kept back for what follows training (files, report), on a free processor.
        scoring_seconds: kept back for what is scored then, as measured before training.
        crowding: of the processor at that measurement (see `stepped`).
        seconds_per_step: first guess, measured again while training.
        seconds_per_validation: first guess, measured again while training.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        num_steps: int,
        budget: float | None,
        validate_every: int,
        closing_seconds: float = 0.0,
        scoring_seconds: float = 0.0,
        crowding: float = 1.0,
        seconds_per_step: float = 0.0,
        seconds_per_validation: float = 0.0,
    ) -> None:
        self.clock = clock
        self.num_steps = num_steps
        self.budget = budget
        self._validate_every = validate_every
        self._planned_steps = num_steps
        self._last_validated = (0, 0.0)  # step, seconds elapsed
        self._closing_seconds, self._scoring_seconds = closing_seconds, scoring_seconds
        self._crowding_before = self._crowding = _bounded(crowding)
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

    def stepped(self, step: int, seconds: float, crowding: float = 1.0) -> None:
        """Take note of a step, and plan the rest of the budget again.

        Args:
            step: number of steps done.
            seconds: that the last one took.
            crowding: how many times as long that is as a processor computed; more than 1 where
                other programs use it. What follows training takes so many times as long, too.
        """
        self._num_measured += 1
        self._crowding += SMOOTHING * (_bounded(crowding) - self._crowding)
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
        if self.budget is not None and self._seconds_per_validation > 0:  # scoring takes as long
            scoring = self._scoring_seconds * seconds / self._seconds_per_validation
            most = max(self._scoring_seconds, FORECAST_SHARE * self.budget)  # a fold keeps more
            self._scoring_seconds = min(scoring, most)
        self._crowding_before = self._crowding
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
        scoring = self._scoring_seconds * max(1.0, self._crowding / self._crowding_before)
        closing = self._closing_seconds * self._crowding + scoring
        return self.budget - self.clock.elapsed - closing - reserve

    @property
    def _cost_per_step(self) -> float:
        """Seconds a step, its share of the validations included."""
        share = self._seconds_per_validation / self._validate_every
        if self.budget is not None:
            share = min(share, self._seconds_per_step * MAX_VALIDATION_SHARE)
        return max(1e-6, self._seconds_per_step + share)


def crowding_of(seconds: float, computed: float) -> float:
    """How many times as long work took as a processor computed it: from 1 to MAX_SLOWDOWN.

    Args:
        seconds: that passed.
        computed: seconds of the processor; 0 where its clock is too coarse for them.
    """
    return _bounded(seconds / max(computed, 1e-6))


def _bounded(crowding: float) -> float:
    return min(max(crowding, 1.0), MAX_SLOWDOWN)
