"""What `fit` is given: arrays, data sets of pairs such as those of torch and Keras, generators."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixelwise.data import to_array
from pixelwise.errors import ArrayError, PlanError
from pixelwise.text import count_of


class SizedPairs(Protocol):
    """A data set with a length that gives (image, mask), or batches (images, masks)."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int, /) -> Any:  # noqa: ANN401
        """The pair `index`."""


class Given(NamedTuple):
    """Images and their masks.

    Attributes:
        images: (N, H, W, C).
        masks: of the images.
        weights: (N,) of the images in the loss; None: all alike.
        items: of a generator all of them, those in `images`, its first, too; None: it is none.
    """

    images: Any
    masks: Any
    weights: NDArray[np.float32] | None = None
    items: Iterator[Any] | None = None


def listed(callbacks: Sequence[object] | object | None) -> list[object]:
    """One or several callbacks as a list."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def take_data(
    x: Any,  # noqa: ANN401
    y: ArrayLike | None,
    in_channels: int,
    *,
    sample_weight: ArrayLike | None = None,
    num_batches: int | None = None,
) -> Given:
    """Return images and masks: as they are, or those of the pairs in x, stacked.

    Images (channels, H, W), as torch has them, are turned to (H, W, channels).

    Args:
        x: images; or a data set or generator of pairs.
        y: masks, where x is images.
        in_channels: of the model.
        sample_weight: (N,) of the images.
        num_batches: of an epoch; what has no length needs it.

    Raises:
        ArrayError: masks are missing, x gives no pairs, or weights are no weights of its images.
        PlanError: x has no length, and the number of batches is missing.
    """
    if y is not None:
        return Given(x, y, _check_weights(sample_weight, x))
    if hasattr(x, "shape") or not (isinstance(x, Iterable) or has_length(x)):
        raise ArrayError("y is missing: the masks of the images, fit(x, y).")
    if sample_weight is not None:
        raise ArrayError(
            "sample_weight goes with arrays. Where x gives pairs, give (image, mask, weight)."
        )
    if has_length(x):
        return _join([unpack(item, n, in_channels) for n, item in enumerate(_items(x))])
    if num_batches is None:
        raise PlanError(
            "x has no length, so that where an epoch ends is not known. Give "
            "steps_per_epoch=100, the number of batches of an epoch (of validation_data: "
            "validation_steps)."
        )
    items = iter(x)
    first = list(islice(items, 1))
    if not first:
        raise ArrayError("x has no images.")
    return unpack(first[0], 0, in_channels)._replace(items=chain(first, items))


def take_validation(
    validation_data: Any,  # noqa: ANN401
    in_channels: int,
    validation_steps: int | None,
) -> Any:  # noqa: ANN401
    """Validation data as a pair of arrays, if they are a data set or generator; else as given."""
    is_given = isinstance(validation_data, tuple | list) or hasattr(validation_data, "shape")
    if is_given or not (isinstance(validation_data, Iterable) or has_length(validation_data)):
        return validation_data
    given = take_data(validation_data, None, in_channels, num_batches=validation_steps)
    if given.items is not None:
        batches = islice(given.items, validation_steps)
        given = _join([unpack(item, n, in_channels) for n, item in enumerate(batches)])
    return given.images, given.masks


def unpack(item: Any, number: int, in_channels: int) -> Given:  # noqa: ANN401
    """One item of a data set or generator: a batch, or one image as a batch.

    Raises:
        ArrayError: it is no pair, nor a pair and a weight.
    """
    if not isinstance(item, tuple | list) or len(item) not in (2, 3):
        raise ArrayError(
            f"Item {number} of x is no pair (image, mask) but a {type(item).__name__}"
            f"{f' of {len(item)}' if isinstance(item, tuple | list) else ''}, and y is missing."
        )
    image, mask = _channels_last(to_array("x", item[0]), in_channels), to_array("y", item[1])
    if image.ndim < 4:  # volumes come in batches alone
        image, mask = image[np.newaxis], mask[np.newaxis]
    weight = None if len(item) == 2 else np.atleast_1d(to_array("sample_weight", item[2]))
    return Given(image, mask, _check_weights(weight, image))


def _join(parts: Sequence[Given]) -> Given:
    """All images as one array."""
    if not parts:
        raise ArrayError("x has no images.")
    weights = [part.weights for part in parts if part.weights is not None]
    if weights and len(weights) < len(parts):
        raise ArrayError("Some pairs of x have a weight and others none. Give all of them one.")
    try:
        images = np.concatenate([part.images for part in parts])
        masks = np.concatenate([part.masks for part in parts])
    except ValueError as error:
        raise ArrayError(
            f"The pairs of x have different sizes: {error}. Give them one size, or train on files "
            "with `pixelwise train`, which takes any."
        ) from error
    return Given(images, masks, np.concatenate(weights) if weights else None)


def _check_weights(weights: ArrayLike | None, images: Any) -> NDArray[np.float32] | None:  # noqa: ANN401
    """Weights as numbers; ArrayError where they are not one for each image, 0 or more."""
    if weights is None:
        return None
    found, number = to_array("sample_weight", weights), len(images)
    if found.shape != (number,):
        raise ArrayError(
            f"sample_weight has shape {found.shape}, and {count_of(number, 'image')} arrived. Give "
            "one weight for each image. Pixels are weighed by class_weight, or left out as 255."
        )
    if not np.isfinite(found).all() or found.min() < 0 or found.max() == 0:
        raise ArrayError("sample_weight should hold numbers of 0 and more, not all 0.")
    return found.astype(np.float32)


def has_length(x: object) -> TypeGuard[SizedPairs]:
    """Whether it is a data set whose items have numbers."""
    is_other = isinstance(x, str | bytes | Mapping) or hasattr(x, "shape")
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not is_other


def _items(x: SizedPairs) -> Iterator[Any]:
    return (x[index] for index in range(len(x)))


def _channels_last(image: NDArray[Any], in_channels: int) -> NDArray[Any]:
    """(H, W, C) or (N, H, W, C) of (C, H, W) or (N, C, H, W) where only that can be."""
    if image.ndim < 3 or image.shape[-1] == in_channels or image.shape[-3] != in_channels:
        return image
    return np.moveaxis(image, -3, -1)
