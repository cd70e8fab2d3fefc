"""Overlays drawn from rows, without a trace of where these were cut.

Whether a pixel is an outline depends on the rows above and below it. So the last row waits for the
next one, and the row above it is kept to be looked at.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Display, overlay
from pixelwise.workflows.prediction.rows import Rows

DRAWN_PIXELS = 2**20  # at a time: some 60 bytes each


class RowsFile(AbstractContextManager[Any], Protocol):
    """A file of pixels. At its end it is whole; where an error leaves it, not there."""

    def write(self, rows: NDArray[Any], /) -> None:
        """Add the next rows; OutputError where they cannot be written."""


class OverlayRows:
    """Draws the mask over the image, row by row.

    Args:
        file: gets the rows of the picture (h, W, 3).
        height: of the image.
        colors: "#rrggbb" of each class.
        display: how to show the image.
    """

    def __init__(
        self, file: RowsFile, height: int, colors: Sequence[str], display: Display
    ) -> None:
        self._file, self._height, self._colors, self._display = file, height, colors, display
        self._kept: tuple[NDArray[Any], NDArray[Any]] | None = None  # image and mask
        self._num_drawn = self._num_seen = 0

    def __enter__(self) -> "OverlayRows":
        """Begin."""
        self._file.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or leave none; OutputError where it cannot be written."""
        self._file.__exit__(kind, error, trace)

    def write(self, rows: Rows) -> None:
        """Add the next rows; OutputError where they cannot be written."""
        count = max(1, DRAWN_PIXELS // rows.image.shape[1])
        for top in range(0, len(rows.image), count):
            part = slice(top, top + count)
            self._draw(rows.image[part], rows.mask[..., part, :])

    def _draw(self, image: NDArray[Any], mask: NDArray[Any]) -> None:
        """Draw all rows whose neighbours are known."""
        self._num_seen += len(image)
        if self._kept is not None:
            image = np.concatenate([self._kept[0], image])
            mask = np.concatenate([self._kept[1], mask], axis=-2)
        first = self._num_seen - len(image)  # row of the image
        end = self._num_seen if self._num_seen == self._height else self._num_seen - 1
        picture = overlay(image, mask, self._colors, display=self._display)
        self._file.write(picture[self._num_drawn - first : end - first])
        self._num_drawn = end
        self._kept = image[-2:].copy(), mask[..., -2:, :].copy()
