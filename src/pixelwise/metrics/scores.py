"""From the pixel counts of images to scores with intervals (NumPy only).

What is stated once and holds everywhere (`docs/metrics.md` explains why):

    in neither mask nor target   the image is left out of the class's mean
    in exactly one of the two    all four scores are 0
    in no image at all           the class has no score: null in the JSON, with a reason
    background                   class 0, if it is background, is left out of means over classes
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ArrayError, DataError
from pixelwise.metrics.bootstrap import nanmean, number_units, resample_means, stretched_bounds
from pixelwise.metrics.counts import (
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
from pixelwise.metrics.failures import find_failures
from pixelwise.metrics.intervals import (
    ClassScores,
    Interval,
    class_from,
    class_json,
    class_row,
    interval_from,
    interval_json,
    to_short,
    to_text,
)
from pixelwise.task import IGNORE_INDEX, is_background
from pixelwise.text import count_of, format_csv, html_table

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
ROUGH_UNITS = 10  # below, the interval is rough (docs/metrics.md has the figures)
POLICY = (
    "Scores are per image, then averaged over images, with 95 % bootstrap intervals over {units} "
    "An image with a class in neither mask nor target is left out of that class's mean; "
    "where the class is in only one of the two, its scores are 0. Ignored pixels do not count. "
)

ImageRow = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Scores:
    """What masks scored against their targets, with the per-image counts it came from.

    `counts` (N, K, 3), `names` (N) and, where images have one, `groups` (N) are there after
    `summarize` and empty after `from_json`.
    """

    num_images: int
    classes: Mapping[str, ClassScores]
    mean: Mapping[str, Interval | None]  # dice, iou: over the counted classes
    pooled: Mapping[str, float | None]  # dice, iou: all pixels added first
    policy: str
    num_groups: int | None = None  # that the intervals are over; None: over images
    of: str = field(default="", compare=False)  # what was scored: "30 test images"
    warnings: tuple[str, ...] = ()  # what makes the scores doubtful: first sentence what, then why
    notes: tuple[str, ...] = field(default=(), compare=False)  # on how these masks were read
    names: tuple[str, ...] = field(default=(), compare=False)
    counts: Counts = field(
        default_factory=lambda: np.zeros((0, 0, 3), np.int64), compare=False, repr=False
    )
    counted: tuple[int, ...] = field(default=(), compare=False)  # classes in the means
    groups: tuple[str, ...] = field(default=(), compare=False)
    # (K, K + 1): pixels of each class (row) by their class in the mask (column; the last: none)
    confusion: Counts = field(
        default_factory=lambda: np.zeros((0, 0), np.int64), compare=False, repr=False
    )

    def __repr__(self) -> str:
        """The means, and of what."""
        return (
            f"Scores(Dice {to_text(self.mean['dice'])}, IoU {to_short(self.mean['iou'])}, "
            f"{count_of(len(self.classes), 'class', 'classes')}; "
            f"{self.of or count_of(self.num_images, 'image')})"
        )

    def _repr_html_(self) -> str:
        """The table of the classes, as notebooks show it."""
        notes = "".join(f"<p>{escape(text)}</p>" for text in self.warnings)
        of = self.of or count_of(self.num_images, "image")
        return notes + f"<p>{escape(of)}</p>" + html_table(TABLE_COLUMNS, self.table_rows)

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
        groups = [{"group": group} for group in self.groups] or [{}] * len(self.names)
        return [
            {
                "image": image,
                **groups[i],
                **_class_scores_row(name, scores[i, k], self.counts[i, k]),
            }
            for i, image in enumerate(self.names)
            for k, name in enumerate(self.classes)
        ]

    @property
    def table_rows(self) -> list[tuple[str, ...]]:
        """Text rows for a screen, under `TABLE_COLUMNS`: the classes, their mean, all pixels."""
        rows = [class_row(name, scores) for name, scores in self.classes.items()]
        mean, pooled = self.mean, self.pooled
        rows.append(("mean", to_text(mean["dice"]), to_short(mean["iou"]), "", "", ""))
        rows.append(("all pixels", to_text(pooled["dice"]), to_text(pooled["iou"]), "", "", ""))
        return rows

    def to_csv(self) -> str:
        """The text of metrics.csv: image, class, dice, iou, precision, recall, tp, fp, fn.

        Where the images have groups, their column follows that of the image.
        """
        group = ("group",) if self.groups else ()
        columns = ("image", *group, "class", *SCORE_NAMES, "tp", "fp", "fn")
        return format_csv(columns, [[row[name] for name in columns] for row in self.image_rows])

    def to_json(self) -> dict[str, Any]:
        """The content of metrics.json, of plain dicts, floats and None; never NaN."""
        return {
            "of": self.of,
            "warnings": list(self.warnings),
            "num_images": self.num_images,
            "num_groups": self.num_groups,
            "classes": {name: class_json(scores) for name, scores in self.classes.items()},
            "mean": _with_reason({k: interval_json(v) for k, v in self.mean.items()}),
            "pooled": _with_reason(dict(self.pooled)),
            "policy": self.policy,
            **({"confusion": self.confusion.tolist()} if self.confusion.size else {}),
        } | ({"notes": list(self.notes)} if self.notes else {})

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Scores":
        """Read back what `to_json` gave; the per-image counts are not in it.

        Raises:
            DataError: It is not the content of a metrics.json.
        """
        try:
            return cls(
                num_images=int(stored["num_images"]),
                classes={name: class_from(one) for name, one in stored["classes"].items()},
                mean={name: interval_from(stored["mean"][name]) for name in ("dice", "iou")},
                pooled={name: stored["pooled"][name] for name in ("dice", "iou")},
                policy=str(stored["policy"]),
                num_groups=stored.get("num_groups"),
                of=str(stored.get("of", "")),
                warnings=tuple(map(str, stored.get("warnings", ()))),
                notes=tuple(map(str, stored.get("notes", ()))),
                confusion=np.array(stored.get("confusion", np.zeros((0, 0))), np.int64),
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
    groups: Sequence[str] | None = None,
    confusion: Counts | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Scores:
    """Turn the counts of images into scores with intervals.

    Intervals come from drawing the images again (`bootstrap`), all images of a group together where
    groups are known. For the mean over classes, images are drawn, then averaged by class, then over
    the classes.

    Args:
        counts: int64 (N, K, 3), `count_pixels` of each image.
        names: N image names, for the rows.
        class_names: K class names, all different.
        background: Whether class 0 is background, to be left out of the means over classes.
        groups: N, the patient, plate or scene of each image; None where every image is its own.
        confusion: (K, K + 1) over all images, see `count_pixels`; None where it was not counted.
        num_resamples: How many times the images are drawn again.
        seed: Seed of the draws: same counts and seed, same intervals.

    Raises:
        ArrayError: The counts or the groups do not fit the names.
    """
    table = _as_table(counts, names, class_names)
    units = _as_units(groups, names)
    counted = tuple(range(1 if background else 0, len(class_names)))
    scores = all_scores(table)  # (N, K, 4)
    resampled = resample_means(scores, units, num_resamples, seed)  # (num_resamples, K, 4)
    means = nanmean(scores, axis=0)  # (K, 4)
    has_class = (table != 0).any(axis=-1)  # (N, K)
    overall, redrawn = _over_classes(means, counted), _over_classes(resampled, counted)
    pooled = _over_classes(all_scores(table.sum(axis=0)), counted)
    return Scores(
        num_images=len(table),
        classes={
            name: _class_scores(means[k], resampled[:, k], has_class[:, [k]], units)
            for k, name in enumerate(class_names)
        },
        mean={
            name: _interval(overall[i], redrawn[:, i], _count(units, has_class[:, list(counted)]))
            for i, name in enumerate(("dice", "iou"))
        },
        pooled={name: _none_if_nan(pooled[i]) for i, name in enumerate(("dice", "iou"))},
        policy=_policy(class_names, background, len(set(units.tolist())), groups),
        num_groups=None if groups is None else len(set(groups)),
        warnings=find_failures(table, class_names, background=background),
        names=tuple(names),
        counts=table,
        counted=counted,
        groups=tuple(groups or ()),
        confusion=np.zeros((0, 0), np.int64) if confusion is None else confusion,
    )


def _as_units(groups: Sequence[str] | None, names: Sequence[str]) -> NDArray[np.int64]:
    if groups is not None and len(groups) != len(names):
        raise ArrayError(
            f"{len(groups)} groups were given for {len(names)} images. Give the group of every "
            "image, or none."
        )
    return number_units(groups, len(names))


def _count(units: NDArray[np.int64], has_class: NDArray[np.bool_]) -> int:
    """Number of units with an image that has any of some classes, has_class (N, some)."""
    return len(np.unique(units[has_class.any(axis=1)]))


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


def _interval(mean: float, resampled: Floats, num_units: int) -> Interval | None:
    if np.isnan(mean):
        return None
    bounds = stretched_bounds(float(mean), resampled, num_units)
    return Interval(float(mean), *(bounds or ()))


def _class_scores(
    means: Floats, resampled: Floats, has_class: NDArray[np.bool_], units: NDArray[np.int64]
) -> ClassScores:
    num_units = _count(units, has_class)
    dice, iou, precision, recall = (
        _interval(means[i], resampled[:, i], num_units) for i in range(4)
    )
    num_images = int(np.count_nonzero(has_class))
    return ClassScores(dice, iou, precision, recall, num_images, None if num_images else ABSENT)


def _policy(
    class_names: Sequence[str], background: bool, num_units: int, groups: Sequence[str] | None
) -> str:
    policy = POLICY.format(units=_describe_units(num_units, groups))
    if background:
        return f"{policy}{class_names[0]!r} is left out of the means over classes."
    return f"{policy}Every class is in the means over classes."


def _describe_units(num_units: int, groups: Sequence[str] | None) -> str:
    """What was drawn again, and how far that can be trusted."""
    if groups is None:
        text, what = "images.", "image"
    else:
        example = f", such as {groups[0]}" if groups else ""
        text = f"{count_of(num_units, 'group')} of images{example}, drawn whole."
        what = "group"
    if num_units == 1:
        return f"{text} There is one {what} only, so that there is no interval."
    return f"{text} With so few {what}s they are rough." if num_units < ROUGH_UNITS else text


# --- to and from text -------------------------------------------------------------------------


def _class_scores_row(name: str, scores: Floats, counts: Counts) -> ImageRow:
    row: ImageRow = {"class": name}
    row |= {key: _none_if_nan(score) for key, score in zip(SCORE_NAMES, scores, strict=True)}
    return row | {key: int(number) for key, number in zip(("tp", "fp", "fn"), counts, strict=True)}


def _float(score: Interval | None) -> float:
    return float("nan") if score is None else score.mean


def _none_if_nan(score: float) -> float | None:
    return None if np.isnan(score) else float(score)


def _with_reason(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {"reason": NOTHING_TO_AVERAGE} if None in stored.values() else stored
