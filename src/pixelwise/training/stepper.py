"""One training step: crops in, weights changed; measured before training, and taken in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pixelwise.device import autocast
from pixelwise.network import UNet
from pixelwise.planning import Plan
from pixelwise.training.augment import augment
from pixelwise.training.average import AveragedWeights
from pixelwise.training.deep import DeepSupervision, deep_loss
from pixelwise.training.objective import Loss
from pixelwise.training.optimizer import make_optimizer
from pixelwise.training.patches import Batch
from pixelwise.training.ranks import Ranks
from pixelwise.training.validate import Metric


@dataclass(frozen=True)
class Measured:
    """What a step gave, still on the device."""

    loss: Tensor
    metrics: Mapping[str, Tensor]
    num_images: int  # of the batch, those on other ranks too


class Stepper:
    """Takes training steps of a plan.

    Attributes:
        network: that is trained.
        heads: of deep supervision, trained beside it.
        optimizer: of both.
        average: of the network's weights.

    Args:
        network: to train; moved to the device and into the plan's memory layout.
        plan: how.
        loss: (logits, target) -> scalar.
        device: where.
        optimizer: of the network's parameters; None for the plan's.
        metrics: measured on each batch.
        ranks: that share each batch.
    """

    def __init__(
        self,
        network: UNet,
        plan: Plan,
        loss: Loss,
        device: torch.device,
        *,
        optimizer: torch.optim.Optimizer | None = None,
        metrics: Mapping[str, Metric] | None = None,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    ) -> None:
        self.network = _place(network, device, channels_last=plan.channels_last)
        self._deep = DeepSupervision(self.network, plan.deep_supervision).to(device)
        self.heads = self._deep.heads
        self.optimizer = optimizer or make_optimizer(network, plan, self.heads.parameters())
        if optimizer is not None and len(self.heads):
            optimizer.add_param_group({"params": list(self.heads.parameters())})
        self.average = AveragedWeights(self.network, plan.average_share)
        self._plan, self._device, self._metrics = plan, device, metrics or {}
        self._called = ranks.wrap(self._deep, device)
        self._loss = ranks.joint(loss)
        self._rate_factors = [  # an optimizer of several groups keeps their ratios
            group["lr"] / plan.learning_rate for group in self.optimizer.param_groups
        ]

    def take(self, crops: Batch, step: int, num_steps: int, rate: float) -> Measured:
        """Update the weights and their average by one batch.

        Args:
            crops: as the `PatchSource` of the plan gives them.
            step: number of the step, from 0.
            num_steps: of the training, as far as is known.
            rate: learning rate.
        """
        network, optimizer, plan = self.network, self.optimizer, self._plan
        batch = self._prepare(crops, step)
        for group, factor in zip(optimizer.param_groups, self._rate_factors, strict=True):
            group["lr"] = rate * factor
        network.train()
        with autocast(self._device, plan.precision):
            logits = self._called(batch.images)
        loss, total = deep_loss(self._loss, logits, batch.targets)
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if plan.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._deep.parameters(), plan.max_gradient_norm)
        optimizer.step()
        self.average.update(network, step + 1, num_steps)
        with torch.no_grad():
            metrics = {
                name: metric(logits[0].detach().float(), batch.targets)
                for name, metric in self._metrics.items()
            }
        return Measured(loss.detach(), metrics, batch.num_images)

    def _prepare(self, crops: Batch, step: int) -> Batch:
        """Move a batch of crops to the device and augment it there."""
        batch, plan = crops.to(self._device), self._plan
        if plan.patch_size is not None:
            generator = torch.Generator().manual_seed((plan.seed << 32) + step)
            batch = augment(batch, plan.augmentation, generator)
        if plan.channels_last:
            images = batch.images.contiguous(memory_format=torch.channels_last)
            batch = replace(batch, images=images)
        return batch


def _place(network: UNet, device: torch.device, *, channels_last: bool) -> UNet:
    """Move a network to its device and memory layout."""
    network = network.to(device)
    if channels_last:
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return network
