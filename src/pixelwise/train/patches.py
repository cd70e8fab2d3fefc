"""Random crops from samples: which step gets which pixels follows from the seed alone.

Nothing is carried from one step to the next, so batches can be prepared by threads in any order,
training can be resumed at any step, and the same seed gives the same batches.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Barrier
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data import IGNORE_INDEX, Sample
from pixelwise.network import IntensityScaling, scale_intensities
from pixelwise.train.ranks import Ranks, Share
from pixelwise.train.working import sizes_of

MAX_CENTRES = 2000  # remembered foreground pixels per class and sample


@dataclass(frozen=True)
class Batch:
    """Training input: scaled images (B, C, *spatial) float32, targets (B, *spatial) uint8.

    For a multi-label task targets are (B, K, *spatial). Of a batch that several ranks share this is
    one rank's part; `share` says which.
    """

    images: Tensor
    targets: Tensor
    share: Share | None = None  # None: all of the batch

    @property
    def num_images(self) -> int:
        """Images of the batch, those on other ranks too."""
        return len(self.images) if self.share is None else self.share.total


@dataclass
class WaitTime:
    """How much of the time of training steps passed in waiting for their batches, in seconds."""

    waited: float = 0.0
    total: float = 0.0

    def add(self, waited: float, total: float) -> None:
        """Take note of one step: the wait is part of its total."""
        self.waited += waited
        self.total += total

    @property
    def share(self) -> float:
        """Of the time, in [0, 1]; 0 before the first step."""
        return self.waited / self.total if self.total else 0.0


class PatchSource:
    """Batches of crops: every sample in every epoch, in an order that the seed gives.

    A sample comes once, or as often as the square root of the number of crops it has room for:
    large images hold more to learn, but also more of the same.

    Args:
        samples: training samples, with masks.
        crop_size: pixels per spatial axis; None takes whole images, all of one size.
        batch_size: crops a batch.
        scaling: intensity scaling of the model.
        foreground_share: share of crops centred on a pixel of a random class of their sample.
        background: whether class 0 is background, never a centre.
        mirror_axes: axes, counted from the last, along which half of the crops are mirrored.
        right_angles: whether crops are turned by 0, 90, 180 or 270 degrees in the plane of the last
            two axes, each as often.
        seed: of the order and of the crops.
        ranks: that share each batch.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        crop_size: tuple[int, ...] | None,
        batch_size: int,
        scaling: IntensityScaling,
        foreground_share: float = 0,
        background: bool = True,
        mirror_axes: Sequence[int] = (),
        right_angles: bool = False,
        seed: int = 0,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    ) -> None:
        self.samples = samples
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.foreground_share = foreground_share
        self.background = background
        self.mirror_axes, self.right_angles = mirror_axes, right_angles
        self.seed = seed
        self.ranks = ranks
        self._scaling = scaling
        self._coefficients: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        self._centres: dict[int, list[NDArray[np.int32]]] = {}
        self._order = lru_cache(maxsize=4)(self._epoch_order)
        self._entries = _entries(samples, crop_size)  # sample indices of an epoch, unshuffled

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
        crops = [
            self._crop(int(chosen[i]), np.random.default_rng((self.seed, 1, step, i)))
            for i in range(share.start, share.stop)
        ]
        targets = torch.from_numpy(np.stack([target for _, target in crops]))
        if is_empty:
            targets.fill_(IGNORE_INDEX)
        return Batch(torch.from_numpy(np.stack([image for image, _ in crops])), targets, share)

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, 0, epoch)).permutation(self._entries)

    def _crop(
        self, index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Cut one crop; pixels beyond the image's edges mirror it."""
        sample = self.samples[index]
        image, mask = sample.image, _mask_of(sample)
        offset, gain = self._scale_of(index, sample)
        if self.crop_size is not None:
            is_backward, is_turned = self._draw_moves(len(self.crop_size), rng)
            sides = list(self.crop_size)
            if is_turned:
                sides[-2], sides[-1] = sides[-1], sides[-2]
            centre = self._centre(index, sides, image.shape[1:], mask, rng)
            coordinates = [
                _mirrored(middle - side // 2, side, length)[:: -1 if backward else 1]
                for middle, side, length, backward in zip(
                    centre, sides, image.shape[1:], is_backward, strict=True
                )
            ]
            image, mask = _take(image, coordinates), _take(mask, coordinates)
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
        is_backward = [axis in self.mirror_axes and rng.random() < 0.5 for axis in range(-dims, 0)]
        num_turns = int(rng.integers(4)) if self.right_angles else 0
        is_backward[-2] ^= num_turns in (2, 3)
        is_backward[-1] ^= num_turns in (1, 2)
        return is_backward, num_turns % 2 == 1

    def _centre(
        self,
        index: int,
        sides: Sequence[int],
        size: tuple[int, ...],
        mask: NDArray[Any],
        rng: np.random.Generator,
    ) -> list[int]:
        """Pick a crop's middle: on a pixel of some class, or such that the crop is inside."""
        if rng.random() < self.foreground_share:
            centres = self._centres_of(index, mask)
            if centres:
                pixels = centres[int(rng.integers(len(centres)))]
                return [int(v) for v in pixels[int(rng.integers(len(pixels)))]]
        return [
            int(rng.integers(length - side + 1)) + side // 2 if length > side else length // 2
            for length, side in zip(size, sides, strict=True)
        ]

    def _scale_of(
        self, index: int, sample: Sample
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if index not in self._coefficients:
            self._coefficients[index] = self._scaling.coefficients(sample.image)
        return self._coefficients[index]

    def _centres_of(self, index: int, mask: NDArray[Any]) -> list[NDArray[np.int32]]:
        """Some pixels of each class of a sample, as rows of coordinates."""
        if index not in self._centres:
            rng = np.random.default_rng((self.seed, 2, index))
            planes = self._class_planes(mask)
            self._centres[index] = [_some_pixels(plane, rng) for plane in planes if plane.any()]
        return self._centres[index]

    def _class_planes(self, mask: NDArray[Any]) -> list[NDArray[np.bool_]]:
        """Where each class is that may be a centre, one (*spatial) a class."""
        if self.crop_size is not None and mask.ndim > len(self.crop_size):  # (K, *spatial)
            return [plane == 1 for plane in mask]
        left_out = {IGNORE_INDEX, *([0] if self.background else [])}
        return [mask == value for value in np.unique(mask) if int(value) not in left_out]


class BatchQueue:
    """Prepares batches ahead by threads; gives them in order.

    Use as a context manager; an error of a thread is raised where its batch is taken.
    """

    def __init__(self, source: PatchSource, first_step: int = 0, num_threads: int = 2) -> None:
        self._source = source
        self._started = Barrier(num_threads + 1)
        self._pool = ThreadPoolExecutor(
            num_threads, thread_name_prefix="batches", initializer=self._compute_alone
        )
        self._next_step = first_step
        before = torch.get_num_threads()
        self._waiting = [self._submit() for _ in range(num_threads + 1)]
        self._started.wait()
        torch.set_num_threads(before)  # what follows is about all threads, but for OpenMP's

    def _compute_alone(self) -> None:
        """Let torch use this thread alone where it is called in it.

        Teams of their own in these threads would be more threads than there are cores; OpenMP then
        lets every team sleep where it waits, and training steps take 1.3 times as long.
        """
        torch.set_num_threads(1)
        torch.get_num_threads()  # else torch sets the number anew when it is first used
        self._started.wait()

    def take(self) -> Batch:
        """Return the next batch, waiting for it where needed."""
        batch = self._waiting.pop(0).result()
        self._waiting.append(self._submit())
        return batch

    def _submit(self) -> Future[Batch]:
        self._next_step += 1
        return self._pool.submit(self._source.batch, self._next_step - 1)

    def __enter__(self) -> "BatchQueue":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


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


def _mirrored(start: int, side: int, length: int) -> NDArray[np.intp]:
    """Coordinates `start` to `start + side`, mirrored at 0 and `length`: 2 1 0 1 2 3 2 1."""
    if length == 1:
        return np.zeros(side, np.intp)
    period = 2 * (length - 1)
    position = np.arange(start, start + side) % period
    return np.where(position < length, position, period - position)


def _take(array: NDArray[Any], coordinates: Sequence[NDArray[np.intp]]) -> NDArray[Any]:
    """Index the last axes of an array (..., *spatial) by a grid of coordinates.

    One axis after the other, the last one first: several times as fast as all at once.
    """
    box = [slice(int(each.min()), int(each.max()) + 1) for each in coordinates]
    window: tuple[Any, ...] = (Ellipsis, *box)
    taken: NDArray[Any] = array[window]  # of a memory map no more is read
    for axis in range(-1, -1 - len(box), -1):
        taken = taken.take(coordinates[axis] - box[axis].start, axis)
    return taken


def _some_pixels(plane: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int32]:
    """Coordinates of at most 2000 pixels of a plane: (N, dims)."""
    places = np.flatnonzero(plane)  # one number a pixel: large images have many
    if len(places) > MAX_CENTRES:
        places = places[rng.choice(len(places), MAX_CENTRES, replace=False)]
    return np.stack(np.unravel_index(places, plane.shape), axis=1).astype(np.int32)
