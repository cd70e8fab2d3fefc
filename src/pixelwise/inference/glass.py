"""Glass on whole slides: bright and without colour.

    saturation of a pixel     (largest - smallest channel) / largest channel
    glass                     saturation below Otsu's threshold of the whole slide, kept between
                              0.03 and 0.1, and as bright as nine tenths of its bright pixels

The bounds are for slides that are all glass, or have none: Otsu would divide noise, or tissue.
Source: Otsu, A threshold selection method from gray-level histograms, 1979.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.03, 0.1  # of the threshold
BRIGHT_PERCENTILE = 99
BRIGHT_SHARE = 0.9
MAX_TISSUE = 0.001  # share of the pixels of a tile of glass
BLOCK = 4  # pixels that are averaged along each axis: noise has colours


@dataclass(frozen=True, slots=True)
class Glass:
    """What is glass on a slide.

    Attributes:
        saturation: below which pixels have no colour.
        brightness: from which on they are bright, in the values of the image.
    """

    saturation: float
    brightness: float

    @classmethod
    def of(cls, overview: NDArray[Any]) -> "Glass":
        """What is glass, by pixels (..., 3) that are spread over the slide."""
        from skimage.filters import threshold_otsu

        pixels = overview.reshape(-1, 3).astype(np.float32)
        found = _saturation(pixels)
        is_plain = bool(found.min() == found.max())
        otsu = LOWEST if is_plain else float(threshold_otsu(found))  # type: ignore[no-untyped-call]
        bright = np.percentile(pixels.max(-1), BRIGHT_PERCENTILE)
        return cls(min(max(otsu, LOWEST), HIGHEST), float(BRIGHT_SHARE * bright))

    def fills(self, window: NDArray[Any]) -> bool:
        """Whether a window (h, w, 3) shows glass and nothing else."""
        pixels = _average(window)
        is_glass = (_saturation(pixels) < self.saturation) & (pixels.max(-1) >= self.brightness)
        return bool(np.mean(~is_glass) <= MAX_TISSUE)


def _saturation(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(*S, 3) to (*S), from 0 to 1."""
    highest = pixels.max(-1)
    return np.asarray((highest - pixels.min(-1)) / np.maximum(highest, 1e-6), np.float32)


def _average(window: NDArray[Any]) -> NDArray[np.float32]:
    """Means (h / 4, w / 4, 3) of blocks; what is left over at the lower and right edge counts."""
    padding = [(0, -length % BLOCK) for length in window.shape[:2]]
    padded = np.pad(window.astype(np.float32), [*padding, (0, 0)], mode="edge")
    height, width = (length // BLOCK for length in padded.shape[:2])
    blocks = padded.reshape(height, BLOCK, width, BLOCK, 3)
    return np.asarray(blocks.mean(axis=(1, 3)))
