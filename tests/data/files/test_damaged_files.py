"""Damaged files: whatever bytes are cut or changed, a reader gives pixels or a FileError."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.data.files.image_files import decode_image, decode_mask
from pixelwise.errors import FileError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
NUM_DAMAGED = 40


def pillow_bytes(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format=kind)
    return file.getvalue()


def tiff_bytes(**options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, photometric="rgb", **options)
    return file.getvalue()


WHOLE = {
    **{kind: pillow_bytes(kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")},
    "16-bit PNG": imagecodecs.png_encode(PIXELS.astype(np.uint16) * 200),
    "TIFF": tiff_bytes(),
    "deflate TIFF": tiff_bytes(compression="zlib"),
    "ImageJ TIFF": tiff_bytes(imagej=True),
}


def damage(whole: bytes, random: np.random.Generator) -> bytes:
    """Cut the file short, or change a few bytes, mostly in its header."""
    if random.random() < 0.3:
        return whole[: random.integers(len(whole))]
    data = bytearray(whole)
    end = min(len(data), int(random.choice([40, 200, len(data)])))
    for place in random.integers(0, end, random.integers(1, 10)):
        data[place] = random.integers(256)
    return bytes(data)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage before it gives up
@pytest.mark.parametrize("kind", WHOLE)
def test_damaged_files_end_in_pixels_or_a_file_error(kind):
    random = np.random.default_rng(1)
    num_refused = 0
    for _ in range(NUM_DAMAGED):
        data = damage(WHOLE[kind], random)
        for decode in (decode_image, decode_mask):
            try:
                values = decode(data, Path("bad.png")).values
            except FileError as error:
                num_refused += 1
                assert "bad.png" in str(error)
            else:
                assert values.ndim in (2, 3)
                assert values.size > 0
    assert num_refused > NUM_DAMAGED // 4
