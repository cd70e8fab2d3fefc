"""Masks of classes that overlap in files: a TIFF of one plane of 0 and 1 a class.

There are five planes at least, empty behind the last class, since two to four planes could as well
be colours or alpha.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import MaskError
from pixelwise.io import read_mask_values
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.writers import write_pixels

MIN_PLANES = 5


def write_planes(path: Path, mask: NDArray[np.bool_], place: Place = NOWHERE) -> Path:
    """Write a mask of classes that overlap.

    Args:
        path: path of the file, without its ending.
        mask: (K, H, W) or (K, D, H, W), where each class is.
        place: where the pixels are in the world.

    Returns:
        The path written, a TIFF with the axes CYX or CZYX.
    """
    planes = np.moveaxis(fill_planes(mask), 0, -1)
    return write_pixels(path, planes, place.spacing_um, signed=True, place=place)


def fill_planes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Turn (K, *S) into 0 and 1, with empty planes behind the last class where K is small."""
    planes = np.zeros((num_planes(len(mask)), *mask.shape[1:]), dtype=np.uint8)
    planes[: len(mask)] = mask
    return planes


def num_planes(num_classes: int) -> int:
    """Of the file of a mask."""
    return max(MIN_PLANES, num_classes)


def read_planes(path: Path, num_classes: int) -> NDArray[np.bool_]:
    """Read (K, H, W) what `write_planes` wrote, or planes of 0 and one other number.

    Raises:
        MaskError: too few planes, or more that are not empty.
    """
    return to_planes(read_mask_values(path), num_classes, path)


def to_planes(values: NDArray[Any], num_classes: int, path: Path) -> NDArray[np.bool_]:
    """Turn (H, W) or (H, W, C) of a file into (K, H, W), as `read_planes` does."""
    values = values[..., np.newaxis] if values.ndim == 2 else values
    is_set: NDArray[np.bool_] = np.moveaxis(values != 0, -1, 0)
    if len(is_set) < num_classes or is_set[num_classes:].any():
        raise MaskError(
            f"{path} has {len(is_set)} planes, but there are {num_classes} classes that may "
            "overlap. Save one plane of 0 and 1 a class, as `pixelwise predict` does."
        )
    return is_set[:num_classes]
