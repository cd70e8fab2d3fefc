"""Pictures in formats that are written of the whole, gathered from rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class WholePicture:
    """A file that is written at the end of its context; nothing is where an error leaves it.

    Args:
        path: path of the file.
        shape: (height, width) or (height, width, 3): so many bytes of memory are taken.
        save: writes the whole, uint8 of that shape, to the path.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        save: Callable[[Path, NDArray[np.uint8]], object],
    ) -> None:
        self._path, self._save, self._num_rows = path, save, 0
        self._whole = np.empty(shape, np.uint8)

    def __enter__(self) -> "WholePicture":
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the file; OutputError where that fails."""
        if kind is None:
            assert self._num_rows == len(self._whole)
            self._save(self._path, self._whole)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows (h, W) or (h, W, 3)."""
        self._whole[self._num_rows : self._num_rows + len(rows)] = rows
        self._num_rows += len(rows)
