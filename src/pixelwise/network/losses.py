"""Losses: pure functions of logits and target; lower is better, 0 where nothing can be judged.

Three kinds of task, told apart by shapes (B batch, K classes, *spatial 2 or 3 sizes):

    task          logits               target                            activation
    binary        (B, 1, *spatial)     (B, *spatial) 0 or 1              sigmoid
    multi-class   (B, K, *spatial)     (B, *spatial) class index         softmax
    multi-label   (B, K, *spatial)     (B, K, *spatial) 0 or 1 each      sigmoid

The target is of any integer type (or bool). Where it equals ``ignore_index`` it counts neither
in a sum nor in a mean; a batch with nothing else in it has loss 0 and gradient 0. Everything is
computed in float32, also for bfloat16 logits and under autocast, and returned as a float32
scalar. Losses do not look at the target's values, since on a GPU each look would hold up the
queue: `check_target` does, once, where a target comes in.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ArrayError

IGNORE_INDEX = 255
TINY = 1e-12  # keeps the slope of a fractional power finite at 0


def binary_cross_entropy_loss(
    logits: Tensor, target: Tensor, *, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Mean binary cross-entropy over all values that are not ignored.

    Args:
        logits: (B, 1, *spatial), or (B, K, *spatial) for multi-label.
        target: (B, *spatial) 0 or 1, or (B, K, *spatial) for multi-label.
        ignore_index: value of the target that is left out.

    Returns:
        Scalar float32, in natural logarithm units: ln 2 for logits 0.

    Example:
        >>> binary_cross_entropy_loss(torch.zeros(1, 1, 2, 2), torch.ones(1, 2, 2))
        tensor(0.6931)
    """
    target = _planes(logits, target)
    loss = _binary_cross_entropies(logits, target)
    return _kept_mean(loss, target != ignore_index)


def cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Mean multi-class cross-entropy over all pixels that are not ignored.

    Args:
        logits: (B, K, *spatial), K of 2 or more.
        target: (B, *spatial) class index.
        ignore_index: value of the target that is left out.
        class_weights: (K,) weight of each class's pixels in the mean; None: all alike.

    Returns:
        Scalar float32, in natural logarithm units: ln K for equal logits.
    """
    _check_index_target(logits, target)
    weights = None if class_weights is None else class_weights.to(logits.device)
    total = F.cross_entropy(
        logits.float(), target.long(), weights, ignore_index=ignore_index, reduction="sum"
    )
    keep = target != ignore_index
    if weights is None:
        return total / keep.sum().clamp(min=1)
    weight = (weights[target.long() * keep] * keep).sum()
    return total / weight.clamp(min=torch.finfo(torch.float32).tiny)


def dice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
    background: bool = True,
    batch: bool = True,
    absent: bool = True,
    smooth: float = 1.0,
) -> Tensor:
    """Soft Dice loss: 1 - (2 * overlap + smooth) / (predicted + present + smooth), mean of classes.

    Args:
        logits: (B, K, *spatial); K = 1 is binary.
        target: (B, *spatial) class index, or (B, K, *spatial) 0 or 1 with ``multilabel``.
        ignore_index: value of the target that is left out.
        multilabel: classes exclude each other (False, softmax) or do not (True, sigmoid).
        background: False leaves class 0 of a multi-class target out of the mean, so that a large
            background does not dilute the rest. Binary and multi-label targets have no such class.
        batch: True adds pixels up over the whole batch before dividing, as nnU-Net does: steadier
            with small patches, many of which lack a class. False: each image by itself, then mean.
        absent: False leaves classes that the target lacks (of the batch, or of an image) out of the
            mean. With many classes most batches lack some, and pushing those down each time keeps
            rare classes from ever being learnt; the cross-entropy still punishes false alarms.
        smooth: in pixels. A class that is neither present nor predicted has loss 0; with 1, the
            slope stays below 1 per pixel even there (with 1e-5 it would reach 100,000).

    Returns:
        Scalar float32 in [0, 1].

    Source: Milletari, Navab and Ahmadi, V-Net, 3DV 2016, without the squares in the denominator.
    """
    probabilities, one_hot = _probabilities_and_one_hot(logits, target, ignore_index, multilabel)
    overlap, predicted, present = _soft_counts(probabilities, one_hot, batch)
    dice = (2 * overlap + smooth) / (predicted + present + smooth)
    scores = _foreground(dice, background or multilabel)
    if absent:
        return 1 - scores.mean()
    return _kept_mean(1 - scores, _foreground(present, background or multilabel) > 0)


def tversky_loss(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
    background: bool = True,
    batch: bool = True,
    smooth: float = 1.0,
) -> Tensor:
    """Tversky loss: 1 - (TP + smooth) / (TP + alpha * FP + beta * FN + smooth), mean of classes.

    With ``alpha = beta = 0.5`` it is the Dice loss (of twice the ``smooth``); ``beta`` above
    ``alpha`` finds more at the price of false alarms.

    Args:
        logits: (B, K, *spatial); K = 1 is binary.
        target: (B, *spatial) class index, or (B, K, *spatial) 0 or 1 with ``multilabel``.
        alpha: weight of false positives.
        beta: weight of false negatives.
        ignore_index: value of the target that is left out.
        multilabel: as in `dice_loss`.
        background: as in `dice_loss`.
        batch: as in `dice_loss`.
        smooth: as in `dice_loss`.

    Returns:
        Scalar float32 in [0, 1].

    Source: Salehi, Erdogmus and Gholipour, Tversky loss, MLMI 2017.
    """
    probabilities, one_hot = _probabilities_and_one_hot(logits, target, ignore_index, multilabel)
    overlap, predicted, present = _soft_counts(probabilities, one_hot, batch)
    errors = alpha * (predicted - overlap) + beta * (present - overlap)
    tversky = (overlap + smooth) / (overlap + errors + smooth)
    return 1 - _foreground(tversky, background or multilabel).mean()


def cross_entropy_dice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
    background: bool = True,
    batch: bool = True,
    absent: bool = True,
    smooth: float = 1.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy (binary where K = 1 or ``multilabel``) plus soft Dice loss, equally weighted.

    Cross-entropy makes probabilities honest, Dice makes small objects count.

    Args:
        logits: (B, K, *spatial); K = 1 is binary.
        target: (B, *spatial) class index, or (B, K, *spatial) 0 or 1 with ``multilabel``.
        ignore_index: value of the target that is left out.
        multilabel: as in `dice_loss`.
        background: as in `dice_loss`; the cross-entropy always counts every class.
        batch: as in `dice_loss`.
        absent: as in `dice_loss`.
        smooth: as in `dice_loss`.
        class_weights: as in `cross_entropy_loss`; for multi-class targets only.

    Returns:
        Scalar float32.
    """
    if multilabel or logits.shape[1] == 1:
        cross_entropy = binary_cross_entropy_loss(logits, target, ignore_index=ignore_index)
    else:
        cross_entropy = cross_entropy_loss(
            logits, target, ignore_index=ignore_index, class_weights=class_weights
        )
    return cross_entropy + dice_loss(
        logits,
        target,
        ignore_index=ignore_index,
        multilabel=multilabel,
        background=background,
        batch=batch,
        absent=absent,
        smooth=smooth,
    )


def focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
) -> Tensor:
    """Focal loss: cross-entropy times (1 - probability of the true class) ** gamma, mean.

    Args:
        logits: (B, K, *spatial); K = 1 is binary.
        target: (B, *spatial) class index, or (B, K, *spatial) 0 or 1 with ``multilabel``.
        gamma: 0 is plain cross-entropy; the higher, the less do easy pixels count.
        alpha: weight in [0, 1] of foreground (1, or any class but 0); background has 1 - alpha.
            None weighs all alike, with 1.
        ignore_index: value of the target that is left out.
        multilabel: as in `dice_loss`.

    Returns:
        Scalar float32.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if multilabel or logits.shape[1] == 1:
        target = _planes(logits, target)
        cross_entropy = _binary_cross_entropies(logits, target)
    else:
        _check_index_target(logits, target)
        cross_entropy = F.cross_entropy(
            logits.float(), target.long(), ignore_index=ignore_index, reduction="none"
        )
    # -expm1(-cross_entropy) is 1 - probability of the true class, exact for small ones
    loss = cross_entropy * (-torch.expm1(-cross_entropy)).clamp(min=TINY) ** gamma
    if alpha is not None:
        loss = loss * torch.where(target > 0, alpha, 1 - alpha)
    return _kept_mean(loss, target != ignore_index)


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


def _planes(logits: Tensor, target: Tensor) -> Tensor:
    """A 0-or-1 target in the shape of the logits."""
    target = target.unsqueeze(1) if target.ndim == logits.ndim - 1 else target
    if target.shape != logits.shape:
        raise _shape_error(logits, target, tuple(logits.shape))
    return target


def _check_index_target(logits: Tensor, target: Tensor) -> None:
    """Class indices have the shape of the logits without their channels, which are 2 or more."""
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


def _binary_cross_entropies(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each value, (B, K, *spatial) float32; target of the same shape."""
    positive = (target == 1).float()
    return F.binary_cross_entropy_with_logits(logits.float(), positive, reduction="none")


def _kept_mean(loss: Tensor, keep: Tensor) -> Tensor:
    """Mean of the loss where ``keep`` is true; 0 where it never is."""
    return (loss * keep).sum() / keep.sum().clamp(min=1)


def _probabilities_and_one_hot(
    logits: Tensor, target: Tensor, ignore_index: int, multilabel: bool
) -> tuple[Tensor, Tensor]:
    """Probabilities (float32) and one-hot target (bool), both (B, K, *spatial), 0 where ignored."""
    logits = logits.float()
    if multilabel or logits.shape[1] == 1:
        target = _planes(logits, target)
        probabilities, one_hot = torch.sigmoid(logits), target == 1
    else:
        _check_index_target(logits, target)
        target = target.unsqueeze(1)
        classes = torch.arange(logits.shape[1], device=target.device)
        classes = classes.view(-1, *(1,) * (logits.ndim - 2))  # (K, 1, 1): one plane a class
        probabilities, one_hot = torch.softmax(logits, dim=1), target == classes
    keep = target != ignore_index
    return probabilities * keep, one_hot & keep


def _soft_counts(
    probabilities: Tensor, one_hot: Tensor, batch: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Overlap, predicted and present pixels: (K,) over the batch, or (B, K) image by image."""
    dims = [dim for dim in range(probabilities.ndim) if dim != 1 and (batch or dim != 0)]
    overlap = (probabilities * one_hot).sum(dims)
    return overlap, probabilities.sum(dims), one_hot.sum(dims)


def _foreground(scores: Tensor, background: bool) -> Tensor:
    """Scores (..., K) without those of class 0, unless it counts or is the only one."""
    return scores if background or scores.shape[-1] == 1 else scores[..., 1:]
