"""Finished rows of an image, as those who write files get them: from the top to the bottom."""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Finished rows of an image; a small image is one of them.

    Attributes:
        image: (h, W, C) as stored.
        mask: (h, W) class index, or (K, h, W) bool where classes overlap.
        probabilities: (K, h, W) in [0, 1]; None where no file needs them.
    """

    image: NDArray[Any]
    mask: NDArray[Any]
    probabilities: NDArray[np.float32] | None = None


class ResultWriter(AbstractContextManager[Any], Protocol):
    """Writes files of one image. At its end they are whole; where an error leaves it, not there."""

    def write(self, rows: Rows) -> None:
        """Add the next rows; OutputError where a file cannot be written."""
