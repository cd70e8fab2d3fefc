"""Tiles that are not computed, and how many these are.

    one value in each channel     glass, black borders, no data: the result of the last such tile
    left out by the image         class 0, where the image gives None in place of the tile

A network gives the same probabilities for the same input, wherever in the image it lies, so that
the first is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLED_EVERY = 61  # pixels along each axis: nearly all tiles are known to vary by these few


@dataclass(slots=True)
class TileCounts:
    """How many tiles there were; threads may count at once.

    Attributes:
        total: all of them.
        constant: that got the result of an earlier one.
        left_out: by the image.
    """

    total: int = 0
    constant: int = 0
    left_out: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, *, constant: bool = False, left_out: bool = False) -> None:
        """Count one tile."""
        with self._lock:
            self.total += 1
            self.constant += constant
            self.left_out += left_out

    def describe(self) -> str:
        """Say how many were not computed, and why; "" where all were."""
        parts = [
            f"{number:,} of {self.total:,} tiles ({number / self.total:.0%}) {what}"
            for number, what in (
                (self.constant, "of one value everywhere were not computed again"),
                (self.left_out, "were left out as no-data or background"),
            )
            if number
        ]
        return ", ".join(parts)


class TileComputer:
    """Computes the tiles of one image, but for those that need not be.

    Args:
        compute: gives the probabilities (K, *tile) of a tile (C, *tile), by the tile alone.
        counts: to which each tile is added.
    """

    def __init__(
        self, compute: Callable[[NDArray[Any]], NDArray[np.float32]], counts: TileCounts
    ) -> None:
        self._compute, self._counts = compute, counts
        self._last: tuple[Any, NDArray[np.float32]] | None = None  # constant tile: what and result

    def __call__(self, tile: NDArray[Any]) -> NDArray[np.float32]:
        """Give the probabilities (K, *tile) of a tile (C, *tile), in an array of their own."""
        value = constant_value(tile)
        if value is None:
            self._counts.add()
            return self._compute(tile)
        key = tile.shape, tile.dtype, value.tobytes()
        is_known = self._last is not None and self._last[0] == key
        self._counts.add(constant=is_known)
        if self._last is None or not is_known:
            self._last = key, self._compute(tile)
        return self._last[1].copy()


def constant_value(tile: NDArray[Any]) -> NDArray[Any] | None:
    """The values (C,) of a tile (C, *tile) that has one in each channel; None where it varies."""
    first = tile[(slice(None), *[slice(0, 1)] * (tile.ndim - 1))]
    sampled = tile[(slice(None), *[slice(None, None, SAMPLED_EVERY)] * (tile.ndim - 1))]
    is_constant = bool((sampled == first).all()) and bool((tile == first).all())
    return first.ravel() if is_constant else None
