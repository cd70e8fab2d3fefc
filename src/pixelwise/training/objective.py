"""What training minimizes: the loss of a plan for a task, on every level of the decoder.

A head of its own at half and at a quarter of the size is compared with the mask there, so that the
lower levels learn from the start what they are for. Prediction has none of these heads.

Source: Lee et al., Deeply-Supervised Nets, AISTATS 2015; as in nnU-Net (Isensee et al., 2021).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from pixelwise.network import (
    UNet,
    WrappedNetwork,
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    resize_masks,
    tversky_loss,
)
from pixelwise.network.unet import crop, initialize_head
from pixelwise.planning import LossName
from pixelwise.task import Task

Loss = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar float32
Metric = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar float32
HALVED = 0.5  # weight of a level's loss relative to the level above it


@dataclass(frozen=True)
class Objective:
    """What a training minimizes and measures.

    Attributes:
        loss: on every level of the decoder that the plan supervises.
        metrics: by name; of each training batch, averaged between validations, and of validations.
        optimizer: optimizer of the network's parameters; None for the plan's.
    """

    loss: Loss
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    optimizer: torch.optim.Optimizer | None = None


def loss_for(
    name: LossName,
    task: Task,
    *,
    background: bool = True,
    class_weights: Sequence[float] | None = None,
) -> Loss:
    """Return the loss of that name for a task.

    Args:
        name: as in the plan.
        task: task of the model.
        background: whether class 0 is background, which the Dice part of a multi-class loss
            leaves out.
        class_weights: one per class, in the cross-entropy of a multi-class task; None: all alike.
    """
    weights = (
        None if class_weights is None or not task.is_exclusive else torch.tensor(class_weights)
    )
    if name == "cross_entropy":
        if task.is_exclusive:
            return partial(cross_entropy_loss, class_weights=weights)
        return binary_cross_entropy_loss
    is_multilabel = task.can_overlap
    if name == "focal":
        return partial(focal_loss, multilabel=is_multilabel)
    counts_first = not (task.is_exclusive and background)
    if name == "tversky":
        return partial(tversky_loss, multilabel=is_multilabel, background=counts_first)
    options: dict[str, Any] = {
        "multilabel": is_multilabel,
        "background": counts_first,
        "absent": task.has_one_logit,
    }
    if name == "dice":
        return partial(dice_loss, **options)
    return partial(cross_entropy_dice_loss, **options, class_weights=weights)


def loss_on(loss: Loss, device: torch.device) -> Loss:
    """The same loss with its class weights on a device, so that no step has to send them."""
    if not isinstance(loss, partial) or loss.keywords.get("class_weights") is None:
        return loss
    weights = loss.keywords["class_weights"].to(device)
    return partial(loss.func, *loss.args, **loss.keywords | {"class_weights": weights})


def logits_of(probabilities: Tensor, task: Task) -> Tensor:
    """Return logits (B, K, *spatial) that give these probabilities."""
    safe = probabilities.clamp(1e-6, 1 - 1e-6)
    return safe.log() if task.is_exclusive else torch.logit(safe)


class DeepSupervision(nn.Module):
    """A network as training calls it: its logits, and those of levels below full size.

    Args:
        network: to train.
        num_levels: that answer too; no more than there are between full size and bottleneck, and
            none where the network is a wrapped one, of whose levels nothing is known.
    """

    def __init__(self, network: UNet | WrappedNetwork, num_levels: int) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ModuleList()
        if isinstance(network, UNet):
            levels = range(1, min(num_levels, network.depth - 1) + 1)
            self.heads.extend(_head(network, level) for level in levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Give logits (B, K, *spatial) of images (B, C, *spatial), then those of each level.

        Those of level n are of every ``2**n``-th pixel, the last of which may stand alone.
        """
        if isinstance(self.network, WrappedNetwork):
            return [self.network(images)]
        size = images.shape[2:]
        heads = (self.network.head, *self.heads)
        found = [
            crop(heads[level](features), [-(-side // 2**level) for side in size])
            for level, features in self.network.decode(images)
            if level < len(heads)
        ]
        return found[::-1]


def weighed_by_image(loss: Loss, weights: Tensor) -> Loss:
    """A loss in which each image counts by a weight: the mean over images of weight times loss.

    Args:
        loss: (logits, target) -> scalar.
        weights: (B,) of the images of a batch.
    """

    def weighed(logits: Tensor, targets: Tensor) -> Tensor:
        each = [loss(logits[n : n + 1], targets[n : n + 1]) for n in range(len(logits))]
        return (torch.stack(each) * weights).mean()

    return weighed


def deep_loss(loss: Loss, logits: list[Tensor], targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss at full size, and its sum with those of the levels below, half as heavy each.

    Where the sum is NaN or infinite, the loss is too: no later step could be trusted.

    Args:
        loss: (logits, target) -> scalar.
        logits: as `DeepSupervision` gives them.
        targets: (B, *spatial), or (B, K, *spatial) where classes overlap.
    """
    first = total = loss(logits[0].float(), targets)
    for level, found in enumerate(logits[1:], start=1):
        below = reduce_targets(targets, level, found)
        total = total + HALVED**level * loss(found.float(), below)
    return torch.where(total.isfinite(), first, total), total


def reduce_targets(targets: Tensor, level: int, logits: Tensor) -> Tensor:
    """Make targets ``2**level`` times smaller, as masks are made smaller for a working scale.

    Beyond the edge the last pixel goes on, as it does where the network extends its images.

    Args:
        targets: (B, *spatial) class index, or (B, K, *spatial) where classes overlap.
        level: level of the decoder.
        logits: (B, K, *size) that the result is for.
    """
    size, step = logits.shape[2:], 2**level
    for axis, side in enumerate(size, start=-len(size)):
        if side * step != targets.shape[axis]:
            place = torch.arange(side * step, device=targets.device)
            targets = targets.index_select(axis, place.clamp(max=targets.shape[axis] - 1))
    are_planes = targets.ndim == logits.ndim
    return resize_masks(targets, size, num_classes=2 if are_planes else max(2, logits.shape[1]))


def _head(network: UNet, level: int) -> nn.Module:
    """The head of a level, with fresh weights and the biases of the network's own."""
    own = cast(nn.Conv2d, network.head)
    head = type(own)(network.config.widths[level], own.out_channels, 1)
    initialize_head(head, own.bias)
    return head
