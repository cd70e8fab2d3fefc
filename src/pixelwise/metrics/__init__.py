"""Masks against masks: scores with intervals, from arrays."""

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
