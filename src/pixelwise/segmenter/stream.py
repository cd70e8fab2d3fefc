"""Batches that a generator makes while `fit` trains."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

from pixelwise.data import Sample
from pixelwise.errors import ArrayError
from pixelwise.network import Model
from pixelwise.planning import Plan
from pixelwise.training import Batch, patch_source


class Stream:
    """Gives the batches of an iterator in their order, to whichever threads ask for them.

    Args:
        items: what the iterator gives.
        to_samples: makes samples, and their weights or None, of an item and its number.
        model: that is trained.
        plan: of the training.
    """

    def __init__(
        self,
        items: Iterator[Any],
        to_samples: Callable[[Any, int], tuple[list[Sample], Any]],
        model: Model,
        plan: Plan,
    ) -> None:
        self._items, self._to_samples = items, to_samples
        self._model, self._plan = model, plan
        self._lock, self._number = Lock(), 0  # of items taken
        self._waiting: dict[int, Any] = {}  # items of steps that were not asked for yet

    def batch(self, step: int) -> Batch:
        """Prepare the batch of a step; of one that comes again, another batch.

        Raises:
            ArrayError: the iterator has ended, or its items are no batches for the model.
        """
        with self._lock:
            while self._number <= step:
                self._waiting[self._number] = self._next()
                self._number += 1
            item = self._waiting.pop(step) if step in self._waiting else self._next()
        samples, weights = self._to_samples(item, step)
        plan = self._plan.model_copy(update={"batch_size": len(samples)})
        return patch_source(self._model, plan, samples, weights=weights).batch(0)

    def _next(self) -> Any:  # noqa: ANN401
        try:
            return next(self._items)
        except StopIteration:
            raise ArrayError(
                f"x ended after {self._number} batches, and {self._plan.num_steps} are needed: "
                "epochs times steps_per_epoch. Give fewer, or a generator that goes on."
            ) from None
