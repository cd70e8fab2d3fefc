"""Finished rows of an image, as those who write files get them: from the top to the bottom."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Finished rows of an image; a small image is one of them.

    Attributes:
        image: (h, W, C) as stored; of no channels where no file needs it.
        mask: (h, W) class index, or (K, h, W) bool where classes overlap.
        probabilities: (K, h, W), 0 to 255 for 0 to 1; None where no file needs them.
        uncertainty: (h, W), 0 to 255 for 0 to 1; None where no file needs it.
    """

    image: NDArray[Any]
    mask: NDArray[Any]
    probabilities: NDArray[np.uint8] | None = None
    uncertainty: NDArray[np.uint8] | None = None
