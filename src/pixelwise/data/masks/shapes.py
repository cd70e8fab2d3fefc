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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.encoding import IGNORE_INDEX
from pixelwise.data.masks.sources import Shape
from pixelwise.errors import MaskError

MAX_CORNER = 1e7  # corners further out, in pixels, are damage
OUTSIDE_MARGIN = 1.0  # corners this far outside are the rounding of drawing programs
MAX_DIGITS = 7  # of a compressed run length: 35 bits, more than any picture has pixels
DIGIT_ZERO, DIGIT_BITS = 48, 5  # compressed digits start at "0"; each holds five bits of a number
MORE_FLAG, SIGN_FLAG = 0x20, 0x10


@dataclass(frozen=True, slots=True)
class Painted:
    """Shapes as arrays.

    Attributes:
        values: (H, W) int32 class value; later shapes cover earlier ones.
        instances: (H, W) int32: 1 for the first shape, 2 for the second, ...; 0 where there is no
            object: outside, in groups, in ignored regions and in shapes of the value 0.
        num_overlap: pixels that more than one object covers.
        num_outside: shapes with corners more than a pixel beyond the image.
        num_undrawn: shapes that cover no pixel: fewer than three corners, a corner that is no
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
    for number, shape in enumerate(shapes, 1):
        is_object = not shape.is_group and shape.value not in (0, IGNORE_INDEX)
        patches = _locate(shape, size, number)
        num_undrawn += not any(patch.inside.any() for patch in patches)
        for patch in patches:
            values[patch.place][patch.inside] = shape.value
            instances[patch.place][patch.inside] = number if is_object else 0
        if is_object:
            _count_cover(patches, is_covered, is_shared)
    num_outside = sum(_reaches_out(shape, size) for shape in shapes)
    return Painted(values, instances, int(is_shared.sum()), num_outside, num_undrawn)


def paint_ring(ring: NDArray[np.float64], size: tuple[int, int]) -> Patch | None:
    """Where a ring of corners is, inside its bounding box.

    Args:
        ring: (N, 2) float (row, column) corners in pixels, 0 at the outer edge of the first pixel.
        size: (height, width) of the image, beyond which nothing is painted.

    Returns:
        The pixels whose centres are inside; None where the ring has fewer than three corners, a
        corner that is no number, or a box without a pixel.
    """
    if not is_ring(ring):
        return None
    first = np.maximum(np.ceil(ring.min(axis=0) - 0.5), 0)  # of the centres in the box
    stop = np.minimum(np.ceil(ring.max(axis=0) - 0.5), size)
    if (stop <= first).any():
        return None
    top, left, bottom, right = (int(edge) for edge in (*first, *stop))
    rows, columns = _cross_rows(ring, top, bottom)
    # Each crossing turns outside into inside, or back, for all centres on its right.
    height, width = bottom - top, right - left + 1
    places = np.ceil(columns - 0.5).clip(left, right).astype(np.int64) - left
    turns = np.bincount((rows - top) * width + places, minlength=height * width).astype(np.uint8)
    inside = np.bitwise_xor.accumulate(turns.reshape(height, width), axis=1)[:, :-1] & 1
    return Patch(top, left, inside.astype(np.bool_))


def is_ring(ring: NDArray[np.float64]) -> bool:
    """Whether corners enclose something: at least three of them, all sensible numbers."""
    return len(ring) >= 3 and bool((np.abs(ring) < MAX_CORNER).all())


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
    return any(patch.inside.any() for patch in _locate(shape, size, 0))


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
        text: of the field `counts`, for example "52203".

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


def _locate(shape: Shape, size: tuple[int, int], number: int) -> list[Patch]:
    """The parts of a shape; MaskError names the shape where its run lengths are wrong."""
    patches = [paint_ring(_in_pixels(ring, shape, size), size) for ring in shape.polygons]
    if shape.runs is not None:
        try:
            patches.append(paint_runs(shape.runs, size, is_open=shape.is_open))
        except MaskError as error:
            raise MaskError(f"{shape.name or f'shape {number}'}: {error}") from error
    return [patch for patch in patches if patch is not None]


def _cross_rows(
    ring: NDArray[np.float64], top: int, bottom: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the edges of a ring cross the middle lines of the rows top, ..., bottom - 1.

    Returns:
        Row and column of each crossing, (num_crossings,) each.
    """
    start, end = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low - 0.5), top, bottom).astype(np.int64)
    num_rows = np.clip(np.ceil(high - 0.5), top, bottom).astype(np.int64) - first
    edge = np.repeat(np.arange(len(ring)), num_rows)
    rows = first[edge] + np.arange(len(edge)) - (np.cumsum(num_rows) - num_rows)[edge]
    across = end[edge] - start[edge]
    share = (rows + 0.5 - start[edge, 0]) / across[:, 0]  # never 0: such edges cross no row
    return rows, start[edge, 1] + share * across[:, 1]


def _count_cover(
    patches: Sequence[Patch], is_covered: NDArray[np.bool_], is_shared: NDArray[np.bool_]
) -> None:
    """Enter an object in what is covered, and what was covered before in what is shared."""
    for patch in patches:
        is_shared[patch.place] |= is_covered[patch.place] & patch.inside
    for patch in patches:
        is_covered[patch.place] |= patch.inside


def _reaches_out(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether corners lie more than a pixel outside the image."""
    rings = [_in_pixels(ring, shape, size) for ring in shape.polygons]
    return any(
        bool((ring < -OUTSIDE_MARGIN).any() or (ring > np.add(size, OUTSIDE_MARGIN)).any())
        for ring in rings
        if is_ring(ring)
    )


def _in_pixels(
    ring: NDArray[np.float64], shape: Shape, size: tuple[int, int]
) -> NDArray[np.float64]:
    return ring * size if shape.is_relative else ring
