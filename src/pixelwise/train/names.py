"""What `compile` understands: Keras's names of optimizers, losses and metrics.

name or object -> optimizer factory, (logits, target) -> loss, (logits, target) -> metric
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from pixelwise.data.arrays import TargetForm
from pixelwise.errors import PlanError
from pixelwise.network import Task
from pixelwise.plan import LossName
from pixelwise.train.objective import Loss, loss_for
from pixelwise.train.validate import Metric

IGNORE_INDEX = 255
Value = TypeVar("Value")
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: Mapping[str, OptimizerFactory] = {  # with Keras's default learning rates and epsilon
    "adam": partial(torch.optim.Adam, lr=1e-3, eps=1e-7),
    "adamw": partial(torch.optim.AdamW, lr=1e-3, eps=1e-7, weight_decay=4e-3),
    "sgd": partial(torch.optim.SGD, lr=1e-2),
    "rmsprop": partial(torch.optim.RMSprop, lr=1e-3, alpha=0.9, eps=1e-7),
}
BINARY_LOSSES: Mapping[str, LossName] = {
    "binary_crossentropy": "cross_entropy",
    "binary_focal_crossentropy": "focal",
}
SOFTMAX_LOSSES: Mapping[str, LossName] = {
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "categorical_focal_crossentropy": "focal",
}
OTHER_LOSSES: Mapping[str, LossName] = {  # for every task
    "dice": "dice",
    "dice_loss": "dice",
    "bce_dice_loss": "cross_entropy_dice",
    "crossentropy_dice_loss": "cross_entropy_dice",
    "focal_loss": "focal",
    "tversky": "tversky",
    "tversky_loss": "tversky",
}
ONE_HOT_LOSSES = ("categorical_crossentropy", "categorical_focal_crossentropy")


@dataclass(frozen=True)
class Compiled:
    """What `compile` chose."""

    optimizer: OptimizerFactory | torch.optim.Optimizer
    loss: Loss
    target_form: TargetForm | None  # None: as the masks come, one-hot or class indices
    metrics: Mapping[str, Metric]


def compile_names(
    optimizer: str | OptimizerFactory | torch.optim.Optimizer,
    loss: str | Loss,
    metrics: Sequence[str | Metric],
    task: Task,
) -> Compiled:
    """Turn names, or objects in their place, into functions for a task.

    Args:
        optimizer: "adam", "adamw", "sgd", "rmsprop"; a torch optimizer of the model's parameters;
            or a function that makes one from parameters.
        loss: a Keras name, "dice_loss", "focal_loss", "tversky_loss" or "bce_dice_loss"; or a
            function (logits (B, K, *spatial), target) -> scalar tensor.
        metrics: "accuracy", "dice", "iou" and Keras's longer names; or such functions.
        task: of the model.

    Raises:
        PlanError: a name is unknown, or does not fit the task.
    """
    return Compiled(
        _find("optimizer", optimizer, OPTIMIZERS) if isinstance(optimizer, str) else optimizer,
        _find_loss(loss, task) if isinstance(loss, str) else loss,
        _target_form(loss, task),
        dict(_find_metric(metric, task) for metric in metrics),
    )


def _find_loss(name: str, task: Task) -> Loss:
    key = name.lower().removesuffix("_loss") + "_loss"
    plain = name.lower()
    if task == "multiclass" and plain in BINARY_LOSSES:
        raise PlanError(
            f'loss="{name}" is for one probability or overlapping classes, but this model gives '
            'a softmax over its classes. Use loss="sparse_categorical_crossentropy" for masks of '
            'class indices, or "categorical_crossentropy" for one-hot masks.'
        )
    if task == "binary" and plain in SOFTMAX_LOSSES:
        raise PlanError(
            f'loss="{name}" is a softmax loss, but the model gives one class: a softmax over one '
            'class is always 1 and learns nothing. Use loss="binary_crossentropy", or build the '
            "model with num_classes=2."
        )
    if task == "multilabel" and plain in SOFTMAX_LOSSES:
        raise PlanError(
            f'loss="{name}" wants exactly one class per pixel, but the classes of a multi-label '
            'model may overlap. Use loss="binary_crossentropy" or "dice_loss".'
        )
    losses = {**BINARY_LOSSES, **SOFTMAX_LOSSES, **OTHER_LOSSES}
    chosen = losses[key] if key in OTHER_LOSSES else _find("loss", name, losses)
    return loss_for(chosen, task)


def _target_form(loss: str | Loss, task: Task) -> TargetForm | None:
    if task == "binary":
        return "binary"
    if task == "multilabel":
        return "multilabel"
    if loss in ONE_HOT_LOSSES:
        return "one_hot"
    return "index" if loss in SOFTMAX_LOSSES else None


def _find_metric(metric: str | Metric, task: Task) -> tuple[str, Metric]:
    if not isinstance(metric, str):
        return getattr(metric, "__name__", type(metric).__name__), metric
    return metric, partial(_find("metric", metric, METRICS), task=task)


def _find(kind: str, name: str, known: Mapping[str, Value]) -> Value:
    try:
        return known[name.lower()]
    except KeyError:
        raise PlanError(
            f"{name!r} is not a known {kind}. Known are {', '.join(known)}; or give a function."
        ) from None


def accuracy_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Share of labelled pixels (of all planes, for multi-label) that are right."""
    if task == "multiclass":
        is_right, keep = logits.argmax(1) == target, target != IGNORE_INDEX
    else:
        planes = target[:, None] if task == "binary" else target
        is_right, keep = (logits > 0) == (planes == 1), planes != IGNORE_INDEX
    return (is_right & keep).sum() / keep.sum().clamp(min=1)


def dice_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Dice of the batch's pixels, mean over classes that are there; 1 where there are none."""
    overlap, total = _overlaps(logits, target, task)
    return _mean_of_present(2 * overlap, total, total)


def iou_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Intersection over union of the batch's pixels, mean over classes that are there."""
    overlap, total = _overlaps(logits, target, task)
    return _mean_of_present(overlap, total - overlap, total)


def _overlaps(logits: Tensor, target: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    """Pixels in both, and predicted plus present, of each class (K,)."""
    keep = target != IGNORE_INDEX
    if task == "multiclass":
        num_classes = logits.shape[1]
        classes = torch.arange(num_classes, device=logits.device)
        predicted = logits.argmax(1)[:, None] == classes.view(1, -1, *[1] * (target.ndim - 1))
        present = target[:, None] == classes.view(1, -1, *[1] * (target.ndim - 1))
        keep = keep[:, None]
    else:
        predicted = logits > 0
        present = (target[:, None] if task == "binary" else target) == 1
        keep = keep[:, None] if task == "binary" else keep
    axes = [0, *range(2, logits.ndim)]
    predicted, present = predicted & keep, present & keep
    return (predicted & present).sum(axes), predicted.sum(axes) + present.sum(axes)


def _mean_of_present(part: Tensor, whole: Tensor, total: Tensor) -> Tensor:
    is_present = total > 0
    if not is_present.any():
        return torch.ones(())
    return (part[is_present] / whole[is_present]).mean()


METRICS: Mapping[str, Callable[..., Tensor]] = {
    "accuracy": accuracy_score,
    "acc": accuracy_score,
    "binary_accuracy": accuracy_score,
    "categorical_accuracy": accuracy_score,
    "sparse_categorical_accuracy": accuracy_score,
    "dice": dice_score,
    "dice_score": dice_score,
    "iou": iou_score,
    "iou_score": iou_score,
    "mean_iou": iou_score,
}
