"""The objective: the loss of a task by its name in the plan."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pixelwise.network import (
    Task,
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from pixelwise.plan import LossName

Loss = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar float32


def loss_for(name: LossName, task: Task, *, background: bool = True) -> Loss:
    """Return the loss of that name for a task.

    Args:
        name: as in the plan.
        task: of the model.
        background: whether class 0 is background, which the Dice part of a multi-class loss
            leaves out.
    """
    if name == "cross_entropy":
        return cross_entropy_loss if task == "multiclass" else binary_cross_entropy_loss
    is_multilabel = task == "multilabel"
    if name == "focal":
        return partial(focal_loss, multilabel=is_multilabel)
    overlap_losses = {
        "dice": dice_loss,
        "cross_entropy_dice": cross_entropy_dice_loss,
        "tversky": tversky_loss,
    }
    counts_first = not (task == "multiclass" and background)
    return partial(overlap_losses[name], multilabel=is_multilabel, background=counts_first)


def logits_of(probabilities: Tensor, task: Task) -> Tensor:
    """Return logits (B, K, *spatial) that give these probabilities."""
    safe = probabilities.clamp(1e-6, 1 - 1e-6)
    return safe.log() if task == "multiclass" else torch.logit(safe)
