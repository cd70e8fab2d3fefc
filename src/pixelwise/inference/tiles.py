"""Where an image is cut: tiles that cover it, and how much each counts where they overlap.

One axis at a time, since tiles stand on a grid. Three tiles on an axis of 20 pixels, tile size 8,
overlap 2:

    pixel      0         1
               01234567890123456789
    tile 0     ########                  weights 1 1 1 1 1 1 ⅔ ⅓
    tile 1           ########            weights ⅓ ⅔ 1 1 1 1 ⅔ ⅓
    tile 2                 ########      weights ⅓ ⅔ 1 1 1 1 1 1

Where tiles overlap their weights rise and fall smoothly and add up to 1 at every pixel, so that
blended results need no division and no second array. The last tile is moved back inside the image
rather than running over its edge; an axis shorter than the tile size has one tile, as long as the
axis.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """A tile along one axis."""

    start: int  # its first pixel
    weights: NDArray[np.float32]  # how much each of its pixels counts, in (0, 1]

    @property
    def stop(self) -> int:
        """The pixel after its last one."""
        return self.start + len(self.weights)


@dataclass(frozen=True, slots=True)
class Tile:
    """A window into an image and the blend weights of its pixels."""

    spans: tuple[Span, ...]  # one per spatial axis

    @property
    def starts(self) -> tuple[int, ...]:
        """First pixel along each spatial axis."""
        return tuple(span.start for span in self.spans)

    @property
    def size(self) -> tuple[int, ...]:
        """Pixels along each spatial axis."""
        return tuple(len(span.weights) for span in self.spans)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Index of the tile in an array (*spatial)."""
        return tuple(slice(span.start, span.stop) for span in self.spans)

    def blend_weights(self) -> NDArray[np.float32]:
        """Weight of each of the tile's pixels (*tile), in (0, 1]; tiles add up to 1."""
        weights = np.ones((), np.float32)
        for span in self.spans:
            weights = np.multiply.outer(weights, span.weights)
        return weights


def plan_tiles(size: Sequence[int], tile_size: Sequence[int], overlap: int) -> list[Tile]:
    """Cover an image with tiles.

    Args:
        size: image size in pixels, one entry per spatial axis.
        tile_size: largest tile side in pixels, per axis; all tiles of an axis are equally long.
        overlap: least overlap of neighbouring tiles in pixels, below half of every tile side.

    Returns:
        Tiles in row order; their blend weights add up to 1 at every pixel.
    """
    return [Tile(spans) for spans in product(*plan_axes(size, tile_size, overlap))]


def plan_axes(size: Sequence[int], tile_size: Sequence[int], overlap: int) -> list[list[Span]]:
    """The same, one axis after the other: each tile is one combination of their spans."""
    return [
        list(_plan_axis(length, side, overlap))
        for length, side in zip(size, tile_size, strict=True)
    ]


def _plan_axis(length: int, side: int, overlap: int) -> Iterator[Span]:
    """Yield each tile along one axis."""
    side = min(side, length)
    starts = _axis_starts(length, side, overlap)
    ramp = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0  # rises from 1 at both ends
    raw = np.minimum(ramp / (overlap + 1), 1.0)
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += raw
    for start in starts:
        yield Span(start, (raw / total[start : start + side]).astype(np.float32))


def _axis_starts(length: int, side: int, overlap: int) -> list[int]:
    """First pixels of the fewest tiles that cover an axis, spread evenly."""
    if length <= side:
        return [0]
    num_tiles = -(-(length - overlap) // (side - overlap))  # rounded up
    return [round(i * (length - side) / (num_tiles - 1)) for i in range(num_tiles)]
