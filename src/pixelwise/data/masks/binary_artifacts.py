"""Masks of two tones that hold other values too: what the true tones are, and what is damage.

0   0  64 191 255 255    soft edge: values with a darker and a brighter one beside them
0   3   0 252 255 254    JPEG: values near to both tones
0   8  11 255 255 255    specks: values on few pixels that fill no region worth a class
0 128 128 128   0 255    a class: it fills areas, or runs in lines away from the edges
"""

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.remarks import Remark
from pixelwise.data.masks.value_counts import ValueCounts
from pixelwise.errors import MaskError

NEAR_TONE = 0.12  # of the range: values this near to a tone are that tone, damaged
MAX_INTERIOR = 0.02  # grey edges have almost no pixels with four equal neighbours; classes do
MAX_NEAR_INTERIOR = 0.5  # JPEG damage has some areas of equal values, classes are areas
MIN_TONES = 0.5  # share of pixels that the two tones themselves must have
MAX_BETWEEN = 0.3  # share of pixels far from both tones that soft edges have in one mask
FEW_BETWEEN = 0.05  # share of pixels far from both tones that any mask may have
MIN_FAINT = 0.01  # share of pixels that a mask of faint values must have to be no damage
MIN_AREA_INTERIOR = 0.1  # of its pixels: a value that fills areas has so many among equals
MIN_AREA_PIXELS = 16  # among equals: a value that fills areas has so many
MIN_LINE = 20  # pixels of one region of a line; specks and pieces of soft edges are smaller
MIN_LINE_SHARE = 0.1  # of the pixels between the tones that one value has if it is a class of lines
MAX_DOT = 4  # pixels of a region that can be no object, whatever its value
MAX_SPECKS = 0.005  # share of all pixels that specks have together
FEW_SPECKS = 0.002  # share of all pixels that they have where they fill small areas, too
MIN_SHADES = 3  # specks and soft edges have at least so many values; fewer may be classes
MIN_EDGE = 0.9  # of the pixels of a grey lie between a darker and a brighter one, if it is an edge
MIN_LINES = 0.01  # of the pixels of the rarer tone: a class of lines between two tones has more


def find_two_tones(counts: ValueCounts) -> tuple[int, int] | None:
    """The two true values of masks whose other values are damage of these two, or None.

    Damage of anti-aliasing has values in between but hardly a pixel among equals; damage of JPEG
    has values near to both tones; specks are few and small. Classes have none of these.
    """
    tones = _main_tones(counts)
    if tones is None:
        return None
    is_near, is_between = _place(counts.values, tones)
    pixels, total = counts.counts, counts.counts.sum()
    if pixels[~is_near & ~is_between].sum() < MIN_TONES * total:
        return None
    if is_class(counts, is_between).any():
        return None
    if are_specks(counts.only(is_near | is_between), int(total)):
        return tones
    near, between = counts.only(is_near), counts.only(is_between)
    if between.interior.sum() > MAX_INTERIOR * max(1, between.counts.sum()):
        return None
    is_damaged = bool(is_between.any()) or counts.is_jpeg or _is_damage(counts, is_near, tones)
    is_little = len(between.values) >= MIN_SHADES and near.counts.sum() <= FEW_SPECKS * total
    if near.interior.sum() > MAX_NEAR_INTERIOR * max(1, near.counts.sum()) and not is_little:
        return None
    return tones if is_damaged else None


def _is_damage(counts: ValueCounts, is_near: NDArray[np.bool_], tones: tuple[int, int]) -> bool:
    """Whether values near to the tones alone are damage: some near to the bright one, or edges.

    Low numbers beside 255 may be class indices, but not where each lies between 0 and areas of 255.
    """
    near = counts.only(is_near)
    if (near.values > sum(tones) / 2).any():
        return True
    bright = counts.only(counts.values == tones[1])
    is_edge = near.between >= MIN_EDGE * near.counts
    is_edge &= near.interior <= MAX_INTERIOR * near.counts
    is_index = _is_index(near.values)
    return bool(is_edge.all()) and not is_index and 2 * bright.interior[0] >= bright.counts[0]


def _is_index(values: NDArray[np.int64]) -> bool:
    """Whether values are the numbers from 1 without gaps."""
    return np.array_equal(values, np.arange(1, len(values) + 1))


def is_class(counts: ValueCounts | MaskFacts, is_between: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the values between two tones fill areas, or run in lines away from the edges."""
    pixels = counts.counts
    of_area = np.maximum(MIN_AREA_PIXELS, MIN_AREA_INTERIOR * pixels)
    is_line = (2 * counts.between < pixels) & (counts.largest >= MIN_LINE)
    is_line &= pixels >= MIN_LINE_SHARE * pixels[is_between].sum()
    found: NDArray[np.bool_] = is_between & ((counts.interior >= of_area) | is_line)
    return found & (not counts.is_jpeg)


def are_specks(odd: ValueCounts, total: int) -> bool:
    """Whether values have no region worth a class: few pixels, no areas, no lines.

    Numbers from 1 without gaps, and one value or two, may be classes that are rare: they are specks
    only where they are dots.

    Args:
        odd: counts of the values, without those that are the rule.
        total: pixels of all masks.
    """
    if not len(odd.values) or odd.counts.sum() > MAX_SPECKS * total:
        return False
    if _is_index(odd.values) or len(odd.values) < MIN_SHADES:
        return bool((odd.largest <= MAX_DOT).all())
    fills = odd.interior >= np.maximum(MIN_AREA_PIXELS, MIN_AREA_INTERIOR * odd.counts)
    is_line = (2 * odd.between < odd.counts) & (odd.largest >= MIN_LINE)
    return not bool((fills | is_line).any())


def refuse_lines(counts: ValueCounts, tones: tuple[int, int]) -> None:
    """MaskError where one value between two tones may be smoothed edges or a class of lines."""
    others = counts.without(tones)
    if len(others.values) > 1 or counts.is_jpeg or not _place(others.values, tones)[1].any():
        return
    rarer = counts.counts[np.isin(counts.values, tones)].min()
    if others.counts[0] < MIN_LINES * rarer:
        return
    value = int(others.values[0])
    raise MaskError(
        f"the masks hold {tones[0]} and {tones[1]}, and {value} only along edges between them: "
        f"smoothed edges, or a class of thin lines. Say --ignore {value} to leave these pixels "
        "out, or name the classes with their values in classes.json."
    )


def fits_two_tones(mask: MaskFacts, tones: tuple[int, int]) -> bool:
    """Whether one mask can be damage of two tones; photographs and masks in other values cannot.

    Args:
        mask: facts of a mask in numbers.
        tones: the true values.
    """
    total = float(np.prod(mask.size))
    is_near, is_between = _place(mask.values, tones)
    is_tone = ~is_near & ~is_between
    if np.ptp(mask.values) < TWO_TONE_RANGE:
        return _is_faint(mask, is_tone)
    if is_class(mask, is_between).any():
        return False
    exact = float(mask.counts[is_tone].sum()) / total
    high = float(mask.counts[~is_between & (mask.values > sum(tones) / 2)].sum()) / total
    between = 1 - float(mask.counts[~is_between].sum()) / total
    few_high = exact < MIN_TONES or high < between / 4
    return between <= FEW_BETWEEN or (between <= MAX_BETWEEN and not few_high)


def _is_faint(mask: MaskFacts, is_tone: NDArray[np.bool_]) -> bool:
    """Whether a mask of one tone has so few other values, in specks, that they are damage."""
    odd = ~is_tone
    if mask.counts[odd].sum() > MIN_FAINT * float(np.prod(mask.size)):
        return False
    if mask.is_jpeg or not odd.any():
        return not (odd.sum() == 1 and mask.values[-1] == 1)
    is_other_tone = odd.sum() == 1 and (mask.values[-1] == 1 or mask.largest[odd].max() > MAX_DOT)
    return not is_other_tone and bool(mask.largest[odd].max() < MIN_LINE)


def snap_remark(counts: ValueCounts, tones: tuple[int, int]) -> Remark:
    """Said where pixels are moved to the nearer tone, with their share."""
    moved = 1 - counts.counts[np.isin(counts.values, tones)].sum() / counts.counts.sum()
    return Remark(
        "snapped-values",
        f"the masks have two tones, {tones[0]} and {tones[1]}, with grey edges, specks or JPEG "
        f"damage: {100 * moved:.2g} % of their pixels were moved to the nearer tone.",
        "Export the masks as PNG without anti-aliasing; if other values are classes, name all with "
        "their values in classes.json.",
        "warning",
        tuple(counts.values[~np.isin(counts.values, tones)].tolist()),
    )


def _main_tones(counts: ValueCounts) -> tuple[int, int] | None:
    """The most frequent dark and the most frequent bright value; None where these are near."""
    values, pixels = counts.values, counts.counts
    middle = (int(values[0]) + int(values[-1])) / 2
    low = int(values[values < middle][pixels[values < middle].argmax()])
    high = int(values[values >= middle][pixels[values >= middle].argmax()])
    return (low, high) if high - low >= TWO_TONE_RANGE else None


def _place(
    values: NDArray[np.int64], tones: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which values are near to a tone, and which lie in between; the tones are neither."""
    distance = np.minimum(np.abs(values - tones[0]), np.abs(values - tones[1]))
    is_near: NDArray[np.bool_] = (distance > 0) & (distance <= NEAR_TONE * (tones[1] - tones[0]))
    is_between: NDArray[np.bool_] = (distance > 0) & ~is_near
    return is_near, is_between
