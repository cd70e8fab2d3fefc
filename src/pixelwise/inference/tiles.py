"""Where an image is cut: tiles that cover it, and how much each counts where they overlap.

One axis at a time, since tiles stand on a grid. Three tiles on an axis of 20 pixels, tile size 8,
overlap 2:

    pixel      0         1
               01234567890123456789
    tile 0     ########                  weights 1 1 1 1 1 1 ⅔ ⅓
    tile 1           ########            weights ⅓ ⅔ 1 1 1 1 ⅔ ⅓
    tile 2                 ########      weights ⅓ ⅔ 1 1 1 1 1 1

Where tiles overlap their weights rise and fall smoothly and add up to 1 at every pixel, so that
blended results need no division and no second array. The last tile ends with the image; an axis
shorter than the tile size has one tile, as long as the axis.

A network that halves its image sees pixels in groups. With a step of 4, tiles begin where a group
of 4 begins, so that each group is the one that the network sees in the whole image; the last tile
may be up to 3 pixels shorter.
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


def plan_tiles(
    size: Sequence[int], tile_size: Sequence[int], overlap: int, step: int = 1
) -> list[Tile]:
    """Cover an image with tiles.

    Args:
        size: image size in pixels, one entry per spatial axis.
        tile_size: tile side in pixels, per axis.
        overlap: least overlap of neighbouring tiles in pixels, below half of every tile side.
        step: tiles begin at multiples of it, on axes where tiles are long enough.

    Returns:
        Tiles in row order; their blend weights add up to 1 at every pixel.
    """
    return [Tile(spans) for spans in product(*plan_axes(size, tile_size, overlap, step))]


def plan_axes(
    size: Sequence[int], tile_size: Sequence[int], overlap: int, step: int = 1
) -> list[list[Span]]:
    """The same, one axis after the other: each tile is one combination of their spans."""
    return [
        list(_plan_axis(length, side, overlap, step))
        for length, side in zip(size, tile_size, strict=True)
    ]


def _plan_axis(length: int, side: int, overlap: int, step: int) -> Iterator[Span]:
    """Yield each tile along one axis."""
    places = [slice(start, start + side) for start in _axis_starts(length, side, overlap, step)]
    total, raw = np.zeros(length), []
    for place in places:
        distance = np.arange(len(total[place]))  # to the edges of the tile
        ramp = np.minimum(distance, distance[::-1]) + 1.0
        raw.append(np.minimum(ramp / (overlap + 1), 1.0))
        total[place] += raw[-1]
    for place, weights in zip(places, raw, strict=True):
        yield Span(place.start, (weights / total[place]).astype(np.float32))


def _axis_starts(length: int, side: int, overlap: int, step: int) -> list[int]:
    """First pixels of the fewest tiles that cover an axis, spread evenly."""
    if length <= side:
        return [0]
    step = step if step <= side - overlap else 1
    most = (side - overlap) // step  # steps from one tile to the next
    last = -(-(length - side) // step)  # rounded up
    num_more = -(-last // most)
    return [number * last // num_more * step for number in range(num_more + 1)]
