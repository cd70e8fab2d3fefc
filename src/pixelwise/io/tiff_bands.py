"""Write a mask as a tiled TIFF while it is being made, from the top to the bottom.

    rows 0-511     ──> queue ──> thread: tiles of 512 x 512, packed and written
    rows 512-1023  ──>           one band of tiles is in memory, however large the mask is

The file stands beside its place until it is whole, as every result does.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import color_table
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.writers import BIG_BYTES, SIGNATURE, ome_spacing, write_whole

TILE = 512  # pixels
NUM_WAITING = 2  # bands that may wait to be written


class Abandoned(Exception):
    """The mask will not be finished."""


class TiffBands:
    """A file of class indices that is written band by band.

    Used as a context: at its end the file is there; where an error leaves it, nothing is.

    Args:
        path: path of the file.
        size: (height, width).
        colors: "#rrggbb" of each class, which programs show.
        place: where the pixels are in the world.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], colors: Sequence[str], place: Place = NOWHERE
    ) -> None:
        self._path, self._size, self._colors, self._place = path, size, colors, place
        self._bands: queue.Queue[NDArray[np.uint8] | None] = queue.Queue(NUM_WAITING)
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._thread = threading.Thread(target=self._write, name=f"writes {path.name}")

    def __enter__(self) -> "TiffBands":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or remove it; raise OutputError where it could not be written."""
        self._is_abandoned = kind is not None
        self._put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows (h, width); OutputError where the file cannot be written."""
        self._put(rows)
        if self._error is not None:
            raise self._error

    def _put(self, rows: NDArray[np.uint8] | None) -> None:
        while self._thread.is_alive():
            try:
                self._bands.put(rows, timeout=0.1)
            except queue.Full:
                continue
            return

    def _write(self) -> None:
        """Write all bands; run by the thread."""
        try:
            write_whole(self._path, self._save)
        except Abandoned:
            pass
        except BaseException as error:  # told to whoever writes
            self._error = error

    def _save(self, file: BinaryIO) -> None:
        import tifffile

        colors = color_table(self._colors[:256], 256).reshape(-1, 3)
        is_big = int(np.prod(self._size)) > BIG_BYTES
        spacing = ome_spacing(self._place.spacing_um)
        with tifffile.TiffWriter(file, bigtiff=is_big, ome=bool(spacing)) as writer:
            writer.write(
                self._tiles(),
                shape=self._size,
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="palette",
                colormap=(colors.T.astype(np.uint16) * 257),
                compression="zlib",
                software=SIGNATURE,
                metadata={"axes": "YX"} | spacing,
                extratags=self._place.tags,
            )

    def _tiles(self) -> Iterator[NDArray[np.uint8]]:
        """The tiles of the file, in its order; those at its edges are filled up with 0."""
        height, width = self._size
        rows: NDArray[np.uint8] = np.zeros((0, width), np.uint8)
        for top in range(0, height, TILE):
            rows = self._fill(rows, min(TILE, height - top))
            for left in range(0, width, TILE):
                part = rows[:TILE, left : left + TILE]
                tile = np.zeros((TILE, TILE), np.uint8)
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile
            rows = rows[TILE:]

    def _fill(self, rows: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        """Wait until there are so many rows."""
        parts, count = [rows], len(rows)
        while count < number:
            band = self._bands.get()
            if band is None or self._is_abandoned:
                raise Abandoned
            parts.append(band)
            count += len(band)
        return np.concatenate(parts)
