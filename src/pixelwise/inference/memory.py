"""How large tiles may be within a memory that is promised.

What is in memory at a time, beside the program and the model themselves:

    activations     of one tile: its pixels x what the network keeps of each
    overlaps        probabilities where rows of tiles meet: classes x overlap x width
    bands           rows of the mask on their way to the file, and rows of the image that were
                    decoded and are needed again: some tile heights x width

None of these grows with the height of the image.
"""

from dataclasses import dataclass

from pixelwise.errors import PlanError
from pixelwise.memory import used_memory
from pixelwise.network import ModelConfig

SIDES = (512, 384, 256, 192, 128)  # of tiles; larger ones take longer a pixel (docs/log.md)
FEATURES = 8  # arrays of the first level's width that are there at once, at full size
SPARE = 64 * 2**20  # bytes for what is not counted: buffers of files, codes of libraries
BANDS_WAITING = 5  # of the mask: made, waiting, written


@dataclass(frozen=True, slots=True)
class Picture:
    """What memory depends on of an image that is read in parts.

    Attributes:
        width: pixels.
        num_channels: stored.
        itemsize: bytes of a stored value.
        part_height: rows that are decoded at a time.
    """

    width: int
    num_channels: int
    itemsize: int
    part_height: int


def choose_tile_side(
    config: ModelConfig, picture: Picture, overlap_share: float, most_overlap: int, memory: int
) -> int:
    """The largest side of tiles for which the memory of the whole process suffices.

    Args:
        config: of the model, which is loaded.
        picture: the image.
        overlap_share: of tiles, of their side.
        most_overlap: of tiles, in pixels.
        memory: bytes of the process, all in all.

    Raises:
        PlanError: it does not suffice for the smallest tiles.
    """
    used = used_memory()
    for side in SIDES:
        overlap = min(most_overlap, int(side * overlap_share))
        if used + memory_of_tiles(config, picture, side, overlap) <= memory:
            return side
    least = used + memory_of_tiles(config, picture, SIDES[-1], int(SIDES[-1] * overlap_share))
    raise PlanError(
        f"--memory {_show(memory)} does not suffice: this model and an image of "
        f"{picture.width:,} pixels a row take {_show(least)} at least, {_show(used)} of it for the "
        "program itself. Give more, or cut the image."
    )


def memory_of_tiles(config: ModelConfig, picture: Picture, side: int, overlap: int) -> int:
    """Bytes that tiles of a side take, beside what the process has already."""
    network, num_classes = config.network, config.num_classes
    value_bytes = 4  # a converted copy of the weights of bfloat16 stands beside the features
    pixels = side**2 * config.working_scale**2
    activations = pixels * value_bytes * (FEATURES * network.widths[0] + 2 * network.in_channels)
    probabilities = 3 * 4 * num_classes * side**2
    overlaps = 4 * num_classes * overlap * (picture.width + side)
    mask = BANDS_WAITING * side * picture.width
    row = picture.width * picture.num_channels * picture.itemsize
    decoded = (side + 2 * picture.part_height) * row
    windows = 4 * 4 * side**2 * network.in_channels
    return int(activations + probabilities + overlaps + mask + decoded + windows + SPARE)


def _show(number: int) -> str:
    return f"{number / 10**9:.2f} GB"
