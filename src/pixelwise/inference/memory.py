"""How large tiles may be within a memory that is promised.

What is in memory at a time, beside the program and the model themselves:

    activations     of one tile: its pixels x what the network keeps of each
    overlaps        probabilities where rows of tiles meet: classes x overlap x width
    decoded         rows of the image that are needed again: some tile heights x width
    results         rows on their way to the files, and blocks of rows that the files gather: some
                    tile heights x width x the bytes that all files take of a pixel

None of these grows with the height of the image; files in formats that are written of the whole
(PNG) do, and are counted, too.
"""

import math
from typing import Any, NamedTuple

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
BANDS_WAITING = 5  # of results: made, waiting, written
BLOCK_ROWS = 1024  # at most, that a file gathers: blocks of all its levels


class Held(NamedTuple):
    """What those who write results hold of an image.

    Attributes:
        in_rows: bytes of each pixel of the rows on their way.
        in_all: bytes of each pixel of the image, for files that are written of the whole.
        reads_again: whether they need the image itself, which is then read once more.
        num_waiting: rows that wait until those below them are known.
    """

    in_rows: int = 1
    in_all: int = 0
    reads_again: bool = False
    num_waiting: int = 0


def choose_tile_side(predictor: Predictor, windows: Windows, memory: int, held: Held) -> int:
    """The side of tiles, in pixels of the image, for which the memory of the process suffices.

    Args:
        predictor: whose model is loaded.
        windows: the image.
        memory: bytes of the process, all in all.
        held: by those who write results.

    Raises:
        PlanError: it does not suffice for the smallest tiles.
    """
    used, least = used_memory(), 0
    usual = TILINGS[predictor.quality].side
    for share in SHARES:
        side = predictor.tile_side(round(usual * share))
        least = used + memory_of_tiles(predictor, windows, side, held)
        if least <= memory:
            return side
    advice = "write TIFF masks, which are not held whole" if held.in_all else "cut the image"
    raise PlanError(
        f"--memory {_show(memory)} does not suffice: this model and an image of "
        f"{windows.shape[1]:,} pixels a row take {_show(least)} at least, {_show(used)} of it for "
        f"the program itself. Give more, or {advice}."
    )


def refuse_large(
    predictor: Predictor, image: NDArray[Any], name: str, memory: int, held: Held
) -> None:
    """PlanError where an image that was read whole cannot be predicted within a memory.

    Args:
        predictor: whose model is loaded.
        image: (H, W, C), or (D, H, W, C) of a stack.
        name: of the image.
        memory: bytes of the process, all in all.
        held: by those who write results.
    """
    height, width = math.prod(image.shape[:-2]), image.shape[-2]  # planes one below the other
    results = _results(held, height, width, min(height, predictor.tile_side()))
    needed = used_memory() + COPIES * image.nbytes + results
    if image.nbytes > LARGE and needed > memory:
        raise PlanError(
            f"{name} takes some {_show(needed)}, where {_show(memory)} may be taken. Save it as a "
            "tiled TIFF, which is predicted in parts; or give more with --memory."
        )


def memory_of_tiles(predictor: Predictor, windows: Windows, side: int, held: Held) -> int:
    """Bytes that tiles of a side take, beside what the process has already."""
    config, (height, width, channels) = predictor.model.config, windows.shape
    network, num_classes = config.network, config.num_classes
    side = min(side, width)
    pixels = side**2 * config.working_scale**2
    features = FEATURES * network.width + 2 * network.in_channels
    activations = pixels * VALUE_BYTES * features
    probabilities = 4 * VALUE_BYTES * num_classes * side**2  # one of a constant tile is kept
    overlaps = VALUE_BYTES * num_classes * predictor.overlap * (width + side)
    results = _results(held, height, width, side)
    readers = 2 if held.reads_again else 1
    decoded = readers * (side + 2 * windows.part[0]) * width * channels * windows.dtype.itemsize
    scaled = WINDOWS * VALUE_BYTES * side**2 * network.in_channels
    return int(activations + probabilities + overlaps + results + decoded + scaled + SPARE)


def _results(held: Held, height: int, width: int, side: int) -> int:
    rows = min(height, BANDS_WAITING * side + BLOCK_ROWS + held.num_waiting)
    return width * (rows * held.in_rows + height * held.in_all)


def _show(number: int) -> str:
    return f"{number / 10**9:.2f} GB"
