"""Read the mask of one image from where it is.

MaskFile, MaskParts, MaskShapes, ArraySource -> StoredMask -> (MaskEncoding) -> class indices
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.array_source import ArraySource
from pixelwise.data.files.image_files import read_pixels
from pixelwise.data.masks.colors import unpack_colors
from pixelwise.data.masks.shapes import paint_shapes
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskShapes, MaskSource
from pixelwise.data.masks.stored import StoredMask, to_stored
from pixelwise.errors import MaskError

TWO_TONE_RANGE = 100  # below this difference of values a mask holds class indices, never two tones


def read_stored_mask(source: MaskSource, image_size: tuple[int, ...] | None) -> StoredMask:
    """Read what a source stores.

    Args:
        source: of the mask.
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


def _read_file(path: Path) -> StoredMask:
    pixels = read_pixels(path, as_mask=True)
    stored = to_stored(pixels.values, path, pixels.spatial_dims)
    return replace(stored, num_bytes=pixels.num_bytes, palette=pixels.palette, note=pixels.note)


def _read_parts(source: MaskParts) -> StoredMask:
    """Paint objects one over the other, or stack classes."""
    files = [_read_file(path) for path in source.paths]
    for path, file in zip(source.paths, files, strict=True):
        if file.size != files[0].size:
            raise MaskError(
                f"{path} is {_by(file.size)} but {source.path} is {_by(files[0].size)}, though "
                "both belong to one image. Export them again in one size."
            )
    parts = [_is_set(file) for file in files]
    cover = np.sum(parts, axis=0, dtype=np.int32)
    painted = (
        _paint_objects(parts, source.values)
        if source.are_objects
        else _stack_layers(parts, source.values)
    )
    return replace(
        painted, num_overlap=int((cover > 1).sum()), num_bytes=sum(file.num_bytes for file in files)
    )


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


def _stack_layers(parts: Sequence[NDArray[np.bool_]], values: Sequence[int]) -> StoredMask:
    """One plane for each value from 1 to the highest; several files of a value are joined."""
    layers = np.zeros((*parts[0].shape, max(values)), dtype=np.bool_)
    for part, value in zip(parts, values, strict=True):
        layers[..., value - 1] |= part
    return StoredMask(layers, "layers")


def _paint_objects(parts: Sequence[NDArray[np.bool_]], values: Sequence[int]) -> StoredMask:
    """Objects in their order, later ones over earlier ones, with ids from 1."""
    instances = np.zeros(parts[0].shape, dtype=np.int32)
    painted = np.zeros(parts[0].shape, dtype=np.int32)
    for index, (part, value) in enumerate(zip(parts, values, strict=True)):
        instances[part] = index + 1
        painted[part] = value
    return StoredMask(painted, instances=instances)


def _read_shapes(source: MaskShapes, image_size: tuple[int, ...] | None) -> StoredMask:
    size = source.size or image_size
    if size is None or len(size) != 2:
        raise MaskError(
            f"{source.path} has shapes, which need an image of two axes to be painted in; got "
            f"{size}. Use pictures, or save the masks as volumes."
        )
    try:
        painted = paint_shapes(source.shapes, (size[0], size[1]))
    except MaskError as error:
        raise MaskError(f"{source.path}, {error}") from error
    return StoredMask(
        painted.values,
        instances=painted.instances,
        num_overlap=painted.num_overlap,
        num_outside=painted.num_outside,
    )


def _by(size: tuple[int, ...]) -> str:
    return "x".join(str(length) for length in size)
