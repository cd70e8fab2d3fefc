"""From the pixel counts of images to scores with intervals (NumPy only).

What is stated once and holds everywhere (`docs/metrics.md` explains why):

    in neither mask nor target   the image is left out of the class's mean
    in exactly one of the two    all four scores are 0
    in no image at all           the class has no score: null in the JSON, with a reason
    background                   class 0, if it is background, is left out of means over classes
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pixelwise.data.masks.encoding import IGNORE_INDEX
from pixelwise.errors import ArrayError, DataError
from pixelwise.evaluate.bootstrap import nanmean, resample_means
from pixelwise.evaluate.counts import (
    SCORE_NAMES,
    Counts,
    Floats,
    all_scores,
    count_pixels,
    dice_score,
    iou_score,
    precision_score,
    recall_score,
)
from pixelwise.text import format_csv

__all__ = [
    "ABSENT",
    "IGNORE_INDEX",
    "SCORE_NAMES",
    "TABLE_COLUMNS",
    "ClassScores",
    "Counts",
    "Floats",
    "ImageRow",
    "Interval",
    "Scores",
    "all_scores",
    "count_pixels",
    "dice_score",
    "iou_score",
    "is_background",
    "precision_score",
    "recall_score",
    "summarize",
]

TABLE_COLUMNS = ("class", "dice", "iou", "precision", "recall", "images")
ABSENT = "in no mask and no target of these images"
NOTHING_TO_AVERAGE = "no class with a score to average"
POLICY = (
    "Scores are per image, then averaged over images, with 95 % bootstrap intervals over images. "
    "An image with a class in neither mask nor target is left out of that class's mean; "
    "where the class is in only one of the two, its scores are 0. Ignored pixels do not count. "
)

ImageRow = dict[str, str | int | float | None]


def is_background(name: str) -> bool:
    """Whether a class name means background: unnamed, "background", "bg", "_background_".

    >>> is_background("_Background_"), is_background("sky")
    (True, False)
    """
    return name.strip(" _-").casefold() in ("", "background", "bg")


class Interval(NamedTuple):
    """A mean over images and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Three decimals, the interval in brackets."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The scores of one class: None where it has none, and then the reason says why."""

    dice: Interval | None
    iou: Interval | None
    precision: Interval | None
    recall: Interval | None
    num_images: int  # images with the class in the mask or the target
    reason: str | None = None


@dataclass(frozen=True)
class Scores:
    """What masks scored against their targets, with the per-image counts it came from.

    `counts` (N, K, 3) and `names` (N) are there after `summarize` and empty after `from_json`.
    """

    num_images: int
    classes: Mapping[str, ClassScores]
    mean: Mapping[str, Interval | None]  # dice, iou: over the counted classes
    pooled: Mapping[str, float | None]  # dice, iou: all pixels added first
    policy: str
    names: tuple[str, ...] = field(default=(), compare=False)
    counts: Counts = field(
        default_factory=lambda: np.zeros((0, 0, 3), np.int64), compare=False, repr=False
    )
    counted: tuple[int, ...] = field(default=(), compare=False)  # classes in the means

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the counted classes; NaN where none of them is in any image."""
        return _float(self.mean["dice"])

    @property
    def image_dice(self) -> Floats:
        """(N,) Dice of each image over the counted classes; NaN where it holds none of them."""
        return nanmean(dice_score(self.counts)[:, list(self.counted)], axis=1)

    @property
    def image_rows(self) -> list[ImageRow]:
        """One row per image and class, for metrics.csv; None where there was nothing to find."""
        scores = all_scores(self.counts)
        return [
            _image_row(image, name, scores[i, k], self.counts[i, k])
            for i, image in enumerate(self.names)
            for k, name in enumerate(self.classes)
        ]

    @property
    def table_rows(self) -> list[tuple[str, ...]]:
        """Text rows for a screen, under `TABLE_COLUMNS`: the classes, their mean, all pixels."""
        rows = [_class_row(name, scores) for name, scores in self.classes.items()]
        mean, pooled = self.mean, self.pooled
        rows.append(("mean", _text(mean["dice"]), _short(mean["iou"]), "", "", ""))
        rows.append(("all pixels", _text(pooled["dice"]), _text(pooled["iou"]), "", "", ""))
        return rows

    def to_csv(self) -> str:
        """The text of metrics.csv: image, class, dice, iou, precision, recall, tp, fp, fn."""
        columns = ("image", "class", *SCORE_NAMES, "tp", "fp", "fn")
        return format_csv(columns, [[row[name] for name in columns] for row in self.image_rows])

    def to_json(self) -> dict[str, Any]:
        """The content of metrics.json, of plain dicts, floats and None; never NaN."""
        return {
            "num_images": self.num_images,
            "classes": {name: _class_json(scores) for name, scores in self.classes.items()},
            "mean": _with_reason({k: _interval_json(v) for k, v in self.mean.items()}),
            "pooled": _with_reason(dict(self.pooled)),
            "policy": self.policy,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Scores":
        """Read back what `to_json` gave; the per-image counts are not in it.

        Raises:
            DataError: It is not the content of a metrics.json.
        """
        try:
            return cls(
                num_images=int(stored["num_images"]),
                classes={name: _class_from(one) for name, one in stored["classes"].items()},
                mean={name: _interval_from(stored["mean"][name]) for name in ("dice", "iou")},
                pooled={name: stored["pooled"][name] for name in ("dice", "iou")},
                policy=str(stored["policy"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"These are not pixelwise scores ({type(error).__name__}: {error}). "
                "They are the content of a metrics.json; evaluate again to get one."
            ) from error


def summarize(
    counts: Counts | Sequence[Counts],
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    background: bool,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Scores:
    """Turn the counts of images into scores with intervals.

    Intervals come from drawing the images again (`bootstrap`). For the mean over classes, images
    are drawn, then averaged by class, then over the classes.

    Args:
        counts: int64 (N, K, 3), `count_pixels` of each image.
        names: N image names, for the rows.
        class_names: K class names, all different.
        background: Whether class 0 is background, to be left out of the means over classes.
        num_resamples: How many times the images are drawn again.
        seed: Seed of the draws: same counts and seed, same intervals.

    Raises:
        ArrayError: The counts do not fit the names.
    """
    table = _as_table(counts, names, class_names)
    counted = tuple(range(1 if background else 0, len(class_names)))
    scores = all_scores(table)  # (N, K, 4)
    resampled = resample_means(scores, num_resamples, seed)  # (num_resamples, K, 4)
    resampled = _open_where_one_image(resampled, scores)
    means = nanmean(scores, axis=0)  # (K, 4)
    present = table.any(axis=-1).sum(axis=0)
    overall, redrawn = _over_classes(means, counted), _over_classes(resampled, counted)
    pooled = _over_classes(all_scores(table.sum(axis=0)), counted)
    return Scores(
        num_images=len(table),
        classes={
            name: _class_scores(means[k], resampled[:, k], int(present[k]))
            for k, name in enumerate(class_names)
        },
        mean={name: _interval(overall[i], redrawn[:, i]) for i, name in enumerate(("dice", "iou"))},
        pooled={name: _none_if_nan(pooled[i]) for i, name in enumerate(("dice", "iou"))},
        policy=_policy(class_names, background),
        names=tuple(names),
        counts=table,
        counted=counted,
    )


def _open_where_one_image(resampled: Floats, scores: Floats) -> Floats:
    """Give scores that one image alone has the interval from 0 to 1: it says nothing of others."""
    has_one = np.isfinite(scores).sum(axis=0) == 1  # (K, 4)
    ends = np.arange(len(resampled))[:, None, None] % 2
    return np.where(has_one, ends, resampled)


def _as_table(
    counts: Counts | Sequence[Counts], names: Sequence[str], class_names: Sequence[str]
) -> Counts:
    table = np.asarray(counts, np.int64)
    shape = (len(names), len(class_names), 3)
    if table.shape != shape and not table.size == len(names) == 0:
        raise ArrayError(
            f"The counts have shape {table.shape}, but {len(names)} images of {len(class_names)} "
            f"classes are named. Give one ({len(class_names)}, 3) array for every image."
        )
    if len(set(class_names)) != len(class_names):
        raise ArrayError(
            f"Two classes have the same name in {list(class_names)}. Name them apart; "
            "scores are listed by class name."
        )
    return table.reshape(shape)


def _over_classes(scores: Floats, counted: Sequence[int]) -> Floats:
    """Mean of (..., K, 4) over the counted classes: (..., 4)."""
    return nanmean(scores[..., list(counted), :], axis=-2)


def _interval(mean: float, resampled: Floats) -> Interval | None:
    if np.isnan(mean):
        return None
    low, high = np.percentile(resampled[np.isfinite(resampled)], [2.5, 97.5])
    # A mean may leave the interval by rounding, where all images score the same.
    return Interval(float(mean), float(min(low, mean)), float(max(high, mean)))


def _class_scores(means: Floats, resampled: Floats, num_images: int) -> ClassScores:
    dice, iou, precision, recall = (_interval(means[i], resampled[:, i]) for i in range(4))
    reason = None if num_images else ABSENT
    return ClassScores(dice, iou, precision, recall, num_images, reason)


def _policy(class_names: Sequence[str], background: bool) -> str:
    if background:
        return f"{POLICY}{class_names[0]!r} is left out of the means over classes."
    return f"{POLICY}Every class is in the means over classes."


# --- to and from text -------------------------------------------------------------------------


def _image_row(image: str, name: str, scores: Floats, counts: Counts) -> ImageRow:
    row: ImageRow = {"image": image, "class": name}
    row |= {key: _none_if_nan(score) for key, score in zip(SCORE_NAMES, scores, strict=True)}
    return row | {key: int(number) for key, number in zip(("tp", "fp", "fn"), counts, strict=True)}


def _class_row(name: str, scores: ClassScores) -> tuple[str, ...]:
    rest = (_short(scores.iou), _short(scores.precision), _short(scores.recall))
    return (name, _text(scores.dice), *rest, str(scores.num_images))


def _text(score: Interval | float | None) -> str:
    if score is None:
        return "-"
    return str(score) if isinstance(score, Interval) else f"{score:.3f}"


def _short(score: Interval | None) -> str:
    return _text(None if score is None else score.mean)


def _float(score: Interval | None) -> float:
    return float("nan") if score is None else score.mean


def _none_if_nan(score: float) -> float | None:
    return None if np.isnan(score) else float(score)


def _interval_json(score: Interval | None) -> dict[str, float] | None:
    return None if score is None else score._asdict()


def _interval_from(stored: Mapping[str, float] | None) -> Interval | None:
    return None if stored is None else Interval(**stored)


def _class_json(scores: ClassScores) -> dict[str, Any]:
    stored: dict[str, Any] = {name: _interval_json(getattr(scores, name)) for name in SCORE_NAMES}
    stored["num_images"] = scores.num_images
    return stored if scores.reason is None else stored | {"reason": scores.reason}


def _class_from(stored: Mapping[str, Any]) -> ClassScores:
    dice, iou, precision, recall = (_interval_from(stored[name]) for name in SCORE_NAMES)
    num_images, reason = int(stored["num_images"]), stored.get("reason")
    return ClassScores(dice, iou, precision, recall, num_images, reason)


def _with_reason(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {"reason": NOTHING_TO_AVERAGE} if None in stored.values() else stored
