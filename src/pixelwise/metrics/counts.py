"""Masks against targets: pixel counts, and the four scores they give (NumPy only).

Everything starts from three counts per image and class, and nothing else is kept:

    tp   pixels of the class in the mask and in the target       dice       2tp / (2tp + fp + fn)
    fp   in the mask only                                        iou         tp / (tp + fp + fn)
    fn   in the target only                                      precision   tp / (tp + fp)
                                                                 recall      tp / (tp + fn)

In neither mask nor target: NaN, for the caller to leave out. In exactly one of the two: all four
scores are 0. Ignored pixels count nowhere, whatever the mask says there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import ArrayError
from pixelwise.task import IGNORE_INDEX, too_many_classes

SCORE_NAMES = ("dice", "iou", "precision", "recall")
CHUNK_PIXELS = 1 << 20  # pixels counted at a time: bounds memory at about 30 MB for any image

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def count_pixels(
    mask: NDArray[Any],
    target: NDArray[Any],
    num_classes: int,
    ignore_index: int = IGNORE_INDEX,
    *,
    confusion: Counts | None = None,
) -> Counts:
    """Count the pixels of each class that a mask found, invented and missed.

    Args:
        mask: What was predicted: class index (*spatial), or, for multi-label, bool (K, *spatial).
            A pixel with `ignore_index` predicts no class.
        target: What is true, in the same form; `ignore_index` where a pixel is left out. For
            multi-label it may also be integers 0, 1 and `ignore_index`.
        num_classes: K, background included where it is a class.
        ignore_index: The value left out of the scores.
        confusion: int64 (K, K + 1), to which the pixels of each class in the target (row) are
            added by their class in the mask (column; the last is "none"). Not for multi-label.

    Returns:
        int64 (K, 3): columns tp, fp, fn. Add them over tiles or images as you like.

    Raises:
        ArrayError: Shapes differ, values are not class indices, or there are not K layers.

    >>> count_pixels(np.array([[0, 1, 1]]), np.array([[0, 1, 0]]), num_classes=2)
    array([[1, 0, 1],
           [1, 1, 0]])
    """
    mask, target = np.asarray(mask), np.asarray(target)
    if ignore_index == IGNORE_INDEX < num_classes:
        raise ArrayError(too_many_classes(num_classes))
    if mask.shape != target.shape:
        raise ArrayError(
            f"The mask has shape {mask.shape} but the target has shape {target.shape}. "
            "Scores compare pixel with pixel; predict in the image's own size."
        )
    if mask.dtype == bool or target.dtype == bool:
        return _count_layers(mask, target, num_classes, ignore_index)
    own = np.zeros((num_classes, num_classes + 1), np.int64)
    flat_mask, flat_target = mask.reshape(-1), target.reshape(-1)
    for start in range(0, flat_mask.size, CHUNK_PIXELS):
        part = slice(start, start + CHUNK_PIXELS)
        own += _confusion(flat_mask[part], flat_target[part], num_classes, ignore_index)
    if confusion is not None:
        confusion += own
    tp = own.diagonal()
    fp = own[:, :num_classes].sum(axis=0) - tp
    fn = own.sum(axis=1) - tp
    return np.stack([tp, fp, fn], axis=1)


def _confusion(
    mask: NDArray[Any], target: NDArray[Any], num_classes: int, ignore_index: int
) -> Counts:
    """(K, K + 1): row = class in the target, column = class in the mask, the last one "none"."""
    keep = target != ignore_index
    mask, target = mask[keep], target[keep]
    no_class = mask == ignore_index
    _check_classes("mask", mask[~no_class], num_classes)
    _check_classes("target", target, num_classes)
    columns = np.where(no_class, num_classes, mask).astype(np.int64)
    cells = target.astype(np.int64) * (num_classes + 1) + columns
    size = num_classes * (num_classes + 1)
    return np.bincount(cells, minlength=size).reshape(num_classes, num_classes + 1)


def _check_classes(what: str, values: NDArray[Any], num_classes: int) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise ArrayError(
            f"The {what} holds {values.dtype}; class indices are integers (bool (K, *spatial) for "
            "multi-label). Turn probabilities into a mask first: argmax, or a threshold."
        )
    if values.size and (values.min() < 0 or values.max() >= num_classes):
        wrong = np.unique(values[(values < 0) | (values >= num_classes)])[:5].tolist()
        raise ArrayError(
            f"The {what} holds {wrong}, but there are {num_classes} classes: 0 to "
            f"{num_classes - 1}. Decode the stored values to class indices first."
        )


def _count_layers(
    mask: NDArray[Any], target: NDArray[Any], num_classes: int, ignore_index: int
) -> Counts:
    if mask.ndim < 2 or len(mask) != num_classes:
        raise ArrayError(
            f"Boolean masks are multi-label, ({num_classes}, *spatial), but shape {mask.shape} "
            "arrived. For one class index per pixel use integers: mask.astype(np.uint8)."
        )
    counts = [
        _count_layer(*layers, ignore_index=ignore_index)
        for layers in zip(mask, target, strict=True)
    ]
    return np.array(counts, np.int64)


def _count_layer(
    mask: NDArray[Any], target: NDArray[Any], ignore_index: int
) -> tuple[int, int, int]:
    found, true = _as_bool("mask", mask, ignore_index), _as_bool("target", target, ignore_index)
    if target.dtype != bool:
        found = found & (target != ignore_index)
    tp = int(np.count_nonzero(found & true))
    return tp, int(np.count_nonzero(found)) - tp, int(np.count_nonzero(true)) - tp


def _as_bool(what: str, layer: NDArray[Any], ignore_index: int) -> NDArray[np.bool_]:
    if layer.dtype != bool:
        _check_classes(what, layer[layer != ignore_index], num_classes=2)
    foreground: NDArray[np.bool_] = layer == 1
    return foreground


def dice_score(counts: Counts) -> Floats:
    """Dice, 2tp / (2tp + fp + fn), of counts (..., 3); NaN where there was nothing to find."""
    tp, fp, fn = np.moveaxis(counts, -1, 0)
    return _ratio(2 * tp, 2 * tp + fp + fn, counts)


def iou_score(counts: Counts) -> Floats:
    """Intersection over union, tp / (tp + fp + fn), of counts (..., 3); NaN as in `dice_score`."""
    return _ratio(counts[..., 0], counts.sum(axis=-1), counts)


def precision_score(counts: Counts) -> Floats:
    """What share of the mask is right, tp / (tp + fp), of counts (..., 3); NaN as in `dice_score`.

    0, not undefined, where the mask is empty and the target is not.
    """
    return _ratio(counts[..., 0], counts[..., 0] + counts[..., 1], counts)


def recall_score(counts: Counts) -> Floats:
    """What share of the target was found, tp / (tp + fn), of counts (..., 3).

    NaN as in `dice_score`; 0, not undefined, where the target is empty and the mask is not.
    """
    return _ratio(counts[..., 0], counts[..., 0] + counts[..., 2], counts)


def _ratio(part: Counts, whole: Counts, counts: Counts) -> Floats:
    score = np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
    return np.where(counts.any(axis=-1), score, np.nan)


def all_scores(counts: Counts) -> Floats:
    """The four scores of counts (..., 3), in the order of `SCORE_NAMES`: float64 (..., 4)."""
    functions = (dice_score, iou_score, precision_score, recall_score)
    return np.stack([function(counts) for function in functions], axis=-1)
