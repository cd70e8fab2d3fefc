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

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.network.targets import as_planes, check_index_target
from pixelwise.task import IGNORE_INDEX

TINY = 1e-12  # keeps the slope of a fractional power finite at 0
Reduce = Callable[..., tuple[Tensor, ...]]  # sums over images here -> over the whole batch


def keep_sums(*sums: Tensor) -> tuple[Tensor, ...]:
    """The `Reduce` of a batch that is here as a whole."""
    return sums


def binary_cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Tensor | None = None,
    reduce: Reduce = keep_sums,
) -> Tensor:
    """Mean binary cross-entropy over all values that are not ignored.

    Args:
        logits: (B, 1, *spatial), or (B, K, *spatial) for multi-label.
        target: (B, *spatial) 0 or 1, or (B, K, *spatial) for multi-label.
        ignore_index: value of the target that is left out.
        class_weights: (2,) weights in the mean of what is 0 and of what is 1; None: all alike.
        reduce: adds up sums over the images of the batch that other processes have; by default
            all of them are here.

    Returns:
        Scalar float32, in natural logarithm units: ln 2 for logits 0.

    Example:
        >>> binary_cross_entropy_loss(torch.zeros(1, 1, 2, 2), torch.ones(1, 2, 2))
        tensor(0.6931)
    """
    target = as_planes(logits, target)
    loss, weights = _binary_cross_entropies(logits, target), target != ignore_index
    if class_weights is not None:
        weights = class_weights.to(logits.device)[(target == 1).long()] * weights
    return _weighted_mean(loss, weights, reduce)


def cross_entropy_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    class_weights: Tensor | None = None,
    reduce: Reduce = keep_sums,
) -> Tensor:
    """Mean multi-class cross-entropy over all pixels that are not ignored.

    Args:
        logits: (B, K, *spatial), K of 2 or more.
        target: (B, *spatial) class index.
        ignore_index: value of the target that is left out.
        class_weights: (K,) weight of each class's pixels in the mean; None: all alike.
        reduce: as in `binary_cross_entropy_loss`.

    Returns:
        Scalar float32, in natural logarithm units: ln K for equal logits.
    """
    check_index_target(logits, target, ignore_index)
    weights = None if class_weights is None else class_weights.to(logits.device)
    loss = F.cross_entropy(
        logits.float(), target.long(), weights, ignore_index=ignore_index, reduction="sum"
    )
    counted = target != ignore_index
    if weights is not None:
        counted = weights[target.long() * counted] * counted
    return _per_weight(loss, counted, reduce)


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
    reduce: Reduce = keep_sums,
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
        reduce: as in `binary_cross_entropy_loss`.

    Returns:
        Scalar float32 in [0, 1].

    Source: Milletari, Navab and Ahmadi, V-Net, 3DV 2016, without the squares in the denominator.
    """
    probabilities, one_hot = _probabilities_and_one_hot(logits, target, ignore_index, multilabel)
    overlap, predicted, present = _soft_counts(probabilities, one_hot, batch, reduce)
    dice = (2 * overlap + smooth) / (predicted + present + smooth)
    scores = _foreground(dice, background or multilabel)
    present = _foreground(present, background or multilabel)
    keep = torch.ones_like(present, dtype=torch.bool) if absent else present > 0
    return _weighted_mean(1 - scores, keep, keep_sums if batch else reduce)


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
    reduce: Reduce = keep_sums,
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
        reduce: as in `binary_cross_entropy_loss`.

    Returns:
        Scalar float32 in [0, 1].

    Source: Salehi, Erdogmus and Gholipour, Tversky loss, MLMI 2017.
    """
    probabilities, one_hot = _probabilities_and_one_hot(logits, target, ignore_index, multilabel)
    overlap, predicted, present = _soft_counts(probabilities, one_hot, batch, reduce)
    errors = alpha * (predicted - overlap) + beta * (present - overlap)
    tversky = (overlap + smooth) / (overlap + errors + smooth)
    scores = _foreground(tversky, background or multilabel)
    keep = torch.ones_like(scores, dtype=torch.bool)
    return _weighted_mean(1 - scores, keep, keep_sums if batch else reduce)


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
    reduce: Reduce = keep_sums,
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
        reduce: as in `binary_cross_entropy_loss`.

    Returns:
        Scalar float32.
    """
    if multilabel or logits.shape[1] == 1:
        cross_entropy = binary_cross_entropy_loss(
            logits, target, ignore_index=ignore_index, reduce=reduce
        )
    else:
        cross_entropy = cross_entropy_loss(
            logits, target, ignore_index=ignore_index, class_weights=class_weights, reduce=reduce
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
        reduce=reduce,
    )


def focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    ignore_index: int = IGNORE_INDEX,
    multilabel: bool = False,
    reduce: Reduce = keep_sums,
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
        reduce: as in `binary_cross_entropy_loss`.

    Returns:
        Scalar float32.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if multilabel or logits.shape[1] == 1:
        target = as_planes(logits, target)
        cross_entropy = _binary_cross_entropies(logits, target)
    else:
        check_index_target(logits, target, ignore_index)
        cross_entropy = F.cross_entropy(
            logits.float(), target.long(), ignore_index=ignore_index, reduction="none"
        )
    # -expm1(-cross_entropy) is 1 - probability of the true class, exact for small ones
    loss = cross_entropy * (-torch.expm1(-cross_entropy)).clamp(min=TINY) ** gamma
    if alpha is not None:
        loss = loss * torch.where(target > 0, alpha, 1 - alpha)
    return _weighted_mean(loss, target != ignore_index, reduce)


def _binary_cross_entropies(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each value, (B, K, *spatial) float32; target of the same shape."""
    positive = (target == 1).float()
    return F.binary_cross_entropy_with_logits(logits.float(), positive, reduction="none")


def _weighted_mean(loss: Tensor, weights: Tensor, reduce: Reduce) -> Tensor:
    """Mean of the loss, each value by its weight; 0 where all weights are 0 (or false)."""
    return _per_weight((loss * weights).sum(), weights, reduce)


def _per_weight(total: Tensor, weights: Tensor, reduce: Reduce) -> Tensor:
    """The total of a loss that is weighted already, by the sum of the weights."""
    total, weight = reduce(total, weights.sum(dtype=torch.float32))
    return total / weight.clamp(min=torch.finfo(torch.float32).tiny)


def _probabilities_and_one_hot(
    logits: Tensor, target: Tensor, ignore_index: int, multilabel: bool
) -> tuple[Tensor, Tensor]:
    """Probabilities (float32) and one-hot target (bool), both (B, K, *spatial), 0 where ignored."""
    logits = logits.float()
    if multilabel or logits.shape[1] == 1:
        target = as_planes(logits, target)
        probabilities, one_hot = torch.sigmoid(logits), target == 1
    else:
        check_index_target(logits, target, ignore_index)
        target = target.unsqueeze(1)
        classes = torch.arange(logits.shape[1], device=target.device)
        classes = classes.view(-1, *(1,) * (logits.ndim - 2))  # (K, 1, 1): one plane a class
        probabilities, one_hot = torch.softmax(logits, dim=1), target == classes
    keep = target != ignore_index
    return probabilities * keep, one_hot & keep


def _soft_counts(
    probabilities: Tensor, one_hot: Tensor, batch: bool, reduce: Reduce
) -> tuple[Tensor, ...]:
    """Overlap, predicted and present pixels: (K,) over the batch, or (B, K) image by image."""
    dims = [dim for dim in range(probabilities.ndim) if dim != 1 and (batch or dim != 0)]
    overlap = (probabilities * one_hot).sum(dims)
    counts = overlap, probabilities.sum(dims), one_hot.sum(dims)
    return reduce(*counts) if batch else counts


def _foreground(scores: Tensor, background: bool) -> Tensor:
    """Scores (..., K) without those of class 0, unless it counts or is the only one."""
    return scores if background or scores.shape[-1] == 1 else scores[..., 1:]
