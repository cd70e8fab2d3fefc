"""Connected regions of the classes of a mask; pixels that touch by an edge or a corner are one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label

from pixelwise.task import IGNORE_INDEX


@dataclass(frozen=True, slots=True)
class Region:
    """A connected region of one class.

    Attributes:
        number: 1, 2, ... in the order of classes, then of rows.
        class_index: its class.
        place: rows and columns of its bounding box.
        inside: (h, w) bool, its pixels in the box.
    """

    number: int
    class_index: int
    place: tuple[slice, slice]
    inside: NDArray[np.bool_]


def find_regions(mask: NDArray[Any], *, has_background: bool) -> Iterator[Region]:
    """Find the regions of all classes.

    Args:
        mask: (H, W) class index, or (K, H, W) bool where classes overlap. Pixels of the ignore
            index 255 belong to none.
        has_background: class 0 is background, of which there are no regions.
    """
    number = 0
    for class_index, plane in _planes(mask, has_background):
        labels = label(plane, connectivity=2)  # type: ignore[no-untyped-call]
        for value, (rows, columns) in enumerate(find_objects(labels), 1):
            number += 1
            inside = labels[rows, columns] == value
            yield Region(number, class_index, (rows, columns), inside)


def _planes(mask: NDArray[Any], has_background: bool) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Where each class is, that has pixels."""
    if mask.ndim == 3:
        yield from ((index, plane) for index, plane in enumerate(mask) if plane.any())
        return
    counts = np.bincount(mask.ravel(), minlength=1)
    for index in np.flatnonzero(counts).tolist():
        if index != IGNORE_INDEX and not (index == 0 and has_background):
            yield index, mask == index
