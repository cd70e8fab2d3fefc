"""Read windows of a TIFF file by decoding the segments (tiles or strips) that they touch.

Windows are asked for from the top to the bottom; what was decoded is kept until they have gone
beyond it:

    segments   ┌───┬───┬───┐   a window of the first row decodes 0, 1, 3 and 4;
               │ 0 │ 1 │ 2 │   the next one 2 and 5, and finds 1 and 4;
               ├───┼───┼───┤   one further down lets go of 0, 1 and 2
               │ 3 │ 4 │ 5 │
               └───┴───┴───┘
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.io.tiff_files import (
    ORIENTATION_TAG,
    check_series,
    read_colors,
)

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

AXES = ("YX", "YXS", "SYX", "CYX")  # of one picture


class TiffSegments:
    """A compressed TIFF picture (H, W, C) of one page, or of one page a channel.

    Args:
        path: path of the file.
        series: the picture, of axes in AXES, of the file that is open.
    """

    def __init__(self, path: Path, series: "TiffPageSeries") -> None:
        self._path = path
        self._pages: list[TiffPage] = [page.aspage() for page in series.pages if page is not None]
        page = self._pages[0]
        sides = dict(zip(series.axes, series.shape, strict=True))
        self._num_stored = sides.get("S", sides.get("C", 1))
        self._is_separate = series.axes[0] in "SC"
        height, width = int(sides["Y"]), int(sides["X"])
        if page.is_tiled:
            self._side = page.tilelength, page.tilewidth
        else:
            self._side = min(page.rowsperstrip, height), width
        self._grid = -(-height // self._side[0]), -(-width // self._side[1])
        self._kept: dict[tuple[int, int, int, int], NDArray[Any]] = {}
        self._size = height, width
        first = self[0:1, 0:1]
        self.shape = height, width, first.shape[-1]
        self.dtype = first.dtype

    @classmethod
    def open(cls, path: Path) -> "TiffSegments | None":
        """Open the first picture of a file; None where it cannot be read in parts.

        Raises:
            FileError: absurd sizes, or a file that was cut short.
        """
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            series = _single_picture(tiff, path)
            return None if series is None else cls(path, series)

    @property
    def part(self) -> tuple[int, int]:
        """(rows, columns) of a segment."""
        return self._side

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Read a window (h, w, C) of colours as people see them."""
        (top, bottom), (left, right) = (
            one.indices(length)[:2] for one, length in zip(window, self._size, strict=True)
        )
        rows, columns = self._side
        self._let_go(top)
        values: NDArray[Any] | None = None
        for down in range(top // rows, -(-bottom // rows)):
            for across in range(left // columns, -(-right // columns)):
                segment = self._segment(down, across)
                if values is None:
                    size = bottom - top, right - left, segment.shape[-1]
                    values = np.zeros(size, segment.dtype)
                y, x = down * rows, across * columns
                inside = (
                    slice(max(top - y, 0), bottom - y),
                    slice(max(left - x, 0), right - x),
                )
                part = segment[inside]
                y, x = max(y - top, 0), max(x - left, 0)
                values[y : y + part.shape[0], x : x + part.shape[1]] = part
        assert values is not None
        values = values[..., 0] if self._num_stored == 1 else values
        seen, _ = read_colors(values, self._pages[0], as_mask=False)
        return seen if seen.ndim == 3 else seen[..., np.newaxis]

    def _segment(self, down: int, across: int) -> NDArray[Any]:
        """The stored values (h, w, C) of one place of the grid, with all channels."""
        if not self._is_separate:
            return self._decode(0, 0, down, across)
        if len(self._pages) > 1:
            parts = [self._decode(page, 0, down, across) for page in range(len(self._pages))]
        else:
            parts = [self._decode(0, plane, down, across) for plane in range(self._num_stored)]
        return np.concatenate(parts, axis=-1)

    def _decode(self, number: int, plane: int, down: int, across: int) -> NDArray[Any]:
        """Decode a segment (h, w, samples) of a page, or find it among those that are kept."""
        key = number, plane, down, across
        found = self._kept.get(key)
        if found is not None:
            return found
        page = self._pages[number]
        index = (plane * self._grid[0] + down) * self._grid[1] + across
        data: bytes | None = None
        if page.databytecounts[index]:
            with self._path.open("rb") as file:
                file.seek(page.dataoffsets[index])
                data = file.read(page.databytecounts[index])
        decoded, _, shape = page.decode(
            data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        values: NDArray[Any]
        if decoded is None:  # noqa: SIM108  a sparse file: nothing was written there
            values = np.full(shape[1:], page.nodata, page.dtype)
        else:
            values = decoded[0]
        self._kept[key] = values
        return values

    def _let_go(self, top: int) -> None:
        """Forget the segments above a row."""
        gone = [key for key in self._kept if (key[2] + 1) * self._side[0] <= top]
        for key in gone:
            self._kept.pop(key, None)


def map_tiff(path: Path) -> NDArray[Any] | None:
    """The picture of an uncompressed file as an array (H, W, C) on disk; else None."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = _single_picture(tiff, path)
        page = tiff.pages.first
        if series is None or series.dataoffset is None or int(page.photometric) not in (1, 2):
            return None
        if page.bitspersample % 8 or page.fillorder != 1:
            return None
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        stored = np.memmap(path, dtype, "r", series.dataoffset, series.shape)
    if series.axes == "YX":
        return stored[..., np.newaxis]
    return np.moveaxis(stored, 0, -1) if series.axes[0] in "SC" else stored


def _single_picture(tiff: "TiffFile", path: Path) -> "TiffPageSeries | None":
    """The first picture, where it is a plain one that lies upright; FileError where damaged."""
    series, page = tiff.series[0], tiff.pages.first
    if series.axes not in AXES or (tiff.is_imagej and series.kind != "imagej"):
        return None
    tag = page.tags.get(ORIENTATION_TAG)
    if tag is not None and int(tag.value) != 1:
        return None
    check_series(series, page, path.stat().st_size, in_parts=True)
    return series
