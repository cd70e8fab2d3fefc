"""Bring an image to the channels that a network takes, and never lose anything in silence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError


def to_channels(image: NDArray[Any], in_channels: int, name: str) -> NDArray[Any]:
    """Turn (*S, C) into (in_channels, *S): the same values, nothing mixed and nothing lost.

    A constant alpha channel is dropped, grey is repeated to RGB, and one channel stands for an RGB
    image whose three channels are equal.

    Args:
        image: (H, W, C) or (D, H, W, C) array of any type.
        in_channels: number of channels wanted.
        name: name of the image, for the error message.

    Returns:
        (in_channels, *S) array of the same type.

    Raises:
        DataError: the image has other channels, so that something would be lost or made up.
    """
    if image.ndim not in (3, 4):
        raise DataError(
            f"{name} has the shape {image.shape}; images are (height, width, channels)."
        )
    if image.shape[-1] != in_channels:
        image = _convert(image, in_channels, name)
    return np.ascontiguousarray(np.moveaxis(image, -1, 0))


def has_constant_alpha(image: NDArray[Any]) -> bool:
    """Whether the last of 2 or 4 channels has one value all over, as an unused alpha has."""
    alpha = image[..., -1]
    return image.shape[-1] in (2, 4) and bool((alpha == alpha.flat[0]).all())


def has_equal_channels(image: NDArray[Any]) -> bool:
    """Whether (*S, C) is grey: every channel equals the first."""
    return all(bool((image[..., 0] == image[..., c]).all()) for c in range(1, image.shape[-1]))


def _convert(image: NDArray[Any], in_channels: int, name: str) -> NDArray[Any]:
    """(*S, C) to (*S, in_channels) where that is harmless; DataError with the fix where not."""
    stored = image.shape[-1]
    if has_constant_alpha(image):
        image = image[..., :-1]
    if image.shape[-1] == in_channels:
        return image
    if in_channels == 3 and image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if in_channels == 1 and image.shape[-1] == 3 and has_equal_channels(image):
        return image[..., :1]
    if in_channels == 1 and image.shape[-1] == 3:
        raise DataError(
            f"{name} is a colour image, but grey images (1 channel) are expected. Convert it to "
            "grey, or train on images in colour."
        )
    alpha = " Its alpha channel is not constant: save it without alpha." if stored in (2, 4) else ""
    raise DataError(
        f"{name} has {stored} channels, but {in_channels} are expected.{alpha} Use images with the "
        "channels that the model was trained on."
    )
