"""Paint polygons and run lengths into arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.sources import Shape


@dataclass(frozen=True, slots=True)
class Painted:
    """Shapes as arrays.

    Attributes:
        values: (H, W) int32 class value; later shapes cover earlier ones.
        instances: (H, W) int32: 1 for the first shape, 2 for the second, ...; 0 outside.
        num_overlap: pixels that more than one shape covers.
        num_outside: shapes that reach beyond the image.
    """

    values: NDArray[np.int32]
    instances: NDArray[np.int32]
    num_overlap: int
    num_outside: int


def paint_shapes(shapes: Sequence[Shape], size: tuple[int, int]) -> Painted:
    """Paint shapes in their order into an image of a size (height, width)."""
    values = np.zeros(size, dtype=np.int32)
    instances = np.zeros(size, dtype=np.int32)
    covered = np.zeros(size, dtype=np.int32)
    num_outside = 0
    for index, shape in enumerate(shapes):
        is_inside, reaches_out = paint_shape(shape, size)
        values[is_inside] = shape.value
        instances[is_inside] = index + 1
        covered += is_inside
        num_outside += reaches_out
    return Painted(values, instances, int((covered > 1).sum()), num_outside)


def paint_shape(shape: Shape, size: tuple[int, int]) -> tuple[NDArray[np.bool_], bool]:
    """Where one shape is, (H, W) bool, and whether it reaches beyond the image."""
    from skimage.draw import polygon2mask

    is_inside = np.zeros(size, dtype=np.bool_)
    reaches_out = False
    for ring in shape.polygons:
        corners = ring * size if shape.is_relative else ring
        is_inside |= polygon2mask(size, corners - 0.5)  # type: ignore[no-untyped-call]
        reaches_out |= bool((corners < 0).any() or (corners > size).any())
    if shape.runs is not None:
        inside = np.repeat(np.arange(len(shape.runs)) % 2 == 1, shape.runs)
        is_inside |= inside.reshape(size[::-1]).T
    return is_inside, reaches_out
