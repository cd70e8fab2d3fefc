"""Find the few masks that are not made as the others are, before they change what all mean.

999 masks of 0 and 255, one of 0 and 1       the one is odd: it would turn 255 into "ignored"
999 masks of 0..3, one of 0..200             a photograph among the masks
999 masks of 0..5, one with a 6 beside them  a rare class: not odd

The majority decides; who is odd holds values that are then unknown, and is named by them.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.binary_artifacts import fits_two_tones
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.facts import MANY_VALUES, MaskFacts
from pixelwise.data.masks.learn_colors import MAX_EDGE_INTERIOR, MERGED, NEAR, distances, is_line
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.value_counts import LOW_INDEX
from pixelwise.task import IGNORE_INDEX

MIN_MASKS = 5  # so many that are not empty make a majority
ODD_SHARE = 0.05  # of the masks that are not empty; one at least may be odd
MAX_NEW_VALUES = 2  # of a mask that has classes in common with the others
MIN_INTERIOR = 0.25  # of the pixels of a mask have four equal neighbours; in photographs fewer do
MAX_AWAY = 0.5  # share of the pixels of a mask in such colours, or in values too many to keep


def set_apart(masks: Sequence[MaskFacts], ignored: Sequence[int] = ()) -> list[MaskFacts]:
    """The masks that decide what the values mean: all but a few that are made in another way.

    Args:
        masks: facts of all masks, in numbers or in colours.
        ignored: values that a person leaves out.

    Returns:
        The usual masks, in order; all of them where there is no clear majority.
    """
    filled = [mask for mask in masks if mask.values.any()]
    limit = few_of(len(filled))
    if not limit:
        return list(masks)
    odd = _few([mask for mask in filled if is_photograph(mask)], limit)
    filled = [mask for mask in filled if id(mask) not in odd]
    common, holders = _common_values(filled, limit, ignored)
    if np.count_nonzero(common) and len(common) > 1:
        belongs = _belongs_in_colors if filled[0].form == "colors" else _belongs_in_numbers
        strangers = [mask for mask in holders if not belongs(mask, common, ignored)]
        odd |= _few(strangers, limit)
    return [mask for mask in masks if id(mask) not in odd]


def foreign_values(mask: MaskFacts, encoding: MaskEncoding) -> NDArray[np.int64]:
    """The values of one mask that mean nothing in an encoding, or that only seem to mean something.

    Where values are moved to the nearest class, or every number is an object, a photograph would
    pass: what is not damage of the classes, or no whole object, is foreign here.
    """
    if (
        encoding.form == "colors" and mask.form == "numbers"
    ):  # beyond 255, so that it is not a colour
        filled: NDArray[np.int64] = mask.values[mask.values != 0]
        return filled
    encoding = encoding.in_tones_of(mask.values)
    unknown: NDArray[np.int64] = encoding.unknown_values(mask.values)
    if unknown.size or encoding.form == "layers" or mask.form == "layers":
        return unknown
    own = np.array([entry.value for entry in encoding.classes], dtype=np.int64)
    passes = True
    if encoding.form == "instances":
        passes = not is_photograph(mask)
        own = np.zeros(1, dtype=np.int64)
    elif encoding.snap and mask.form == "colors":
        passes = _is_damage_of_colors(mask, own)
    elif encoding.snap and len(own) == 2:
        passes = fits_two_tones(mask, (int(own.min()), int(own.max())))
    return unknown if passes else mask.values[~np.isin(mask.values, (*own, *encoding.ignore))]


def few_of(num_filled: int) -> int:
    """How many of the masks that are not empty may be odd: the others are a clear majority."""
    return max(1, int(ODD_SHARE * num_filled)) if num_filled >= MIN_MASKS else 0


def is_photograph(mask: MaskFacts) -> bool:
    """Whether a mask has many values and hardly areas of them; object ids have whole objects."""
    if mask.num_values <= MANY_VALUES or mask.form == "layers":
        return False
    if mask.form == "numbers" and mask.num_regions <= 2 * mask.num_values:
        return False
    return int(mask.interior.sum()) < MIN_INTERIOR * float(np.prod(mask.size))


def _few(masks: Sequence[MaskFacts], limit: int) -> set[int]:
    """Identities of the masks, where they are few; else there is no majority against them."""
    return {id(mask) for mask in masks} if len(masks) <= limit else set()


def _common_values(
    masks: Sequence[MaskFacts], limit: int, ignored: Sequence[int]
) -> tuple[NDArray[np.int64], list[MaskFacts]]:
    """Values that more than a few masks hold, in order, and the masks that hold others too."""
    support = Counter(value for mask in masks for value in mask.values.tolist())
    common = np.array(sorted(v for v, n in support.items() if n > limit), dtype=np.int64)
    expected = np.union1d(common, np.asarray(ignored, dtype=np.int64))
    return common, [mask for mask in masks if not np.isin(mask.values, expected).all()]


def _belongs_in_numbers(mask: MaskFacts, common: NDArray[np.int64], ignored: Sequence[int]) -> bool:
    """Whether values that are rare damage those that are common, or continue them."""
    classes = common[(common >= 0) & ~np.isin(common, ignored)]
    if _is_soft(mask, classes):
        return True
    new = mask.values[~np.isin(mask.values, (*common, *ignored))]
    shared = mask.values[np.isin(mask.values, common) & (mask.values > 0)]
    is_low = classes.max(initial=0) < LOW_INDEX
    if is_low and len(shared):  # values that mean "left out"
        new = new[(new >= 0) & (new != IGNORE_INDEX)]
    if not len(new) or (new < 0).any():
        return not len(new)
    is_next = np.array_equal(np.union1d(classes, new), np.arange(max(new.max(), classes.max()) + 1))
    if is_next and len(new) <= len(classes) and (len(shared) or len(classes) > 2):
        return True
    is_beside = len(classes) > 2 and len(shared) > 0 and len(new) <= MAX_NEW_VALUES
    return is_beside and (not is_low or bool(new.max() < LOW_INDEX))


def _is_soft(mask: MaskFacts, tones: NDArray[np.int64]) -> bool:
    """Whether a mask is one of two tones whose other values are soft edges, or JPEG damage."""
    if len(tones) != 2 or np.ptp(tones) < TWO_TONE_RANGE or np.ptp(mask.values) < TWO_TONE_RANGE:
        return False
    is_new = ~np.isin(mask.values, tones)
    inside = mask.interior[is_new].sum()
    is_thin = mask.is_jpeg or bool(inside <= MAX_EDGE_INTERIOR * mask.counts[is_new].sum())
    return is_thin and fits_two_tones(mask, (int(tones[0]), int(tones[1])))


def _belongs_in_colors(mask: MaskFacts, common: NDArray[np.int64], ignored: Sequence[int]) -> bool:
    """Whether colours that are rare are damage of those that are common, or classes beside them."""
    is_new = ~np.isin(mask.values, (*common, *ignored))
    new, shared = mask.values[is_new], mask.values[~is_new & (mask.values > 0)]
    edges = mask.interior[is_new].sum() <= MAX_EDGE_INTERIOR * mask.counts[is_new].sum()
    if edges and len(new) > MAX_NEW_VALUES and _is_damage_of_colors(mask, common):
        return True
    is_near = distances(new, common).min(axis=1) <= MERGED
    classes = common[~np.isin(common, ignored)]
    few = len(new) <= MAX_NEW_VALUES
    return not is_near.any() and len(classes) > 2 and len(shared) > 0 and few


def _is_damage_of_colors(mask: MaskFacts, own: NDArray[np.int64]) -> bool:
    """Whether a mask is mostly in the colours given, and has no area or thin line of another."""
    distance = distances(mask.values, own).min(axis=1)
    if (is_line(mask) & (distance > NEAR)).any():
        return False
    total = float(np.prod(mask.size))
    near = mask.counts[distance <= NEAR].sum() / total
    inside = mask.interior[distance > NEAR].sum() / total
    return bool(near >= 1 - MAX_AWAY and inside <= MAX_EDGE_INTERIOR)
