"""How well the outlines of a mask lie on the edges of its image, and where they would lie better.

grey image -> strength of its edges  \
                                       cross-correlation (FFT) -> best shift, best turn
mask       -> outlines of its regions /

The correlation at a shift is given in standard deviations of all shifts ("sigma"): outlines that
lie on edges stand out at shift (0, 0), those of a shifted mask stand out elsewhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import uniform_filter

from pixelwise.data.survey.thumbnails import step_for

Floats = NDArray[np.float32]

STRONG_EDGE = 95  # percentile: stronger edges count no more than this
SURROUNDINGS_PX = 31  # edges count as far as they are stronger than those around
MAX_SHIFT_SHARE = 0.2  # of the side of the image
MAX_OUTLINES = 0.8  # share of the pixels: beyond it outlines say nothing about their place
NEAR_PX = 3  # of the small version: shifts this near are one place

TURNS: dict[
    str, Callable[[NDArray[Any]], NDArray[Any]]
] = {  # what is done to a mask so that it may fit
    "turned by 90 degrees to the left": lambda mask: np.rot90(mask),
    "turned by 180 degrees": lambda mask: np.rot90(mask, 2),
    "turned by 90 degrees to the right": lambda mask: np.rot90(mask, 3),
    "mirrored left to right": lambda mask: np.fliplr(mask),
    "mirrored top to bottom": lambda mask: np.flipud(mask),
    "transposed": lambda mask: mask.T,
    "transposed across the other diagonal": lambda mask: np.rot90(mask, 2).T,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """Where the outlines of a mask lie on the edges of its image.

    Attributes:
        shift: (rows, columns) in pixels by which the mask would have to be moved to fit best.
        here: sigma of the mask as it is; NaN where its size is another.
        there: sigma at `shift`.
        elsewhere: highest sigma away from `shift`.
        turn: the one of TURNS that fits best at shift (0, 0), "" where none can be.
        turned: sigma of that turn.
    """

    shift: tuple[int, int]
    here: float
    there: float
    elsewhere: float
    turn: str
    turned: float


def measure_fit(grey: Floats, plane: NDArray[Any]) -> Fit | None:
    """Correlate the edges of an image with the outlines of a mask.

    Args:
        grey: (h, w) small version of the image, see `to_grey`.
        plane: (H, W) mask of any integers, in full size.

    Returns:
        The fit; None where the mask has no outlines, or hardly anything else, or a size that no
        turn would correct it.
    """
    step = step_for(plane.shape)
    small = plane[step // 2 :: step, step // 2 :: step]
    small = small[: plane.shape[0] // step, : plane.shape[1] // step]
    is_same = small.shape == grey.shape
    if not is_same and small.shape != grey.shape[::-1]:
        return None
    edges = edge_strength(grey)
    outlines = find_outlines(small)
    if not 0 < outlines.mean() < MAX_OUTLINES or not edges.any():
        return None
    turned = {name: turn(outlines) for name, turn in TURNS.items()}
    fits = {name: one for name, one in turned.items() if one.shape == edges.shape}
    here = outlines if is_same else None
    reference = here if here is not None else next(iter(fits.values()))
    surface = correlate(edges, reference)
    center = float(surface.sum()) / surface.size
    deviation = surface.ravel() - center
    spread = max(math.sqrt(float(deviation @ deviation) / surface.size), 1e-12)
    scores = {name: (_dot(edges, one) - center) / spread for name, one in fits.items()}
    turn = max(scores, key=lambda name: scores[name]) if scores else ""
    best, there, elsewhere = _peak((surface - center) / spread)
    return Fit(
        shift=(best[0] * step, best[1] * step),
        here=float("nan") if here is None else (_dot(edges, here) - center) / spread,
        there=there,
        elsewhere=elsewhere,
        turn=turn,
        turned=scores.get(turn, float("nan")),
    )


def edge_strength(grey: Floats) -> Floats:
    """How much stronger the gradient is at each pixel than around it; strongest edges cut."""
    if min(grey.shape) < 2:
        return np.zeros_like(grey)
    strength = np.hypot(_slopes(grey), _slopes(grey.T).T)
    strength = np.minimum(strength, _percentile(strength, STRONG_EDGE))
    return np.asarray(strength - uniform_filter(strength, SURROUNDINGS_PX), dtype=np.float32)


def _slopes(grey: Floats) -> Floats:
    """Half the difference of both neighbouring rows; of the row itself and the next at the rims."""
    slopes = np.empty_like(grey)
    slopes[1:-1] = (grey[2:] - grey[:-2]) / 2
    slopes[0], slopes[-1] = grey[1] - grey[0], grey[-1] - grey[-2]
    return slopes


def _percentile(values: Floats, percent: float) -> float:
    """As `np.percentile`, in a fifth of the time where there are few values."""
    place = percent / 100 * (values.size - 1)
    below = int(place)
    pair = np.partition(values, [below, min(below + 1, values.size - 1)], axis=None)
    low, high = pair[below], pair[min(below + 1, values.size - 1)]
    return float(low + (place - below) * (high - low))


def find_outlines(plane: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of (H, W) whose right or lower neighbour has another value, and that neighbour."""
    outlines = np.zeros(plane.shape, dtype=np.bool_)
    below, right = plane[1:] != plane[:-1], plane[:, 1:] != plane[:, :-1]
    outlines[1:] |= below
    outlines[:-1] |= below
    outlines[:, 1:] |= right
    outlines[:, :-1] |= right
    return outlines


def correlate(edges: Floats, outlines: NDArray[np.bool_]) -> Floats:
    """Sum of the edges under the outlines moved by each shift (circular), shift (0, 0) first."""
    spectrum = rfft2(edges) * np.conj(rfft2(outlines.astype(np.float32)))
    return np.asarray(irfft2(spectrum, s=edges.shape), dtype=np.float32)


def _dot(edges: Floats, outlines: NDArray[np.bool_]) -> float:
    return float(edges[outlines].sum())


def _peak(sigma: Floats) -> tuple[tuple[int, int], float, float]:
    """The best shift that is not too far, its sigma, and the best sigma away from it."""
    reach = [max(1, int(MAX_SHIFT_SHARE * side)) for side in sigma.shape]
    near = np.roll(sigma, reach, axis=(0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1].copy()
    row, column = np.unravel_index(near.argmax(), near.shape)
    there = float(near[row, column])
    near[
        max(0, row - NEAR_PX) : row + NEAR_PX + 1, max(0, column - NEAR_PX) : column + NEAR_PX + 1
    ] = -np.inf
    return (int(row) - reach[0], int(column) - reach[1]), there, float(near.max())
