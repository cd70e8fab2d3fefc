"""What a file may claim to hold, before memory is taken for it: one check for every format.

    up to 2**28 bytes (256 MiB)   may be claimed by any file: an empty Zarr image, a blank WebP
    up to 2**30 bytes (1 GiB)     65,536 from each byte of the file: a sparse TIFF mask of 20,000 x
                                  20,000 has 13 kB of places for its tiles
    more                          4,096 from each byte of the file: deflate (PNG) gives up to 1,032,
                                  GIF 2,700, so that no true picture in these formats is refused
    up to 2**32 values            in any file

`--max-pixels N` (`allow_pixels`) takes the place of all four: up to N, whatever the file.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pixelwise.errors import FileError
from pixelwise.text import show_size

MAX_VALUES = 2**32  # of a picture or volume; a header that claims more is taken for damage
MAX_VALUES_IN_PARTS = 2**40
SMALL_BYTES = 2**28
SPARSE_BYTES, SPARSE_RATIO = 2**30, 2**16
MAX_RATIO = 4096

_allowed: int | None = None  # values, said by a person; None leaves it to the limits above


@contextmanager
def allow_pixels(count: int | None) -> Iterator[None]:
    """Let every thread read pictures of up to `count` pixels, whatever the size of their files.

    Args:
        count: pixels, or values where a format counts channels too; None changes nothing.
    """
    global _allowed
    before = _allowed
    _allowed = before if count is None else count
    try:
        yield
    finally:
        _allowed = before


def check_claim(
    shape: Sequence[int], itemsize: float, num_bytes: int, *, in_parts: bool = False
) -> None:
    """Refuse what a header claims, before memory is taken for it.

    Args:
        shape: claimed.
        itemsize: bytes of a value, as stored.
        num_bytes: number of bytes of the file.
        in_parts: never more than a part of it is in memory, so that it may be larger.

    Raises:
        FileError: there are no values, too many, or more than a file of this size may hold.
    """
    count = math.prod(int(length) for length in shape)
    by = show_size(shape)
    most = MAX_VALUES_IN_PARTS if in_parts else MAX_VALUES
    limit = most if _allowed is None else max(_allowed, most if in_parts else 0)
    if not 0 < count <= limit or min(shape, default=1) < 0:
        raise FileError(
            f"its header claims {by} pixels, where 1 to {limit} are read. Cut the picture into "
            "smaller ones, or remove the file if it is damaged; --max-pixels lets more in."
        )
    if _allowed is None and count * itemsize > max_bytes(num_bytes):
        raise FileError(
            f"its header claims {by} pixels ({count * itemsize:,.0f} bytes), where a file of "
            f"{num_bytes:,} bytes may hold {max_bytes(num_bytes):,} bytes: it is damaged or "
            "truncated. Copy it again from its source, or remove it; if it is so empty or plain, "
            f"let it in with --max-pixels {count}."
        )


def max_bytes(num_bytes: int) -> int:
    """Decoded bytes that a file of a size may claim."""
    return max(SMALL_BYTES, min(SPARSE_RATIO * num_bytes, SPARSE_BYTES), MAX_RATIO * num_bytes)
