"""The regions of a mask and which of them meet: enough to clean it at many least areas.

Cleaning a mask by `clean_bands` takes a pass over its pixels for each least area. Here the pixels
are passed once; then only regions are counted, of which a mask has some hundreds.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

from pixelwise.objects.clean import PASSES
from pixelwise.objects.runs import Indices


class _Meetings(NamedTuple):
    """Pairs of regions that meet, each pair both ways."""

    one: Indices
    other: Indices
    edges: Indices  # of pixels between them; 0 where only corners meet


class RegionGraph:
    """The regions of a mask (H, W) of class indices, connected by edges and corners.

    Attributes:
        labels: (H, W) the region 0, 1, ... of each pixel.
        classes: (n,) uint8 class of each region.
    """

    def __init__(self, mask: NDArray[Any]) -> None:
        found, number = label(mask, background=-1, connectivity=2, return_num=True)  # type: ignore[no-untyped-call]
        self.labels: Indices = found - 1
        self.classes = np.zeros(number, np.uint8)
        self.classes[self.labels.ravel()] = mask.ravel()
        self._areas: Indices = np.bincount(self.labels.ravel(), minlength=number)
        self._meetings = _find_meetings(self.labels, number)

    def __len__(self) -> int:
        return len(self.classes)

    def clean(self, min_area: int) -> NDArray[np.uint8]:
        """Return the class (n,) that each region has in `clean_mask(mask, min_area)`."""
        classes, meetings, areas = self.classes, self._meetings, self._areas
        region = np.arange(len(classes))  # of each region at first, which one it is part of by now
        for number in range(PASSES):
            if number:
                joined = _join(classes, meetings)
                region = joined[region]
                areas = np.bincount(joined, areas).astype(np.int64)
                merged = np.zeros(len(areas), np.uint8)
                merged[joined] = classes
                classes, meetings = merged, _meet(joined, meetings)
            classes = _clean_once(classes, areas, meetings, min_area)
        return classes[region]


def _clean_once(
    classes: NDArray[np.uint8], areas: Indices, meetings: _Meetings, min_area: int
) -> NDArray[np.uint8]:
    """Give small regions the class that most of their edges meet in large ones."""
    is_large = areas >= min_area
    votes = ~is_large[meetings.one] & is_large[meetings.other] & (meetings.edges > 0)
    ballots = meetings.one[votes] * 256 + classes[meetings.other[votes]]
    kinds, place = np.unique(ballots, return_inverse=True)
    counts = np.bincount(place, meetings.edges[votes], minlength=len(kinds))
    order = np.lexsort((-kinds, counts))  # the last one set stays: most votes, the first class
    cleaned = classes.copy()
    cleaned[kinds[order] // 256] = kinds[order] % 256
    return cleaned


def _find_meetings(labels: Indices, number: int) -> _Meetings:
    """Which regions meet, by edges and by corners."""
    by_edges = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    by_corners = [(labels[:-1, :-1], labels[1:, 1:]), (labels[:-1, 1:], labels[1:, :-1])]
    keys, weights = [], []
    for pairs, weight in ((by_edges, 1), (by_corners, 0)):
        for one, other in pairs:
            differ = one != other
            keys.append(one[differ] * number + other[differ])
            weights.append(np.full(keys[-1].size, weight))
    kinds, place = np.unique(np.concatenate(keys), return_inverse=True)
    counts = np.bincount(place, np.concatenate(weights), minlength=len(kinds)).astype(np.int64)
    one, other = np.divmod(kinds, max(number, 1))
    return _both_ways(one, other, counts)


def _both_ways(one: Indices, other: Indices, edges: Indices) -> _Meetings:
    return _Meetings(*map(np.concatenate, ((one, other), (other, one), (edges, edges))))


def _join(classes: NDArray[np.uint8], meetings: _Meetings) -> Indices:
    """The joined region of each one: those of one class that meet are one."""
    alike = classes[meetings.one] == classes[meetings.other]
    pairs = (meetings.one[alike], meetings.other[alike])
    size = (len(classes), len(classes))
    graph = coo_array((np.ones(len(pairs[0]), np.bool_), pairs), shape=size)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _meet(joined: Indices, meetings: _Meetings) -> _Meetings:
    """The meetings of joined regions."""
    one, other = joined[meetings.one], joined[meetings.other]
    differ = one != other
    return _Meetings(one[differ], other[differ], meetings.edges[differ])
