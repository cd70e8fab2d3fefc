"""Pixels without data, as a GeoTIFF declares them by a value (tag 42113 of GDAL).

A pixel has no data where all its channels have the value. Masks say 255 there, the index that
training and scores leave out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.task import IGNORE_INDEX


def is_no_data(image: NDArray[Any], no_data: float) -> NDArray[np.bool_]:
    """Where an image (*S, C) has no data: (*S) bool.

    Args:
        image: of any type.
        no_data: the value; NaN too.

    >>> is_no_data(np.array([[0, 0], [0, 7]]), 0).tolist()
    [True, False]
    """
    found = np.ones(image.shape[:-1], bool)
    for channel in range(image.shape[-1]):
        found &= _equals(image[..., channel], no_data)
    return found


def fill_no_data(image: NDArray[Any], no_data: float | None) -> NDArray[Any]:
    """An image in which 0 stands for NaN, where that is the value for no data; else the image."""
    if no_data is None or not np.isnan(no_data) or image.dtype.kind != "f":
        return image
    return np.where(np.isnan(image), image.dtype.type(0), image)


def mark_no_data(mask: NDArray[Any], image: NDArray[Any], no_data: float | None) -> NDArray[Any]:
    """A mask with 255 where its image has no data.

    Args:
        mask: (*S) class index; of (K, *S) bool classes that overlap nothing changes.
        image: (*S, C) as stored.
        no_data: the value; None where none is declared.
    """
    if no_data is None or mask.dtype == np.bool_:
        return mask
    return np.where(is_no_data(image, no_data), mask.dtype.type(IGNORE_INDEX), mask)


def _equals(values: NDArray[Any], no_data: float) -> NDArray[np.bool_]:
    """Where values are the one for no data, rounded as they are."""
    if np.isnan(no_data):
        return np.asarray(np.isnan(values))
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(values == values.dtype.type(no_data))
    return np.asarray(values == no_data)
