"""What a report shows: plain values, gathered by the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.scores import Scores


@dataclass(frozen=True, slots=True)
class ReportExample:
    """One image with its target and its prediction, side by side; all uint8 (H, W, 3)."""

    name: str
    caption: str  # why it is shown: "worst", "median", "best"
    image: NDArray[np.uint8]
    target: NDArray[np.uint8]  # the image with the target laid over it
    prediction: NDArray[np.uint8]  # the image with the predicted mask laid over it
    dice: float  # NaN where there was nothing to find
    errors: NDArray[np.uint8] | None = None  # see `show_errors`


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything on the page; what is left empty is left out of it.

    A training run fills all of it; an evaluation has no `plan` and no `history`.
    """

    title: str
    subtitle: str = ""  # one sentence under the title
    warnings: Sequence[str] = ()  # first sentence: what; the rest: what to do
    facts: Sequence[tuple[str, str]] = ()  # name, value: the data, the machine, the time
    plan: Sequence[tuple[str, str, str]] = ()  # name, value, reason
    # keys: step, seconds, train_loss, val_loss, val_dice, learning_rate; any may be missing
    history: Sequence[Mapping[str, float]] = ()
    scores: Scores | None = None
    scores_of: str = ""  # what was scored: "30 validation images"
    examples: Sequence[ReportExample] = ()
    class_colors: Mapping[str, str] = field(default_factory=dict)  # name -> "#rrggbb"
    files: Sequence[tuple[str, str]] = ()  # file name, what it is


def choose_examples(
    dice: NDArray[Any] | Sequence[float], num_each: int = 2
) -> list[tuple[str, int]]:
    """Choose the worst, median and best images to show, none of them twice.

    Args:
        dice: (N,) Dice of each image (`Scores.image_dice`); images with NaN are never chosen.
        num_each: How many of each kind, where there are enough images.

    Returns:
        Caption ("worst", "median" or "best") and image index, worst first.

    >>> choose_examples([0.9, 0.2, 0.7, 0.8], num_each=1)
    [('worst', 1), ('median', 2), ('best', 0)]
    """
    scores = np.asarray(dice, np.float64)
    order = [int(i) for i in np.argsort(scores, kind="stable") if np.isfinite(scores[i])]
    each = min(num_each, max(1, len(order) // 3))
    num_others = max(0, len(order) - each)
    best, rest = order[num_others:], order[:num_others]
    worst, rest = rest[:each], rest[each:]
    start = (len(rest) - each) // 2 if len(rest) > each else 0
    median = rest[start : start + each]
    kinds = (("worst", worst), ("median", median), ("best", best))
    return [(caption, index) for caption, indices in kinds for index in indices]
