"""Losses and metrics of one image, of which one block after the other is known."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from pixelwise.network import losses

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

    Its `total` is where a loss adds the sums over its images to those of images elsewhere; here
    those of a block to those of the blocks before it.
    """

    def __init__(self, loss: Measure) -> None:
        self._loss = loss
        self._sums: list[tuple[Tensor, ...]] = []  # float64, of each use of `total`
        self._value = torch.zeros(())

    def add(self, window: tuple[slice, ...], logits: Tensor, target: Tensor) -> None:
        """Add the sums of a block; what the loss makes of all sums so far is its value so far."""
        before = iter(self._sums)
        after: list[tuple[Tensor, ...]] = []

        def total(*sums: Tensor) -> tuple[Tensor, ...]:
            earlier = next(before, None) or [torch.zeros((), dtype=torch.float64)] * len(sums)
            after.append(tuple(s.double() + e for s, e in zip(sums, earlier, strict=True)))
            return tuple(s.float() for s in after[-1])

        self._value = self._loss(logits, target, total=total)
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
