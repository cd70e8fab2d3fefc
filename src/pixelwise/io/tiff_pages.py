"""Whether all pages of a TIFF file are there: each names the place of the next, the last names 0.

A file that was cut short has lost its end, where most programs write the later pages; a reader that
stops there would give a volume of fewer slices in silence.
"""

from typing import Literal

from pixelwise.errors import FileError

BIG_VERSION = 43
MAX_PAGES = 2**20


def check_pages(data: bytes) -> None:
    """Follow the pages of a TIFF or BigTIFF file to the last; FileError where one is not there."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(start: int, length: int) -> int:
        if start + length > len(data):
            raise FileError(
                f"it is damaged or truncated: a page at byte {start} is not there. Copy it again "
                "from its source, or remove it."
            )
        return int.from_bytes(data[start : start + length], order)

    is_big = number(2, 2) == BIG_VERSION
    count_bytes, entry_bytes, place_bytes = (8, 20, 8) if is_big else (2, 12, 4)
    place, seen = number(8 if is_big else 4, place_bytes), set[int]()
    while place and place not in seen and len(seen) < MAX_PAGES:
        seen.add(place)
        num_entries = number(place, count_bytes)
        place = number(place + count_bytes + entry_bytes * num_entries, place_bytes)
