r"""Training without a time limit: until validation has stopped improving, then a short decay.

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
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MIN_GAIN = 0.002  # of the validation Dice
PATIENCE_SHARE = 0.3  # of the steps, without a gain
DECAY_SHARE = 0.25  # of the steps until then
MIN_VALIDATIONS = 8  # before the score can be called flat
WARMUP_STEPS = 50

Rows = Sequence[Mapping[str, float]]


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
