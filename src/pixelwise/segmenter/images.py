"""Images as callers give them: arrays, tensors, PIL images, paths, and lists of these."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import to_channels
from pixelwise.io import read_image

Image = Any  # an array, a torch tensor, a PIL image, or a path
Images = Any  # one of these, a list of them, or an array of several


def is_path(image: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether it is the path of a file."""
    return isinstance(image, str | os.PathLike)


def is_list_of_images(images: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a list of images or paths, and not an image written as lists of numbers."""
    return isinstance(images, list | tuple) and all(
        is_path(one) or hasattr(one, "shape") or hasattr(one, "mode") for one in images
    )


def read_paths(images: Images, in_channels: int) -> Any:  # noqa: ANN401
    """Read what is a path: images (H, W, in_channels) of a list; all else as it is.

    Raises:
        DataError: a file cannot be read, or has other channels.
    """
    if is_path(images):
        return read_paths([images], in_channels)
    if not (isinstance(images, list | tuple) and images and all(map(is_path, images))):
        return images
    return [_read(Path(path), in_channels) for path in images]


def _read(path: Path, in_channels: int) -> NDArray[Any]:
    return np.moveaxis(to_channels(read_image(path), in_channels, str(path)), 0, -1)
