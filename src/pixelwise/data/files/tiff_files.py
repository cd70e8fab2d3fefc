"""Read TIFF files: any number type, channel-first or channel-last as the file's own metadata say.

axes "YX"           (H, W)
axes "YXS", "YXC"   (H, W, C)
axes "SYX", "CYX"   (H, W, C)       planar files, ImageJ and OME channels
one unnamed axis    (H, W, C)       where it is far shorter than the two others; the note says so
Z or T above 1      refused         volumes and films are not pictures
"""

import io
import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import FileError

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_VALUES = 2**32  # of a header's shape; above it the header is taken for damage
MAX_UNNAMED_CHANNELS = 32  # an unnamed axis longer than this is not taken for channels

# tifffile logs every oddity of a damaged file; what matters is in our error. A program that sets up
# logging still sees it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def is_tiff(data: bytes) -> bool:
    """Whether the content is a TIFF or BigTIFF file."""
    return data[:4] in TIFF_STARTS


def decode_tiff(data: bytes, as_mask: bool = False) -> tuple[NDArray[Any], str]:
    """Decode the first picture of a TIFF file.

    Args:
        data: the whole file.
        as_mask: keep the numbers as stored: palette indices, 1-bit as 0 and 1.

    Returns:
        (H, W) or (H, W, C) values, and a note on what was assumed ("" where the file says it all).

    Raises:
        FileError: the file holds a volume or a film, or axes that cannot be told apart.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        series = tiff.series[0]
        if not 0 < series.size <= MAX_VALUES:
            raise FileError(
                f"its header claims the shape {series.shape}. Remove it if it is damaged."
            )
        values, axes = series.asarray(), series.axes
        page = tiff.pages.first
        values, axes, note = _order_axes(values, axes)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not as_mask:
            values = _expand_palette(values, page.colormap)
        elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            values = _invert(values, as_mask)
        if len(tiff.series) > 1:
            note = f"the file holds {len(tiff.series)} pictures, of which the first was read"
    return _plain_type(values, as_mask), note


def _order_axes(values: NDArray[Any], axes: str) -> tuple[NDArray[Any], str, str]:
    """Bring values into (H, W) or (H, W, C) order by the names of their axes."""
    keep = [i for i, length in enumerate(values.shape) if length > 1 or axes[i] in "YX"]
    values = values.reshape([values.shape[i] for i in keep])
    axes = "".join(axes[i] for i in keep)
    if axes == "YX":
        return values, axes, ""
    if len(axes) == 3 and set("YX") < set(axes) and axes.strip("YX") in ("S", "C"):
        return np.moveaxis(values, axes.index(axes.strip("YX")), -1), "YXC", ""
    for axis, what in (("Z", "slices: it is a volume"), ("T", "moments: it is a film")):
        if axis in axes:
            raise FileError(
                f"it holds {values.shape[axes.index(axis)]} {what} (axes {axes}). Save each plane "
                "as a picture of its own."
            )
    if values.ndim == 3:
        return _order_unnamed(values)
    raise FileError(
        f"its axes {axes} {values.shape} are not those of a picture. Save one plane a file."
    )


def _order_unnamed(values: NDArray[Any]) -> tuple[NDArray[Any], str, str]:
    """Take the one short axis of three for the channels, or refuse."""
    shortest = int(np.argmin(values.shape))
    length = values.shape[shortest]
    others = [n for axis, n in enumerate(values.shape) if axis != shortest]
    if shortest == 1 or length > MAX_UNNAMED_CHANNELS or 4 * length > min(others):
        raise FileError(
            f"its shape {values.shape} comes without the names of its axes, so that channels, "
            "slices and rows cannot be told apart. Save it with axes, such as CYX."
        )
    place = "first" if shortest == 0 else "last"
    note = f"TIFF axes unnamed, shape {values.shape}: the {place} was taken for channels"
    return np.moveaxis(values, shortest, -1), "YXC", note


def _expand_palette(values: NDArray[Any], colormap: NDArray[Any] | None) -> NDArray[Any]:
    """Indices (H, W) to colours (H, W, 3) uint8; colormap is (3, N) uint16."""
    if colormap is None or values.ndim != 2:
        return values
    colors: NDArray[Any] = (colormap.T >> 8).astype(np.uint8)[values]
    return colors


def _invert(values: NDArray[Any], as_mask: bool) -> NDArray[Any]:
    """Turn "0 is white" into "0 is black"; numbers of an index mask mean no brightness and stay."""
    if values.dtype == np.bool_:
        return ~values
    if as_mask or values.dtype.kind != "u":
        return values
    return np.iinfo(values.dtype).max - values


def _plain_type(values: NDArray[Any], as_mask: bool) -> NDArray[Any]:
    """Booleans to uint8, half and double floats to float32, and the machine's byte order."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(1 if as_mask else 255)
    if values.dtype.kind == "c":
        raise FileError("it holds complex numbers. Save their magnitude as float32.")
    if values.dtype.kind == "f" and not as_mask:
        return np.ascontiguousarray(values, dtype=np.float32)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
