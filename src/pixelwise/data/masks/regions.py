"""Measure the connected regions of a mask band by band, so that memory grows with its width alone.

1 1 . 2      a band has regions of its own; where regions of two bands touch with one value
-------      they are one: 2 + 2 regions of the bands, less 1 that is joined
. 1 . 3
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

BAND_VALUES = 2**20  # labelled at a time; labelling takes some 20 bytes for each


def measure_regions(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sizes and values of the regions of one value, not 0, whose pixels touch by edge or corner.

    Args:
        values: (*S) integers of two or three axes.

    Returns:
        (R,) pixels of each region, and (R,) its value.
    """
    num_rows = max(1, BAND_VALUES // max(1, values[:1].size))
    total, joins = 0, list[NDArray[np.int64]]()
    sizes, found = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    last: tuple[NDArray[Any], NDArray[np.int64]] | None = None
    for start in range(0, len(values), num_rows):
        band = values[start : start + num_rows]
        labels: NDArray[np.int64] = label(band, background=0).astype(np.int64)  # type: ignore[no-untyped-call]
        sizes.append(np.bincount(labels.ravel())[1:])
        value_of = np.zeros(len(sizes[-1]) + 1, np.int64)
        value_of[labels.ravel()] = band.ravel()
        found.append(value_of[1:])
        labels += total - 1  # numbers of regions in all bands; of the background they mean nothing
        if last is not None:
            joins.append(_find_joins(*last, band[0], labels[0]))
        last, total = (band[-1], labels[-1]), total + len(sizes[-1])
    return _join(np.concatenate(sizes), np.concatenate(found), joins)


def _find_joins(
    above: NDArray[Any],
    labels_above: NDArray[np.int64],
    below: NDArray[Any],
    labels_below: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(N, 2) labels of regions that touch across the seam between two neighbouring planes."""
    found = []
    for shifts in itertools.product((-1, 0, 1), repeat=above.ndim):
        one = tuple(slice(max(0, s), None if s >= 0 else s) for s in shifts)
        other = tuple(slice(max(0, -s), None if s <= 0 else -s) for s in shifts)
        touches = (above[one] == below[other]) & (above[one] != 0)
        pairs = np.stack([labels_above[one][touches], labels_below[other][touches]], axis=1)
        found.append(np.unique(pairs, axis=0))
    return np.concatenate(found)


def _join(
    sizes: NDArray[np.int64], values: NDArray[np.int64], joins: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sizes and values of regions, where some of the bands are one: (N, 2) pairs of them."""
    pairs = np.concatenate(joins) if joins else np.zeros((0, 2), dtype=np.int64)
    if not len(pairs):
        return sizes, values
    graph = coo_array((np.ones(len(pairs), np.int8), pairs.T), shape=(len(sizes),) * 2)
    number, names = connected_components(graph.tocsr(), directed=False)
    joined, value_of = np.zeros(number, np.int64), np.zeros(number, np.int64)
    np.add.at(joined, names, sizes)
    value_of[names] = values
    return joined, value_of
