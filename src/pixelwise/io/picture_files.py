"""Read PNG, JPEG, BMP, GIF, WebP and PNM files, by Pillow."""

import contextlib
import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from pixelwise.errors import FileError
from pixelwise.io.claims import check_claim
from pixelwise.io.pixels import Pixels, plain_type
from pixelwise.io.turns import known_orientation, turn

EXIF_ORIENTATION = 0x0112
PNG_GREY = 0  # colour type of the PNG header
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")  # others may start programs
NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)  # as Pillow has it
BAND_PIXELS = 2**20  # that are handed over at a time
FILMS = ("GIF", "WEBP", "PNG")  # whose frames are moments; those in a JPEG file are other views
BYTES_OF_MODES = {"1": 0.125, "I;16": 2, "I;16B": 2, "I": 4, "F": 4}  # others: 1 a channel


def decode_picture(data: bytes, as_mask: bool = False) -> Pixels:
    """Decode a picture file.

    Args:
        data: the whole file.
        as_mask: keep the numbers as stored: palette indices, low bit depths unscaled.

    Raises:
        UnidentifiedImageError: it is none of these formats.
        FileError: the file holds a film, or claims more than it can hold.
    """
    with open_picture(io.BytesIO(data)) as picture:
        _check_picture(picture, len(data))
        orientation = picture.getexif().get(EXIF_ORIENTATION, 1)
        palette = _palette_of(picture) if as_mask else None
        values = picture_values(picture, as_mask=as_mask, data=data)
    return Pixels(values, len(data), orientation=known_orientation(orientation), palette=palette)


def open_picture(file: IO[bytes], formats: Sequence[str] = FORMATS) -> ImageFile:
    """Open a picture as `PIL.Image.open` does, but for its limit on pixels, which is none of ours.

    Pillow refuses pictures that our users have (179 megapixels), by a limit of the whole process,
    which a library must not change. `check_claim` stands in for it.

    Args:
        file: open for reading; the caller closes it.
        formats: that are tried.

    Raises:
        UnidentifiedImageError: it is none of these formats.
    """
    start = file.read(16)
    for name in formats:
        if name not in Image.OPEN:
            Image.init()
        factory, accept = Image.OPEN[name]
        if accept is None or accept(start) is True:
            file.seek(0)
            with contextlib.suppress(*NOT_THIS_FORMAT):
                return factory(file, "")
    raise UnidentifiedImageError("no picture of a known format")


def exif_orientation(path: Path) -> int:
    """The EXIF orientation of a picture, 1 to 8."""
    with path.open("rb") as file, open_picture(file, (*FORMATS, "TIFF")) as picture:
        return int(picture.getexif().get(EXIF_ORIENTATION, 1))


def picture_values(
    picture: Image.Image, *, as_mask: bool = False, data: bytes = b""
) -> NDArray[Any]:
    """Values of a PIL image: those of its file, turned as its EXIF says.

    Args:
        picture: any mode.
        as_mask: keep the numbers as stored, as for `decode_picture`.
        data: the file, where it is at hand; without, a 16-bit PNG in colour that Pillow has cut to
            8 bits is refused.

    Returns:
        (H, W) or (H, W, C) uint8, or the type of a mode of more bits.

    Raises:
        FileError: Pillow has cut it to 8 bits, or it is in CIELAB.
        ValueError: Pillow cannot convert its mode.
    """
    if not data and _is_cut(picture):
        raise FileError("its file has 16 bits a channel, of which Pillow gives 8")
    if not data and picture.mode == "LAB":  # which files of LAB are not read as
        raise FileError("its colours are of the CIELAB space")
    orientation = picture.getexif().get(EXIF_ORIENTATION, 1)
    values = (_read_mask if as_mask else _read_image)(picture, data)
    return plain_type(turn(values, orientation), as_mask)


def _is_cut(picture: Image.Image) -> bool:
    """Whether Pillow reads fewer bits of this picture, not loaded yet, than its file has."""
    tiles = getattr(picture, "tile", ())
    return picture.mode in ("L", "LA", "RGB", "RGBA") and any(
        ";16" in str(tile[-1]) for tile in tiles
    )


def _check_picture(picture: Image.Image, num_bytes: int) -> None:
    """Refuse absurd sizes, before any memory is taken, and films."""
    num_frames = getattr(picture, "n_frames", 1)
    if num_frames > 1 and picture.format in FILMS:
        raise FileError(f"it holds {num_frames} frames. Save each frame as a picture of its own.")
    itemsize = BYTES_OF_MODES.get(picture.mode, len(picture.getbands()))
    check_claim((picture.height, picture.width), itemsize, num_bytes)


def _palette_of(picture: Image.Image) -> NDArray[np.uint8] | None:
    """Colours (N, 3) of a palette picture; None where it has no palette."""
    if picture.mode not in ("P", "PA"):
        return None
    colors = picture.getpalette("RGB")
    return np.array(colors, dtype=np.uint8).reshape(-1, 3) if colors else None


def _read_image(picture: Image.Image, data: bytes) -> NDArray[Any]:
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
    return _to_array(picture)


def _to_array(picture: Image.Image) -> NDArray[Any]:
    """The values of a picture, band by band: Pillow hands each out in two copies."""
    num_rows = max(1, BAND_PIXELS // picture.width)
    if num_rows >= picture.height:
        return np.array(picture)
    first = np.asarray(picture.crop((0, 0, picture.width, 1)))
    values = np.empty((picture.height, *first.shape[1:]), dtype=first.dtype)
    for top in range(0, picture.height, num_rows):
        box = (0, top, picture.width, min(top + num_rows, picture.height))
        values[top : top + num_rows] = np.asarray(picture.crop(box))
    return values


def _read_mask(picture: Image.Image, data: bytes) -> NDArray[Any]:
    """Numbers as stored: Pillow scales 2- and 4-bit grey up to 0..255, which is undone here."""
    bit_depth, color_type = _png_header(data)
    if bit_depth == 16:
        return _decode_png16(data)
    if picture.mode == "PA":
        return np.array(picture.getchannel("P"))
    values = _to_array(picture)
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
