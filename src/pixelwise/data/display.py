"""Turn images and masks into pictures for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import BACKGROUND_COLOR, color_table, parse_color
from pixelwise.data.channels import has_equal_channels
from pixelwise.errors import ArrayError
from pixelwise.task import IGNORE_INDEX

STRETCH_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class Display:
    """How an image is shown, the same for all of its parts.

    Attributes:
        limits: values that become black and white; None: they are shown as they are.
    """

    limits: tuple[float, float] | None = None

    @classmethod
    def of(cls, image: NDArray[Any]) -> "Display":
        """Look at an image (H, W, C) of any type, or at pixels (N, 1, C) spread over it.

        Colour images of 8 bits stay as they are; all others are stretched so that the 0.5 and 99.5
        percentiles become black and white. Of more than three channels the first three are shown.
        """
        shown = _three_channels(image)
        if image.dtype == np.uint8 and not has_equal_channels(shown):
            return cls()
        return cls(_limits(shown))

    def show(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Make (H, W, 3) of the image, or of a part of it (H, W, C). NaN is black."""
        shown = _three_channels(image)
        shown = shown if self.limits is None else _stretch(shown, *self.limits)
        return np.repeat(shown, 3 // shown.shape[2], axis=2)  # a copy, of three channels, too


def to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Make any image fit for the screen, see `Display`.

    Args:
        image: (H, W, C) or (H, W), any type.

    Returns:
        (H, W, 3) uint8.
    """
    image = image if image.ndim == 3 else image[:, :, np.newaxis]
    return Display.of(image).show(image)


def overlay(
    image: NDArray[Any],
    mask: NDArray[Any],
    colors: Sequence[str],
    alpha: float = 0.4,
    display: Display | None = None,
) -> NDArray[np.uint8]:
    """Draw a mask over its image: each class tinted and outlined in its colour.

    Args:
        image: (H, W, C) or (H, W), any type.
        mask: (H, W) class index, or (K, H, W) bool where classes overlap. Black classes
            (background) and the ignore index 255 are left as they are.
        colors: "#rrggbb" of each class.
        alpha: strength of the tint, 0..1; outlines are drawn at full strength.
        display: how to show the image, where it is a part of another one; None: by itself.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ArrayError: the mask has another size than the image.
    """
    if mask.ndim not in (2, 3) or mask.shape[-2:] != image.shape[:2]:
        raise ArrayError(
            f"the mask is {mask.shape} but the image {image.shape[:2]} (height, width). Masks "
            "must match their images pixel for pixel."
        )
    picture = to_rgb(image) if display is None else display.show(image)
    return tint(picture, mask, colors, alpha)


def tint(
    picture: NDArray[np.uint8], mask: NDArray[Any], colors: Sequence[str], alpha: float
) -> NDArray[np.uint8]:
    """Draw a mask over a picture that is fit for the screen: (H, W, 3) uint8; see `overlay`."""
    if mask.ndim == 3:  # one layer a class
        for layer, color in zip(mask, colors, strict=True):
            picture = tint(picture, layer.astype(np.uint8), (BACKGROUND_COLOR, color), alpha)
        return picture
    table = color_table(colors, max(IGNORE_INDEX + 1, int(mask.max(initial=0)) + 1))
    is_tinted = (table != parse_color(BACKGROUND_COLOR)).any(axis=1)
    is_tinted[IGNORE_INDEX] = False
    strength = np.where(find_outlines(mask), 1.0, alpha) * is_tinted[mask]
    blended = picture + (table[mask].astype(np.float32) - picture) * strength[:, :, np.newaxis]
    drawn: NDArray[np.uint8] = np.rint(blended).astype(np.uint8)
    return drawn


def find_outlines(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which pixels of (H, W) have another class above, below, left or right of them."""
    is_outline = np.zeros(mask.shape, dtype=np.bool_)
    rows_differ = mask[1:] != mask[:-1]
    columns_differ = mask[:, 1:] != mask[:, :-1]
    is_outline[1:] |= rows_differ
    is_outline[:-1] |= rows_differ
    is_outline[:, 1:] |= columns_differ
    is_outline[:, :-1] |= columns_differ
    return is_outline


def _three_channels(image: NDArray[Any]) -> NDArray[Any]:
    """The first three channels, or one; two are red and green, with no blue."""
    if image.shape[2] != 2:
        return image[:, :, :3]
    return np.concatenate([image, np.zeros_like(image[:, :, :1])], axis=2)


def _limits(image: NDArray[Any]) -> tuple[float, float]:
    """The percentiles of (H, W, C), all channels alike; constant becomes black."""
    values = image[np.isfinite(image)].astype(np.float32)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, STRETCH_PERCENTILES)
    return float(low), float(high)


def _stretch(image: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Map a range of (H, W, C) to 0..255; NaN and infinities become black."""
    values = np.where(np.isfinite(image), image, np.nan).astype(np.float32)
    scaled = (values - low) / max(high - low, float(np.finfo(np.float32).tiny))
    stretched: NDArray[np.uint8] = np.rint(np.nan_to_num(np.clip(scaled, 0, 1)) * 255).astype(
        np.uint8
    )
    return stretched
