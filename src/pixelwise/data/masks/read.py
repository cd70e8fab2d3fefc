"""Read the mask of one image from where it is.

MaskFile, MaskParts, MaskShapes -> StoredMask -> (MaskEncoding) -> class indices
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.data.files.image_files import decode_mask, read_bytes
from pixelwise.data.masks.shapes import paint_shapes
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskShapes, MaskSource
from pixelwise.data.masks.stored import StoredMask, to_stored
from pixelwise.errors import MaskError


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
    return _read_shapes(source, image_size)


def _read_file(path: Path) -> StoredMask:
    pixels = decode_mask(read_bytes(path), path)
    return replace(to_stored(pixels.values, path), num_bytes=pixels.num_bytes)


def _read_parts(source: MaskParts) -> StoredMask:
    """Paint objects one over the other, or stack classes."""
    files = [_read_file(path) for path in source.paths]
    for path, file in zip(source.paths, files, strict=True):
        if file.size != files[0].size:
            raise MaskError(
                f"{path} is {_by(file.size)} but {source.path} is {_by(files[0].size)}, though "
                "both belong to one image. Export them again in one size."
            )
    layers = np.stack([file.values != 0 for file in files], axis=-1)  # (*S, number of files)
    num_bytes = sum(file.num_bytes for file in files)
    num_overlap = int((layers.sum(axis=-1) > 1).sum())
    if not source.are_objects:
        return StoredMask(layers, "layers", num_overlap=num_overlap, num_bytes=num_bytes)
    instances = np.zeros(files[0].size, dtype=np.int32)
    values = np.zeros(files[0].size, dtype=np.int32)
    for index, value in enumerate(source.values):
        instances[layers[..., index]] = index + 1
        values[layers[..., index]] = value
    return StoredMask(values, instances=instances, num_overlap=num_overlap, num_bytes=num_bytes)


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
