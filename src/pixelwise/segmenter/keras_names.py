"""What `compile` understands: Keras's names of optimizers, losses and metrics.

name or object -> optimizer factory, (logits, target) -> loss, (logits, target) -> metric
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pixelwise.data import TargetForm
from pixelwise.errors import PlanError
from pixelwise.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from pixelwise.planning import LossName
from pixelwise.task import IGNORE_INDEX, Task
from pixelwise.training.objective import Loss, Metric, loss_for

Value = TypeVar("Value")
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

LIKE_KERAS: Mapping[str, Callable[..., Optimizer]] = {
    kind.__name__: kind for kind in (Adam, AdamW, SGD, RMSprop)
}
OPTIMIZERS: Mapping[str, OptimizerFactory] = {
    name.lower(): make() for name, make in LIKE_KERAS.items()
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
LOSSES = {**BINARY_LOSSES, **SOFTMAX_LOSSES, **OTHER_LOSSES}
KERAS_OBJECTS: Mapping[str, Sequence[str]] = {  # that compute the same as the name here
    "loss": (
        "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy",
    ),
    "metric": (
        "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy",
    ),
}  # fmt: skip
OF_NO_MATTER = ("name", "dtype", "reduction", "from_logits")  # in their settings
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
    *,
    background: bool = True,
) -> Compiled:
    """Turn names, or objects in their place, into functions for a task.

    Args:
        optimizer: "adam", "adamw", "sgd", "rmsprop"; a torch optimizer of the model's parameters;
            one of Keras; or a function that makes one from parameters.
        loss: a Keras name, or Keras's object of a cross-entropy; "dice_loss", "focal_loss",
            "tversky_loss" or "bce_dice_loss"; or a function (logits (B, K, *spatial), target) ->
            scalar tensor.
        metrics: "accuracy", "dice", "iou" and Keras's longer names; or such functions.
        task: task of the model.
        background: whether class 0 of a softmax is background, which Dice losses leave out.

    Raises:
        PlanError: a name is unknown, or does not fit the task; or an object is of another library.
    """
    if _is_of_keras(optimizer):
        optimizer = _like_keras(optimizer)
    loss = _name_of_keras("loss", loss)
    metrics = [_name_of_keras("metric", metric) for metric in metrics]
    for kind, value in (
        ("optimizer", optimizer),
        ("loss", loss),
        *(("metric", m) for m in metrics),
    ):
        _check_kind(kind, value)
    return Compiled(
        _find("optimizer", optimizer, OPTIMIZERS) if isinstance(optimizer, str) else optimizer,
        _find_loss(loss, task, background=background) if isinstance(loss, str) else loss,
        _target_form(loss, task),
        dict(_find_metric(metric, task) for metric in metrics),
    )


def _is_of_keras(value: object) -> bool:
    home = str(getattr(value, "__module__", "")).split(".")[0]
    return home in ("keras", "tensorflow", "tf_keras")


def _like_keras(optimizer: Any) -> OptimizerFactory:  # noqa: ANN401
    """The torch optimizer of the same name and learning rate; other settings have to be Keras's."""
    name = type(optimizer).__name__
    config = optimizer.get_config() if hasattr(optimizer, "get_config") else {}
    kind = LIKE_KERAS.get(name)
    if kind is None or not isinstance(config.get("learning_rate"), int | float):
        raise PlanError(
            f"The Keras optimizer {name} has no like here, or a schedule for its learning rate. "
            "Give one of pixelwise.optimizers, or a torch optimizer."
        )
    known = {k: v for k, v in config.items() if k in inspect.signature(kind).parameters}
    made: OptimizerFactory = kind(**{k: v for k, v in known.items() if v is not None})
    return made


def _name_of_keras(kind: str, value: Value) -> str | Value:
    """The name of a loss or metric object of Keras that does the same here; others as they are."""
    name = type(value).__name__
    if not _is_of_keras(value) or name not in KERAS_OBJECTS[kind]:
        return value
    config: dict[str, Any] = value.get_config() if hasattr(value, "get_config") else {}
    usual = type(value)().get_config() if config else {}  # type: ignore[attr-defined]
    changed = [
        f"{key}={config[key]!r}"
        for key in config
        if key not in OF_NO_MATTER and config[key] != usual.get(key)
    ]
    if changed:
        raise PlanError(
            f"The Keras {kind} {name} with {', '.join(changed)} has no like here. Leave that out, "
            "or give a function of torch tensors (logits, target)."
        )
    return _plain(name)


def _check_kind(kind: str, value: object) -> None:
    """Refuse what is neither a name nor of use here, such as Keras's own objects."""
    is_torch = kind == "optimizer" and isinstance(value, torch.optim.Optimizer)
    if _is_of_keras(value) or not (isinstance(value, str) or is_torch or callable(value)):
        example = "a torch optimizer" if kind == "optimizer" else "a function of torch tensors"
        raise PlanError(
            f"{value!r} is no {kind} that can be used here. Give a name, such as "
            f"{next(iter(KNOWN[kind]))!r}, or {example}."
        )


def _find_loss(name: str, task: Task, *, background: bool) -> Loss:
    plain = _plain(name)
    if task.is_exclusive and plain in BINARY_LOSSES:
        raise PlanError(
            f'loss="{name}" is for one probability or overlapping classes, but this model gives '
            'a softmax over its classes. Use loss="sparse_categorical_crossentropy" for masks of '
            'class indices, or "categorical_crossentropy" for one-hot masks.'
        )
    if task.has_one_logit and plain in SOFTMAX_LOSSES:
        raise PlanError(
            f'loss="{name}" is a softmax loss, but the model gives one class: a softmax over one '
            'class is always 1 and learns nothing. Use loss="binary_crossentropy", or build the '
            "model with num_classes=2."
        )
    if task.can_overlap and plain in SOFTMAX_LOSSES:
        raise PlanError(
            f'loss="{name}" wants exactly one class per pixel, but the classes of a multi-label '
            'model may overlap. Use loss="binary_crossentropy" or "dice_loss".'
        )
    return loss_for(_find("loss", name, LOSSES), task, background=background)


def _target_form(loss: str | Loss, task: Task) -> TargetForm | None:
    if task.has_one_logit:
        return "binary"
    if task.can_overlap:
        return "multilabel"
    plain = _plain(loss) if isinstance(loss, str) else ""
    if plain in ONE_HOT_LOSSES:
        return "one_hot"
    return "index" if plain in SOFTMAX_LOSSES else None


def _find_metric(metric: str | Metric, task: Task) -> tuple[str, Metric]:
    if not isinstance(metric, str):
        return getattr(metric, "__name__", type(metric).__name__), metric
    return metric, partial(_find("metric", metric, METRICS), task=task)


def _find(kind: str, name: str, known: Mapping[str, Value]) -> Value:
    try:
        return known[_plain(name)]
    except KeyError:
        raise PlanError(
            f"{name!r} is not a known {kind}. Known are {', '.join(known)}; or give a function."
        ) from None


def _plain(name: str) -> str:
    """A name as the tables have it, where Keras also takes `BinaryCrossentropy` or `bce`."""
    return NAMES.get(name.lower().replace("_", ""), name)


def accuracy_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Share of labelled pixels (of all planes, for multi-label) that are right."""
    if task.is_exclusive:
        is_right, keep = logits.argmax(1) == target, target != IGNORE_INDEX
    else:
        planes = target[:, None] if task.has_one_logit else target
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


def precision_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Share of what is found that is right, of the batch's pixels, mean over classes found."""
    both, predicted, _ = _count(logits, target, task)
    return _mean_of_present(both, predicted, predicted)


def recall_score(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Share of what is there that is found, of the batch's pixels, mean over classes present."""
    both, _, present = _count(logits, target, task)
    return _mean_of_present(both, present, present)


def _overlaps(logits: Tensor, target: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    """Pixels in both, and predicted plus present, of each class (K,)."""
    both, predicted, present = _count(logits, target, task)
    return both, predicted + present


def _count(logits: Tensor, target: Tensor, task: Task) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels in both, predicted, and present, of each class (K,)."""
    keep = target != IGNORE_INDEX
    if task.is_exclusive:
        num_classes = logits.shape[1]
        classes = torch.arange(num_classes, device=logits.device)
        predicted = logits.argmax(1)[:, None] == classes.view(1, -1, *[1] * (target.ndim - 1))
        present = target[:, None] == classes.view(1, -1, *[1] * (target.ndim - 1))
        keep = keep[:, None]
    else:
        predicted = logits > 0
        present = (target[:, None] if task.has_one_logit else target) == 1
        keep = keep[:, None] if task.has_one_logit else keep
    axes = [0, *range(2, logits.ndim)]
    predicted, present = predicted & keep, present & keep
    return (predicted & present).sum(axes), predicted.sum(axes), present.sum(axes)


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
    "precision": precision_score,
    "recall": recall_score,
}
KNOWN: Mapping[str, Mapping[str, object]] = {
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "metric": METRICS,
}
NAMES = {name.replace("_", ""): name for table in KNOWN.values() for name in table} | {
    "bce": "binary_crossentropy",
    "bcedice": "bce_dice_loss",
    "focal": "focal_loss",
}
