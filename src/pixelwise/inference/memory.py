"""How large tiles may be within a memory that is promised.

What is in memory at a time, beside the program and the model themselves:

    activations     of one tile: its pixels x what the network keeps of each
    overlaps        probabilities where rows of tiles meet: classes x overlap x width
    bands           rows of the mask on their way to the file, and rows of the image that were
                    decoded and are needed again: some tile heights x width

None of these grows with the height of the image.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import PlanError
from pixelwise.network import ModelConfig

SIDES = (1024, 768, 512, 384, 256, 192, 128)  # of tiles, the largest first
FEATURES = 8  # arrays of the first level's width that are there at once, at full size
SPARE = 64 * 2**20  # bytes for what is not counted: buffers of files, codes of libraries
BANDS_WAITING = 5  # of the mask: made, waiting, written
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


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


def parse_memory(text: str | int) -> int:
    """Return a memory in bytes.

    >>> parse_memory("2GB"), parse_memory("512 MiB")
    (2000000000, 536870912)

    Args:
        text: a number with B, KB, MB, GB, TB, or KiB to TiB; or a number of bytes.

    Raises:
        PlanError: it is no such text.
    """
    if isinstance(text, int) and text > 0:
        return text
    plain = str(text).replace(" ", "").upper()
    number = plain.rstrip("KMGTIB")
    unit = plain[len(number) :]
    try:
        found = float(number) * UNITS[unit]
    except (KeyError, ValueError, OverflowError) as error:
        raise PlanError(
            f"{text!r} is no amount of memory. Give a number with its unit, such as 2GB or 512MB."
        ) from error
    if not 1 <= found < 2**60:
        raise PlanError(f"{text!r} is no sensible amount of memory. Give, for example, 2GB.")
    return int(found)


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


def used_memory() -> int:
    """Bytes of this process now; a guess where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 400 * 2**20


def free_memory() -> int | None:
    """Bytes that other programs leave; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = next(line for line in lines if line.startswith("MemAvailable"))
        free = int(found.split()[1]) * 2**10
    except (OSError, ValueError, StopIteration):
        return None
    limit = _container_limit()
    return free if limit is None else min(free, limit)


def _container_limit() -> int | None:
    """What a container leaves; None where there is no limit."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        return None if limit == "max" else max(0, int(limit) - used)
    except (OSError, ValueError):
        return None


def _show(number: int) -> str:
    return f"{number / 10**9:.2f} GB"
