"""Random crops from samples: which step gets which pixels follows from the seed alone.

Nothing is carried from one step to the next, so batches can be prepared by threads in any order,
training can be resumed at any step, and the same seed gives the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, Model, scale_intensities
from pixelwise.planning import Plan
from pixelwise.task import IGNORE_INDEX
from pixelwise.training.augment import crop_size_for
from pixelwise.training.batches import Batch, Moved
from pixelwise.training.centres import Centres
from pixelwise.training.ranks import Ranks, Share
from pixelwise.training.working_samples import Coefficients, WorkingSamples, sizes_of

MAX_LOOKED_AT = 20  # samples, until one is found that has a class


@dataclass(frozen=True)
class Cropping:
    """How patches are cut from images.

    Attributes:
        size: pixels per spatial axis of a patch; None takes whole images, all of one size.
        moved_size: of the crops that augmentation is to move freely, each side larger by an even
            number of pixels; None where it moves none.
        moved_share: share of the crops that it moves.
        foreground_share: share of crops centred on a pixel of a random class of their sample, or of
            another one where it has none.
        background: whether class 0 is background, never a centre.
        mirror_axes: axes, counted from the last, along which half of the crops are mirrored.
        right_angles: whether crops are turned by 0, 90, 180 or 270 degrees in the plane of the last
            two axes, each as often.
    """

    size: tuple[int, ...] | None
    moved_size: tuple[int, ...] | None = None
    moved_share: float = 1
    foreground_share: float = 0
    background: bool = True
    mirror_axes: Sequence[int] = ()
    right_angles: bool = False


class PatchSource:
    """Batches of crops: every sample in every epoch, in an order that the seed gives.

    A sample comes once, or as often as the square root of the number of crops it has room for:
    large images hold more to learn, but also more of the same.

    Args:
        samples: training samples, with masks.
        cropping: how patches are cut from them.
        batch_size: crops a batch, on all ranks together.
        scaling: intensity scaling of the model.
        seed: seed of the order and of the crops.
        ranks: processes that share each batch.
        weights: (N,) float32 of the samples in the loss; None: all count alike.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        cropping: Cropping,
        *,
        batch_size: int,
        scaling: IntensityScaling,
        seed: int = 0,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.samples, self.cropping, self.batch_size = samples, cropping, batch_size
        self.seed, self.ranks, self.weights = seed, ranks, weights
        self._scaling = scaling
        self._coefficients = (
            samples.coefficients
            if isinstance(samples, WorkingSamples)
            else Coefficients(samples, scaling)
        )
        dims = len(cropping.size or ())
        self._centres = Centres(len(samples), dims, background=cropping.background, seed=seed)
        self._order = lru_cache(maxsize=4)(self._epoch_order)
        self._entries = _entries(samples, cropping.size)  # sample indices of an epoch, unshuffled

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the last may be smaller."""
        return -(-len(self._entries) // self.batch_size)

    def batch(self, step: int) -> Batch:
        """Prepare this rank's share of the batch of a step, counted from 0.

        A rank without a share gets an image whose pixels are all ignored, so that it takes part.
        """
        epoch, index = divmod(step, self.steps_per_epoch)
        start = index * self.batch_size
        chosen = self._order(epoch)[start : start + self.batch_size]
        share = self.ranks.share(len(chosen))
        is_empty = share.start == share.stop
        if is_empty:
            share = Share(0, 1, len(chosen))
        is_moved = self._choose_moved(step, len(chosen))
        crops = [
            self._crop(
                int(chosen[i]), np.random.default_rng((self.seed, 1, step, i)), bool(is_moved[i])
            )
            for i in range(share.start, share.stop)
        ]
        if is_empty:
            crops = [(image, np.full_like(mask, IGNORE_INDEX)) for image, mask in crops]
        images, targets = _stack([self._middle(crop) for crop in crops])
        moved = None
        if is_moved.any():  # of the whole batch: then all ranks draw the same numbers
            large = [crop for crop, i in zip(crops, range(*share[:2]), strict=True) if is_moved[i]]
            own = _stack(large) if large else (images[:0], targets[:0])
            moved = Moved(torch.from_numpy(is_moved), *own)
        weights = None
        if self.weights is not None:
            weights = torch.from_numpy(self.weights[chosen[share.start : share.stop]])
        return Batch(images, targets, share, moved, weights)

    def prepare(self, index: int) -> None:
        """Do what is done once for a sample: read it, make it smaller, find its classes."""
        sample = self.samples[index]
        self._coefficients.of(index)
        self._centres.draw(index, _mask_of(sample), np.random.default_rng(0))

    def _choose_moved(self, step: int, number: int) -> NDArray[np.bool_]:
        """Which images of the batch of a step augmentation is to move."""
        if self.cropping.moved_size is None:
            return np.zeros(number, bool)
        rng = np.random.default_rng((self.seed, 3, step))
        return rng.random(number) < self.cropping.moved_share

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, 0, epoch)).permutation(self._entries)

    def _crop(
        self, index: int, rng: np.random.Generator, is_moved: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Cut one crop, larger where it is moved; pixels beyond the image's edges mirror it."""
        place = None
        if self.cropping.size is not None and rng.random() < self.cropping.foreground_share:
            index, place = self._find_place(index, rng)
        sample = self.samples[index]
        image, mask = sample.image, _mask_of(sample)
        offset, gain = self._coefficients.of(index)
        if self.cropping.size is not None:
            is_backward, is_turned = self._draw_moves(len(self.cropping.size), rng)
            exchange = _exchange if is_turned else tuple
            patch = exchange(self.cropping.size)
            moved = self.cropping.moved_size
            sides = exchange(moved) if is_moved and moved else patch
            centre = place or _place_inside(patch, image.shape[1:], rng)
            coordinates = [
                mirrored(middle - side // 2, side, length)[:: -1 if backward else 1]
                for middle, side, length, backward in zip(
                    centre, sides, image.shape[1:], is_backward, strict=True
                )
            ]
            image, mask = take_grid(image, coordinates), take_grid(mask, coordinates)
            if is_turned:
                image, mask = image.swapaxes(-2, -1), mask.swapaxes(-2, -1)
        if self._scaling.scheme == "none":
            return image.astype(np.float32, copy=False), mask.astype(np.uint8)
        return scale_intensities(image, offset, gain), mask.astype(np.uint8)

    def _draw_moves(self, dims: int, rng: np.random.Generator) -> tuple[list[bool], bool]:
        """Draw which axes run backward, and whether rows and columns are exchanged after that.

        Turns by 90, 180 and 270 degrees are an exchange, both axes backward, and both of these but
        for one axis.
        """
        mirrored = self.cropping.mirror_axes
        is_backward = [axis in mirrored and rng.random() < 0.5 for axis in range(-dims, 0)]
        num_turns = int(rng.integers(4)) if self.cropping.right_angles else 0
        is_backward[-2] ^= num_turns in (2, 3)
        is_backward[-1] ^= num_turns in (1, 2)
        return is_backward, num_turns % 2 == 1

    def _find_place(
        self, index: int, rng: np.random.Generator
    ) -> tuple[int, tuple[int, ...] | None]:
        """Draw a pixel of some class of a sample; of another one where this has none.

        Else a set of which many images are empty would show its classes all the more seldom.
        """
        for _ in range(MAX_LOOKED_AT):
            place = self._centres.draw(index, _mask_of(self.samples[index]), rng)
            if place is not None:
                break
            index = int(rng.integers(len(self.samples)))
        return index, place

    def _middle(
        self, crop: tuple[NDArray[np.float32], NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The patch in the middle of a crop, of either size."""
        image, mask = crop
        if self.cropping.size is None:
            return crop
        window: tuple[Any, ...] = tuple(
            slice((side - patch) // 2, (side + patch) // 2)
            for side, patch in zip(image.shape[1:], self.cropping.size, strict=True)
        )
        return image[(Ellipsis, *window)], mask[(Ellipsis, *window)]


def _place_inside(
    sides: Sequence[int], size: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, ...]:
    """Draw the middle of a crop that lies inside the image, as far as it can."""
    return tuple(
        int(rng.integers(length - side + 1)) + side // 2 if length > side else length // 2
        for length, side in zip(size, sides, strict=True)
    )


def _entries(samples: Sequence[Sample], crop_size: tuple[int, ...] | None) -> NDArray[np.int64]:
    """Return the index of each sample, repeated for large images."""
    if crop_size is None:
        return np.arange(len(samples))
    areas = np.array([np.prod(size) for size in sizes_of(samples)]) / np.prod(crop_size)
    return np.repeat(np.arange(len(samples)), np.maximum(1, np.rint(np.sqrt(areas))).astype(int))


def _mask_of(sample: Sample) -> NDArray[Any]:
    if sample.mask is None:
        raise ValueError(f"sample {sample.name} has no mask")  # the data room does not give such
    return sample.mask


def mirrored(start: int, side: int, length: int) -> NDArray[np.intp]:
    """Coordinates `start` to `start + side`, mirrored at 0 and `length`: 2 1 0 1 2 3 2 1."""
    if length == 1:
        return np.zeros(side, np.intp)
    period = 2 * (length - 1)
    position = np.arange(start, start + side) % period
    return np.where(position < length, position, period - position)


def take_grid(array: NDArray[Any], coordinates: Sequence[NDArray[np.intp]]) -> NDArray[Any]:
    """Index the last axes of an array (..., *spatial) by a grid of coordinates.

    One axis after the other, the last one first: several times as fast as all at once.
    """
    box = [slice(int(each.min()), int(each.max()) + 1) for each in coordinates]
    window: tuple[Any, ...] = (Ellipsis, *box)
    taken: NDArray[Any] = array[window]  # of a memory map no more is read
    for axis in range(-1, -1 - len(box), -1):
        taken = taken.take(coordinates[axis] - box[axis].start, axis)
    return taken


def _exchange(sides: tuple[int, ...]) -> tuple[int, ...]:
    """Sides of a crop with rows and columns exchanged."""
    return (*sides[:-2], sides[-1], sides[-2])


def _stack(crops: Sequence[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> tuple[Tensor, Tensor]:
    """Images and targets of crops of one size."""
    images, targets = zip(*crops, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets))


def patch_source(
    model: Model,
    plan: Plan,
    samples: Sequence[Sample],
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    weights: NDArray[np.float32] | None = None,
) -> PatchSource:
    """The batches of a plan, at its working scale, from training samples in their own size.

    Args:
        model: that is trained.
        plan: its plan.
        samples: with masks.
        ranks: processes that share each batch.
        weights: (N,) of the samples in the loss, where crops are whole images.
    """
    augmentation, size = plan.augmentation, plan.patch_size
    if plan.working_scale < 1:
        samples = WorkingSamples(samples, plan.scaling, plan.working_scale)
    cropping = Cropping(
        size,
        moved_size=(
            crop_size_for(size, augmentation) if size and augmentation.has_free_moves else None
        ),
        moved_share=augmentation.moved_share,
        foreground_share=plan.foreground_share,
        background=model.config.task.has_background(model.config.class_names),
        mirror_axes=augmentation.mirror_axes,
        right_angles=augmentation.right_angles,
    )
    return PatchSource(
        samples,
        cropping,
        batch_size=plan.batch_size,
        scaling=plan.scaling,
        seed=plan.seed,
        ranks=ranks,
        weights=weights,
    )
