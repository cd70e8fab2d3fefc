"""Read TIFF files: any number type, with axes, colours and spacing as the file's own metadata say.

The axes are those of `axes.py`, by the names that ImageJ, OME or tifffile wrote; spacing comes from
`tiff_spacing.py`.
"""

import io
import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.errors import FileError
from pixelwise.io.axes import order_axes
from pixelwise.io.claims import check_claim
from pixelwise.io.pixels import Pixels, plain_type
from pixelwise.io.tiff_pages import check_pages
from pixelwise.io.tiff_spacing import read_spacing
from pixelwise.io.turns import known_orientation, swaps_sides, turn

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION_TAG = 274
MINISWHITE, MINISBLACK, PALETTE, SEPARATED, YCBCR, CIELAB = 0, 1, 3, 5, 6, 8
SLIDES = ("svs", "ndpi")  # as tifffile calls the formats of scanners
YCBCR_JPEG_2000 = 33003  # of Aperio, whatever the file says of its colours
JPEG_COMPRESSIONS = (6, 7)  # decoded to RGB

# tifffile logs every oddity of a damaged file; what matters is in our error. A program that sets up
# logging still sees it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def is_tiff(data: bytes) -> bool:
    """Whether the content is a TIFF or BigTIFF file."""
    return data[:4] in TIFF_STARTS


def decode_tiff(data: bytes, as_mask: bool = False) -> Pixels:
    """Decode the first picture or volume of a TIFF file.

    Args:
        data: the whole file.
        as_mask: keep the numbers as stored: palette indices, 1-bit as 0 and 1.

    Raises:
        FileError: the file holds a film, axes that cannot be told apart, or is damaged.
    """
    import tifffile

    check_pages(data)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        series, page = tiff.series[0], tiff.pages.first
        check_series(series, page, len(data))
        values = series.asarray()
        if values.shape != series.shape or (tiff.is_imagej and series.kind != "imagej"):
            raise FileError(
                "its pages do not make up what its metadata say: it is truncated or was changed by "
                "another program. Copy it again from its source, or save it again."
            )
        values, palette = read_colors(values, page, as_mask)
        axes = series.axes + "S" * (values.ndim - len(series.axes))
        ordered = order_axes(values, axes)
        spacing = read_spacing(tiff, ordered.spatial_axes)
        note = _note(tiff, ordered.note)
        tag = page.tags.get(ORIENTATION_TAG)
    values, orientation = ordered.values, int(tag.value) if tag else 1
    if len(ordered.spatial_axes) == 2:
        values = turn(values, orientation)
        spacing = spacing[::-1] if spacing and swaps_sides(orientation) else spacing
    return Pixels(
        plain_type(values, as_mask),
        len(data),
        note,
        orientation=known_orientation(orientation) if len(ordered.spatial_axes) == 2 else 1,
        spatial_dims=len(ordered.spatial_axes),
        spacing_um=spacing,
        palette=palette,
    )


def _note(tiff: "TiffFile", assumed: str) -> str:
    if tiff.series[0].kind in SLIDES:
        return ""  # thumbnail, label and glass are no other pictures
    number = sum(not series.keyframe.is_reduced for series in tiff.series)
    if number > 1:
        return f"the file holds {number} pictures, of which the first was read"
    return f"TIFF {assumed}" if assumed else ""


def check_series(
    series: "TiffPageSeries", page: "TiffPage", num_bytes: int, *, in_parts: bool = False
) -> None:
    """Refuse absurd sizes before memory is taken, and files that lack a part of their data.

    Args:
        series: the picture or volume.
        page: its first page.
        num_bytes: number of bytes of the file.
        in_parts: it is read in parts, so that its number of pixels takes no memory.
    """
    check_claim(series.shape, page.bitspersample / 8, num_bytes, in_parts=in_parts)
    check_claim(
        page.chunks, page.bitspersample / 8, num_bytes
    )  # strips and tiles are decoded whole
    if series.dataoffset is not None:
        _check_end(series.dataoffset + series.nbytes, num_bytes)
        return
    for one in series.pages:
        if one is None:
            raise FileError(
                "other files hold a part of its pixels (OME-TIFF in several files). Save it as one "
                "file."
            )
        if len(one.dataoffsets) < math.prod(page.chunked):
            raise FileError(
                f"its header claims {series.shape} pixels, but only {len(one.dataoffsets)} of "
                f"{math.prod(page.chunked)} strips or tiles are there. Copy it again from its "
                "source, or remove it."
            )
        places = zip(one.dataoffsets, one.databytecounts, strict=False)
        _check_end(max(start + length for start, length in places), num_bytes)


def _check_end(end: int, num_bytes: int) -> None:
    if end > num_bytes:
        raise FileError(
            f"it is truncated: {num_bytes} bytes of at least {end} are there. Copy it again from "
            "its source, or remove it."
        )


def read_colors(
    values: NDArray[Any], page: "TiffPage", as_mask: bool
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Values as people see them (of a mask as they are stored), and the palette of a mask."""
    photometric = int(page.photometric)
    if photometric == PALETTE and page.colormap is not None:
        colors = (page.colormap.T >> 8).astype(np.uint8)  # (N, 3)
        return (values, colors) if as_mask else (colors[values], None)
    if photometric == MINISWHITE:
        return _invert(values, page.bitspersample, as_mask), None
    if photometric == SEPARATED:
        return _from_cmyk(values), None
    if page.compression == YCBCR_JPEG_2000 and values.shape[-1] == 3:
        return np.asarray(Image.fromarray(values, mode="YCbCr").convert("RGB")), None
    if photometric == CIELAB or (
        photometric == YCBCR and page.compression not in JPEG_COMPRESSIONS
    ):
        raise FileError("its colours are stored as YCbCr or Lab. Save them as RGB.")
    if page.bitspersample in (2, 4) and not as_mask:  # as PNG files of few bits
        return values * np.uint8(255 // (2**page.bitspersample - 1)), None
    return values, None


def _from_cmyk(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.uint8 or values.shape[-1] != 4 or values.ndim != 3:
        raise FileError("its colours are stored as CMYK. Save them as RGB.")
    return np.asarray(Image.fromarray(values, mode="CMYK").convert("RGB"))


def _invert(values: NDArray[Any], bits: int, as_mask: bool) -> NDArray[Any]:
    """Turn "0 is white" into "0 is black"; numbers of an index mask mean no brightness and stay."""
    if values.dtype == np.bool_:
        return ~values
    if as_mask or values.dtype.kind != "u":
        return values
    highest = values.dtype.type(2**bits - 1)
    scale = values.dtype.type(255 // (2**bits - 1) if bits < 8 else 1)
    inverted: NDArray[Any] = (highest - values) * scale
    return inverted
