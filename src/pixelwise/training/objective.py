"""The objective: the loss of a task by its name in the plan."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pixelwise.network import (
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from pixelwise.planning import LossName
from pixelwise.task import Task

Loss = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar float32


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
        task: of the model.
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


def logits_of(probabilities: Tensor, task: Task) -> Tensor:
    """Return logits (B, K, *spatial) that give these probabilities."""
    safe = probabilities.clamp(1e-6, 1 - 1e-6)
    return safe.log() if task.is_exclusive else torch.logit(safe)
