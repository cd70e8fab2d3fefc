"""Masks against masks: scores with intervals, from arrays."""

from typing import TYPE_CHECKING

from pixelwise.metrics.bootstrap import complete_groups
from pixelwise.metrics.counts import count_pixels
from pixelwise.metrics.scores import Interval, Scores, summarize
from pixelwise.task import is_background

__all__ = [
    "Interval",
    "Scores",
    "complete_groups",
    "count_pixels",
    "is_background",
    "summarize",
]

if not TYPE_CHECKING:  # type checkers know what is there

    def __getattr__(name: str) -> object:
        from pixelwise.elsewhere import OF_METRICS, missing

        said = missing("pixelwise.metrics", name, OF_METRICS, __all__)
        raise AttributeError(said, name=name)
