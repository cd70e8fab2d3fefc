"""Arrays that a caller hands over: checked, then turned into samples.

The usual mistakes (a missing channel axis, channels first, masks of 0 and 255, one-hot against
index masks, images and masks of different sizes) are refused with the line that corrects them.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixelwise.data.array_like import to_numbers
from pixelwise.data.samples import Sample
from pixelwise.errors import ArrayError
from pixelwise.task import IGNORE_INDEX
from pixelwise.text import count_of, show_size

PADDING = "Pad or crop them to one size, or train on a folder of files with pixelwise.train."
TargetForm = Literal["binary", "index", "one_hot", "multilabel"]
MAX_USUAL_CHANNELS = 4  # a first axis this short, with a long last one, means channels first


def to_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of numbers, without a copy where it is one already.

    Args:
        name: what the caller calls the values, for the error message; "y" are masks.
        values: an array, a torch tensor, a PIL image, or lists of these or of numbers.

    Raises:
        ArrayError: the items have different sizes, or are not numbers.
    """
    try:
        array = to_numbers(name, values, as_mask=name == "y")
    except ArrayError:
        raise
    except ValueError as error:  # NumPy cannot stack items of different sizes
        raise ArrayError(
            f"{name} is not an array: its items have different sizes. {PADDING}"
        ) from error
    if array.dtype == object:
        raise ArrayError(
            f"{name} has dtype object, of shape {array.shape}: its items have different sizes, or "
            f"are not numbers. {PADDING}"
        )
    if array.dtype.kind not in "buif":
        raise ArrayError(
            f"{name} has dtype {array.dtype}; expected integers or floats. Convert it, for example "
            f"with {name}.astype(np.float32)."
        )
    return array


def to_images(x: ArrayLike, in_channels: int, *, spatial_dims: int = 2) -> NDArray[Any]:
    """Check channel-last images (N, *spatial, C) and return them channel-first (N, C, *spatial).

    Raises:
        ArrayError: no images, another number of axes or channels, no numbers, NaN or infinite.
    """
    images = to_array("x", x)
    _check_axes(images, in_channels, spatial_dims)
    _check_finite("x", images)
    return np.moveaxis(images, -1, 1)


def to_targets(
    y: ArrayLike, images: NDArray[Any], form: TargetForm, num_classes: int
) -> NDArray[np.uint8]:
    """Check masks against images (N, C, *spatial) and return them as the losses want them.

    Args:
        y: `binary`: (N, *spatial, 1) or (N, *spatial) of 0 and 1; `index`: the same shapes,
            class indices; `one_hot`: (N, *spatial, K), one 1 per pixel; `multilabel`:
            (N, *spatial, K) of 0 and 1. 255 is ignored, except in one-hot masks.
        images: what the masks belong to.
        form: which of these.
        num_classes: K.

    Returns:
        uint8 (N, *spatial) class indices, or (N, K, *spatial) for `multilabel`.

    Raises:
        ArrayError: other shapes, counts or values; the message has the fix.
    """
    masks = to_array("y", y)
    _check_counts(images, masks)
    _check_finite("y", masks)
    _check_order(masks, images, num_classes)
    if form in ("one_hot", "multilabel"):
        _check_planes(masks, images, num_classes, form)
        values = _whole_numbers(masks, form)
        _check_values(values, 1, form, allow_ignore=form == "multilabel")
        if form == "multilabel":
            return np.moveaxis(values, -1, 1)
        return _from_one_hot(values)
    values = _whole_numbers(_drop_channel(masks, images, num_classes, form), form)
    _check_values(values, 1 if form == "binary" else num_classes - 1, form, allow_ignore=True)
    return values


def to_samples(images: NDArray[Any], targets: NDArray[np.uint8]) -> list[Sample]:
    """Return a sample for every image (N, C, *spatial) and target; views, nothing is copied."""
    return [
        Sample(f"array {index}", image, target, None)
        for index, (image, target) in enumerate(zip(images, targets, strict=True))
    ]


def _check_axes(images: NDArray[Any], in_channels: int, spatial_dims: int) -> None:
    expected = f"(N, {'depth, ' if spatial_dims == 3 else ''}height, width, {in_channels})"
    shape = images.shape
    if shape[:1] == (0,):
        raise ArrayError(
            f"x has no images (shape {shape}); expected {expected}, N at least 1. Look at how the "
            "images were found and read."
        )
    if images.ndim != spatial_dims + 2:
        fix = _missing_axis(shape, in_channels, spatial_dims)
        raise ArrayError(f"x has shape {shape}; expected {expected}. {fix}")
    if shape[-1] != in_channels:
        looks_first = shape[1] == in_channels and shape[1] <= MAX_USUAL_CHANNELS < shape[-1]
        fix = (
            "Channels come first here; move them last with np.moveaxis(x, 1, -1)."
            if looks_first
            else f"Build the model with input_shape=(..., {shape[-1]}), or convert the images."
        )
        raise ArrayError(f"x has shape {shape}; expected {expected}. {fix}")
    if images.size == 0:
        raise ArrayError(
            f"x has images without pixels (shape {shape}); expected {expected}. Look at how the "
            "images were read or cropped."
        )


def _missing_axis(shape: tuple[int, ...], in_channels: int, spatial_dims: int) -> str:
    """What to do about a wrong number of axes."""
    if len(shape) != spatial_dims + 1:
        return "Add or remove axes."
    if shape[-1] == in_channels:
        return "The first axis, of images, is missing; add it with x[np.newaxis]."
    repeat = f", then np.repeat(x, {in_channels}, -1)" if in_channels > 1 else ""
    return f"The channel axis is missing; add it with x[..., np.newaxis]{repeat}."


def _check_finite(name: str, values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        where = np.argwhere(~np.isfinite(values))
        raise ArrayError(
            f"{name} has {len(where)} NaN or infinite values, the first in item {where[0][0]}. "
            f"Replace them, for example with np.nan_to_num({name})."
        )


def _check_counts(images: NDArray[Any], masks: NDArray[Any]) -> None:
    if masks.ndim == 0 or len(masks) != len(images):
        count = len(masks) if masks.ndim else 0
        raise ArrayError(
            f"x has {count_of(len(images), 'image')} but y has {count_of(count, 'mask')}. Give one "
            "mask for every image."
        )


def _check_order(masks: NDArray[Any], images: NDArray[Any], num_classes: int) -> None:
    """Masks (N, 1 or K, *spatial) have their planes where PyTorch wants them, not Keras."""
    planes_first = masks.ndim == images.ndim and masks.shape[2:] == images.shape[2:]
    if (
        planes_first
        and masks.shape[1] in (1, num_classes)
        and masks.shape[1:-1] != images.shape[2:]
    ):
        raise ArrayError(
            f"y has shape {masks.shape}: its planes come first; expected them last, after "
            f"{show_size(images.shape[2:])}. Move them with np.moveaxis(y, 1, -1)."
        )


def _check_sizes(masks: NDArray[Any], images: NDArray[Any], size: Sequence[int]) -> None:
    if tuple(size) != images.shape[2:]:
        raise ArrayError(
            f"x has images of {show_size(images.shape[2:])} but y has masks of {show_size(size)} "
            f"(shape {masks.shape}). Masks must match their images pixel for pixel; crop or resize "
            "both alike, masks without interpolation."
        )


def _check_planes(
    masks: NDArray[Any], images: NDArray[Any], num_classes: int, form: TargetForm
) -> None:
    """Masks with one plane for each class."""
    is_index = masks.ndim == images.ndim - 1 or masks.shape[-1] == 1 != num_classes
    if form == "one_hot" and is_index:
        raise ArrayError(
            f"y has shape {masks.shape}: these are class indices, but categorical_crossentropy "
            f"expects one-hot masks (N, height, width, {num_classes}). Use "
            'loss="sparse_categorical_crossentropy", or one-hot masks: '
            f"np.eye({num_classes})[y]."
        )
    if masks.ndim != images.ndim or masks.shape[-1] != num_classes:
        raise ArrayError(
            f"y has shape {masks.shape}; expected (N, height, width, {num_classes}), one plane "
            f"for each of {num_classes} classes. Give them so, or build the model with another "
            "number of classes."
        )
    _check_sizes(masks, images, masks.shape[1:-1])


def _drop_channel(
    masks: NDArray[Any], images: NDArray[Any], num_classes: int, form: TargetForm
) -> NDArray[Any]:
    """Return masks (N, *spatial), without a last axis of length 1."""
    if masks.ndim == images.ndim and masks.shape[-1] == 1:
        masks = masks[..., 0]
    if masks.ndim == images.ndim:
        num_planes = masks.shape[-1]
        fix = (
            f"The model gives one probability; build it with num_classes={num_planes}, or give "
            "masks of one plane."
            if form == "binary"
            else 'These look one-hot: use loss="categorical_crossentropy", or np.argmax(y, -1).'
        )
        raise ArrayError(
            f"y has shape {masks.shape}, {num_planes} planes; expected class indices "
            f"(N, height, width, 1) or (N, height, width). {fix}"
        )
    _check_sizes(masks, images, masks.shape[1:])
    return masks


def _whole_numbers(masks: NDArray[Any], form: TargetForm) -> NDArray[np.uint8]:
    """Return masks as uint8; refuse fractions and values outside 0 to 255."""
    if masks.dtype == np.uint8:
        return masks
    if masks.dtype.kind == "f":
        is_fraction = masks != np.rint(masks)
        if is_fraction.any():
            threshold = "y > 0.5" if form != "index" else "np.rint(y)"
            raise ArrayError(
                f"y has {np.count_nonzero(is_fraction)} values that are not whole numbers, for "
                f"example {masks[is_fraction][0]:.4g}. Masks are class indices; make them so, for "
                f"example with {threshold}."
            )
    low, high = masks.min(), masks.max()
    if low < 0 or high > IGNORE_INDEX:
        raise ArrayError(
            f"y has values from {low:g} to {high:g}; masks hold class indices from 0, and 255 "
            "where a pixel is to be ignored. Map other values to these."
        )
    return masks.astype(np.uint8)


def _check_values(
    values: NDArray[np.uint8], highest: int, form: TargetForm, *, allow_ignore: bool
) -> None:
    if values.max(initial=0) <= highest:  # known at once; which values there are takes long
        return
    present = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    what = "0 and 1" if highest == 1 else f"class indices from 0 to {highest}"
    ignore = ", or 255 to ignore a pixel" if allow_ignore else ""
    if highest == 1 and present.tolist() in ([0, IGNORE_INDEX], [IGNORE_INDEX]):
        raise ArrayError(  # as ignored pixels they would leave nothing to learn
            f"y has the values {' and '.join(map(str, present))}; expected {what}{ignore}. "
            "Use y > 0 or y / 255."
        )
    unknown = [int(v) for v in present if v > highest and not (allow_ignore and v == IGNORE_INDEX)]
    if unknown:
        fix = "Map the values, or build the model with more classes."
        if form != "index":
            fix = "Map the values, for example with y > 0."
        raise ArrayError(
            f"y has the values {unknown[:5]}{' ...' if len(unknown) > 5 else ''}; expected {what}"
            f"{ignore}. {fix}"
        )


def _from_one_hot(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, *spatial, K) of 0 and 1 to class indices (N, *spatial)."""
    num_set = values.sum(-1)
    if (num_set != 1).any():
        raise ArrayError(
            f"y has {np.count_nonzero(num_set != 1)} pixels with none or several of the classes; "
            "one-hot masks have exactly one 1 per pixel. For classes that overlap build the model "
            "with multilabel=True."
        )
    indices: NDArray[np.uint8] = values.argmax(-1).astype(np.uint8)
    return indices
