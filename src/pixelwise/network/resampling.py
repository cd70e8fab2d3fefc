"""The working scale: images made smaller before the network sees them, results made larger again.

    image 480 x 360 ── 0.5 ──> 240 x 180 ── network ──> probabilities 240 x 180 ──> 480 x 360

A network that works at half the size sees four times as much of an image in the same time. Pixels
are averaged with an antialiasing filter; masks take the pixel nearest to each centre.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LINEAR = {2: "bilinear", 3: "trilinear"}


def working_size(size: Sequence[int], scale: float) -> tuple[int, ...]:
    """Size at a working scale, rounded, at least one pixel.

    >>> working_size((480, 360), 0.5)
    (240, 180)
    """
    return tuple(max(1, round(length * scale)) for length in size)


def resize_images(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resample images (B, C, *spatial) float32 to another size, without aliasing.

    Smaller volumes are averaged over blocks, since torch has no antialiasing filter for them.
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    is_smaller = all(new <= old for new, old in zip(size, images.shape[2:], strict=True))
    if images.ndim == 5 and is_smaller:
        return F.interpolate(images, size=tuple(size), mode="area")
    return F.interpolate(
        images,
        size=tuple(size),
        mode=LINEAR[images.ndim - 2],
        align_corners=False,
        antialias=images.ndim == 4 and is_smaller,
    )


def resize_masks(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Resample masks (B, K, *spatial) of any type to another size: each keeps its values."""
    if tuple(masks.shape[2:]) == tuple(size):
        return masks
    places = [
        ((torch.arange(new) + 0.5) * (old / new)).long().clamp(max=old - 1)
        for new, old in zip(size, masks.shape[2:], strict=True)
    ]
    for axis, place in enumerate(places, start=2):
        masks = masks.index_select(axis, place.to(masks.device))
    return masks
