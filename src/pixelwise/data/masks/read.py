"""Read the mask of one image from where it is.

MaskFile, MaskParts, MaskShapes, ArraySource -> StoredMask -> (MaskEncoding) -> class indices
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import unpack_colors
from pixelwise.data.array_source import ArraySource
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.shapes import paint_shapes
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskShapes, MaskSource
from pixelwise.data.masks.stored import StoredMask, to_stored
from pixelwise.errors import FileError, MaskError
from pixelwise.io import check_claim, read_pixels
from pixelwise.text import show_size

PAINTED_BYTES = 10  # a pixel, of all arrays in which shapes are painted
TWO_TONE_RANGE = 100  # below this difference of values a mask holds class indices, never two tones


class SizeError(MaskError):
    """An annotation claims another size than its image has; nothing was painted.

    Attributes:
        size: (height, width) that is claimed.
    """

    def __init__(self, message: str, size: tuple[int, ...]) -> None:
        super().__init__(message)
        self.size = size


def read_stored_mask(source: MaskSource, image_size: tuple[int, ...] | None) -> StoredMask:
    """Read what a source stores.

    Args:
        source: source of the mask.
        image_size: (height, width) of the image, in which shapes are painted; None where the image
            cannot be read.

    Raises:
        FileError: a file cannot be read.
        MaskError: a file does not hold a mask, or parts do not fit together.
    """
    if isinstance(source, MaskFile):
        return _read_file(source.path)
    if isinstance(source, MaskParts):
        return _read_parts(source)
    if isinstance(source, ArraySource):
        values = source.read()
        return replace(to_stored(values, source.path), num_bytes=values.nbytes)
    return _read_shapes(source, image_size)


def read_mask(
    source: MaskSource, image_size: tuple[int, ...], encoding: MaskEncoding
) -> NDArray[Any]:
    """Read a mask as class indices.

    Args:
        source: source of the mask.
        image_size: (height, width), or (depth, height, width), of its image.
        encoding: what the stored values mean.

    Returns:
        (*S) uint8 with IGNORE_INDEX, or (K, *S) bool where classes overlap.

    Raises:
        FileError, MaskError: the mask cannot be read or means nothing in this encoding.
    """
    return encoding.decode(read_stored_mask(source, image_size), source.path)


def _read_file(path: Path) -> StoredMask:
    pixels = read_pixels(path, as_mask=True)
    stored = to_stored(pixels.values, path, pixels.spatial_dims)
    return replace(stored, num_bytes=pixels.num_bytes, palette=pixels.palette, note=pixels.note)


def _read_parts(source: MaskParts) -> StoredMask:
    """Paint objects one over the other, or stack classes; one file is in memory at a time."""
    painted: StoredMask | None = None
    num_bytes = 0
    for index, (path, value) in enumerate(zip(source.paths, source.values, strict=True), 1):
        file = _read_file(path)
        num_bytes += file.num_bytes
        if painted is None:
            painted = _blank(source, file.size)
            cover = np.zeros(file.size, dtype=np.uint8)  # 0, 1, or 2 for several
        if file.size != painted.size:
            raise MaskError(
                f"{path} is {show_size(file.size)} but {source.path} is {show_size(painted.size)}, "
                "though both belong to one image. Export them again in one size."
            )
        part = _is_set(file)
        cover += part & (cover < 2)
        if painted.instances is None:
            painted.values[..., value - 1] |= part
        else:
            painted.instances[part], painted.values[part] = index, value
    assert painted is not None  # a source has one file at least
    return replace(painted, num_overlap=int((cover > 1).sum()), num_bytes=num_bytes)


def _blank(source: MaskParts, size: tuple[int, ...]) -> StoredMask:
    """Where objects are painted with their ids; or one empty plane for each value of a class."""
    if source.are_objects:
        numbers, ids = (np.zeros(size, dtype=np.int32) for _ in range(2))
        return StoredMask(numbers, instances=ids)
    return StoredMask(np.zeros((*size, max(source.values)), dtype=np.bool_), "layers")


def _is_set(part: StoredMask) -> NDArray[np.bool_]:
    """Where a part is: what is not 0, or above the middle where edges are grey; (*S) bool."""
    values: NDArray[Any] = part.values
    if part.form == "layers":
        return np.asarray(values.any(axis=-1))
    if part.form == "colors":
        values = unpack_colors(values).max(axis=-1)
    is_grey = values.max(initial=0) - values.min(initial=0) >= TWO_TONE_RANGE
    is_set: NDArray[np.bool_] = values > values.max() // 2 if is_grey else values != 0
    return is_set


def _read_shapes(source: MaskShapes, image_size: tuple[int, ...] | None) -> StoredMask:
    size = _size_to_paint(source, image_size)
    try:
        painted = paint_shapes(source.shapes, size)
    except MaskError as error:
        raise MaskError(f"{source.path}, {error}") from error
    return StoredMask(
        painted.values,
        instances=painted.instances,
        num_overlap=painted.num_overlap,
        num_outside=painted.num_outside,
        num_undrawn=painted.num_undrawn,
    )


def _size_to_paint(source: MaskShapes, image_size: tuple[int, ...] | None) -> tuple[int, int]:
    """(height, width) in which shapes are painted: what the file claims is compared before.

    Shapes of an image that lies across are painted as they are, to see which turn would correct it.

    Raises:
        MaskError: no picture of two axes.
        SizeError: the image has another size than the file claims.
    """
    size = source.size or image_size
    if size is None or len(size) != 2:
        raise MaskError(
            f"{source.path} has shapes, which need an image of two axes to be painted in; got "
            f"{size}. Use pictures, or save the masks as volumes."
        )
    if image_size is None:
        try:
            check_claim(size, PAINTED_BYTES, 0)
        except FileError as error:
            raise FileError(f"{source.path}: {error}") from error
    elif sorted(size) != sorted(image_size):
        raise SizeError(
            f"{source.path} claims {show_size(size)}, but the image is {show_size(image_size)} "
            "(height x width). Masks must match their images pixel for pixel: export it again for "
            "this image, or remove the pair.",
            size,
        )
    return size[0], size[1]


def describe_size_mismatch(
    mask: Path, mask_size: Sequence[int], image: Path, image_size: Sequence[int]
) -> str:
    """Say that a mask and its image differ in size, and what to do."""
    return (
        f"{mask} is {show_size(mask_size)} but {image} is {show_size(image_size)} (height x "
        "width). Masks must match their images pixel for pixel: export the mask again, or remove "
        "the pair."
    )
