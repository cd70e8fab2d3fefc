"""Masks of two tones that were drawn with soft edges or damaged by JPEG: what the true tones are.

0   0  64 191 255 255    soft edge: values in between, hardly one of them among equals
0   3   0 252 255 254    JPEG: values near to both tones
"""

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.facts import MaskFacts
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.reading import Remark, ValueCounts
from pixelwise.errors import MaskError

NEAR_TONE = 0.12  # of the range: values this near to a tone are that tone, damaged
MAX_INTERIOR = 0.02  # grey edges have almost no pixels with four equal neighbours; classes do
MAX_NEAR_INTERIOR = 0.5  # JPEG damage has some areas of equal values, classes are areas
MIN_TONES = 0.5  # share of pixels that the two tones themselves must have
MAX_BETWEEN = 0.3  # share of pixels far from both tones that soft edges have in one mask
FEW_BETWEEN = 0.05  # share of pixels far from both tones that any mask may have
MIN_FAINT = 0.01  # share of pixels that a mask of faint values must have to be no damage


def find_two_tones(counts: ValueCounts) -> tuple[int, int] | None:
    """The two true values of masks whose other values are damage of these two, or None.

    Damage of anti-aliasing has values in between but hardly a pixel among equals; damage of JPEG
    has values near to both tones. Classes have neither.
    """
    tones = _main_tones(counts)
    if tones is None:
        return None
    is_near, is_between = _place(counts.values, tones)
    pixels = counts.counts
    if pixels[~is_near & ~is_between].sum() < MIN_TONES * pixels.sum():
        return None
    if counts.interior[is_between].sum() > MAX_INTERIOR * max(1, pixels[is_between].sum()):
        return None
    if counts.interior[is_near].sum() > MAX_NEAR_INTERIOR * max(1, pixels[is_near].sum()):
        return None
    damaged_high = bool((is_near & (counts.values > sum(tones) / 2)).any())
    return tones if damaged_high or bool(is_between.any()) or counts.is_jpeg else None


def refuse_lines(counts: ValueCounts, tones: tuple[int, int]) -> None:
    """MaskError where one value between two tones may be smoothed edges or a class of lines."""
    others = [value for value in counts.values.tolist() if value not in tones]
    if len(others) > 1 or counts.is_jpeg or not tones[0] < others[0] < tones[1]:
        return
    raise MaskError(
        f"the masks hold {tones[0]} and {tones[1]}, and {others[0]} only along edges between them: "
        f"smoothed edges, or a class of thin lines. Say --ignore {others[0]} to leave these pixels "
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
        return float(mask.counts[~is_tone].sum()) <= MIN_FAINT * total
    exact = float(mask.counts[is_tone].sum()) / total
    high = float(mask.counts[~is_between & (mask.values > sum(tones) / 2)].sum()) / total
    between = 1 - float(mask.counts[~is_between].sum()) / total
    few_high = exact < MIN_TONES or high < between / 4
    return between <= FEW_BETWEEN or (between <= MAX_BETWEEN and not few_high)


def snap_remark(counts: ValueCounts, tones: tuple[int, int]) -> Remark:
    """Said where pixels are moved to the nearer tone, with their share."""
    moved = 1 - counts.counts[np.isin(counts.values, tones)].sum() / counts.counts.sum()
    return Remark(
        "snapped-values",
        f"the masks have two tones, {tones[0]} and {tones[1]}, with grey edges or JPEG damage: "
        f"{100 * moved:.2g} % of their pixels were moved to the nearer tone.",
        "Export the masks as PNG without anti-aliasing.",
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
