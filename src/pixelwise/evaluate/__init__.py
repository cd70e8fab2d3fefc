"""Masks against masks: scores with intervals, from arrays (`scores`) or a model (`evaluate`).

`evaluate_samples` and `has_background` are imported when first used: they bring the predictor, and
so torch, which scores do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pixelwise.evaluate.bootstrap import complete_groups
from pixelwise.evaluate.counts import count_pixels
from pixelwise.evaluate.scores import Interval, Scores, is_background, summarize

if TYPE_CHECKING:
    from pixelwise.evaluate.evaluate import evaluate_samples, has_background

__all__ = [
    "Interval",
    "Scores",
    "complete_groups",
    "count_pixels",
    "evaluate_samples",
    "has_background",
    "is_background",
    "summarize",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (any public name of the module)
    if name in ("evaluate_samples", "has_background"):
        return getattr(import_module("pixelwise.evaluate.evaluate"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
