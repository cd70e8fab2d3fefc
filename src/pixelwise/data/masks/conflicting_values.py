"""Refuse masks of class numbers that are stored in two ways, where no mask shows which is which.

0 1 2     0 40 90      class indices, and grey tones to look at: the same classes, or four
0 40 90   0 255        tones, and one class alone as masks of two classes are written
0 1 2     0 1 255      255 lies beside the others: to be ignored
0 85 170  0 255        a scale of even steps: 255 is its end
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.binary_artifacts import find_two_tones
from pixelwise.data.masks.encoding import shorten_values
from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.foreground_values import PLAIN
from pixelwise.data.masks.value_counts import LOW_INDEX, add_counts
from pixelwise.errors import MaskError
from pixelwise.task import IGNORE_INDEX

MIN_TOGETHER = 0.1  # share of the masks with a 255 to ignore that hold classes beside it
UNEVEN = 2  # by so much the steps of a scale may differ: 0, 85, 170, 255; 0, 127, 255


def refuse_conflicting_values(
    masks: Sequence[MaskFacts], foreground: int | None, ignore: Sequence[int]
) -> None:
    """MaskError where numbers of some masks may be the classes of others, written in another way.

    Args:
        masks: facts of the masks that decide, in numbers.
        foreground: the value that is the foreground, where a person says so.
        ignore: values left out.
    """
    counts = add_counts(masks).without(ignore)
    values = counts.values[counts.values > 0]
    if not len(values) or 0 not in counts.values or find_two_tones(counts):
        return  # beside two tones the others are specks
    if foreground != IGNORE_INDEX:
        _refuse_two_foregrounds(masks, values)
    if IGNORE_INDEX in values and values[values != IGNORE_INDEX].max(initial=0) < LOW_INDEX:
        values = values[values != IGNORE_INDEX]
    if len(values) < 3 or foreground is not None:
        return
    is_index = values <= len(values)
    if is_index.any() and not is_index.all():
        _refuse_apart(masks, values[is_index], values[~is_index])
    top = values[-1:]
    if top[0] in PLAIN and not _is_even(values) and not is_index.any():
        _refuse_apart(masks, top, values[:-1])


def _refuse_apart(
    masks: Sequence[MaskFacts], some: NDArray[np.int64], others: NDArray[np.int64]
) -> None:
    """MaskError where no mask holds values of both kinds."""
    holders = [mask for mask in masks if np.isin(mask.values, some).any()]
    if any(np.isin(mask.values, others).any() for mask in holders):
        return
    num_others = sum(bool(np.isin(mask.values, others).any()) for mask in masks)
    raise MaskError(
        f"{len(holders)} masks hold {shorten_values(some.tolist())}, {num_others} hold "
        f"{shorten_values(others.tolist())}, and none holds both: the same classes written in two "
        "ways, or classes that are never together. Write all masks in one way, or name the classes "
        'with their values in classes.json: {"classes": [{"name": ..., "value": ...}]}.'
    )


def _refuse_two_foregrounds(masks: Sequence[MaskFacts], values: NDArray[np.int64]) -> None:
    """MaskError where 255 hardly ever lies beside the low class indices that other masks hold.

    Some masks of 0 and 255 among others of 0 and 1 are two ways to write the same foreground;
    255 that is to be ignored lies beside the classes.
    """
    others = values[values != IGNORE_INDEX]
    if IGNORE_INDEX not in values or not len(others) or others.max() >= LOW_INDEX:
        return
    holders = [np.isin(mask.values, others).any() for mask in masks if IGNORE_INDEX in mask.values]
    if sum(holders) >= MIN_TOGETHER * len(holders):
        return
    num_others = sum(bool(np.isin(mask.values, others).any()) for mask in masks)
    raise MaskError(
        f"{len(holders) - sum(holders)} masks hold 255 and no {shorten_values(others.tolist())}, "
        f"{num_others} hold {shorten_values(others.tolist())}: 255 may be the same foreground, "
        "written in another way, or what is to be ignored. Say --ignore 255 if it is that; else "
        "write all masks in one way."
    )


def _is_even(values: NDArray[np.int64]) -> bool:
    """Whether values are a scale of even steps from 0."""
    return int(np.ptp(np.diff(values, prepend=0))) <= UNEVEN
