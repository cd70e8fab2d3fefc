"""Validation: scores, loss and metrics over whole images, by the predictor that users get.

Pixelwise's own losses are added up block by block, so that large images take no more memory than
their blocks.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.inference import Predictor
from pixelwise.inference.evaluate import count_samples, summarize_samples
from pixelwise.metrics import Scores
from pixelwise.network import losses
from pixelwise.training.objective import Loss, Metric, logits_of
from pixelwise.training.postprocessing import WayCounts
from pixelwise.training.ranks import Ranks

Measure = Callable[..., Tensor]  # (logits, target) -> scalar


class ImageMeasure(Protocol):
    """What a loss or a metric is of an image."""

    def add(self, window: tuple[slice, ...], logits: Tensor, target: Tensor) -> None:
        """Take a block: slices of the image, logits (1, K, *block), target (1, [K,] *block)."""

    def value(self) -> float:
        """Of the blocks so far, which are the image."""


def measure_image(measure: Measure) -> ImageMeasure:
    """Measure an image by sums over its blocks where that gives the same, else as a whole."""
    function = measure.func if isinstance(measure, partial) else measure
    options = measure.keywords if isinstance(measure, partial) else {}
    is_own = getattr(function, "__module__", None) == losses.__name__
    return BlockSums(measure) if is_own and options.get("batch", True) else WholeImage(measure)


class BlockSums:
    """A loss of this package: from sums over pixels, which blocks have in part.

    Its `reduce` is where a loss adds the sums over its images to those of images elsewhere; here
    those of a block to those of the blocks before it.
    """

    def __init__(self, loss: Measure) -> None:
        self._loss = loss
        self._sums: list[tuple[Tensor, ...]] = []  # float64, of each use of `reduce`
        self._value = torch.zeros(())

    def add(self, window: tuple[slice, ...], logits: Tensor, target: Tensor) -> None:
        """Add the sums of a block; what the loss makes of all sums so far is its value so far."""
        before = iter(self._sums)
        after: list[tuple[Tensor, ...]] = []

        def reduce(*sums: Tensor) -> tuple[Tensor, ...]:
            earlier = next(before, None) or [torch.zeros((), dtype=torch.float64)] * len(sums)
            after.append(tuple(s.double() + e for s, e in zip(sums, earlier, strict=True)))
            return tuple(s.float() for s in after[-1])

        self._value = self._loss(logits, target, reduce=reduce)
        self._sums = after

    def value(self) -> float:
        """The loss of the blocks so far."""
        return float(self._value)


class WholeImage:
    """Any function of logits and target: blocks are put together first."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._windows: list[tuple[slice, ...]] = []
        self._logits: list[Tensor] = []
        self._targets: list[Tensor] = []

    def add(self, window: tuple[slice, ...], logits: Tensor, target: Tensor) -> None:
        """Keep a block."""
        self._windows.append(window)
        self._logits.append(logits)
        self._targets.append(target)

    def value(self) -> float:
        """What the function makes of the whole image."""
        return float(self._measure(self._join(self._logits), self._join(self._targets)))

    def _join(self, blocks: list[Tensor]) -> Tensor:
        """Put blocks together."""
        if len(blocks) == 1:
            return blocks[0]
        size = [max(axis.stop for axis in axes) for axes in zip(*self._windows, strict=True)]
        whole = blocks[0].new_empty(*blocks[0].shape[: -len(size)], *size)
        for window, block in zip(self._windows, blocks, strict=True):
            place: tuple[Any, ...] = (Ellipsis, *window)
            whole[place] = block
        return whole


def validate(
    predictor: Predictor,
    samples: Sequence[Sample],
    loss: Loss,
    metrics: Mapping[str, Metric] | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    ways: WayCounts | None = None,
    loss_step: int = 1,
) -> tuple[Scores, dict[str, float]]:
    """Return the scores over samples, and the means of `loss` and of each metric over images.

    Pixelwise's own losses are added up block by block, so that large images take no more memory
    than their blocks; other losses, and metrics, get the logits of a whole image at once.

    Each rank predicts some of the samples; all get what one process would have got. So do `ways`.

    Args:
        predictor: runs the model.
        samples: with masks.
        loss: (logits, target) -> scalar.
        metrics: the same, by name.
        ranks: processes that validate together.
        ways: to count what could be made of the probabilities.
        loss_step: every how many pixels along each axis one counts for loss and metrics. Scores
            are of all pixels.
    """
    config = predictor.model.config
    measures = {"loss": loss, **(metrics or {})}
    sums: dict[str, ImageMeasure] = {}
    rows: list[dict[str, float]] = []

    def add(
        sample: Sample,
        window: tuple[slice, ...],
        probabilities: NDArray[np.float32],
        mask: NDArray[Any],
    ) -> None:
        if not sums:
            sums.update({name: measure_image(measure) for name, measure in measures.items()})
        seen: tuple[Any, ...] = (Ellipsis, *[slice(None, None, loss_step)] * len(window))
        logits = logits_of(torch.from_numpy(probabilities)[None][seen], config.task)
        assert sample.mask is not None
        place: tuple[Any, ...] = (Ellipsis, *window)
        read = np.array(sample.mask[place][seen], np.uint8)  # a copy, since it may be read-only
        target = torch.from_numpy(read)[None]
        for measure in sums.values():
            measure.add(window, logits, target)
        if ways is not None:
            ways.add(sample.mask, window, probabilities, mask)

    own = [samples[index] for index in range(ranks.rank, len(samples), ranks.world_size)]
    found = []
    for sample, named_counts in zip(own, count_samples(predictor, own, add), strict=True):
        found.append(named_counts)
        if ways is not None:
            assert sample.mask is not None
            ways.end_image(named_counts, sample.mask)
        rows.append({name: measure.value() for name, measure in sums.items()})
        sums.clear()
    found, rows = ranks.gather(found), ranks.gather(rows)
    if ways is not None:
        ways.images = ranks.gather(ways.images)
    means = {name: sum(row[name] for row in rows) / len(samples) for name in measures}
    return summarize_samples(found, config), means
