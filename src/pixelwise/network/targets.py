"""Targets: what a loss expects of them, by the shape of the logits they are compared with."""

import torch
from torch import Tensor

from pixelwise.errors import ArrayError
from pixelwise.task import IGNORE_INDEX, too_many_classes


def check_target(
    target: Tensor,
    num_classes: int,
    *,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
) -> None:
    """Check once, where targets come in, that a target holds only values the losses know.

    Args:
        target: class indices, or 0 and 1 for binary (``num_classes`` 1) and multi-label.
        num_classes: channels of the logits.
        ignore_index: value of the target that is left out.
        multilabel: whether each class has a plane of its own.

    Raises:
        ArrayError: at a value that is neither a class nor ``ignore_index``; it names the values.
    """
    highest = 1 if multilabel or num_classes == 1 else num_classes - 1
    values = torch.unique(target[target != ignore_index])
    is_known = (values >= 0) & (values <= highest) & (values == values.round())
    if not bool(is_known.all()):
        unknown = ", ".join(f"{value:g}" for value in values[~is_known][:5].tolist())
        raise ArrayError(
            f"The target holds values that are no class: {unknown}. Classes here are 0 to "
            f"{highest}, and {ignore_index} is ignored. Map the mask's values to class indices, "
            f"or give the network more output channels."
        )


def as_planes(logits: Tensor, target: Tensor) -> Tensor:
    """A 0-or-1 target in the shape of the logits."""
    target = target.unsqueeze(1) if target.ndim == logits.ndim - 1 else target
    if target.shape != logits.shape:
        raise _shape_error(logits, target, tuple(logits.shape))
    return target


def check_index_target(logits: Tensor, target: Tensor, ignore_index: int) -> None:
    """Class indices have the shape of the logits without their channels, which are 2 or more.

    With the usual index to ignore there are no more than that leaves.
    """
    if ignore_index == IGNORE_INDEX < logits.shape[1]:
        raise ArrayError(too_many_classes(logits.shape[1]))
    if logits.shape[1] < 2:
        raise ArrayError(
            "A softmax over one class is always 1, so nothing could be learnt: logits of shape "
            f"{tuple(logits.shape)} arrived. Use binary_cross_entropy_loss for one channel."
        )
    if target.shape != (expected := logits.shape[:1] + logits.shape[2:]):
        raise _shape_error(logits, target, tuple(expected))


def _shape_error(logits: Tensor, target: Tensor, expected: tuple[int, ...]) -> ArrayError:
    return ArrayError(
        f"Logits of shape {tuple(logits.shape)} want a target of shape {expected}, but one of "
        f"shape {tuple(target.shape)} arrived. Class indices have no channel axis (argmax a "
        f"one-hot target); a multi-label target has one plane for each class."
    )
