"""Bands: finished parts of an image, on their way from what reads it to what writes the result.

    image ── window of a tile ──> probabilities ── blended with its neighbours ──> bands ──> mask,
                                                                             scores, file, ...

Neither end needs the whole image in memory: an image is anything that gives windows of itself, and
a band is given as soon as no later tile touches it. The next windows are read meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.tiles import Span, Tile, plan_axes
from pixelwise.parallel import map_ahead

NUM_AHEAD = 2  # windows that are read while one is computed


class ImageReader(Protocol):
    """An image (C, *spatial) that gives windows of itself, such as an array or a map of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, *spatial)."""

    def __getitem__(self, window: tuple[slice, ...], /) -> NDArray[Any] | None:
        """Read a window (C, *window): a slice of each axis; None of one that is left out."""


class WindowReader(ImageReader, Protocol):
    """An image too large to be read whole."""

    @property
    def overview(self) -> NDArray[Any]:
        """(C, *spatial of pixels evenly spread), by which intensities are scaled."""


class Band(NamedTuple):
    """A finished part of an image."""

    window: tuple[slice, ...]  # where it is, a slice of each spatial axis
    values: NDArray[Any]  # (*window), or (K, *window) for values of each class


def predict_bands(
    image: ImageReader,
    tile_size: Sequence[int],
    overlap: int,
    predict: Callable[[NDArray[Any]], NDArray[np.float32]],
    leave_out: Callable[[tuple[int, ...]], NDArray[np.float32]] | None = None,
    step: int = 1,
) -> Iterator[Band]:
    """Predict an image tile by tile, in the memory of a few tiles.

    Args:
        image: (C, *spatial).
        tile_size: as for `plan_tiles`.
        overlap: as for `plan_tiles`.
        predict: gives the probabilities (K, *tile) of a window (C, *tile) of the image.
        leave_out: gives those of a window of which the image gives None, by its size; needed only
            for images that leave some out.
        step: as for `plan_tiles`.

    Yields:
        Probabilities (K, *band) in row order; each pixel once.
    """
    size = image.shape[1:]
    axes = plan_axes(size, tile_size, overlap, step)
    windows = read_ahead(image, [Tile(spans) for spans in product(*axes)])

    def compute(tile: Tile) -> NDArray[np.float32]:
        window = next(windows)
        if window is None:
            assert leave_out is not None
            return leave_out(tile.size)
        return predict(window)

    for band in blend_tiles(axes, compute):
        np.minimum(band.values, 1, out=band.values)  # rounding of weights may pass 1 by 1e-7
        yield band


def read_ahead(image: ImageReader, tiles: Sequence[Tile]) -> Iterator[NDArray[Any] | None]:
    """Read the windows of tiles in their order, some of them before they are asked for."""
    if isinstance(image, np.ndarray) or len(tiles) == 1:
        yield from (image[(slice(None), *tile.slices)] for tile in tiles)
        return
    yield from map_ahead(
        lambda tile: image[(slice(None), *tile.slices)], tiles, lambda _: NUM_AHEAD
    )


def blend_tiles(
    axes: Sequence[Sequence[Span]], predict: Callable[[Tile], NDArray[np.float32]]
) -> Iterator[Band]:
    """Predict tiles in row order, and give what is blended as soon as no later tile touches it.

    What is kept meanwhile is where tiles overlap, not the image:

        tile 0     ######## given      tile 1     ######## given
                   ########    ########           ########
                   kept        the rest is given with what is kept added

    Args:
        axes: of `plan_axes`.
        predict: gives the values (K, *tile) of a tile.

    Yields:
        Values (K, *band) in row order; each pixel once.
    """
    yield from _blend(axes, (), predict)


def join_bands(bands: Iterable[Band], size: Sequence[int]) -> NDArray[Any]:
    """Put the bands of an image together.

    Args:
        bands: all of the image, each pixel once.
        size: image size in pixels, one entry per spatial axis.

    Returns:
        (*size), or (K, *size); the values of the band itself, where there is one only.
    """
    whole: NDArray[Any] = np.empty(0)
    for number, (window, values) in enumerate(bands):
        if values.shape[-len(size) :] == tuple(size):
            return values
        if number == 0:
            whole = np.empty((*values.shape[: -len(size)], *size), values.dtype)
        place: tuple[Any, ...] = (Ellipsis, *window)
        whole[place] = values
    return whole


def _blend(
    axes: Sequence[Sequence[Span]],
    chosen: tuple[Span, ...],
    predict: Callable[[Tile], NDArray[np.float32]],
) -> Iterator[Band]:
    """Blend along the axes that are left, with one span chosen along each of those before them."""
    if not axes:
        yield Band((), _weighted(Tile(chosen), predict))
        return
    axis = 1 + len(chosen)  # in the values, (K, *sides)
    kept: dict[tuple[tuple[int, int], ...], NDArray[np.float32]] = {}
    ends = [*(span.start for span in axes[0][1:]), axes[0][-1].stop]
    for span, end in zip(axes[0], ends, strict=True):
        num_finished = end - span.start
        for window, values in _blend(axes[1:], (*chosen, span), predict):
            values = np.moveaxis(values, axis, 0)
            place = tuple((one.start, one.stop) for one in window)
            if place in kept:
                before = kept.pop(place)
                values[: len(before)] += before
            if len(values) > num_finished:
                kept[place] = values[num_finished:].copy()
            finished = np.moveaxis(values[:num_finished], 0, axis)
            yield Band((slice(span.start, end), *window), finished)


def _weighted(tile: Tile, predict: Callable[[Tile], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The values of a tile as they go into the sum of all tiles."""
    is_alone = all((span.weights == 1).all() for span in tile.spans)
    values = predict(tile)
    return values if is_alone else values * tile.blend_weights()
