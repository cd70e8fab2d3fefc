"""Overlays drawn from rows, without a trace of where these were cut.

Whether a pixel is an outline depends on the rows above and below it. So the last row waits for the
next one, and the row above it is kept to be looked at.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Display, overlay
from pixelwise.workflows.prediction.rows import Rows

DRAWN_PIXELS = 2**20  # at a time: some 60 bytes each


class OverlayRows:
    """Draws the mask over the image, row by row.

    Args:
        height: of the image.
        colors: "#rrggbb" of each class.
        display: how to show the image.
    """

    def __init__(self, height: int, colors: Sequence[str], display: Display) -> None:
        self._height, self._colors, self._display = height, colors, display
        self._kept: tuple[NDArray[Any], NDArray[Any]] | None = None  # image and mask
        self._num_drawn = self._num_seen = 0

    def draw(self, rows: Rows) -> Iterator[NDArray[np.uint8]]:
        """Take the next rows; give those of the picture (h, W, 3) whose neighbours are known."""
        count = max(1, DRAWN_PIXELS // rows.image.shape[1])
        for top in range(0, len(rows.image), count):
            part = slice(top, top + count)
            yield self._draw(rows.image[part], rows.mask[..., part, :])

    def _draw(self, image: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.uint8]:
        self._num_seen += len(image)
        if self._kept is not None:
            image = np.concatenate([self._kept[0], image])
            mask = np.concatenate([self._kept[1], mask], axis=-2)
        first = self._num_seen - len(image)  # row of the image
        end = self._num_seen if self._num_seen == self._height else self._num_seen - 1
        picture = overlay(image, mask, self._colors, display=self._display)
        drawn = picture[self._num_drawn - first : end - first]
        self._num_drawn = end
        self._kept = image[-2:].copy(), mask[..., -2:, :].copy()
        return drawn
