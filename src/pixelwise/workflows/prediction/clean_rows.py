"""Rows with a mask that was cleaned: image and probabilities wait for it, and stay as they are."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.objects import clean_bands
from pixelwise.workflows.prediction.rows import Rows


def clean_rows(rows: Iterator[Rows], min_area: int) -> Iterator[Rows]:
    """Give regions of the mask that are smaller than an area the class of what is around them.

    Args:
        rows: of an image, from the top to the bottom.
        min_area: pixels of the smallest region that stays, see `clean_bands`; 1 changes nothing.

    Returns:
        The same rows, other numbers of them at once.
    """
    if min_area == 1:
        return rows
    waiting: deque[Rows] = deque()
    return (_take(waiting, mask) for mask in clean_bands(_masks(rows, waiting), min_area))


def _masks(rows: Iterator[Rows], waiting: deque[Rows]) -> Iterator[NDArray[Any]]:
    """The masks of rows, which are kept until they are taken."""
    for one in rows:
        waiting.append(one)
        yield one.mask


def _take(waiting: deque[Rows], mask: NDArray[Any]) -> Rows:
    """As many of the rows that wait as a cleaned mask has, with it in place of their own."""
    missing, parts = mask.shape[-2], list[Rows]()
    while missing > 0:
        first = waiting.popleft()
        height = first.mask.shape[-2]
        if height > missing:
            waiting.appendleft(_part(first, slice(missing, None)))
            first = _part(first, slice(missing))
        parts.append(first)
        missing -= height
    joined = [
        None if values[0] is None else np.concatenate(values, _row_axis(name))
        for name, values in zip(Rows._fields, zip(*parts, strict=True), strict=True)
    ]
    return Rows._make(joined)._replace(mask=mask)


def _part(rows: Rows, some: slice) -> Rows:
    """Some of the rows."""
    found = (
        None if values is None else values[some] if _row_axis(name) == 0 else values[..., some, :]
        for name, values in zip(Rows._fields, rows, strict=True)
    )
    return Rows._make(found)


def _row_axis(name: str) -> int:
    """The axis that counts rows: (h, W, C) of images, (..., h, W) of all others."""
    return 0 if name == "image" else -2
