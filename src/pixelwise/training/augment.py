"""Augmentation of whole batches on the device: geometry with the mask, intensities without.

Of images that are moved freely, a crop larger than the patch comes in, and the patch comes out:
turned and zoomed pixels are then pixels of the image, not of a border. Masks are resampled to the
nearest pixel and stay class indices. Mirror images and right angles, which need no resampling, are
made where crops are cut.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.device import send
from pixelwise.planning import Augmentation
from pixelwise.training.batches import Batch
from pixelwise.training.ranks import Share

ELASTIC_CELL = 32  # pixels between the control points of the random field
INTENSITY_SHARE = 0.15  # of patches that each change of intensity applies to


@dataclass(frozen=True)
class BatchRandom:
    """Draws numbers for every image of a batch and keeps those of the images that are here.

    So the state that follows, and what each image gets, do not depend on how a batch is shared.

    Attributes:
        generator: CPU random state.
        share: which images are here.
    """

    generator: torch.Generator
    share: Share

    def one(self) -> float:
        """A number from 0 to 1 for the whole batch."""
        return float(torch.rand(1, generator=self.generator))

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from 0 to 1, so many for each image: (images here, *shape)."""
        return self._here(torch.rand(self.share.total, *shape, generator=self.generator))

    def symmetric(self, *shape: int) -> Tensor:
        """Numbers from -1 to 1: (images here, *shape)."""
        return self.uniform(*shape) * 2 - 1

    def normal(self, *shape: int) -> Tensor:
        """Normal numbers: (images here, *shape)."""
        return self._here(torch.randn(self.share.total, *shape, generator=self.generator))

    def choose(self, probability: float) -> tuple[Tensor, "BatchRandom"]:
        """Choose each image or not; return the indices of those that are here, and their draws."""
        return self.of_chosen(torch.rand(self.share.total, generator=self.generator) < probability)

    def of_chosen(self, is_chosen: Tensor) -> tuple[Tensor, "BatchRandom"]:
        """Return the indices of chosen images (total,) that are here, and their draws."""
        start, stop, total = (int(is_chosen[:end].sum()) for end in self.share)
        index = self._here(is_chosen).nonzero()[:, 0]
        return index, BatchRandom(self.generator, Share(start, stop, total))

    def _here(self, values: Tensor) -> Tensor:
        return values[self.share.start : self.share.stop]


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


def augment(batch: Batch, augmentation: Augmentation, generator: torch.Generator) -> Batch:
    """Return a random variation of a batch.

    Args:
        batch: images (B, C, *patch), targets (B, *patch) or (B, K, *patch); those that are moved
            freely are cut from its larger crops.
        augmentation: what may change, and how much.
        generator: CPU random state; the same state gives the same variation, of a share of a batch
            the share of it.
    """
    draws = BatchRandom(generator, batch.share or Share(0, len(batch.images), len(batch.images)))
    images, targets = batch.images.clone(), batch.targets
    if batch.moved is not None:
        moved, targets = batch.moved, targets.clone()
        index, draws_of_chosen = draws.of_chosen(moved.is_chosen)
        grid = _sampling_grid(
            moved.images.shape[2:], images.shape[2:], augmentation, draws_of_chosen, images.device
        )
        if len(index):  # else none is here, but the numbers of those elsewhere are drawn
            index = send(index, images.device)
            images[index] = _resample(moved.images, grid)
            targets[index] = _resample_targets(moved.targets, grid)
    images = _change_intensities(images, augmentation, draws)
    return replace(batch, images=images, targets=targets, moved=None)


def _resample(images: Tensor, grid: Tensor, mode: str = "bilinear") -> Tensor:
    """Take pixels from where the grid says; beyond the edges crops are mirrored."""
    return F.grid_sample(images, grid, mode=mode, padding_mode="reflection", align_corners=False)


def _resample_targets(targets: Tensor, grid: Tensor) -> Tensor:
    """Move targets like the images, to the nearest pixel."""
    has_classes = targets.ndim == grid.ndim  # multi-label (B, K, *crop); grid is (B, *patch, dims)
    planes = (targets if has_classes else targets[:, None]).float()
    moved = _resample(planes, grid, "nearest").to(targets.dtype)
    return moved if has_classes else moved[:, 0]


def _sampling_grid(
    crop_size: Sequence[int],
    patch_size: Sequence[int],
    augmentation: Augmentation,
    draws: BatchRandom,
    device: torch.device,
) -> Tensor:
    """Where each pixel of the patch comes from: (B, *patch, dims) in [-1, 1], columns first."""
    matrix = send(_random_matrices(len(crop_size), augmentation, draws), device)
    batch_size = len(matrix)
    axes = [
        torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2
        for side in patch_size
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)  # (*patch, dims), pixels
    positions = offsets.expand(batch_size, *offsets.shape)
    if augmentation.elastic_px > 0:
        positions = positions + _smooth_field(patch_size, augmentation.elastic_px, draws, device)
    # (B, *patch, dims) @ (B, 1.., dims, dims)
    turned = positions @ matrix.transpose(1, 2).view(
        batch_size, *[1] * (len(crop_size) - 1), len(crop_size), len(crop_size)
    )
    half = send(torch.tensor(crop_size, dtype=torch.float32), device) / 2
    return (turned / half).flip(-1)


def _random_matrices(dims: int, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    """Zoom, and turn in the plane of the last two axes: (B, dims, dims)."""
    angle = draws.symmetric() * math.radians(augmentation.rotation_degrees)
    zoom = augmentation.scale ** draws.symmetric()
    matrix = torch.eye(dims).repeat(len(zoom), 1, 1)
    matrix[:, -2, -2], matrix[:, -2, -1] = angle.cos(), -angle.sin()
    matrix[:, -1, -2], matrix[:, -1, -1] = angle.sin(), angle.cos()
    return matrix * zoom.view(-1, 1, 1)


def _smooth_field(
    patch_size: Sequence[int], strength: float, draws: BatchRandom, device: torch.device
) -> Tensor:
    """Random displacements (B, *patch, dims) in pixels, smooth over about 32 pixels."""
    dims = len(patch_size)
    coarse = [max(2, side // ELASTIC_CELL + 1) for side in patch_size]
    field = send(draws.normal(dims, *coarse) * strength, device)
    mode = "bicubic" if dims == 2 else "trilinear"
    fine = F.interpolate(field, size=tuple(patch_size), mode=mode, align_corners=True)
    return fine.movedim(1, -1)


def _change_intensities(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    """Apply each change to a random share of the batch, in place and in the order light takes."""
    changes: list[tuple[bool, Callable[[Tensor, Augmentation, BatchRandom], Tensor]]] = [
        (augmentation.blur_px > 0, _blur),
        (augmentation.noise > 0, _add_noise),
        (augmentation.gamma > 1, _change_gamma),
        (augmentation.contrast > 1, _change_contrast),
        (augmentation.brightness > 0, _change_brightness),
        (augmentation.color > 0, _change_color),
    ]
    if augmentation.invert > 0:
        images = _invert(images, augmentation, draws)
    for is_wanted, change in changes:
        index, draws_of_chosen = draws.choose(INTENSITY_SHARE)
        if is_wanted and draws_of_chosen.share.total:
            index = send(index, images.device)
            images[index] = change(images[index], augmentation, draws_of_chosen)
    return images


def _invert(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    """Swap dark and bright about the middle of the patch's range."""
    chosen = draws.uniform() < augmentation.invert
    low, high = images.flatten(1).aminmax(dim=1)
    total = _per_image(low + high, images)
    return torch.where(_per_image(send(chosen, images.device), images), total - images, images)


def _blur(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    sigma = draws.one() * augmentation.blur_px + 0.1
    radius = math.ceil(2.5 * sigma)
    taps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = send(torch.softmax(-(taps**2) / (2 * sigma**2), 0), images.device)
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


def _add_noise(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    strength = draws.uniform() * augmentation.noise
    noise = draws.normal(*images.shape[1:])
    return images + send(noise * _per_image(strength, noise), images.device)


def _change_gamma(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    """Power law over the patch's own range."""
    low, high = (_per_image(v, images) for v in images.flatten(1).aminmax(dim=1))
    spread = (high - low).clamp_min(1e-6)
    exponent = augmentation.gamma ** send(draws.symmetric(), images.device)
    return ((images - low) / spread).pow(_per_image(exponent, images)) * spread + low


def _change_contrast(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    factor = augmentation.contrast ** send(draws.symmetric(), images.device)
    mean = _per_image(images.flatten(1).mean(1), images)
    return (images - mean) * _per_image(factor, images) + mean


def _change_brightness(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    shift = draws.symmetric() * augmentation.brightness
    return images + _per_image(send(shift, images.device), images)


def _change_color(images: Tensor, augmentation: Augmentation, draws: BatchRandom) -> Tensor:
    shift = send(draws.symmetric(images.shape[1]) * augmentation.color, images.device)
    return images + shift.view(*shift.shape, *[1] * (images.ndim - 2))


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape one value an image (B,) for arithmetic with (B, C, *spatial)."""
    return values.view(-1, *[1] * (images.ndim - 1))
