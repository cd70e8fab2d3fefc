"""Outlines of regions along the edges of their pixels.

The corner of a pixel is where its edges meet, so that the pixel in row 2 and column 3 has the
corners (3, 2), (4, 2), (4, 3) and (3, 3) in x and y. A polygon has its outer ring first, then its
holes; a region whose parts touch by corners alone has a polygon for each part.

    ┌──> a ──┐        Rings are followed from side to side of runs, the region on their right:
    │   ┌────┘        up its left side, down its right one. What comes after the right side of
    └─b─┘             run a depends on the runs of the row below: here comes that of run b.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.objects.measure import Region
from pixelwise.objects.runs import Indices, connect, find_touching, number_pixels

Ring = Sequence[Sequence[float]]  # corners [x, y], the first one again at its end
Polygon = list[Ring]


def trace_regions(regions: Sequence[Region]) -> list[list[Polygon]]:
    """Trace the outlines of regions.

    Returns:
        For each region the polygons of its parts: the outer ring, clockwise with y down, then those
        of holes, all in pixels of the image. Corners on a straight line are left out. No ring
        meets itself.
    """
    found: list[list[Polygon]] = [[] for _ in regions]
    if not regions:
        return found
    region = np.repeat(np.arange(len(regions)), [len(one.runs) for one in regions])
    runs = np.concatenate([one.runs for one in regions])
    pairs = find_touching(region, *runs.T, by_corners=False)
    part = connect(len(runs), *pairs)
    order = np.lexsort((runs[:, 1], runs[:, 0], part))
    runs, part, region = runs[order], part[order], region[order]
    last = -1
    for first_run, ring in _rings(part, runs):
        polygons = found[region[first_run]]
        if part[first_run] != last:  # the first ring of a part is the one around it
            polygons.append([])
            last = part[first_run]
        polygons[-1].append(ring)
    return found


def _rings(part: Indices, runs: NDArray[np.int32]) -> list[tuple[int, Ring]]:
    """Rings around parts, each with the run at which it was begun.

    A side has twice the index of its run; one more is the right side.
    """
    following = _following_sides(part, *runs.T)
    sides, begins = _follow(following.tolist())
    column = runs[:, 1:].reshape(-1)
    here, after = column[sides], column[following[sides]]
    row = runs[sides // 2, 0] + sides % 2  # where the side ends
    is_turn = here != after
    corners = np.stack([here, row, after, row], 1)[is_turn].reshape(-1, 2).tolist()
    number = 2 * np.cumsum(is_turn)  # of corners, up to and with each side
    ends = number[np.append(begins[1:], len(sides)) - 1].tolist()
    runs_begun = (sides[begins] // 2).tolist()
    found, start = list[tuple[int, Ring]](), 0
    for run, end in zip(runs_begun, ends, strict=True):
        found.append((run, [*corners[start:end], corners[start]]))
        start = end
    return found


def _follow(following: list[int]) -> tuple[Indices, Indices]:
    """The sides of one ring after the other, and where in them each ring begins."""
    seen = bytearray(len(following))
    order, begins = list[int](), list[int]()
    for first in range(len(following)):
        if seen[first]:
            continue
        begins.append(len(order))
        side = first
        while not seen[side]:
            seen[side] = 1
            order.append(side)
            side = following[side]
    return np.array(order), np.array(begins)


def _following_sides(
    part: Indices, row: NDArray[np.int32], start: NDArray[np.int32], stop: NDArray[np.int32]
) -> Indices:
    """The side that comes after each: (2 n,).

    Where pixels of a part touch by a corner a ring goes on to the left, so that it does not meet
    itself.
    """
    begin, end, width = number_pixels(part, row, start, stop)
    far = np.iinfo(np.int64).max // 2
    begins = np.concatenate([[-far], begin, [far]])  # run i is in place i + 1
    ends = np.concatenate([[-far], end, [far]])
    after_left, after_right = _after_left(begins, ends, width), _after_right(begins, ends, width)
    return np.stack([after_left, after_right], 1).reshape(-1)


def _after_left(begins: Indices, ends: Indices, width: int) -> Indices:
    """What comes after the left sides, which are followed upwards."""
    own = np.arange(1, len(begins) - 1)
    left, right = begins[own] - width, ends[own] - width  # in the row above
    above = np.searchsorted(ends, left)  # the first run there that reaches as far as this side
    turns_left = begins[above] < left  # along its lower edge, to its left side or to a run before
    is_met = ends[own - 1] - width >= begins[above]
    goes_on = begins[above] <= right
    along = np.where(is_met, _right_side(own - 1), _left_side(above))
    return np.where(turns_left, along, np.where(goes_on, _left_side(above), _right_side(own)))


def _after_right(begins: Indices, ends: Indices, width: int) -> Indices:
    """What comes after the right sides, which are followed downwards."""
    own = np.arange(1, len(begins) - 1)
    left, right = begins[own] + width, ends[own] + width  # in the row below
    below = np.searchsorted(begins, right, "right") - 1  # the last run that begins so far left
    turns_left = ends[below] > right  # along its upper edge, to its right side or to a run behind
    is_met = begins[own + 1] <= ends[below] - width
    goes_on = ends[below] >= left
    along = np.where(is_met, _left_side(own + 1), _right_side(below))
    return np.where(turns_left, along, np.where(goes_on, _right_side(below), _left_side(own)))


def _left_side(place: Indices) -> Indices:
    return 2 * (place - 1)


def _right_side(place: Indices) -> Indices:
    return 2 * (place - 1) + 1
