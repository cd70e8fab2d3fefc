"""How large tiles may be within a memory that is promised.

What is in memory at a time, beside the program and the model themselves:

    activations     of one tile: its pixels x what the network keeps of each
    overlaps        probabilities where rows of tiles meet: classes x overlap x width
    bands           rows of the mask on their way to the file, and rows of the image that were
                    decoded and are needed again: some tile heights x width

None of these grows with the height of the image.
"""

import math
from typing import Any

from numpy.typing import NDArray

from pixelwise.errors import PlanError
from pixelwise.inference.predictor import TILINGS, Predictor
from pixelwise.io import Windows
from pixelwise.memory import used_memory

SHARES = (1, 0.75, 0.5, 0.375, 0.25)  # of the usual side of tiles, the largest first
VALUE_BYTES = 4  # of bfloat16, too: converted copies stand beside the features
WINDOWS = 4  # of the image: read ahead, and scaled
FEATURES = 8  # arrays of the first level's width that are there at once, at full size
COPIES = 2  # of an image that was read whole, beside itself: its channels, and those of a batch
LARGE = 2**24  # bytes of an image: smaller ones are predicted whatever the memory
SPARE = 64 * 2**20  # bytes for what is not counted: buffers of files, codes of libraries
BANDS_WAITING = 5  # of the mask: made, waiting, written


def choose_tile_side(predictor: Predictor, windows: Windows, memory: int) -> int:
    """The side of tiles, in pixels of the image, for which the memory of the process suffices.

    Args:
        predictor: whose model is loaded.
        windows: the image.
        memory: bytes of the process, all in all.

    Raises:
        PlanError: it does not suffice for the smallest tiles.
    """
    used, least = used_memory(), 0
    usual = TILINGS[predictor.quality].side
    for share in SHARES:
        side = predictor.tile_side(round(usual * share))
        least = used + memory_of_tiles(predictor, windows, side)
        if least <= memory:
            return side
    raise PlanError(
        f"--memory {_show(memory)} does not suffice: this model and an image of "
        f"{windows.shape[1]:,} pixels a row take {_show(least)} at least, {_show(used)} of it for "
        "the program itself. Give more, or cut the image."
    )


def refuse_large(
    predictor: Predictor,
    image: NDArray[Any],
    name: str,
    memory: int,
    *,
    keeps_probabilities: bool,
) -> None:
    """PlanError where an image that was read whole cannot be predicted within a memory.

    Args:
        predictor: whose model is loaded.
        image: (H, W, C), or (D, H, W, C) of a stack.
        name: of the image.
        memory: bytes of the process, all in all.
        keeps_probabilities: they are written, and not the mask alone.
    """
    num_classes, num_pixels = predictor.model.config.num_classes, math.prod(image.shape[:-1])
    kept = VALUE_BYTES * num_classes if keeps_probabilities else 1
    needed = used_memory() + COPIES * image.nbytes + num_pixels * kept
    if image.nbytes > LARGE and needed > memory:
        raise PlanError(
            f"{name} takes some {_show(needed)}, where {_show(memory)} may be taken. Save it as a "
            "tiled TIFF and predict the mask alone, which is done in parts; or give more with "
            "--memory."
        )


def memory_of_tiles(predictor: Predictor, windows: Windows, side: int) -> int:
    """Bytes that tiles of a side take, beside what the process has already."""
    config, (_, width, channels) = predictor.model.config, windows.shape
    network, num_classes = config.network, config.num_classes
    side = min(side, width)
    pixels = side**2 * config.working_scale**2
    features = FEATURES * network.widths[0] + 2 * network.in_channels
    activations = pixels * VALUE_BYTES * features
    probabilities = 4 * VALUE_BYTES * num_classes * side**2  # one of a constant tile is kept
    overlaps = VALUE_BYTES * num_classes * predictor.overlap * (width + side)
    mask = BANDS_WAITING * side * width
    decoded = (side + 2 * windows.part[0]) * width * channels * windows.dtype.itemsize
    scaled = WINDOWS * VALUE_BYTES * side**2 * network.in_channels
    return int(activations + probabilities + overlaps + mask + decoded + scaled + SPARE)


def _show(number: int) -> str:
    return f"{number / 10**9:.2f} GB"
