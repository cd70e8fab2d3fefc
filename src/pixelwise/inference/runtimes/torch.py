"""torch: the network itself, on any device, in the layout that is fastest there."""

from copy import deepcopy

import torch
from torch import Tensor

from pixelwise.device import Precision, autocast, has_bfloat16
from pixelwise.network import (
    Model,
    Network,
    WrappedNetwork,
    evaluating,
    fold_normalizations,
    freeze_convolutions,
)


class TorchRuntime:
    """Computes with the network of a model.

    Args:
        model: whose network and task to take, as they are when a batch is computed: weights may
            change in between.
        device: to compute on.
        in_place: whether the network itself may be moved to the device, and into the layout that
            is fastest there; else a copy is, where it has to be moved.
        precision: to compute in; None: that of the model's training.
        fold: whether normalizations and activations become part of the convolutions before them,
            in a copy unless `in_place`: the weights must stay as they are from now on.
    """

    name = "torch"
    takes_stored = False

    def __init__(
        self,
        model: Model,
        device: torch.device,
        *,
        in_place: bool = False,
        precision: Precision | None = None,
        fold: bool = False,
    ) -> None:
        self.device = device
        self._is_exclusive = model.config.task.is_exclusive
        self.precision = precision or model.config.precision
        self._channels_last = model.config.network.spatial_dims == 2
        network = model.network
        fold = fold and not isinstance(network, WrappedNetwork)  # its layers may mean anything
        if not in_place and (fold or not self._lies_right(network)):
            network = deepcopy(network)
        if fold:
            fold_normalizations(network)
        self._network = network.to(device)
        if self._channels_last:
            self._network = self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if fold and self._channels_last and device.type == "cpu":
            uses_short = self.precision == "bfloat16" and has_bfloat16(device)
            freeze_convolutions(self._network, torch.bfloat16 if uses_short else torch.float32)

    def __call__(self, batch: Tensor) -> Tensor:
        """Give the probabilities (B, K, *spatial) of a batch (B, C, *spatial)."""
        if self._channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with evaluating(self._network), autocast(self.device, self.precision):
            logits: Tensor = self._network(batch).float()
        return logits.softmax(1) if self._is_exclusive else logits.sigmoid()

    def _lies_right(self, network: Network) -> bool:
        """Whether a network is on the device already, in the layout that is wanted."""
        device = torch.empty(0, device=self.device).device  # "cuda" is "cuda:0"
        return all(
            weight.device == device
            and (
                not self._channels_last
                or weight.ndim != 4
                or weight.is_contiguous(memory_format=torch.channels_last)
            )
            for weight in network.parameters()
        )
