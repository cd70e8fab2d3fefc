"""Augmentation of whole batches on the device: geometry with the mask, intensities without.

A crop larger than the patch comes in, the patch comes out: turned and zoomed pixels are then
pixels of the image, not of a border. Masks are resampled to the nearest pixel and stay class
indices.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.plan import Augmentation
from pixelwise.train.patches import Batch

ELASTIC_CELL = 32  # pixels between the control points of the random field
INTENSITY_SHARE = 0.3  # of patches that each change of intensity applies to


def crop_size_for(patch_size: Sequence[int], augmentation: Augmentation) -> tuple[int, ...]:
    """Return how large crops must be so that every turned or zoomed patch finds its pixels.

    For turns the margin is what a 15 degree turn needs; corners of steeper turns mirror the crop.
    """
    if augmentation.rotation_degrees == 0 and augmentation.scale == 1:
        return tuple(patch_size)
    angle = math.radians(min(augmentation.rotation_degrees, 15))
    margin = (math.cos(angle) + math.sin(angle)) * augmentation.scale
    # an even margin keeps patch pixels on crop pixels, so that flips and right angles are exact
    return tuple(side + 2 * math.ceil(side * (margin - 1) / 2) for side in patch_size)


def augment(
    batch: Batch, patch_size: Sequence[int], augmentation: Augmentation, generator: torch.Generator
) -> Batch:
    """Return a random variation of a batch of crops, cut to the patch size.

    Args:
        batch: images (B, C, *crop), targets (B, *crop) or (B, K, *crop).
        patch_size: pixels per spatial axis of the result.
        augmentation: what may change, and how much.
        generator: CPU random state; the same state gives the same variation.
    """
    images, targets = batch.images, batch.targets
    if augmentation.has_geometry:
        grid = _sampling_grid(images.shape, patch_size, augmentation, generator).to(images.device)
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        targets = _resample_targets(targets, grid)
    images = _change_intensities(images, augmentation, generator)
    return Batch(images, targets)


def _resample_targets(targets: Tensor, grid: Tensor) -> Tensor:
    """Move targets like the images, to the nearest pixel."""
    has_classes = targets.ndim == grid.ndim  # multi-label (B, K, *crop); grid is (B, *patch, dims)
    planes = (targets if has_classes else targets[:, None]).float()
    moved = F.grid_sample(
        planes, grid, mode="nearest", padding_mode="reflection", align_corners=False
    ).to(targets.dtype)
    return moved if has_classes else moved[:, 0]


def _sampling_grid(
    shape: Sequence[int],
    patch_size: Sequence[int],
    augmentation: Augmentation,
    generator: torch.Generator,
) -> Tensor:
    """Where each pixel of the patch comes from: (B, *patch, dims) in [-1, 1], columns first."""
    batch_size, crop_size = shape[0], shape[2:]
    matrix = _random_matrices(batch_size, len(crop_size), augmentation, generator)
    axes = [torch.arange(side, dtype=torch.float32) - (side - 1) / 2 for side in patch_size]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)  # (*patch, dims), pixels
    if augmentation.elastic_px > 0:
        field = _smooth_field(batch_size, patch_size, augmentation.elastic_px, generator)
        positions = offsets + field
    else:
        positions = offsets.expand(batch_size, *offsets.shape)
    # (B, *patch, dims) @ (B, 1.., dims, dims)
    turned = positions @ matrix.transpose(1, 2).view(
        batch_size, *[1] * (len(crop_size) - 1), len(crop_size), len(crop_size)
    )
    half = torch.tensor(crop_size, dtype=torch.float32) / 2
    return (turned / half).flip(-1)


def _random_matrices(
    batch_size: int, dims: int, augmentation: Augmentation, generator: torch.Generator
) -> Tensor:
    """Zoom, turn (in the plane of the last two axes) and mirror: (B, dims, dims)."""
    matrix = torch.eye(dims).repeat(batch_size, 1, 1)
    angle = _uniform(batch_size, generator) * math.radians(augmentation.rotation_degrees)
    if augmentation.right_angles:
        angle = angle + torch.randint(4, (batch_size,), generator=generator) * (math.pi / 2)
    zoom = augmentation.scale ** _uniform(batch_size, generator)
    matrix[:, -2, -2], matrix[:, -2, -1] = angle.cos(), -angle.sin()
    matrix[:, -1, -2], matrix[:, -1, -1] = angle.sin(), angle.cos()
    for axis, may_flip in ((-2, augmentation.flip_vertical), (-1, augmentation.flip_horizontal)):
        if may_flip:
            sign = 1 - 2.0 * torch.randint(2, (batch_size, 1), generator=generator)
            matrix[:, :, axis] *= sign
    return matrix * zoom.view(-1, 1, 1)


def _smooth_field(
    batch_size: int, patch_size: Sequence[int], strength: float, generator: torch.Generator
) -> Tensor:
    """Random displacements (B, *patch, dims) in pixels, smooth over about 32 pixels."""
    dims = len(patch_size)
    coarse = [max(2, side // ELASTIC_CELL + 1) for side in patch_size]
    field = torch.randn(batch_size, dims, *coarse, generator=generator) * strength
    mode = "bicubic" if dims == 2 else "trilinear"
    fine = F.interpolate(field, size=tuple(patch_size), mode=mode, align_corners=True)
    return fine.movedim(1, -1)


def _change_intensities(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> Tensor:
    """Apply each change to a random share of the batch, in the order light takes."""
    changes: list[tuple[bool, Callable[[Tensor, Augmentation, torch.Generator], Tensor]]] = [
        (augmentation.blur_px > 0, _blur),
        (augmentation.noise > 0, _add_noise),
        (augmentation.gamma > 1, _change_gamma),
        (augmentation.contrast > 1, _change_contrast),
        (augmentation.brightness > 0, _change_brightness),
        (augmentation.color > 0, _change_color),
    ]
    if not augmentation.has_geometry:
        images = images.clone()  # the caller's, not ours to change
    if augmentation.invert > 0:
        images = _invert(images, augmentation, generator)
    for is_wanted, change in changes:
        chosen = torch.rand(len(images), generator=generator) < INTENSITY_SHARE
        if is_wanted and chosen.any():
            index = chosen.nonzero()[:, 0].to(images.device)
            images[index] = change(images[index], augmentation, generator)
    return images


def _invert(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Swap dark and bright about the middle of the patch's range."""
    chosen = torch.rand(len(images), generator=generator) < augmentation.invert
    low, high = images.flatten(1).aminmax(dim=1)
    total = _per_image(low + high, images)
    return torch.where(_per_image(chosen.to(images.device), images), total - images, images)


def _blur(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    sigma = float(torch.rand(1, generator=generator)) * augmentation.blur_px + 0.1
    radius = math.ceil(2.5 * sigma)
    taps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.softmax(-(taps**2) / (2 * sigma**2), 0).to(images.device)
    for axis in range(2, images.ndim):
        images = _convolve_axis(images, kernel, axis)
    return images


def _convolve_axis(images: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Weighted sum of shifted copies; edges repeat."""
    radius, length = len(kernel) // 2, images.shape[axis]
    positions = torch.arange(length, device=images.device)
    result = torch.zeros_like(images)
    for shift, weight in zip(range(-radius, radius + 1), kernel, strict=True):
        moved = images.index_select(axis, (positions + shift).clamp(0, length - 1))
        result.add_(moved * weight)
    return result


def _add_noise(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    strength = torch.rand(len(images), generator=generator) * augmentation.noise
    noise = torch.randn(images.shape, generator=generator)
    return images + (noise * _per_image(strength, noise)).to(images.device)


def _change_gamma(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Power law over the patch's own range."""
    low, high = (_per_image(v, images) for v in images.flatten(1).aminmax(dim=1))
    spread = (high - low).clamp_min(1e-6)
    exponent = augmentation.gamma ** _uniform(len(images), generator).to(images.device)
    return ((images - low) / spread).pow(_per_image(exponent, images)) * spread + low


def _change_contrast(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> Tensor:
    factor = augmentation.contrast ** _uniform(len(images), generator).to(images.device)
    mean = _per_image(images.flatten(1).mean(1), images)
    return (images - mean) * _per_image(factor, images) + mean


def _change_brightness(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> Tensor:
    shift = _uniform(len(images), generator) * augmentation.brightness
    return images + _per_image(shift.to(images.device), images)


def _change_color(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    shift = torch.rand(images.shape[:2], generator=generator) * 2 - 1
    shift = (shift * augmentation.color).to(images.device)
    return images + shift.view(*shift.shape, *[1] * (images.ndim - 2))


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    """Random numbers (count,) from -1 to 1."""
    return torch.rand(count, generator=generator) * 2 - 1


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape one value an image (B,) for arithmetic with (B, C, *spatial)."""
    return values.view(-1, *[1] * (images.ndim - 1))
