"""Images and masks to look at, in a notebook or as a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from pixelwise.colors import default_color
from pixelwise.data import overlay, to_array, to_rgb
from pixelwise.errors import ArrayError
from pixelwise.io import read_image, read_mask_values
from pixelwise.segmenter.images import Image, is_path

SMALL = 256  # pixels: smaller pictures are enlarged by a whole number
GAP = 8  # pixels between pictures
FOREGROUND = 0.5  # probability from which a pixel is shown


def show(
    image: Image, *masks: Image, colors: Sequence[str] = (), alpha: float = 0.4
) -> Pictures.Image:
    """Draw an image, or each of several masks over it, side by side.

    Args:
        image: (H, W, C) or grey (H, W) of any type: an array, a torch tensor, a PIL image, or the
            path of a file.
        masks: class index (H, W) or (H, W, 1), such as `segment` gives and data sets hold, where
            255 is ignored, or, beside 0 alone, the class; probabilities (H, W, K) in [0, 1], such
            as `predict` gives; bool (H, W, K) where classes overlap; or paths of mask files.
        colors: "#rrggbb" of each class; the default has black for class 0, which stays as it is.
        alpha: strength of the tint, from 0 to 1.

    Returns:
        A picture, which notebooks show and `save` writes. Small ones are enlarged.

    Raises:
        ArrayError: an array is no image or mask, or a mask has another size than the image.
        DataError: a file cannot be read.

    Example:
        >>> import numpy as np
        >>> import pixelwise as pw
        >>> pw.show(np.zeros((32, 64)), np.eye(32, 64)).size
        (256, 128)
    """
    pixels = read_image(Path(image)) if is_path(image) else to_array("image", image)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ArrayError(
            f"The image has shape {pixels.shape}; expected (height, width) or (height, width, "
            "channels). Show one of several as images[0]."
        )
    pictures = [overlay(pixels, *_class_indices(mask, colors), alpha) for mask in masks]
    pictures = pictures or [to_rgb(pixels)]
    factor = max(1, SMALL // max(pixels.shape[:2]))
    large = [picture.repeat(factor, 0).repeat(factor, 1) for picture in pictures]
    height, width = large[0].shape[:2]
    whole = np.full((height, len(large) * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, picture in enumerate(large):
        start = number * (width + GAP)
        whole[:, start : start + width] = picture
    return Pictures.fromarray(whole)


def _class_indices(mask: Image, colors: Sequence[str]) -> tuple[NDArray[Any], Sequence[str]]:
    """A mask as `overlay` takes it: (H, W) class index or (K, H, W) bool; and a colour a class."""
    values = read_mask_values(Path(mask)) if is_path(mask) else to_array("mask", mask)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.dtype.kind == "f" and not np.isin(values, np.arange(256)).all():
        values = values >= FOREGROUND if values.ndim == 2 else values.argmax(-1)
    elif values.ndim == 2 and set(np.unique(values).tolist()) <= {0, 255}:
        values = values > 0
    if values.ndim == 3:
        planes = np.moveaxis(values.astype(bool), -1, 0)
        return planes, _colors(colors, len(planes), has_background=False)
    indices = values.astype(np.int64)
    if indices.ndim != 2 or indices.min(initial=0) < 0:
        raise ArrayError(
            f"A mask has shape {values.shape}; expected class indices (height, width) or one plane "
            "for each class (height, width, classes)."
        )
    return indices, _colors(colors, int(indices.max(initial=1)) + 1, has_background=True)


def _colors(colors: Sequence[str], number: int, *, has_background: bool) -> Sequence[str]:
    first = "background" if has_background else ""
    defaults = [default_color(n, "" if n else first) for n in range(number)]
    return [*colors[:number], *defaults[len(colors) :]]
