"""What regions are like: where, how large, of what shape, how bright; from their runs."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.objects.runs import Indices, Runs


class Region(NamedTuple):
    """A connected region of one class.

    Attributes:
        number: 1, 2, ... in the order of last rows, then of classes, then of first pixels.
        class_index: its class.
        box: first row, first column, and the row and column behind the last ones.
        area: pixels.
        centroid: row and column of its centre.
        perimeter: pixels.
        eccentricity: of the ellipse of the same moments: 0 is round, 1 a line.
        means: mean intensity of each channel; empty where no image was given.
        runs: (n, 3) row, first column, and the column behind the last, of each of its runs, in the
            order of rows and columns.
    """

    number: int
    class_index: int
    box: tuple[int, int, int, int]
    area: int
    centroid: tuple[float, float]
    perimeter: float
    eccentricity: float
    means: tuple[float, ...]
    runs: NDArray[np.int32]


def measure(runs: Runs, region: Indices, number: int = 0) -> list[Region]:
    """Describe regions.

    Args:
        runs: of whole regions, in any order.
        region: (n,) which run is of which.
        number: of the last region before these.

    Returns:
        The regions, in the order of `Region.number`.
    """
    if not len(region):
        return []
    order = np.lexsort((runs.start, runs.row, region))
    runs, region = runs.take(order), region[order]
    first = np.flatnonzero(np.diff(region, prepend=-1))
    last = np.append(first[1:], len(region))
    top, bottom = runs.row[first], runs.row[last - 1] + 1
    box = (
        top,
        np.minimum.reduceat(runs.start, first),
        bottom,
        np.maximum.reduceat(runs.stop, first),
    )
    shape = _shape(runs, np.repeat(np.arange(len(first)), last - first))
    columns = (runs.class_index[first], np.stack(box, 1), *shape, first, last)
    order = np.lexsort((runs.start[first], top, runs.class_index[first], bottom))
    places = np.stack([runs.row, runs.start, runs.stop], 1)
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    return [
        Region(
            number + index, class_index, tuple(box), area, tuple(centroid), perimeter,
            eccentricity, tuple(means), places[begin:end],
        )
        for index, (class_index, box, area, centroid, perimeter, eccentricity, means, begin, end)
        in enumerate(rows, 1)
    ]  # fmt: skip


def _shape(runs: Runs, index: Indices) -> tuple[NDArray[Any], ...]:
    """Area, centroid, perimeter, eccentricity and means of regions 0, 1, ...

    Sums are taken run by run from the top, so that they do not depend on other regions.
    """
    length = (runs.stop - runs.start).astype(np.float64)
    middle = (runs.start + runs.stop - 1) / 2
    area = np.bincount(index, length)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(index, values) / area)

    centre_row, centre_column = mean(length * runs.row), mean(length * middle)
    down, across = runs.row - centre_row[index], middle - centre_column[index]
    eccentricity = _eccentricity(
        mean(length * down**2),
        mean(length * (across**2 + (length**2 - 1) / 12)),  # and that of a run about its middle
        mean(length * down * across),
    )
    perimeter = np.bincount(index, runs.sums[:, 0])
    means = [mean(values) for values in runs.sums.T[1:]]
    return (
        area.astype(np.int64),
        np.stack([centre_row, centre_column], 1),
        perimeter,
        eccentricity,
        np.stack(means, 1) if means else np.zeros((len(area), 0)),
    )


def _eccentricity(
    rows: NDArray[np.float64], columns: NDArray[np.float64], both: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of ellipses with these variances and covariances; 0 of single pixels."""
    middle, half = (rows + columns) / 2, np.hypot((rows - columns) / 2, both)
    long, short = middle + half, np.maximum(middle - half, 0)
    ratio = np.divide(short, long, out=np.ones_like(long), where=long > 0)
    found: NDArray[np.float64] = np.sqrt(1 - ratio)
    return found
