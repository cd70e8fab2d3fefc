"""Paint polygons and run lengths into arrays.

A pixel belongs to a polygon where its centre does: the pixel in row 2 and column 3 has its centre
at (2.5, 3.5). Where a ring crosses itself, what is enclosed twice is outside (even-odd rule);
several rings of one shape are parts of it, never holes.

    corners (0, 1) (0, 4) (3, 4) (3, 1)      . # # # .
                                             . # # # .
                                             . # # # .

Each shape is painted inside its own bounding box, so that many small shapes cost little. Sources of
the formats: `maskApi.c` of the COCO API (github.com/cocodataset/cocoapi) for run lengths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.sources import Shape
from pixelwise.errors import MaskError
from pixelwise.task import IGNORE_INDEX

MAX_CORNER = 1e7  # corners further out, in pixels, are damage
GROUP_PIXELS = 2**20  # of boxes, that are painted at a time; each takes ten bytes
OUTSIDE_MARGIN = 1.0  # corners this far outside are the rounding of drawing programs


@dataclass(frozen=True, slots=True)
class Painted:
    """Shapes as arrays.

    Attributes:
        values: (H, W) int32 class value; later shapes cover earlier ones.
        instances: (H, W) int32: 1 for the first shape, 2 for the second, ...; 0 where there is no
            object: outside, in groups, in ignored regions and in shapes of the value 0.
        num_overlap: pixels that more than one object covers.
        num_outside: shapes with corners more than a pixel beyond the image.
        num_undrawn: shapes that cover no pixel: fewer than three corners, a corner that is not a
            number, smaller than a pixel, or wholly outside.
    """

    values: NDArray[np.int32]
    instances: NDArray[np.int32]
    num_overlap: int
    num_outside: int
    num_undrawn: int = 0


@dataclass(frozen=True, slots=True)
class Patch:
    """Where a shape is, inside its bounding box: `inside` is (h, w) bool, from (row, column) on."""

    row: int
    column: int
    inside: NDArray[np.bool_]

    @property
    def place(self) -> tuple[slice, slice]:
        """Index of the box in the image."""
        height, width = self.inside.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


def paint_shapes(shapes: Sequence[Shape], size: tuple[int, int]) -> Painted:
    """Paint shapes in their order into an image of a size (height, width).

    Raises:
        MaskError: run lengths that do not fill the image exactly; the message names the shape.
    """
    values = np.zeros(size, dtype=np.int32)
    instances = np.zeros(size, dtype=np.int32)
    is_covered, is_shared = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    num_undrawn = 0
    rings = [ring for shape in shapes for ring in _rings_of(shape, size)]
    boxes = find_boxes(rings)
    painted = paint_rings(rings, size, boxes)
    for number, (shape, patches) in enumerate(_locate(shapes, painted, size), 1):
        is_object = not shape.is_group and shape.value not in (0, IGNORE_INDEX)
        num_undrawn += not any(patch.inside.any() for patch in patches)
        for patch in patches:
            values[patch.place][patch.inside] = shape.value
            instances[patch.place][patch.inside] = number if is_object else 0
        if is_object:
            _count_cover(patches, is_covered, is_shared)
    num_outside = _count_outside(shapes, boxes, size)
    return Painted(values, instances, int(is_shared.sum()), num_outside, num_undrawn)


def paint_rings(
    rings: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
    boxes: NDArray[np.float64] | None = None,
) -> Iterator[Patch | None]:
    """Where each ring of corners is, inside its bounding box.

    Small rings are done many at a time, since each call of NumPy costs as much as a small ring.

    Args:
        rings: (N, 2) float (row, column) corners in pixels, 0 at the outer edge of the first pixel.
        size: (height, width) of the image, beyond which nothing is painted.
        boxes: (R, 4), where `find_boxes` has found them already.

    Yields:
        The pixels whose centres are inside; None where the ring has fewer than three corners, a
        corner that is not a number, or a box without a pixel.
    """
    boxes = find_boxes(rings) if boxes is None else boxes  # NaN where a ring encloses nothing
    first = np.maximum(np.ceil(boxes[:, :2] - 0.5), 0)  # of the centres in the box
    stop = np.minimum(np.ceil(boxes[:, 2:] - 0.5), size)
    has_pixels: NDArray[np.bool_] = np.asarray((first < stop).all(axis=1))
    corners = np.where(has_pixels[:, np.newaxis], np.hstack([first, stop]), 0).astype(np.int64)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1] + 1)
    group, start = areas.cumsum() // GROUP_PIXELS, 0
    while start < len(rings):
        end = int(np.searchsorted(group, group[start], "right"))
        chosen = (start + np.flatnonzero(has_pixels[start:end])).tolist()
        patches = iter(_paint_group([rings[index] for index in chosen], corners[chosen]))
        for index in range(start, end):
            yield next(patches) if has_pixels[index] else None
        start = end


def find_boxes(rings: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Lowest row and column of the corners of each ring, then the highest.

    Returns:
        (R, 4); NaN where a ring encloses nothing: fewer than three corners, or one that is not a
        sensible number.
    """
    boxes = np.full((len(rings), 4), np.nan)
    chosen = [index for index, ring in enumerate(rings) if len(ring) >= 3]
    if chosen:
        corners = np.concatenate([rings[index] for index in chosen])
        starts = np.cumsum([0, *(len(rings[index]) for index in chosen[:-1])])
        lowest, highest = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
        boxes[chosen] = np.hstack([lowest, highest])
        boxes[~(np.abs(boxes) < MAX_CORNER).all(axis=1)] = np.nan
    return boxes


def _paint_group(rings: Sequence[NDArray[np.float64]], boxes: NDArray[np.int64]) -> Iterator[Patch]:
    """Where each of some rings is.

    Args:
        rings: as for `paint_rings`, all of them with pixels.
        boxes: (R, 4) first row and column of each, and those behind the last.
    """
    if not rings:
        return
    ring_of, rows, columns = _cross_rows(rings, boxes)
    top, left, bottom, right = boxes.T
    width = right - left + 1
    stops = ((bottom - top) * width).cumsum()
    starts = np.concatenate([[0], stops[:-1]])
    # Each crossing turns outside into inside, or back, for all centres on its right; the column
    # behind the box takes those that turn none. A row has an even number of them.
    places = np.ceil(columns - 0.5).clip(left[ring_of], right[ring_of]).astype(np.int64)
    places += starts[ring_of] + (rows - top[ring_of]) * width[ring_of] - left[ring_of]
    turns = np.bincount(places, minlength=int(stops[-1])).astype(np.uint8)
    inside = (np.bitwise_xor.accumulate(turns) & 1).astype(np.bool_)
    for number, (row, column, _, _) in enumerate(boxes.tolist()):
        box = inside[starts[number] : stops[number]].reshape(-1, width[number])
        yield Patch(row, column, box[:, :-1])


def paint_runs(
    runs: NDArray[np.int64], size: tuple[int, int], *, is_open: bool = False
) -> Patch | None:
    """Where run lengths are, inside the columns that they touch.

    Args:
        runs: numbers of pixels outside, inside, outside, ..., column by column.
        size: (height, width) of the image, which they must fill exactly.
        is_open: they may also end earlier; what follows is outside.

    Returns:
        The pixels inside; None where there are none.

    Raises:
        MaskError: negative numbers, or another sum than the pixels of the image.
    """
    height, width = size
    ends = np.cumsum(runs, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    fits = total <= height * width if is_open else total == height * width
    if not fits or (runs < 0).any():
        raise MaskError(
            f"run lengths cover {total} pixels, but the image of {height}x{width} has "
            f"{height * width}. Export the annotation again for this image."
        )
    starts, stops = ends[:-1:2], ends[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        return None
    left, right = int(starts[0]) // height, -(-int(stops[-1]) // height)
    steps = np.zeros((right - left) * height + 1, dtype=np.int8)
    steps[starts - left * height] += 1
    steps[stops - left * height] -= 1
    inside = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    return Patch(0, left, inside.reshape(right - left, height).T)


def covers_pixels(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether a shape covers any pixel of an image of a size (height, width)."""
    painted = paint_rings(_rings_of(shape, size), size)
    return any(part.inside.any() for _, parts in _locate([shape], painted, size) for part in parts)


def _locate(
    shapes: Sequence[Shape], painted: Iterator[Patch | None], size: tuple[int, int]
) -> Iterator[tuple[Shape, list[Patch]]]:
    """Each shape with its parts: its share of the painted rings of all shapes, and its runs.

    Raises:
        MaskError: the run lengths are wrong; the message names the shape.
    """
    for number, shape in enumerate(shapes, 1):
        patches = list(islice(painted, len(shape.polygons)))
        if shape.runs is not None:
            try:
                patches.append(paint_runs(shape.runs, size, is_open=shape.is_open))
            except MaskError as error:
                raise MaskError(f"{shape.name or f'shape {number}'}: {error}") from error
        yield shape, [patch for patch in patches if patch is not None]


def _rings_of(shape: Shape, size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """The rings of a shape, in pixels."""
    return [ring * size if shape.is_relative else ring for ring in shape.polygons]


def _cross_rows(
    rings: Sequence[NDArray[np.float64]], boxes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Where the edges of rings cross the middle lines of the rows of their boxes.

    Returns:
        Number of the ring, row and column of each crossing, (num_crossings,) each.
    """
    lengths = np.array([len(ring) for ring in rings])
    stops = lengths.cumsum()
    start = np.concatenate(rings)
    following = np.arange(1, len(start) + 1)  # place of the corner after each
    following[stops - 1] = stops - lengths
    top, bottom = boxes[:, 0].repeat(lengths), boxes[:, 2].repeat(lengths)
    below = np.ceil(start[:, 0] - 0.5).clip(top, bottom).astype(np.int64)  # row below each corner
    first = np.minimum(below, below[following])
    num_rows = np.abs(below[following] - below)
    edge = np.arange(len(start)).repeat(num_rows)
    rows = np.arange(len(edge)) + (first - num_rows.cumsum() + num_rows)[edge]
    start, across = start[edge], (start[following] - start)[edge]
    share = (rows + 0.5 - start[:, 0]) / across[:, 0]  # never 0: such edges cross no row
    ring_of = np.arange(len(rings)).repeat(lengths)[edge]
    return ring_of, rows, start[:, 1] + share * across[:, 1]


def _count_cover(
    patches: Sequence[Patch], is_covered: NDArray[np.bool_], is_shared: NDArray[np.bool_]
) -> None:
    """Enter an object in what is covered, and what was covered before in what is shared."""
    for patch in patches:
        is_shared[patch.place] |= is_covered[patch.place] & patch.inside
    for patch in patches:
        is_covered[patch.place] |= patch.inside


def _count_outside(
    shapes: Sequence[Shape], boxes: NDArray[np.float64], size: tuple[int, int]
) -> int:
    """Shapes with corners more than a pixel outside the image, by the boxes of all their rings."""
    is_beyond = (boxes < -OUTSIDE_MARGIN) | (boxes > np.add([*size, *size], OUTSIDE_MARGIN))
    owner = np.arange(len(shapes)).repeat([len(shape.polygons) for shape in shapes])
    return len(np.unique(owner[is_beyond.any(axis=1)]))
