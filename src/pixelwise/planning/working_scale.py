"""The working scale: how small images may be for the network, so that it learns most in its time.

A network that works at half the size sees four times as much of the images, and four times as much
around each pixel. What is lost is measured on the masks: their Dice when made smaller and larger
again, which no network at that scale could pass. What is gained is estimated: trainings on three
data sets missed less of what could be found the more often they saw each pixel. The experiments
behind the numbers are in docs/log.md.
"""

import math
from collections.abc import Callable, Sequence

from pixelwise.planning.draft import Decision
from pixelwise.planning.fingerprint import SCALES, Fingerprint
from pixelwise.task import Task
from pixelwise.text import show_number

MISSED = 0.11  # of one class, by the cheapest network after one pass over the pixels
LEARNING = 0.25  # power of the number of passes by which less is missed
DETAIL = 1.5  # power of the ceiling: what masks lose is harder to learn in images, too
GAIN = 0.001  # Dice by which a smaller scale must be expected to be better
DIFFICULTY = 0.95  # power of the number of classes by which more is missed


def choose_scale(
    fingerprint: Fingerprint,
    task: Task,
    passes: Callable[[float], float] | None,
    scales: Sequence[float] = SCALES,
) -> Decision[float]:
    """Choose the scale from which most is expected.

    Args:
        fingerprint: fingerprint of the data.
        task: task of the model.
        passes: how often the cheapest network sees each pixel in the time given, at a scale; None
            without a budget.
        scales: to choose from, of SCALES, the largest first.

    Returns:
        The scale and the reason.
    """
    if passes is None or not fingerprint.scale_ceilings:
        return Decision(1.0, "as stored: there is no time limit")
    seen = {scale: passes(scale) for scale in scales}
    ceilings = dict(zip(SCALES, scale_ceilings(fingerprint, task), strict=True))
    missed = MISSED * num_judged(fingerprint, task) ** DIFFICULTY

    def expected_dice(scale: float) -> float:
        found = math.exp(-missed * seen[scale] ** -LEARNING)
        return math.pow(ceilings[scale], DETAIL) * found

    enough = max(map(expected_dice, scales)) - GAIN
    chosen = next(scale for scale in scales if expected_dice(scale) >= enough)  # the largest
    return Decision(
        chosen,
        f"the cheapest network sees each pixel about {show_number(seen[chosen])} times in this "
        f"time; a perfect one could reach Dice {ceilings[chosen]:.3f} at this scale",
    )


def num_judged(fingerprint: Fingerprint, task: Task) -> int:
    """Number of classes that are to be told apart from the rest."""
    return task.num_logits(fingerprint.num_classes)


def scale_ceilings(fingerprint: Fingerprint, task: Task) -> list[float]:
    """Mean Dice of perfect masks at each of SCALES; of two classes the second alone counts."""
    rows = fingerprint.scale_ceilings  # (scales, K)
    kept = [row[int(task.has_one_logit) :] for row in rows]
    return [sum(row) / len(row) for row in kept]
