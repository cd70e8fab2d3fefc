"""Tile geometry: which windows cover an image, and how their results are blended.

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

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """A window into an image and the blend weights of its pixels, one array per axis."""

    starts: tuple[int, ...]  # first pixel along each spatial axis
    weights: tuple[NDArray[np.float32], ...]  # one per axis, each as long as the tile's side

    @property
    def slices(self) -> tuple[slice, ...]:
        """Index of the tile in an array (*spatial)."""
        return tuple(
            slice(start, start + len(weights))
            for start, weights in zip(self.starts, self.weights, strict=True)
        )

    def blend_weights(self) -> NDArray[np.float32]:
        """Weight of each of the tile's pixels (*tile), in (0, 1]; tiles add up to 1."""
        weights = np.ones((), np.float32)
        for axis_weights in self.weights:
            weights = np.multiply.outer(weights, axis_weights)
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
    axes = [
        list(_axis_tiles(length, side, overlap))
        for length, side in zip(size, tile_size, strict=True)
    ]
    return [
        Tile(tuple(start for start, _ in parts), tuple(weights for _, weights in parts))
        for parts in product(*axes)
    ]


def _axis_tiles(length: int, side: int, overlap: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (start, weights) of each tile along one axis."""
    side = min(side, length)
    starts = _axis_starts(length, side, overlap)
    ramp = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0  # rises from 1 at both ends
    raw = np.minimum(ramp / (overlap + 1), 1.0)
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += raw
    for start in starts:
        yield start, (raw / total[start : start + side]).astype(np.float32)


def _axis_starts(length: int, side: int, overlap: int) -> list[int]:
    """First pixels of the fewest tiles that cover an axis, spread evenly."""
    if length <= side:
        return [0]
    num_tiles = -(-(length - overlap) // (side - overlap))  # rounded up
    return [round(i * (length - side) / (num_tiles - 1)) for i in range(num_tiles)]
