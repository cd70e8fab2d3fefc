"""Small versions of images: what is compared and measured, so that big images cost little.

(H, W, C) any type -> grey (h, w) float32 -> thumbnail (32, 32) int8
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

LONGEST_SIDE = 256  # pixels of a small version
THUMBNAIL_SIDE = 32
THUMBNAIL_UNIT = 32  # steps of a thumbnail for one standard deviation of brightness
MIN_CONTRAST = 1e-3  # of the brightest value: below it a thumbnail shows nothing


def middle_plane(values: NDArray[Any], num_trailing: int = 0) -> NDArray[Any]:
    """The middle plane of a volume, the picture itself of a picture.

    Args:
        values: (H, W, ...) or (D, H, W, ...).
        num_trailing: axes behind the spatial ones.
    """
    return values[len(values) // 2] if values.ndim - num_trailing == 3 else values


def step_for(size: tuple[int, ...], longest: int = LONGEST_SIDE) -> int:
    """Every how many pixels one is kept, so that the longest side is at most `longest`."""
    return max(1, -(-max(size) // longest))


def to_grey(values: NDArray[Any], step: int) -> Floats:
    """Mean over the channels and over blocks of step x step pixels.

    Args:
        values: (H, W, C) of any type; NaN and infinity count as 0.
        step: as `step_for` gives it. Only about four pixels of each block are looked at.

    Returns:
        (H // step, W // step) float32.
    """
    stride = max(1, step // 2)
    seen = values[::stride, ::stride]  # (h, w, C)
    grey = seen[..., 0].astype(np.float32)
    for channel in range(1, seen.shape[-1]):  # many times as fast as a mean over the last axis
        grey += seen[..., channel]
    grey /= seen.shape[-1]
    if not np.isfinite(grey).all():
        grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    if step == 1:
        return grey
    return _shrink(grey, (max(1, values.shape[0] // step), max(1, values.shape[1] // step)))


def make_thumbnail(grey: Floats) -> NDArray[np.int8] | None:
    """Shrink to 32 x 32, with mean 0 and standard deviation 32; the proportions are given up.

    Brightness and contrast drop out, so that only what is seen remains. None where nothing is.
    """
    small = _shrink(grey, (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    deviation = float(small.std())
    if deviation <= MIN_CONTRAST * float(np.abs(small).max()):
        return None
    scaled = np.rint((small - small.mean()) * (THUMBNAIL_UNIT / deviation))
    return np.asarray(np.clip(scaled, -127, 127), dtype=np.int8)


def _shrink(grey: Floats, size: tuple[int, int]) -> Floats:
    """Means over equal parts (Pillow's box filter, which lets other threads work meanwhile)."""
    picture = Image.fromarray(np.ascontiguousarray(grey))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX), dtype=np.float32)
