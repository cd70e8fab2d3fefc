"""Intensity scaling: from stored intensities to what the network sees.

The scheme is chosen once, from the training set, and stored with the model. It is never guessed
from the values of the image at hand.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat

MAX_PIXELS_FOR_PERCENTILES = 1_000_000


class IntensityScaling(BaseModel):
    """How intensities become network input: `(image - offset) * gain`, per channel.

    - `statistics`: offset and gain are the training set's mean and 1 / standard deviation.
    - `percentiles`: offset and gain map each image's own `low` and `high` percentiles, taken over
      all its channels together so that colours keep their ratios, to -1 and 1. Where the two are
      equal, as in a dark field with a few specks, its lowest and highest intensity serve.
    - `none`: intensities are used as they are (arrays that the caller has scaled).
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    scheme: Literal["statistics", "percentiles", "none"] = "none"
    mean: tuple[float, ...] = ()  # per channel, in stored intensity units
    std: tuple[NonNegativeFloat, ...] = ()  # per channel, in stored intensity units
    low: float = Field(default=0.5, ge=0, lt=50)  # percentile
    high: float = Field(default=99.5, gt=50, le=100)  # percentile

    @classmethod
    def from_images(cls, images: NDArray[Any]) -> "IntensityScaling":
        """Return the `statistics` scheme of images (N, C, *spatial): per channel, all pixels."""
        axes = (0, *range(2, images.ndim))
        return cls(
            scheme="statistics",
            mean=tuple(images.mean(axes, dtype=np.float64).tolist()),
            std=tuple(images.std(axes, dtype=np.float64).tolist()),
        )

    def coefficients(self, image: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (offset, gain), each (C,) float32, for an image (C, *spatial) of any dtype.

        A constant image gets gain 1, so that it becomes zeros and never NaN.
        """
        num_channels = image.shape[0]
        if self.scheme == "none":
            return np.zeros(num_channels, np.float32), np.ones(num_channels, np.float32)
        if self.scheme == "statistics":
            std = np.asarray(self.std, np.float32)
            gain = np.where(std > 0, 1 / np.where(std > 0, std, 1), 1)
            return np.asarray(self.mean, np.float32), gain.astype(np.float32)
        low, high = np.percentile(subsample(image), (self.low, self.high))
        if low == high:  # few pixels differ: a dark field with specks; take them all
            low, high = image.min().astype(np.float64), image.max().astype(np.float64)
        offset, gain_value = (low + high) / 2, 2 / (high - low) if high > low else 1.0
        return (
            np.full(num_channels, offset, np.float32),
            np.full(num_channels, gain_value, np.float32),
        )

    def apply(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Scale an image (C, *spatial) of any dtype to float32 of the same shape."""
        return scale_intensities(image, *self.coefficients(image))


def scale_intensities(
    image: NDArray[Any], offset: NDArray[np.float32], gain: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Scale an image, or a crop or tile of one, by the coefficients of the whole image.

    Args:
        image: (C, *spatial) of any dtype.
        offset: (C,) as `IntensityScaling.coefficients` gives it.
        gain: (C,) likewise.

    Returns:
        float32 of the image's shape.
    """
    shape = (-1,) + (1,) * (image.ndim - 1)  # (C,) -> (C, 1, ..., 1)
    scaled = image.astype(np.float32)
    scaled -= offset.reshape(shape)
    scaled *= gain.reshape(shape)
    return scaled


def subsample(image: NDArray[Any]) -> NDArray[Any]:
    """Every n-th pixel along each axis, so that percentiles of huge images stay cheap."""
    spatial_dims = image.ndim - 1
    num_pixels = int(np.prod(image.shape[1:]))
    every = max(1, round((num_pixels / MAX_PIXELS_FOR_PERCENTILES) ** (1 / spatial_dims)))
    return image[(slice(None), *[slice(None, None, every)] * spatial_dims)]
