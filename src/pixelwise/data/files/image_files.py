"""Read one picture file, whatever its format, into an array of the values it stores.

    read_image         (H, W, C), stored type; grey is C = 1, palettes become RGB, turned by EXIF
    read_mask_values   (H, W) or (H, W, C), the numbers in the file; palettes give their indices

The content decides how a file is read, never its name: TIFF by `tiff_files`, the rest by Pillow.
"""

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pixelwise.data.files.tiff_files import decode_tiff, is_tiff
from pixelwise.errors import FileError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm", ".pnm"}
)
MAX_PIXELS = 2**30  # a header that claims more than a gigapixel is taken for damage
EXIF_ORIENTATION = 0x0112
PNG_GREY = 0  # colour type of the PNG header

# Pillow refuses pictures that our users have (179 megapixels); MAX_PIXELS stands in for its limit.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded values of one file, and what had to be decided to read them."""

    values: NDArray[Any]  # (H, W) or (H, W, C)
    num_bytes: int  # size of the file
    note: str = ""  # what was assumed, for example which TIFF axis holds the channels
    turned: bool = False  # an EXIF orientation was applied


def is_image_file(path: Path) -> bool:
    """Whether the name is that of a picture and not a hidden file."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a picture as (H, W, C) in its stored type.

    Args:
        path: PNG, JPEG, BMP, TIFF, GIF, WebP or PNM file.

    Returns:
        (H, W, C) array: uint8 for 1- to 8-bit files (low bit depths are scaled to 0..255), else the
        stored type. Grey has C = 1, a palette becomes RGB, alpha stays as the last channel. EXIF
        turns are applied.

    Raises:
        FileError: the file is missing, empty, truncated, not a picture, or a volume.
    """
    return decode_image(read_bytes(Path(path)), Path(path)).values


def read_mask_values(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the numbers a mask file stores: palette indices, not colours; low bit depths unscaled.

    Args:
        path: a picture file holding a mask.

    Returns:
        (H, W) for grey and palette files, (H, W, C) for files with more channels.

    Raises:
        FileError: the file is missing, empty, truncated, not a picture, or a volume.
    """
    return decode_mask(read_bytes(Path(path)), Path(path)).values


def read_bytes(path: Path) -> bytes:
    """Read a whole file, or say as a FileError why not."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist. Check the name.") from error
    except IsADirectoryError as error:
        raise FileError(f"{path} is a folder, where a picture file was expected.") from error
    except PermissionError as error:
        raise FileError(f"{path} may not be read. Change its permissions (chmod +r).") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}). Check the disk.") from error
    if not data:
        raise FileError(f"{path} is empty (0 bytes). Copy it again from its source, or remove it.")
    return data


def decode_image(data: bytes, path: Path) -> Pixels:
    """Decode the bytes of an image file; see `read_image`."""
    pixels = _decode(data, path, decode_tiff, _pillow_image)
    values = pixels.values if pixels.values.ndim == 3 else pixels.values[:, :, np.newaxis]
    return Pixels(values, pixels.num_bytes, pixels.note, pixels.turned)


def read_images(paths: Sequence[Path]) -> NDArray[Any]:
    """Read an image from its file, or from one file a channel, as (*S, C) in its stored type.

    Raises:
        FileError: a file cannot be read, or the files differ in size or type.
    """
    return stack_channels([decode_image(read_bytes(path), path) for path in paths], paths).values


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
    return Pixels(
        np.concatenate([file.values for file in files], axis=-1),
        sum(file.num_bytes for file in files),
        files[0].note,
        files[0].turned,
    )


def decode_mask(data: bytes, path: Path) -> Pixels:
    """Decode the bytes of a mask file; see `read_mask_values`."""
    return _decode(data, path, lambda data: decode_tiff(data, as_mask=True), _pillow_mask)


def _decode(
    data: bytes,
    path: Path,
    read_tiff: Callable[[bytes], tuple[NDArray[Any], str]],
    to_values: Callable[[Image.Image, bytes], NDArray[Any]],
) -> Pixels:
    """Choose the reader by content; whatever it raises becomes a FileError that names the file."""
    try:
        if is_tiff(data):
            values, note = read_tiff(data)
            return Pixels(values, len(data), note)
        with Image.open(io.BytesIO(data)) as picture:
            _check_picture(picture)
            turn = picture.getexif().get(EXIF_ORIENTATION, 1)
            values = to_values(picture, data)
        return Pixels(_native(_turn(values, turn)), len(data), turned=turn in range(2, 9))
    except UnidentifiedImageError as error:
        raise FileError(
            f"{path} is not a picture. Remove it, or save it as PNG or TIFF."
        ) from error
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
    except MemoryError as error:
        raise FileError(
            f"{path} does not fit into memory. Cut it into smaller pictures."
        ) from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise FileError(
            f"{path} is damaged or truncated ({error}). Copy it again from its source, or remove "
            "it."
        ) from error


def _check_picture(picture: Image.Image) -> None:
    """Refuse absurd sizes, before any memory is taken, and films."""
    num_frames = getattr(picture, "n_frames", 1)
    if num_frames > 1 and picture.format in ("GIF", "WEBP", "PNG"):
        raise FileError(f"it holds {num_frames} frames. Save each frame as a picture of its own.")
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise FileError(
            f"its header claims {height}x{width} pixels, above the limit of {MAX_PIXELS}. Cut the "
            "picture into smaller ones, or remove the file if it is damaged."
        )


def _pillow_image(picture: Image.Image, data: bytes) -> NDArray[Any]:
    """Values of an image as people see it: (H, W) or (H, W, C)."""
    if _png_header(data)[0] == 16:
        return _decode_png16(data)
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        picture = picture.convert("RGB")
    elif picture.mode in ("PA", "La", "RGBa"):
        picture = picture.convert("RGBA")
    return np.array(picture)


def _pillow_mask(picture: Image.Image, data: bytes) -> NDArray[Any]:
    """Numbers as stored: Pillow scales 2- and 4-bit grey up to 0..255, which is undone here."""
    bit_depth, color_type = _png_header(data)
    if bit_depth == 16:
        return _decode_png16(data)
    if picture.mode == "PA":
        return np.array(picture.getchannel("P"))
    values = np.array(picture)
    if picture.mode == "1":
        return values.astype(np.uint8)
    if color_type == PNG_GREY and bit_depth in (2, 4):
        return values // np.uint8(255 // (2**bit_depth - 1))
    return values


def _png_header(data: bytes) -> tuple[int, int]:
    """Bit depth and colour type of a PNG file; (0, -1) for any other file."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 26:
        return 0, -1
    return data[24], data[25]


def _decode_png16(data: bytes) -> NDArray[Any]:
    """16-bit PNG, which Pillow would cut down to 8 bits where it has more than one channel."""
    import imagecodecs

    values: NDArray[Any] = imagecodecs.png_decode(data)
    return values


def _turn(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation (1..8) to (H, W) or (H, W, C) values, without resampling."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return values[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """The same values contiguous and in the machine's byte order."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
