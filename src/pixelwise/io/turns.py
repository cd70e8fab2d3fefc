"""Turn values as an EXIF orientation says, and back, without resampling."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def turn(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation (1..8) to (H, W) or (H, W, C) values; others change nothing."""
    if swaps_sides(orientation):
        values = values.swapaxes(0, 1)
    return _flip(values, orientation)


def turn_back(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo `turn`: values as people see them to those that a file of this orientation stores."""
    values = _flip(values, orientation)
    return values.swapaxes(0, 1) if swaps_sides(orientation) else values


def turn_planes_back(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The same for planes (*, H, W)."""
    turned = turn_back(np.moveaxis(values, (-2, -1), (0, 1)), orientation)
    return np.ascontiguousarray(np.moveaxis(turned, (0, 1), (-2, -1)))


def _flip(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return values[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def known_orientation(orientation: int) -> int:
    """The orientation itself, or 1 (upright) for a number that means nothing."""
    return orientation if orientation in range(2, 9) else 1


def swaps_sides(orientation: int) -> bool:
    """Whether rows become columns."""
    return orientation in (5, 6, 7, 8)
