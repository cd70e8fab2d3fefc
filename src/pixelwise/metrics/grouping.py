"""Scores of images in groups: what is wrong with them, and how much of a class they hold."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.counts import Counts, dice_score, precision_score, recall_score
from pixelwise.metrics.scores import Scores

GOOD_DICE = 0.9
HALF = 0.5
NUM_SIZES = 3
MIN_IMAGES = 4  # of a size: the mean of fewer says little


class Group(NamedTuple):
    """Images of which the same is to be said.

    Attributes:
        name: what it is.
        indices: of the images, the worst first.
        dice: mean over them; None where they hold nothing and nothing was found.
    """

    name: str
    indices: tuple[int, ...]
    dice: float | None


def group_by_error(scores: Scores) -> list[Group]:
    """Group images by what is wrong with them, over the pixels of all counted classes.

    Args:
        scores: with the counts of each image.

    Returns:
        Groups that have images, the good ones last.
    """
    counts = _counted_pixels(scores)
    found, invented, missed = counts.T
    is_there, is_marked = found + missed > 0, found + invented > 0
    precision, recall = precision_score(counts), recall_score(counts)
    dice = dice_score(counts)
    kinds: dict[str, NDArray[np.bool_]] = {
        "Nothing found, though there is something": is_there & (found == 0),
        "False alarm: something found where there is nothing": is_marked & ~is_there,
        f"Dice of {GOOD_DICE:g} or more": is_there & (dice >= GOOD_DICE),
        "Nothing there and nothing found": ~is_there & ~is_marked,
        "Half of it or more is missed": (recall < HALF) & (precision >= HALF),
        "Half of what is marked or more is wrong": (recall >= HALF) & (precision < HALF),
        "Marked in the wrong places": (recall < HALF) & (precision < HALF),
        "Found, but the outlines are off": np.ones(len(counts), bool),
    }
    is_left = np.ones(len(counts), bool)
    groups = {}
    for name, is_kind in kinds.items():
        groups[name] = _group(name, is_left & is_kind, dice)
        is_left &= ~is_kind
    first, alarm, good, empty, *rest = groups.values()
    return [group for group in (first, alarm, *rest, good, empty) if group.indices]


def group_by_size(scores: Scores) -> list[Group]:
    """Group images that hold any of the counted classes by how many of their pixels they hold.

    Args:
        scores: with the counts of each image.

    Returns:
        Groups of about as many images each, the smallest first; none where there are few.
    """
    counts = _counted_pixels(scores)
    sizes = counts[:, 0] + counts[:, 2]
    is_there = sizes > 0
    if is_there.sum() < NUM_SIZES * MIN_IMAGES:
        return []
    limits = np.quantile(sizes[is_there], np.arange(1, NUM_SIZES) / NUM_SIZES)
    place = np.searchsorted(limits, sizes, side="left")
    low, high = (round(limit) for limit in limits)
    names = (f"up to {low:,} pixels", f"to {high:,} pixels", "more")
    dice = dice_score(counts)
    groups = [_group(name, is_there & (place == n), dice) for n, name in enumerate(names)]
    return [group for group in groups if group.indices]


def _counted_pixels(scores: Scores) -> Counts:
    """(N, 3) found, invented and missed pixels of all counted classes."""
    counted: Counts = scores.counts[:, list(scores.counted)].sum(axis=1)
    return counted


def _group(name: str, chosen: NDArray[np.bool_], dice: NDArray[np.float64]) -> Group:
    indices = np.flatnonzero(chosen)
    order = indices[np.argsort(dice[indices], kind="stable")]
    known = dice[indices][np.isfinite(dice[indices])]
    return Group(name, tuple(order.tolist()), float(known.mean()) if len(known) else None)
