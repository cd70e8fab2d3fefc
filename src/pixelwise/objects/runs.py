"""Runs: pixels of one class that follow each other in a row. Regions are made of them.

    . 1 1 . 2      row 0: columns 1 to 2 of class 1, column 4 of class 2
    1 1 1 . .      row 1: columns 0 to 2 of class 1

A region as large as an image of 40,000 x 40,000 pixels costs its runs, not its pixels.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pixelwise.objects.perimeter import perimeter_parts
from pixelwise.task import IGNORE_INDEX

Indices = NDArray[np.int64]
MARGIN = 2  # rows above and below that the perimeter of a row depends on


class Runs(NamedTuple):
    """Runs of pixels.

    Attributes:
        class_index: (n,) class.
        row: (n,) row.
        start: (n,) first column.
        stop: (n,) the column behind the last one.
        sums: (n, 1 + C) part of the perimeter, and sum of each channel of the image.
    """

    class_index: NDArray[np.int32]
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    sums: NDArray[np.float64]

    def take(self, chosen: NDArray[Any]) -> "Runs":
        """Those chosen, by booleans or indices."""
        return Runs._make(values[chosen] for values in self)


def join_runs(parts: Sequence[Runs]) -> Runs:
    """All runs of several, one after the other."""
    return Runs._make(np.concatenate(values) for values in zip(*parts, strict=True))


def outside_rows(planes: NDArray[Any], number: int) -> NDArray[Any]:
    """Rows (L, number, W) such as lie around an image: of no class."""
    value = False if planes.dtype == np.bool_ else IGNORE_INDEX
    return np.full((len(planes), number, planes.shape[2]), value, planes.dtype)


def find_runs(
    planes: NDArray[Any], first_row: int, image: NDArray[Any] | None, *, has_background: bool
) -> Runs:
    """Find the runs of all classes, in the order of classes, rows and columns.

    Args:
        planes: (1, MARGIN + h + MARGIN, W) class index, or (K, MARGIN + h + MARGIN, W) bool where
            classes overlap; the rows of the margins give no runs.
        first_row: number of the first row behind the upper margin.
        image: (h, W, C) intensities; None leaves their sums out.
        has_background: class 0 is background, which has no runs.
    """
    channels: list[NDArray[Any]] = [] if image is None else list(np.moveaxis(image, -1, 0))
    values = [np.ascontiguousarray(channel, np.float64) for channel in channels]
    parts = [
        _plane_runs(plane, index, first_row, values, has_background)
        for index, plane in enumerate(planes)
    ]
    runs = join_runs(parts)
    return runs.take(np.argsort(runs.class_index, kind="stable"))


def _plane_runs(
    plane: NDArray[Any],
    plane_index: int,
    first_row: int,
    channels: Sequence[NDArray[np.float64]],
    has_background: bool,
) -> Runs:
    inside = np.ascontiguousarray(plane[MARGIN:-MARGIN])
    begins = np.ones(inside.shape, np.bool_)
    begins[:, 1:] = inside[:, 1:] != inside[:, :-1]
    first = np.flatnonzero(begins)  # every pixel is of one run, so that a run ends at the next
    stop = np.append(first[1:], inside.size)
    value = inside.reshape(-1)[first]
    if inside.dtype == np.bool_:
        is_wanted, class_index = value, np.full(len(value), plane_index)
    else:
        is_wanted = (value != IGNORE_INDEX) & ~((value == 0) & has_background)
        class_index = value
    summed = [perimeter_parts(plane), *channels]
    sums = np.stack([np.add.reduceat(values.reshape(-1), first) for values in summed], 1)
    row = first // inside.shape[1]
    left = row * inside.shape[1]
    columns = (class_index, row + first_row, first - left, stop - left)
    places = (column[is_wanted].astype(np.int32) for column in columns)
    return Runs._make((*places, sums[is_wanted]))


def find_touching(
    group: NDArray[Any],
    row: NDArray[Any],
    start: NDArray[Any],
    stop: NDArray[Any],
    *,
    by_corners: bool,
) -> tuple[Indices, Indices]:
    """Find the pairs of runs of one group that touch, one in the row below the other's.

    Args:
        group: (n,) from 0; the runs are in the order of groups, rows and columns.
        row: (n,) row of each run.
        start: (n,) its first column.
        stop: (n,) the column behind its last one.
        by_corners: whether corners count, not edges alone.

    Returns:
        Indices of the lower and of the upper runs.
    """
    if not len(row):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begin, end, width = number_pixels(group, row, start, stop)
    corner = 0 if by_corners else 1
    first = np.searchsorted(end, begin - width + corner)  # of the runs above
    last = np.searchsorted(begin, end - width - corner, "right")
    number = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(row)), number)
    within = np.arange(len(lower)) - np.repeat(np.cumsum(number) - number, number)
    return lower, np.repeat(first, number) + within


def number_pixels(
    group: NDArray[Any], row: NDArray[Any], start: NDArray[Any], stop: NDArray[Any]
) -> tuple[Indices, Indices, int]:
    """Number the pixels of all groups and rows, so that one sorted list holds all runs.

    Returns:
        Numbers of the first pixels and of those behind the last; what a row adds to them. Behind
        each row and each group some numbers are left out.
    """
    width, top = int(stop.max()) + 1, int(row.min())
    height = int(row.max()) - top + 2
    line = (group.astype(np.int64) * height + row - top + 1) * width
    return line + start, line + stop, width


def connect(number: int, one: Indices, other: Indices) -> Indices:
    """Put connected nodes together.

    Args:
        number: of nodes.
        one: a node of each pair that is connected.
        other: the other node of each pair.

    Returns:
        (number,) 0, 1, ... for nodes that are connected, in the order of their first node.
    """
    pairs = coo_array((np.ones(len(one)), (one, other)), (number, number))
    _, labels = connected_components(pairs, directed=False)
    found: Indices = labels.astype(np.int64)
    return found
