"""Images as text inside the page."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.colors import parse_color
from pixelwise.task import IGNORE_INDEX

MAX_SIDE = 1024  # pixels: sharp where they are enlarged, small enough for thirty of them
MAX_PNG_BYTES = 60_000  # above it a photograph, which JPEG keeps as well in a fifth of the space
QUICK_FACTOR = 1.5  # by which PNG at its quickest can be larger than at the usual level
ERROR_COLORS = {"missed": "#d55e00", "false alarm": "#56b4e9", "another class": "#f0e442"}
PIXELATED_SIDE = 160  # smaller images are shown with their pixels visible, not blurred


def to_data_uri(image: NDArray[np.uint8], max_png_bytes: int = MAX_PNG_BYTES) -> str:
    """Encode uint8 (H, W, 3) for an `<img src>`: PNG where that is small, else JPEG."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    data, kind = _encode(picture, "PNG", compress_level=1), "png"
    if len(data) <= QUICK_FACTOR * max_png_bytes:  # the usual level is many times slower
        data = _encode(picture, "PNG")
    if len(data) > max_png_bytes:  # no `optimize`: Pillow's JPEG buffer is too small for noise
        data, kind = _encode(picture, "JPEG", quality=88, subsampling=0), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def show_errors(
    image: NDArray[np.uint8],
    target: NDArray[Any],
    prediction: NDArray[Any],
    *,
    has_background: bool,
) -> NDArray[np.uint8]:
    """Draw on a pale image which pixels are wrong, and how: ERROR_COLORS, told apart by everybody.

    Args:
        image: (H, W, 3).
        target: (H, W) class index, or (K, H, W) of 0 and 1 where classes overlap; IGNORE_INDEX
            where no answer is wrong.
        prediction: the same.
        has_background: whether class 0 is background; else all errors are of another class.

    Returns:
        (H, W, 3).
    """
    wrong = (target != IGNORE_INDEX) & (prediction != target)
    if target.ndim == 3:
        missed, alarm = (wrong & (target == 1)).any(0), (wrong & (target == 0)).any(0)
        other = missed & alarm
    else:
        missed = wrong & (prediction == 0) & has_background
        alarm = wrong & (target == 0) & has_background
        other = wrong & ~missed & ~alarm
    grey = image.mean(2, keepdims=True) / 2 + 96
    shown = np.repeat(grey, 3, axis=2).astype(np.uint8)
    for where, color in zip((missed, alarm, other), ERROR_COLORS.values(), strict=True):
        shown[where] = parse_color(color)
    return shown


def is_small(image: NDArray[np.uint8]) -> bool:
    """Whether an image is so small that a page should show its pixels as squares."""
    return bool(max(image.shape[:2]) < PIXELATED_SIDE)


def _encode(picture: Image.Image, kind: str, **settings: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **settings)
    return stream.getvalue()
