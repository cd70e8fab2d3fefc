"""A training step as one call of a GPU, in place of the thousand calls that it is made of.

On small patches a GPU is done with each call before the next one arrives. So an update of the
weights is recorded once, as a CUDA graph, and replayed: the same kernels on the same memory.
What changes from step to step is written there before: images, targets, learning rate, and the
weight of the newest weights in their average.

Source: CUDA graphs, as `torch.cuda.CUDAGraph` records them.
"""

import gc
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from pixelwise.training.batches import Batch

NUM_USUAL = 3  # steps call by call before one is recorded: they choose kernels and make states
Rate = float | Tensor
Update = Callable[[Batch, Rate, Rate], tuple[Tensor, Tensor]]  # -> loss, logits


class RecordedUpdate:
    """Does updates, and records one as soon as it can.

    A batch of another shape (the last of an epoch) is done call by call. So is all that follows
    where recording fails, since then something in the update cannot be recorded. Where weights or
    states of the optimizer were replaced, a new recording is made.

    Args:
        update: (batch, learning rate, weight in the average) -> loss (), logits (B, K, *spatial).
            It must not look at values of tensors, and may be given both numbers as tensors.
        places: the tensors that the update changes and that may be replaced.
        device: a CUDA device.
    """

    def __init__(
        self, update: Update, places: Callable[[], Iterable[Tensor]], device: torch.device
    ) -> None:
        self._update, self._places, self._device = update, places, device
        self._graph: torch.cuda.CUDAGraph | None = None
        self._num_usual = 0
        self._known: tuple[int, ...] = ()
        self.is_possible = True

    def __call__(self, batch: Batch, rate: float, weight: float) -> tuple[Tensor, Tensor]:
        """Update by a batch; the results are valid until the next call."""
        if self._graph is not None and self._known != self._addresses():
            self._graph, self._num_usual = None, 0
        if self._graph is None and self.is_possible and self._num_usual >= NUM_USUAL:
            self._record(batch)
        if self._graph is None or batch.images.shape != self._batch.images.shape:
            self._num_usual += 1
            return self._update(batch, rate, weight)
        self._batch.images.copy_(batch.images)
        self._batch.targets.copy_(batch.targets)
        self._rate.fill_(rate)
        self._weight.fill_(weight)
        self._graph.replay()
        return self._loss.clone(), self._logits

    def _record(self, batch: Batch) -> None:
        """Record an update, which does nothing yet."""
        self._batch = replace(batch, images=batch.images.clone(), targets=batch.targets.clone())
        self._rate, self._weight = torch.zeros(2, device=self._device).unbind()
        graph = torch.cuda.CUDAGraph()
        known = self._addresses()
        gc.collect()
        try:
            # other threads prepare batches meanwhile, in memory that they ask CUDA for
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._loss, self._logits = self._update(self._batch, self._rate, self._weight)
        except RuntimeError:
            self.is_possible = False
            torch.cuda.synchronize(self._device)
            torch.cuda.empty_cache()
        else:
            self._graph, self._known = graph, known

    def _addresses(self) -> tuple[int, ...]:
        return tuple(tensor.data_ptr() for tensor in self._places())
