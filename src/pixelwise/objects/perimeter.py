"""The part that each pixel has in the perimeter of its region, as scikit-image measures it.

Benkrid and Crookes: Design and FPGA implementation of a perimeter estimator, 2000. A pixel counts
where it is on the border: one of its four neighbours is not of its region. How much depends on
which of its eight neighbours are on the border, too: straight on 1, diagonally the root of 2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.task import IGNORE_INDEX

EDGES = ((0, 1), (1, 0), (1, 2), (2, 1))  # neighbours in 3 x 3 pixels, and those by corners
CORNERS = ((0, 0), (0, 2), (2, 0), (2, 2))
EDGE_CODE, CORNER_CODE = 2, 10  # of a neighbour on the border; 1 for the pixel itself
LENGTHS = np.zeros(50)
LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
LENGTHS[[21, 33]] = np.sqrt(2)
LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2


def perimeter_parts(plane: NDArray[Any]) -> NDArray[np.float64]:
    """The part of each pixel in the perimeter of its region.

    Neighbours of one class are of one region, so that regions need not be known.

    Args:
        plane: (h + 4, W) class index or bool, with two rows above and below those asked for.

    Returns:
        (h, W) lengths in pixels.
    """
    outside = False if plane.dtype == np.bool_ else IGNORE_INDEX
    padded = np.pad(plane, ((0, 0), (2, 2)), constant_values=outside)
    near = padded[1:-1, 1:-1]
    is_border = np.zeros(near.shape, np.bool_)
    for place in EDGES:
        is_border |= _shifted(padded, place) != near
    centre = near[1:-1, 1:-1]
    code = is_border[1:-1, 1:-1].astype(np.uint8)
    for places, value in ((EDGES, EDGE_CODE), (CORNERS, CORNER_CODE)):
        for place in places:
            is_one = (_shifted(near, place) == centre) & _shifted(is_border, place)
            code += is_one * np.uint8(value)
    return LENGTHS[code]


def _shifted(values: NDArray[Any], place: tuple[int, int]) -> NDArray[Any]:
    """The neighbours in one direction of all but the outermost values."""
    row, column = place
    height, width = values.shape
    return values[row : height - 2 + row, column : width - 2 + column]
