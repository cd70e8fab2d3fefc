"""What a file may claim: one limit for every format, which a person can lift."""

import io
import json
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.errors import FileError
from pixelwise.io import read_image, read_mask_values
from pixelwise.io.claims import MAX_VALUES, allow_pixels, check_claim, max_bytes
from pixelwise.io.picture_files import open_picture

MIB = 2**20


@pytest.mark.parametrize(
    "shape", [(10**6, 10**6), (MAX_VALUES + 1,), (0, 5), (-3, -4), (2**16, 2**17)]
)
def test_absurd_shapes_are_refused_whatever_the_file(shape):
    with pytest.raises(FileError, match="its header claims"):
        check_claim(shape, 1, 10**12)


@pytest.mark.parametrize(
    ("num_bytes", "limit"),
    [
        (20, 256 * MIB),  # any file
        (13_000, 65_536 * 13_000),  # a sparse mask
        (100_000, 1024 * MIB),  # no more than 1 GiB so
        (400_000, 4096 * 400_000),  # a blank PNG has 1,032 from each byte
    ],
)
def test_the_limit_grows_with_the_file(num_bytes, limit):
    assert max_bytes(num_bytes) == limit
    check_claim((limit // 2, 1), 2, num_bytes)
    with pytest.raises(FileError, match=rf"where a file of {num_bytes:,} bytes may hold {limit:,}"):
        check_claim((limit // 2 + 1, 1), 2, num_bytes)


def test_a_person_lifts_the_limit_for_all_threads_and_it_comes_back():
    claim = (30_000, 30_000), 1, 2000
    with pytest.raises(FileError, match="let it in with --max-pixels 900000000"):
        check_claim(*claim)
    with allow_pixels(900_000_000):
        thread = threading.Thread(target=check_claim, args=claim)  # errors in threads fail tests
        thread.start()
        thread.join()
        with pytest.raises(FileError, match="where 1 to 900000000 are read"):
            check_claim((30_000, 30_001), 1, 2000)
        with allow_pixels(None):
            check_claim(*claim)
    with pytest.raises(FileError):
        check_claim(*claim)


def png_of(side: int, *, lines: int) -> bytes:
    """A grey PNG that claims side x side pixels and holds some lines of zeros."""

    def chunk(name: bytes, data: bytes) -> bytes:
        whole = name + data
        return len(data).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(side + 1)) for _ in range(lines)) + packer.flush()
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def write_zarr(path, side, kind="|u1"):
    path.mkdir()
    metadata = {"zarr_format": 2, "shape": [side, side], "chunks": [1024, 1024], "dtype": kind}
    metadata |= {"compressor": None, "fill_value": 7, "order": "C", "filters": None}
    (path / ".zarray").write_text(json.dumps(metadata))
    return path


def write_blank_tiff(path, side, tile):
    """A TIFF with zstd of one value; it has a few bytes a tile."""
    tiles = (np.zeros((tile, tile), np.uint8) for _ in range((side // tile) ** 2))
    tifffile.imwrite(
        path, tiles, shape=(side, side), dtype=np.uint8, tile=(tile, tile), compression="zstd"
    )
    return path


def test_a_zarr_image_without_chunks_may_be_empty_but_not_endless(tmp_path):
    assert read_mask_values(write_zarr(tmp_path / "small.zarr", 1000)).max() == 7
    with pytest.raises(FileError, match=r"claims 20000x20000 pixels \(400,000,000 bytes\)"):
        read_image(write_zarr(tmp_path / "large.zarr", 20_000))


def test_a_chunk_larger_than_its_array_counts(tmp_path):
    path = write_zarr(tmp_path / "a.zarr", 10)
    content = json.loads((path / ".zarray").read_text()) | {"chunks": [30_000, 30_000]}
    (path / ".zarray").write_text(json.dumps(content))
    with pytest.raises(FileError, match="claims 30000x30000 pixels"):
        read_image(path)


def test_a_tiff_whose_one_tile_is_far_larger_than_the_picture_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(64, 64), compression="zstd")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("TileWidth", "TileLength"):
            tiff.pages.first.tags[name].overwrite(2**15)
    with pytest.raises(FileError, match="claims 32768x32768"):
        read_image(path)


def test_a_blank_mask_of_400_megapixels_in_zstd_is_let_in(tmp_path):
    path = write_blank_tiff(tmp_path / "blank.tif", 20_480, tile=2048)
    check_claim((20_480, 20_480), 1, path.stat().st_size)


def test_a_png_that_claims_more_than_deflate_can_hold(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(30_000, lines=2))
    with pytest.raises(FileError, match="claims 30000x30000 pixels"):
        read_mask_values(tmp_path / "a.png")


def test_a_plain_webp_of_any_size_is_bounded_too(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (10, 10)).save(buffer, "WEBP", lossless=True)
    data = bytearray(buffer.getvalue())
    place = data.index(b"VP8L") + 9  # 14 bits of width - 1, then of height - 1
    data[place : place + 4] = (9_999 | 8_999 << 14).to_bytes(4, "little")
    (tmp_path / "a.webp").write_bytes(data)
    with pytest.raises(FileError, match=r"claims 9000x10000 pixels \(270,000,000 bytes\)"):
        read_image(tmp_path / "a.webp")


def test_a_header_above_the_limit_of_pillow_is_opened_and_pillow_left_alone():
    data = png_of(14_000, lines=1)  # 196 megapixels; Pillow refuses from 179 on
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    with open_picture(io.BytesIO(data)) as picture:
        assert picture.size == (14_000, 14_000)


def test_the_limit_of_the_host_program_is_not_touched():
    code = (
        "from PIL import Image; before = Image.MAX_IMAGE_PIXELS; "
        "import pixelwise.data;"
        "print(before == Image.MAX_IMAGE_PIXELS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
