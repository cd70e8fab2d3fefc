"""Arrays in place of files: what a caller gave in Python, asked for at each use, never written."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.array_like import to_numbers
from pixelwise.errors import ArrayError, FileError

MAX_USUAL_CHANNELS = 4  # a first axis this short, with a long last one, means channels first


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource:
    """An image or a mask that a caller gave as an array.

    Attributes:
        path: the name that stands for it in messages, "array 3"; the file does not exist.
        get: gives it, at each call; a sequence may make it only then.
        is_mask: a PIL image gives the numbers of its palette, not the colours.
    """

    path: Path
    get: Callable[[], object]
    is_mask: bool = False

    def read(self) -> NDArray[Any]:
        """The array as it was given: (H, W) or (H, W, C) integers, floats or booleans.

        Raises:
            FileError: it cannot be had, or is not such an array.
        """
        given = self.get()
        if isinstance(given, str | os.PathLike):
            raise FileError(
                f"{self.path} is a path, though the first item of its sequence holds an array. "
                "Give a list of all items, or arrays throughout."
            )
        try:
            array = to_numbers(str(self.path), given, as_mask=self.is_mask)
        except ArrayError as error:
            raise FileError(str(error)) from error
        except ValueError as error:  # rows of different lengths
            raise FileError(
                f"{self.path} is not an array ({error}). Give a NumPy array."
            ) from error
        self._check(array)
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))

    def _check(self, array: NDArray[Any]) -> None:
        """Refuse what is not a picture."""
        if array.dtype.kind not in "buif":
            raise FileError(
                f"{self.path} has dtype {array.dtype}; expected integers or floats. Give a NumPy "
                "array of numbers, or the path of a file."
            )
        if array.ndim not in (2, 3) or array.size == 0:
            raise FileError(
                f"{self.path} has shape {array.shape}; expected (height, width) or (height, width, "
                "channels). Give one picture for each item."
            )
        if array.ndim == 3 and array.shape[0] <= MAX_USUAL_CHANNELS < array.shape[-1]:
            raise FileError(
                f"{self.path} has shape {array.shape}: its channels come first. Move them last "
                "with np.moveaxis(array, 0, -1)."
            )


ImageSource = tuple[Path, ...] | ArraySource  # the image file, or one file a channel, or an array


def paths_of(images: ImageSource) -> tuple[Path, ...]:
    """The files of an image; for an array the name that stands for it."""
    return (images.path,) if isinstance(images, ArraySource) else images
