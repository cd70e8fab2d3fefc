"""Batches, prepared ahead by threads, and how long training waits for them."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Protocol

import torch
from torch import Tensor

from pixelwise.device import send
from pixelwise.parallel import available_cores
from pixelwise.training.ranks import Share

CPU_THREADS = 2
MOST_THREADS = 6


@dataclass(frozen=True)
class Batch:
    """Training input: scaled images (B, C, *spatial) float32, targets (B, *spatial) uint8.

    For a multi-label task targets are (B, K, *spatial). Of a batch that several ranks share this is
    one rank's part; `share` says which. `weights` (B,) of the images in the loss are None where all
    count alike.
    """

    images: Tensor
    targets: Tensor
    share: Share | None = None  # None: all of the batch
    moved: "Moved | None" = None  # None: no image is moved freely
    weights: Tensor | None = None

    @property
    def num_images(self) -> int:
        """Images of the batch, those on other ranks too."""
        return len(self.images) if self.share is None else self.share.total

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its arrays on a device."""
        return self._with_each(lambda array: send(array, device))

    def pinned(self) -> "Batch":
        """Return the batch in memory that a GPU reads without the host."""
        return self._with_each(lambda array: array.pin_memory())

    def _with_each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The batch with a function applied to each of its arrays."""
        moved = self.moved
        if moved is not None:
            moved = replace(moved, images=change(moved.images), targets=change(moved.targets))
        return replace(
            self,
            images=change(self.images),
            targets=change(self.targets),
            moved=moved,
            weights=None if self.weights is None else change(self.weights),
        )


@dataclass(frozen=True)
class Moved:
    """The images of a batch that augmentation moves, cut with the pixels that it may need around.

    Attributes:
        is_chosen: (N,) bool, which of all the batch's images they are, those on other ranks too.
        images: (M, C, *larger) float32, those that are here; maybe none.
        targets: (M, *larger) or (M, K, *larger) uint8.
    """

    is_chosen: Tensor
    images: Tensor
    targets: Tensor


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


class BatchSource(Protocol):
    """What gives the batch of each step."""

    def batch(self, step: int) -> Batch:
        """Prepare this rank's share of the batch of a step, counted from 0; from any thread."""


class BatchQueue:
    """Prepares batches ahead by threads; gives them in order.

    Use as a context manager; an error of a thread is raised where its batch is taken.

    Args:
        source: of the batches.
        device: that trains by them.
        first_step: from 0.
    """

    def __init__(self, source: BatchSource, device: torch.device, first_step: int = 0) -> None:
        self._source, self._is_pinned = source, device.type == "cuda"
        num_threads = num_preparing(device)
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
        torch.get_num_threads()  # else torch sets the number again when it is first used
        self._started.wait()

    def take(self) -> Batch:
        """Return the next batch, waiting for it where needed."""
        batch = self._waiting.pop(0).result()
        self._waiting.append(self._submit())
        return batch

    def _submit(self) -> Future[Batch]:
        self._next_step += 1
        return self._pool.submit(self._prepare, self._next_step - 1)

    def _prepare(self, step: int) -> Batch:
        batch = self._source.batch(step)
        return batch.pinned() if self._is_pinned else batch

    def __enter__(self) -> "BatchQueue":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def num_preparing(device: torch.device) -> int:
    """Threads that prepare batches: two where a CPU trains, else what keeps a GPU busy."""
    if device.type == "cpu":
        return CPU_THREADS
    return max(CPU_THREADS, min(MOST_THREADS, available_cores() - 1))
