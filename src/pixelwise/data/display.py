"""Turn images and masks into pictures for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import BACKGROUND_COLOR, color_table, parse_color
from pixelwise.data.channels import has_constant_alpha, has_equal_channels
from pixelwise.errors import ArrayError
from pixelwise.task import IGNORE_INDEX

STRETCH_PERCENTILES = (0.5, 99.5)


def to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Make any image fit for the screen.

    Args:
        image: (H, W, C) or (H, W), any type. Of more than three channels the first three are shown.

    Returns:
        (H, W, 3) uint8. Colour images of 8 bits stay as they are; all others are stretched so that
        the 0.5 and 99.5 percentiles become black and white. NaN is black.
    """
    image = image if image.ndim == 3 else image[:, :, np.newaxis]
    if has_constant_alpha(image) and image.shape[2] == 4:
        image = image[:, :, :3]
    if image.shape[2] == 2:
        image = np.concatenate([image, np.zeros_like(image[:, :, :1])], axis=2)
    image = image[:, :, :3]
    if image.dtype == np.uint8 and not has_equal_channels(image):
        return image.copy()
    return np.repeat(_stretch(image), 3 // image.shape[2], axis=2)


def overlay(
    image: NDArray[Any], mask: NDArray[Any], colors: Sequence[str], alpha: float = 0.4
) -> NDArray[np.uint8]:
    """Draw a mask over its image: each class tinted and outlined in its colour.

    Args:
        image: (H, W, C) or (H, W), any type.
        mask: (H, W) class index, or (K, H, W) bool where classes overlap. Black classes
            (background) and the ignore index 255 are left as they are.
        colors: "#rrggbb" of each class.
        alpha: strength of the tint, 0..1; outlines are drawn at full strength.

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
    return tint(to_rgb(image), mask, colors, alpha)


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


def _stretch(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Map the percentiles of (H, W, C) to 0..255, all channels alike; constant becomes black."""
    values = np.where(np.isfinite(image), image, np.nan).astype(np.float32)
    if not np.isfinite(values).any():
        return np.zeros(image.shape, dtype=np.uint8)
    low, high = np.nanpercentile(values, STRETCH_PERCENTILES)
    scaled = (values - low) / max(float(high - low), np.finfo(np.float32).tiny)
    stretched: NDArray[np.uint8] = np.rint(np.nan_to_num(np.clip(scaled, 0, 1)) * 255).astype(
        np.uint8
    )
    return stretched
