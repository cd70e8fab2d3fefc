"""One training step: crops in, weights changed; and what the last steps gave."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pixelwise.device import autocast
from pixelwise.network import UNet, WrappedNetwork
from pixelwise.planning import Plan
from pixelwise.training.augment import augment
from pixelwise.training.batches import Batch
from pixelwise.training.checkpoint import Best, Row
from pixelwise.training.collapse import count_answers
from pixelwise.training.objective import (
    DeepSupervision,
    Objective,
    deep_loss,
    loss_on,
    weighed_by_image,
)
from pixelwise.training.optimizer import AveragedWeights, make_optimizer, rates_as
from pixelwise.training.ranks import Ranks
from pixelwise.training.recorded import Rate, RecordedUpdate

LOSS = "train_loss"
COLLECT_EVERY = 20  # steps, on a device that works while the host waits


@dataclass(frozen=True)
class Measured:
    """What a step gave, still on the device."""

    loss: Tensor
    metrics: Mapping[str, Tensor]
    num_images: int  # of the batch, those on other ranks too
    answers: Tensor | None = None  # what `count_answers` gives, where it was asked for


class Stepper:
    """Takes training steps of a plan.

    Attributes:
        network: that is trained.
        heads: heads of deep supervision, trained beside it.
        optimizer: optimizer of both.
        average: average of the network's weights.

    Args:
        network: to train; moved to the device and into the plan's memory layout.
        plan: how.
        objective: what is minimized and measured, and the optimizer, where it is not the plan's.
        device: to train on.
        ranks: processes that share each batch.
    """

    def __init__(
        self,
        network: UNet | WrappedNetwork,
        plan: Plan,
        objective: Objective,
        device: torch.device,
        *,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
    ) -> None:
        self.network = _place(network, device, channels_last=plan.channels_last)
        self._deep = DeepSupervision(self.network, plan.deep_supervision).to(device)
        self.heads = self._deep.heads
        own = objective.optimizer
        self.optimizer = own or make_optimizer(network, plan, self.heads.parameters())
        if own is not None and len(self.heads):
            own.add_param_group({"params": list(self.heads.parameters())})
        self.average = AveragedWeights(self.network, plan.average_share)
        self._plan, self._device, self._metrics = plan, device, objective.metrics
        self._called = ranks.wrap(self._deep, device)
        self._loss = ranks.over_batch(loss_on(objective.loss, device))
        self._rate_factors = [  # an optimizer of several groups keeps their ratios
            group["lr"] / plan.learning_rate for group in self.optimizer.param_groups
        ]
        is_known = isinstance(network, UNet) and own is None and ranks.world_size == 1
        self._recorded = (
            RecordedUpdate(self._update, self._changed, device)
            if device.type == "cuda" and is_known
            else None
        )

    def take(
        self, crops: Batch, step: int, num_steps: int, rate: float, *, look: bool = False
    ) -> Measured:
        """Update the weights and their average by one batch.

        Args:
            crops: as the `PatchSource` of the plan gives them.
            step: number of the step, from 0.
            num_steps: number of steps of the training, as far as is known.
            rate: learning rate.
            look: whether to see which classes the network gives.
        """
        batch = self._prepare(crops, step)
        weight = self.average.weight_of(step + 1, num_steps)
        for group, factor in zip(self.optimizer.param_groups, self._rate_factors, strict=True):
            group["lr"] = rate * factor
        if self._recorded is not None and batch.weights is None:
            loss, logits = self._recorded(batch, rate, weight)
        else:
            loss, logits = self._update(batch, rate, weight)
        with torch.no_grad():
            metrics = {
                name: metric(logits.float(), batch.targets)
                for name, metric in self._metrics.items()
            }
        answers = count_answers(logits, batch.targets) if look else None
        return Measured(loss, metrics, batch.num_images, answers)

    def _update(self, batch: Batch, rate: Rate, weight: Rate) -> tuple[Tensor, Tensor]:
        """Change the weights and their average; give the loss and the logits at full size."""
        network, optimizer, plan = self.network, self.optimizer, self._plan
        network.train()
        with autocast(self._device, plan.precision):
            logits = self._called(batch.images)
        of_batch = self._loss
        if batch.weights is not None:
            of_batch = weighed_by_image(self._loss, batch.weights)
        loss, total = deep_loss(of_batch, logits, batch.targets)
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if plan.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._deep.parameters(), plan.max_gradient_norm)
        with rates_as(optimizer, rate, self._rate_factors):
            optimizer.step()
        self.average.update(network, weight)
        return loss.detach(), logits[0].detach()

    def _changed(self) -> Iterator[Tensor]:
        """Tensors of the optimizer, which are replaced where training goes back."""
        for state in self.optimizer.state.values():
            yield from state.values()

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


def _place(
    network: UNet | WrappedNetwork, device: torch.device, *, channels_last: bool
) -> UNet | WrappedNetwork:
    """Move a network to its device and memory layout."""
    network = network.to(device)
    if channels_last:
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return network


class LostLoss(Exception):
    """The loss, or a weight, became NaN or infinite."""

    def __init__(self, loss: float, step: int) -> None:
        super().__init__(loss, step)
        self.loss, self.step = loss, step

    def describe(self, num_retreats: int, best: Best, rate: float, *, keep_last: bool) -> str:
        """Say at which step the loss was lost for good, and what was kept."""
        kept = (
            f"The weights of step {best.step}, the {'last' if keep_last else 'best'} "
            "validated ones, were kept"
            if best.step
            else "No weights had been validated yet, so those from before training were kept"
        )
        return (
            f"The loss became {self.loss} at step {self.step}, after training had gone back "
            f"{num_retreats} times to go on at a lower learning rate. {kept}. Use a lower learning "
            f"rate (it was {rate:.3g}), and look for extreme intensities in the images with "
            "`pixelwise check`."
        )


class StepResults:
    """What the last steps gave, still on the device.

    Args:
        device: a CPU is asked at each step, others every 20 steps, since asking makes them wait.
    """

    def __init__(self, device: torch.device) -> None:
        self._every = 1 if device.type == "cpu" else COLLECT_EVERY
        self._values: list[Mapping[str, Tensor]] = []
        self._num_images: list[int] = []

    @property
    def is_full(self) -> bool:
        """Whether it is time to collect."""
        return len(self._values) >= self._every

    def add(self, step: Measured) -> None:
        """Take note of a step."""
        self._values.append({LOSS: step.loss.detach(), **step.metrics})
        self._num_images.append(step.num_images)

    def clear(self) -> None:
        """Forget the steps."""
        self._values.clear()
        self._num_images.clear()

    def collect(self, step: int) -> list[Row]:
        """Return a row for each step, with its number of images as weight; they are forgotten then.

        Args:
            step: number of the last step.

        Raises:
            LostLoss: a loss is NaN or infinite.
        """
        if not self._values:
            return []
        names = list(self._values[0])
        table = torch.stack(
            [torch.stack([v[name].float().reshape(()) for name in names]) for v in self._values]
        ).tolist()  # (steps, values)
        weights = list(self._num_images)
        self.clear()
        rows = [dict(zip(names, values, strict=True)) for values in table]
        for number, row in enumerate(rows, step - len(rows) + 1):
            if not math.isfinite(row[LOSS]):
                raise LostLoss(row[LOSS], number)
        return [{**row, "weight": weight} for row, weight in zip(rows, weights, strict=True)]


def weighted_means(rows: Sequence[Mapping[str, float]]) -> Row:
    """Mean of each column over rows, weighted by the number of images; without the weights."""
    total = sum(row["weight"] for row in rows)
    return {
        name: sum(row[name] * row["weight"] for row in rows) / total
        for name in (rows[0] if rows else {})
        if name != "weight"
    }
