"""Random numbers for the images of a batch, the same whoever has which of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pixelwise.training.ranks import Share


@dataclass(frozen=True)
class Draws:
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

    def choose(self, probability: float) -> tuple[Tensor, "Draws"]:
        """Choose each image or not; return the indices of those that are here, and their draws."""
        return self.of_chosen(torch.rand(self.share.total, generator=self.generator) < probability)

    def of_chosen(self, is_chosen: Tensor) -> tuple[Tensor, "Draws"]:
        """Return the indices of chosen images (total,) that are here, and their draws."""
        start, stop, total = (int(is_chosen[:end].sum()) for end in self.share)
        index = self._here(is_chosen).nonzero()[:, 0]
        return index, Draws(self.generator, Share(start, stop, total))

    def _here(self, values: Tensor) -> Tensor:
        return values[self.share.start : self.share.stop]
