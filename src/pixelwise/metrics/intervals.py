"""A mean with its interval, and the four of a class; both as text and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pixelwise.metrics.bootstrap import NORMAL
from pixelwise.metrics.counts import SCORE_NAMES


class Interval(NamedTuple):
    """A mean over images and its 95 % bootstrap interval.

    `low` and `high` are None where all images are of one group, or there is one image only: they
    say nothing of others.
    """

    mean: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Three decimals, the interval in brackets where there is one."""
        return f"{self.mean:.3f}{f' [{self.bounds}]' if self.bounds else ''}"

    @property
    def bounds(self) -> str:
        """The interval with three decimals, "0.890, 0.930"; empty where there is none."""
        return "" if self.low is None or self.high is None else f"{self.low:.3f}, {self.high:.3f}"

    @property
    def standard_error(self) -> float:
        """Of a normal distribution with as wide an interval; 0 where there is none.

        Intervals of few images are stretched (see `bootstrap`), and so is this.

        >>> round(Interval(0.9, 0.86, 0.94).standard_error, 3)
        0.02
        """
        if self.low is None or self.high is None:
            return 0.0
        return (self.high - self.low) / (2 * NORMAL)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The scores of one class: None where it has none, and then the reason says why."""

    dice: Interval | None
    iou: Interval | None
    precision: Interval | None
    recall: Interval | None
    num_images: int  # images with the class in the mask or the target
    reason: str | None = None


def class_row(name: str, scores: ClassScores) -> tuple[str, ...]:
    """Text of a class for a screen: name, Dice with its interval, the other three, images."""
    rest = (to_short(scores.iou), to_short(scores.precision), to_short(scores.recall))
    return (name, to_text(scores.dice), *rest, str(scores.num_images))


def to_text(score: Interval | float | None) -> str:
    """Three decimals, with the interval where there is one; "-" for no score."""
    if score is None:
        return "-"
    return str(score) if isinstance(score, Interval) else f"{score:.3f}"


def to_short(score: Interval | None) -> str:
    """Three decimals without the interval; "-" for no score."""
    return to_text(None if score is None else score.mean)


def interval_json(score: Interval | None) -> dict[str, float | None] | None:
    """A plain dict of mean, low and high."""
    return None if score is None else score._asdict()


def interval_from(stored: Mapping[str, float] | None) -> Interval | None:
    """Read back what `interval_json` gave."""
    return None if stored is None else Interval(**stored)


def class_json(scores: ClassScores) -> dict[str, Any]:
    """A plain dict of the four scores, the number of images and, where there is one, the reason."""
    stored: dict[str, Any] = {name: interval_json(getattr(scores, name)) for name in SCORE_NAMES}
    stored["num_images"] = scores.num_images
    return stored if scores.reason is None else stored | {"reason": scores.reason}


def class_from(stored: Mapping[str, Any]) -> ClassScores:
    """Read back what `class_json` gave."""
    dice, iou, precision, recall = (interval_from(stored[name]) for name in SCORE_NAMES)
    num_images, reason = int(stored["num_images"]), stored.get("reason")
    return ClassScores(dice, iou, precision, recall, num_images, reason)
