"""Pages of TIFF files: a chain that is cut is noticed, whatever its byte order and word size."""

import io

import numpy as np
import pytest
import tifffile

from pixelwise.errors import FileError
from pixelwise.io.tiff_pages import check_pages


def three_pages(**options) -> bytes:
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (3, 20, 30), dtype=np.uint8)
    tifffile.imwrite(file, values, photometric="minisblack", compression="zlib", **options)
    return file.getvalue()


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_every_cut_of_a_file_of_pages_is_noticed(byteorder, bigtiff):
    data = three_pages(byteorder=byteorder, bigtiff=bigtiff)
    check_pages(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        last = file.pages[2].offset
    for end in range(8, last, 97):
        with pytest.raises(FileError, match="it is damaged or truncated: a page at byte"):
            check_pages(data[:end])


def test_pages_in_a_circle_end():
    data = bytearray(three_pages())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first, last = file.pages.first.offset, file.pages[2].offset
    entries = int.from_bytes(data[last : last + 2], "little")
    place = last + 2 + 12 * entries
    data[place : place + 4] = first.to_bytes(4, "little")
    check_pages(bytes(data))
