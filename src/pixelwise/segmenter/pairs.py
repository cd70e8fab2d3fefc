"""Data sets of pairs, such as those of torch and Keras, as arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixelwise.data import to_array
from pixelwise.errors import ArrayError


class SizedPairs(Protocol):
    """A data set with a length that gives (image, mask), or batches (images, masks)."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int, /) -> Any:  # noqa: ANN401
        """The pair `index`."""


def listed(callbacks: Sequence[object] | object | None) -> list[object]:
    """One or several callbacks as a list."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def to_arrays(x: Any, y: ArrayLike | None, in_channels: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return images and masks: as they are, or those of the pairs in x, stacked.

    Images (channels, H, W), as torch has them, are turned to (H, W, channels).

    Raises:
        ArrayError: masks are missing, or x gives no pairs, or has no length.
    """
    if y is not None:
        return x, y
    if hasattr(x, "shape") or not (isinstance(x, Iterable) or has_length(x)):
        raise ArrayError("y is missing: the masks of the images, fit(x, y).")
    if not has_length(x):
        raise ArrayError(
            "x has no length, so that where an epoch ends is not known, and its images cannot be "
            "drawn again. Give arrays, or a data set with a length. New images of every epoch are "
            "what `pixelwise train` makes by its own augmentation."
        )
    images, masks = [], []
    for number, pair in enumerate(_items(x)):
        if not isinstance(pair, tuple | list) or len(pair) < 2:
            raise ArrayError(
                f"Item {number} of x is no pair (image, mask) but a {type(pair).__name__}, and y "
                "is missing."
            )
        image, mask = to_array("x", pair[0]), to_array("y", pair[1])
        images.append(_channels_last(image, in_channels))
        masks.append(mask)
    if not images:
        raise ArrayError("x has no images.")
    join = np.concatenate if _are_batches(images) else np.stack
    try:
        return join(images), join(masks)
    except ValueError as error:
        raise ArrayError(
            f"The pairs of x have different sizes: {error}. Give them one size, or train on files "
            "with `pixelwise train`, which takes any."
        ) from error


def has_length(x: object) -> TypeGuard[SizedPairs]:
    """Whether it is a data set whose items have numbers."""
    is_other = isinstance(x, str | bytes | Mapping) or hasattr(x, "shape")
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not is_other


def _items(x: SizedPairs) -> Iterator[Any]:
    return (x[index] for index in range(len(x)))


def _are_batches(images: Sequence[NDArray[Any]]) -> bool:
    return images[0].ndim > 3


def _channels_last(image: NDArray[Any], in_channels: int) -> NDArray[Any]:
    """(H, W, C) or (N, H, W, C) of (C, H, W) or (N, C, H, W) where only that can be."""
    if image.ndim < 3 or image.shape[-1] == in_channels or image.shape[-3] != in_channels:
        return image
    return np.moveaxis(image, -3, -1)
