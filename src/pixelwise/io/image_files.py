"""Read one picture or volume, whatever its format, into an array of the values it stores.

    read_image         (*S, C), stored type; grey is C = 1, palettes become RGB, turned by EXIF
    read_mask_values   (*S) or (*S, C), the numbers in the file; palettes give their indices
    read_pixels        either, with what had to be assumed, the spacing and the palette

S is (H, W), or (D, H, W) of a volume. The content decides how a file is read, never its name:

    TIFF -> tiff_files        .npy, .npz -> numpy_files        NIfTI -> nifti_files
    folder of Zarr -> zarr_files                               all else -> picture_files
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from pixelwise.errors import FileError, MissingExtraError
from pixelwise.io.nifti_files import decode_nifti, is_nifti
from pixelwise.io.numpy_files import decode_numpy, is_numpy
from pixelwise.io.picture_files import decode_picture
from pixelwise.io.pixels import Pixels, quiet_libraries
from pixelwise.io.tiff_files import decode_tiff, is_tiff
from pixelwise.io.zarr_files import is_zarr_folder, read_zarr

Value = TypeVar("Value")
IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm", ".pnm",
    ".nii", ".nii.gz", ".npy", ".npz", ".zarr", ".svs", ".ndpi",
)  # fmt: skip


def is_image_file(path: Path) -> bool:
    """Whether the name is that of a picture or volume and not that of a hidden file."""
    name = path.name.lower()
    return name.endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a picture as (H, W, C), or a volume as (D, H, W, C), in its stored type.

    Args:
        path: PNG, JPEG, BMP, TIFF, GIF, WebP, PNM, NIfTI, .npy or .npz file, or OME-Zarr folder.

    Returns:
        (*S, C) array: uint8 for 1- to 8-bit files (low bit depths are scaled to 0..255), float32
        for floats, else the stored type. Grey has C = 1, a palette becomes RGB, alpha stays as the
        last channel. EXIF turns are applied; NIfTI volumes come in canonical orientation.

    Raises:
        FileError: the file is missing, empty, damaged, not a picture, or a film.
        MissingExtraError: the format needs an extra that is not installed.
    """
    return read_pixels(Path(path)).values


def read_mask_values(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the numbers a mask file stores: palette indices, not colours; low bit depths unscaled.

    Args:
        path: a picture or volume holding a mask.

    Returns:
        (*S) for grey and palette files, (*S, C) for files with more channels.

    Raises:
        FileError, MissingExtraError: as for `read_image`.
    """
    return read_pixels(Path(path), as_mask=True).values


def read_pixels(path: Path, as_mask: bool = False) -> Pixels:
    """Read a file, or a folder of Zarr: (*S, C) values of an image, those stored of a mask.

    Raises:
        FileError, MissingExtraError: as for `read_image`.
    """
    if path.is_dir() and is_zarr_folder(path):
        return _shape_as(guarded(path, lambda: read_zarr(path, as_mask)), as_mask)
    data = read_bytes(path)
    return _shape_as(guarded(path, lambda: _decode(data, as_mask)), as_mask)


def decode_mask(data: bytes, path: Path) -> Pixels:
    """Decode a mask from bytes that lie in another file, `path`; see `read_mask_values`."""
    return guarded(path, lambda: _decode(data, as_mask=True))


def read_channels(paths: Sequence[Path]) -> Pixels:
    """Read an image from its file, or from one file a channel, as (*S, C).

    Raises:
        FileError: a file cannot be read, or the files differ in size or type.
        MissingExtraError: as for `read_image`.
    """
    return stack_channels([read_pixels(path) for path in paths], paths)


def read_images(paths: Sequence[Path]) -> NDArray[Any]:
    """The values alone of `read_channels`."""
    return read_channels(paths).values


def stack_channels(files: Sequence[Pixels], paths: Sequence[Path]) -> Pixels:
    """Join the files of one image along the channels; FileError where they do not fit together."""
    if len(files) == 1:
        return files[0]
    first = files[0].values
    for path, file in zip(paths, files, strict=True):
        if file.values.shape[:-1] != first.shape[:-1] or file.values.dtype != first.dtype:
            raise FileError(
                f"{path} holds {file.values.dtype} of shape {file.values.shape[:-1]}, but "
                f"{paths[0]} {first.dtype} of shape {first.shape[:-1]}, though both are channels "
                "of one image. Export the channels in one size and type."
            )
    return replace(
        files[0],
        values=np.concatenate([file.values for file in files], axis=-1),
        num_bytes=sum(file.num_bytes for file in files),
    )


def read_bytes(path: Path) -> bytes:
    """Read a whole file, or say as a FileError why not."""
    return _read(path, path.read_bytes)


def read_start(path: Path, num_bytes: int = 64) -> bytes:
    """Read the first bytes of a file, by which its kind is known; FileError as `read_bytes`."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(num_bytes)

    return _read(path, read)


def _read(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        data = read()
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist. Check the name.") from error
    except IsADirectoryError as error:
        raise FileError(f"{path} is a folder, where a picture file was expected.") from error
    except PermissionError as error:
        raise FileError(f"{path} may not be read. Change its permissions (chmod +r).") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}). Check the disk.") from error
    except ValueError as error:  # a null character in the name
        raise FileError(
            f"{str(path)!r} is not the name of a file ({error}). Check the name."
        ) from error
    if not data:
        raise FileError(f"{path} is empty (0 bytes). Copy it again from its source, or remove it.")
    return data


def _decode(data: bytes, as_mask: bool) -> Pixels:
    """Choose the reader by the content."""
    if is_tiff(data):
        return decode_tiff(data, as_mask)
    if is_numpy(data):
        return decode_numpy(data, as_mask)
    if is_nifti(data):
        return decode_nifti(data, as_mask)
    return decode_picture(data, as_mask)


def _shape_as(pixels: Pixels, as_mask: bool) -> Pixels:
    """The channel axis that an image always has."""
    if as_mask or pixels.values.ndim > pixels.spatial_dims:
        return pixels
    return replace(pixels, values=pixels.values[..., np.newaxis])


def guarded(path: Path, read: Callable[[], Value]) -> Value:
    """Read; whatever a reader raises becomes a FileError that names the file."""
    try:
        with quiet_libraries():
            return read()
    except UnidentifiedImageError as error:
        raise FileError(
            f"{path} is not a picture. Remove it, or save it as PNG or TIFF."
        ) from error
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
    except MissingExtraError as error:
        raise MissingExtraError(f"{path}: {error}") from error
    except MemoryError as error:
        raise FileError(
            f"{path} does not fit into memory. Cut it into smaller pictures."
        ) from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise FileError(
            f"{path} is damaged or truncated ({error}). Copy it again from its source, or remove "
            "it."
        ) from error
