"""Moving average of the weights: what is validated, saved and used."""

from copy import deepcopy

import torch
from torch import Tensor

from pixelwise.network import UNet


class AveragedWeights:
    """An exponential moving average of a network's weights and running statistics.

    Its memory grows with the training, up to a share of all steps, so that the first, poor
    weights are soon forgotten. A share of 0 follows the network without delay.

    Source: Polyak and Juditsky, 1992; with the warm-up that TensorFlow's averages use.
    """

    def __init__(self, network: UNet, share: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._share = share

    @torch.no_grad()
    def update(self, network: UNet, step: int, num_steps: int) -> None:
        """Take in the weights after step `step` (from 1) of `num_steps`."""
        memory = max(1.0, self._share * num_steps)
        weight = max(1 / memory, 9 / (10 + step)) if self._share > 0 else 1.0
        averages, currents = self.network.state_dict(), network.state_dict()
        for name, average in averages.items():
            _move(average, currents[name], weight)


def _move(average: Tensor, current: Tensor, weight: float) -> None:
    if average.is_floating_point():
        average.lerp_(current, weight)
    else:
        average.copy_(current)
