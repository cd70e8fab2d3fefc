"""Read large pictures in parts, so that memory holds a window and not the picture.

    windows = open_windows(path)         None where the format is read whole, see `read_image`
    windows[0:512, 1024:1536]            (512, 512, C) as `read_image` gives it
    windows.overview()                   a few million pixels, evenly spread

    TIFF, tiled or in strips      its segments are decoded as they are needed (tiff_windows.py)
    TIFF, uncompressed; .npy      mapped into memory
    OME-Zarr, plain Zarr          its chunks are decoded as they are needed

PNG and JPEG files can only be decoded whole.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.io.image_files import guarded, read_start
from pixelwise.io.numpy_files import NPY_START, map_npy
from pixelwise.io.pixels import plain_type
from pixelwise.io.tiff_files import is_tiff
from pixelwise.io.tiff_windows import TiffSegments, map_tiff
from pixelwise.io.zarr_files import is_zarr_folder, open_level

LARGE_BYTES = 2**24  # decoded: smaller pictures are read whole, which is as fast
OVERVIEW_PIXELS = 2**20
OVERVIEW_PARTS = 256  # windows that an overview is made of, where the picture has more


class Stored(Protocol):
    """A picture where it lies."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of what is read."""

    def __getitem__(self, window: tuple[slice, slice], /) -> NDArray[Any]:
        """Read a window (h, w, C)."""


class Windows:
    """A picture (H, W, C) that is read in windows.

    Args:
        path: where it lies, for messages.
        stored: gives windows, of the types of files.
        part: (rows, columns) that are best read at a time.
    """

    def __init__(self, path: Path, stored: Stored, part: tuple[int, int]) -> None:
        self.path, self._stored, self.part = path, stored, part
        height, width, channels = stored.shape
        self.shape = height, width, channels
        self.dtype = self[0:1, 0:1].dtype

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Read a window (h, w, C); FileError where the file is damaged there."""
        return guarded(self.path, lambda: plain_type(self._stored[window], as_mask=False))

    def overview(self) -> NDArray[Any]:
        """About a million pixels (N, 1, C), evenly spread: of every part, or of 256 of them."""
        (height, width, _), (rows, columns) = self.shape, self.part
        num_down, num_across = -(-height // rows), -(-width // columns)
        chosen = np.linspace(
            0, num_down * num_across - 1, min(OVERVIEW_PARTS, num_down * num_across)
        ).round()
        seen = len(chosen) * min(rows, height) * min(columns, width)
        every = max(1, round(math.sqrt(seen / OVERVIEW_PIXELS)))
        found = []
        for number in chosen.astype(int).tolist():
            top, left = number // num_across * rows, number % num_across * columns
            part = self[top : min(top + rows, height), left : min(left + columns, width)]
            found.append(part[::every, ::every].reshape(-1, 1, part.shape[-1]))
        return np.concatenate(found)


def open_windows(path: Path, least_bytes: int | None = None) -> Windows | None:
    """Open a large picture to be read in parts.

    Args:
        path: a file, or the folder of a Zarr image.
        least_bytes: of the decoded picture, default 16 MB; smaller ones are read whole.

    Returns:
        The picture; None where it is read whole: it is small, a volume, turned, of colours that
        need the whole, or of a format that has no parts.

    Raises:
        FileError: the file is missing, empty, damaged, or claims more than it can hold.
        MissingExtraError: the format needs an extra that is not installed.
    """
    open_stored = _opener(path)
    if open_stored is None:
        return None
    found = guarded(path, open_stored)
    if found is None:
        return None
    stored, part = found
    least_bytes = LARGE_BYTES if least_bytes is None else least_bytes
    if math.prod(stored.shape) * stored.dtype.itemsize < least_bytes:
        return None
    return Windows(path, stored, part)


Opened = tuple[Stored, tuple[int, int]]


def _opener(path: Path) -> Callable[[], Opened | None] | None:
    """What opens a file of its kind; None for kinds without parts."""
    if path.is_dir():
        return (lambda: _open_zarr(path)) if is_zarr_folder(path) else None
    start = read_start(path)
    if is_tiff(start):
        return lambda: _open_tiff(path)
    return (lambda: _open_npy(path)) if start[:6] == NPY_START else None


def _open_tiff(path: Path) -> Opened | None:
    mapped = map_tiff(path)
    if mapped is not None:
        return mapped, _rows_of(mapped)
    segments = TiffSegments.open(path)
    return None if segments is None else (segments, segments.part)


def _open_npy(path: Path) -> Opened | None:
    mapped = _channels_last(map_npy(path))
    return None if mapped is None else (mapped, _rows_of(mapped))


def _open_zarr(path: Path) -> Opened | None:
    array, axes = open_level(path)
    sides = dict(zip(axes, array.shape, strict=False))
    lone = {axis for axis in axes if axis in "TZ" and sides[axis] == 1}  # as most writers have them
    if "".join(axis for axis in axes if axis in "YX") != "YX" or set(axes) - lone - set("CYX"):
        return None
    stored = _ZarrImage(array, axes)
    chunks = dict(zip(axes, array.chunks, strict=True))
    return stored, (int(chunks["Y"]), int(chunks["X"]))


class _ZarrImage:
    """A Zarr array of rows, columns and perhaps channels, and of axes of length 1."""

    def __init__(self, array: Any, axes: str) -> None:  # noqa: ANN401  (zarr has no stubs)
        self._array, self._axes = array, axes
        self._kept_axes = "".join(axis for axis in axes if axis in "CYX")
        sides = dict(zip(axes, array.shape, strict=True))
        self.shape = sides["Y"], sides["X"], sides.get("C", 1)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        places = {"Y": window[0], "X": window[1], "C": slice(None)}
        values = np.asarray(self._array[tuple(places.get(axis, 0) for axis in self._axes)])
        if "C" not in self._axes:
            return values[..., np.newaxis]
        return np.moveaxis(values, self._kept_axes.index("C"), -1)


def _channels_last(array: NDArray[Any]) -> NDArray[Any] | None:
    """A view (H, W, C) of (H, W) or (H, W, C); None where the axes are not plain."""
    if array.ndim == 2:
        return array[..., np.newaxis]
    is_last = array.ndim == 3 and array.shape[-1] <= 4 < min(array.shape[:2])
    return array if is_last else None


def _rows_of(mapped: NDArray[Any]) -> tuple[int, int]:
    """Some whole rows: they lie together in memory."""
    return max(1, min(mapped.shape[0], 2**20 // max(1, mapped.shape[1]))), mapped.shape[1]
