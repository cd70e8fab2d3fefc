"""Run lengths: numbers of pixels outside, inside, outside, ..., column by column.

Source of the format: `maskApi.c` of the COCO API (github.com/cocodataset/cocoapi).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import MaskError

MAX_DIGITS = 7  # of a compressed run length: 35 bits, more than any picture has pixels
DIGIT_ZERO, DIGIT_BITS = 48, 5  # compressed digits start at "0"; each holds five bits of a number
MORE_FLAG, SIGN_FLAG = 0x20, 0x10


def encode_runs(
    inside: NDArray[np.bool_], corner: tuple[int, int] = (0, 0), size: tuple[int, int] | None = None
) -> NDArray[np.int64]:
    """Run lengths: pixels outside, inside, outside, ..., column by column.

    Args:
        inside: (h, w) bool.
        corner: (row, column) of its first pixel in a larger image, not negative.
        size: (height, width) of that image, which is never painted; what reaches beyond it is cut.
    """
    height, width = size or inside.shape
    inside = inside[: max(0, height - corner[0]), : max(0, width - corner[1])]
    columns, rows = np.nonzero(inside.T)
    places = (columns + corner[1]) * height + rows + corner[0]
    is_start = np.diff(places, prepend=-2) > 1
    starts, stops = places[is_start], places[np.roll(is_start, -1)] + 1
    return _to_lengths(np.stack([starts, stops], axis=1).ravel(), height * width)


def join_runs(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Run lengths of what lies in any of several parts of one image.

    Args:
        parts: one at least: numbers of pixels outside, inside, outside, ..., of one sum.

    >>> join_runs([np.array([1, 2, 5]), np.array([2, 3, 3])]).tolist()
    [1, 4, 3]
    """
    if len(parts) == 1:
        return parts[0]
    ends = [np.cumsum(runs, dtype=np.int64) for runs in parts]
    starts = np.concatenate([end[:-1:2] for end in ends])
    stops = np.concatenate([end[1::2] for end in ends])
    places, index = np.unique(np.concatenate([starts, stops]), return_inverse=True)
    steps = np.zeros(len(places), dtype=np.int64)
    np.add.at(steps, index, np.repeat([1, -1], [len(starts), len(stops)]))
    is_inside = np.cumsum(steps) > 0
    turns = places[np.flatnonzero(np.diff(is_inside, prepend=False))]
    return _to_lengths(turns, max(int(end[-1]) if len(end) else 0 for end in ends))


def _to_lengths(turns: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Run lengths from the places where outside becomes inside, or back; no last run of 0."""
    ends = turns if len(turns) and turns[-1] == total else np.append(turns, total)
    return np.diff(ends, prepend=0).astype(np.int64)


def decode_runs(text: str | bytes) -> NDArray[np.int64]:
    """Decode the compressed run lengths of COCO.

    Each character holds five bits of a number, lowest first, a flag for more to come and the sign;
    from the fourth number on the difference to the number two places before is stored.

    Args:
        text: text of the field `counts`, for example "52203".

    Returns:
        Numbers of pixels outside, inside, outside, ..., as in uncompressed `counts`.

    Raises:
        MaskError: the text is damaged.

    >>> decode_runs("52203").tolist()
    [5, 2, 2, 2, 5]
    """
    raw = text.encode("latin-1", "replace") if isinstance(text, str) else text
    digits = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - DIGIT_ZERO
    is_last = (digits & MORE_FLAG) == 0
    if not len(digits):
        return np.zeros(0, dtype=np.int64)
    stops = np.flatnonzero(is_last) + 1
    starts = np.concatenate([[0], stops[:-1]])
    if digits.min() < 0 or digits.max() > 63 or not is_last[-1]:
        raise MaskError("compressed run lengths are cut off or damaged. Export them again.")
    if (stops - starts).max() > MAX_DIGITS:
        raise MaskError("compressed run lengths hold an absurd number. Export them again.")
    places = DIGIT_BITS * (np.arange(len(digits)) - np.repeat(starts, stops - starts))
    runs: NDArray[np.int64] = np.add.reduceat((digits & 0x1F) << places, starts)
    runs[(digits[stops - 1] & SIGN_FLAG) > 0] -= (
        1 << (places[stops - 1] + DIGIT_BITS)[(digits[stops - 1] & SIGN_FLAG) > 0]
    )
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return runs
