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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

_Part = tuple[int, NDArray[np.float32]]  # first pixel and weights of a tile along one axis
Block = tuple[tuple[slice, ...], NDArray[np.float32]]  # where in the image, and values (K, *block)


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
    return [_tile(parts) for parts in product(*_plan_axes(size, tile_size, overlap))]


def blend_tiles(
    size: Sequence[int],
    tile_size: Sequence[int],
    overlap: int,
    predict: Callable[[Tile], NDArray[np.float32]],
) -> Iterator[Block]:
    """Predict tiles in row order, and give what is blended as soon as no later tile touches it.

    What is kept meanwhile is where tiles overlap, not the image:

        tile 0     ######## given      tile 1     ######## given
                   ########    ########           ########
                   kept        the rest is given with what is kept added

    Args:
        size: image size in pixels, one entry per spatial axis.
        tile_size: as for `plan_tiles`.
        overlap: as for `plan_tiles`.
        predict: gives the values (K, *tile) of a tile.

    Yields:
        Slices of the image, and its values (K, *block) there; each pixel once.
    """
    axes = _plan_axes(size, tile_size, overlap)
    yield from _blend(axes, size, (), lambda parts: _weighted(_tile(parts), predict))


def _weighted(tile: Tile, predict: Callable[[Tile], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The values of a tile as they go into the sum of all tiles."""
    is_alone = all((weights == 1).all() for weights in tile.weights)
    values = predict(tile)
    return values if is_alone else values * tile.blend_weights()


def _blend(
    axes: Sequence[Sequence[_Part]],
    size: Sequence[int],
    chosen: tuple[_Part, ...],
    predict: Callable[[tuple[_Part, ...]], NDArray[np.float32]],
) -> Iterator[Block]:
    """Blend along the axes that are left, with one tile chosen along those before them."""
    if not axes:
        yield (), predict(chosen)
        return
    axis = 1 + len(chosen)  # in the values, (K, *sides)
    kept: dict[tuple[tuple[int, int], ...], NDArray[np.float32]] = {}
    ends = [*(start for start, _ in axes[0][1:]), size[0]]
    for part, end in zip(axes[0], ends, strict=True):
        start = part[0]
        for window, values in _blend(axes[1:], size[1:], (*chosen, part), predict):
            values = np.moveaxis(values, axis, 0)
            place = tuple((one.start, one.stop) for one in window)
            if place in kept:
                before = kept.pop(place)
                values[: len(before)] += before
            if len(values) > end - start:
                kept[place] = values[end - start :].copy()
            yield (
                (slice(start, end), *window),
                np.moveaxis(values[: end - start], 0, axis),
            )


def _tile(parts: Sequence[_Part]) -> Tile:
    """The tile of a start and weights along each axis."""
    return Tile(tuple(start for start, _ in parts), tuple(weights for _, weights in parts))


def _plan_axes(size: Sequence[int], tile_size: Sequence[int], overlap: int) -> list[list[_Part]]:
    return [
        list(_axis_tiles(length, side, overlap))
        for length, side in zip(size, tile_size, strict=True)
    ]


def _axis_tiles(length: int, side: int, overlap: int) -> Iterator[_Part]:
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
