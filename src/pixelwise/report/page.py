"""From content to page: numbers are formatted here, their looks are in `template.html`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from pixelwise.metrics.grouping import Group, group_by_error, group_by_size
from pixelwise.metrics.scores import ClassScores, Interval, Scores
from pixelwise.report.charts import dice_histogram, history_charts
from pixelwise.report.content import ReportContent, ReportExample
from pixelwise.report.pictures import ERROR_COLORS, is_small, to_data_uri
from pixelwise.text import shorten

WIDE = 1.6  # times as wide as high: pictures of such images lie two in a row


@dataclass(frozen=True, slots=True)
class _Bar:
    """A score and its interval, as text and as percentages of a bar's width."""

    score: str
    interval: str  # empty, with no width, where there is none
    left: float
    width: float
    mark: float


def build_report(content: ReportContent) -> str:
    """Build the page of a training run or an evaluation.

    Returns:
        The text of one HTML file that holds its pictures, curves and styles and asks the network
        for nothing; what `content` leaves empty is left out.
    """
    from jinja2 import Environment, StrictUndefined

    source, viewer = (
        resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        for name in ("template.html", "viewer.js")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scores = content.scores
    scored = content.scores_of or (scores.of if scores else "")
    return environment.from_string(source).render(
        content=content,
        viewer=viewer,
        warnings=[_first_sentence(text) for text in content.warnings],
        headlines=_headlines(scores, scored) if scores else [],
        is_broken=bool(scores and scores.warnings),
        scored=scored,
        score_rows=_score_rows(content, scores) if scores else [],
        mean=_mean_row(scores) if scores else None,
        confusion=_confusion_rows(content, scores) if scores else [],
        histogram=dice_histogram(scores.image_dice) if scores else None,
        by_error=_group_rows(scores, group_by_error(scores)) if scores else [],
        by_size=_group_rows(scores, group_by_size(scores)) if scores else [],
        charts=history_charts(content.history),
        training=_training(content),
        examples=[_example(example) for example in content.examples],
        legend=_legend(content),
    )


def _first_sentence(text: str) -> tuple[str, str]:
    """Split a warning into what it says and what to do."""
    first, stop, rest = text.partition(". ")
    return first + stop.strip(), rest


def _headlines(scores: Scores, scored: str) -> list[tuple[str, str, str]]:
    """The few large numbers: name, number, remark; `scored` is "30 test images"."""
    pooled = _number(scores.pooled["dice"])
    return [
        ("Mean Dice", *_number_and_interval(scores.mean["dice"], scores)),
        ("Mean IoU", *_number_and_interval(scores.mean["iou"], scores)),
        ("Dice of all pixels", pooled, "all images added first"),
        ("Images", f"{scores.num_images:,}", scored.partition(" ")[2] or "scored"),
    ]


def _number_and_interval(score: Interval | None, scores: Scores) -> tuple[str, str]:
    if score is None:
        return "none", "nothing to find, nothing found"
    if score.low is None or score.high is None:
        return _number(
            score.mean
        ), "no interval: too few images" if scores.num_groups is None else (
            "no interval: too few groups of images"
        )
    over = "" if scores.num_groups is None else f" over {scores.num_groups} groups"
    return _number(score.mean), f"{score.low:.3f} to {score.high:.3f} (95 %{over})"


def _number(score: float | None) -> str:
    return "none" if score is None else f"{score:.3f}"


def _bar(score: Interval | None) -> _Bar | None:
    if score is None:
        return None
    if score.low is None or score.high is None:
        return _Bar(_number(score.mean), "", 100 * score.mean, 0.0, 100 * score.mean)
    low, high = 100 * score.low, 100 * score.high
    interval = f"{score.low:.3f} to {score.high:.3f}"
    return _Bar(_number(score.mean), interval, low, high - low, 100 * score.mean)


def _score_rows(content: ReportContent, scores: Scores) -> list[dict[str, Any]]:
    return [
        _score_row(
            name, one, content.class_colors.get(name), k in scores.counted or not scores.counted
        )
        for k, (name, one) in enumerate(scores.classes.items())
    ]


def _score_row(name: str, one: ClassScores, color: str | None, counted: bool) -> dict[str, Any]:
    rest = [one.iou, one.precision, one.recall]
    return {
        "name": name,
        "color": color,
        "bar": _bar(one.dice),
        "reason": one.reason,
        "rest": [_number(score.mean) if score else "" for score in rest],
        "num_images": f"{one.num_images:,}",
        "counted": counted,
    }


def _mean_row(scores: Scores) -> dict[str, Any] | None:
    """The mean over classes, which says nothing new where only one class counts."""
    if len(scores.counted or scores.classes) < 2:
        return None
    iou = scores.mean["iou"]
    return {"bar": _bar(scores.mean["dice"]), "iou": _number(iou and iou.mean)}


def _confusion_rows(content: ReportContent, scores: Scores) -> list[dict[str, Any]]:
    """For each class that is there, where its pixels went: shares of them, by class."""
    if not scores.confusion.size:
        return []
    totals = scores.confusion.sum(axis=1, keepdims=True)
    shares = scores.confusion / np.maximum(totals, 1)
    has_none = bool(scores.confusion[:, -1:].any())
    columns = len(scores.confusion) + has_none
    return [
        {
            "name": name,
            "color": content.class_colors.get(name),
            "shares": [(_share(float(one)), float(one)) for one in shares[row, :columns]],
            "own": row,
        }
        for row, name in enumerate(scores.classes)
        if totals[row, 0]
    ]


def _group_rows(scores: Scores, groups: Sequence[Group]) -> list[dict[str, str]]:
    """What a group is, its number of images, their mean Dice, and the worst of them by name."""
    return [
        {
            "name": group.name,
            "number": f"{len(group.indices):,}",
            "dice": "" if group.dice is None else _number(group.dice),
            "images": shorten([scores.names[i] for i in group.indices], 3, ""),
        }
        for group in groups
    ]


def _share(share: float) -> str:
    """A share of pixels in percent; empty where it would be read as nothing."""
    return f"{100 * share:.0f}" if share >= 0.005 else ""


def _training(content: ReportContent) -> str:
    """How long it was trained, in words; empty without a history."""
    last = content.history[-1] if content.history else {}
    if "step" not in last or "seconds" not in last:
        return ""
    return f"{last['step']:,.0f} steps in {_duration(last['seconds'])}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _example(example: ReportExample) -> dict[str, Any]:
    pictures = (
        ("Image", example.image),
        ("Target", example.target),
        ("Prediction", example.prediction),
        *([("Errors", example.errors)] if example.errors is not None else []),
    )
    return {
        "name": example.name,
        "caption": example.caption,
        "dice": "" if np.isnan(example.dice) else f"{example.dice:.3f}",
        "pictures": [(label, to_data_uri(picture)) for label, picture in pictures],
        "columns": 2 if example.image.shape[1] > WIDE * example.image.shape[0] else len(pictures),
        "size": (example.image.shape[1], example.image.shape[0]),
        "small": is_small(example.image),
    }


def _legend(content: ReportContent) -> list[tuple[str, str]]:
    if not content.examples:
        return []
    has_errors = any(example.errors is not None for example in content.examples)
    return [*content.class_colors.items(), *(ERROR_COLORS.items() if has_errors else ())]
