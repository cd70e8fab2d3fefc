"""The ensemble: several networks that answer as one, by the mean of their probabilities."""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.network.unet import UNet, UNetConfig


class Ensemble(nn.Module):
    """Networks of one config whose logits are those of the mean of the members' probabilities.

    So whatever turns logits into probabilities gets the mean, and need not know that there are
    several networks.
    """

    def __init__(self, members: Sequence[UNet], *, softmax: bool) -> None:
        """Join networks.

        Args:
            members: two or more, of one config.
            softmax: whether their logits are of classes that exclude each other.
        """
        super().__init__()
        self.members = nn.ModuleList(members)
        self.softmax = softmax

    @property
    def config(self) -> UNetConfig:
        """Of each member."""
        return cast(UNet, self.members[0]).config

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, K, *spatial) float32 logits of a batch of images (B, C, *spatial)."""
        logits = torch.stack([member(image).float() for member in self.members])
        if self.softmax:
            return _log_mean(F.log_softmax(logits, 2))
        return _log_mean(F.logsigmoid(logits)) - _log_mean(F.logsigmoid(-logits))

    @property
    def num_parameters(self) -> int:
        """Number of trained values of all members."""
        return sum(cast(UNet, member).num_parameters for member in self.members)

    def summary(self) -> str:
        """Draw one member as a table, and say how many there are."""
        return (
            f"{len(self.members)} networks like this one:\n{cast(UNet, self.members[0]).summary()}"
        )


def _log_mean(logs: Tensor) -> Tensor:
    """Logarithm of the mean over the first axis of what the logarithms stand for."""
    return logs.logsumexp(0) - math.log(len(logs))
