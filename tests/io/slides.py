"""Small files as slide scanners write them: SVS by tifffile, NDPI by hand."""

import io
import struct

import numpy as np
import tifffile
from PIL import Image

SLIDE = np.kron(
    np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8), np.ones((16, 16, 1), np.uint8)
)  # 320 x 384
APERIO = "Aperio Image Library v11.2.1\r\n384x320 [0,0 384x320] (240x240) {} Q=90|MPP = 0.2520"


def write_svs(path, compression="jpeg"):
    """A slide with a thumbnail, a level of half the size, its label and a picture of the glass."""
    with tifffile.TiffWriter(path) as writer:
        tiles = {"photometric": "rgb", "compression": compression, "tile": (128, 128)}
        page = {"photometric": "rgb", "compression": "lzw", "metadata": None}
        writer.write(SLIDE, description=APERIO.format("JPEG/RGB"), metadata=None, **tiles)
        writer.write(SLIDE[::4, ::4], description="Aperio\r\nthumbnail", **page)
        writer.write(SLIDE[::2, ::2], description=APERIO.format("J"), metadata=None, **tiles)
        writer.write(SLIDE[:50, :60], description="Aperio\r\nlabel 60x50", subfiletype=1, **page)
        writer.write(SLIDE[:70, :60], description="Aperio\r\nmacro 60x70", subfiletype=9, **page)
    return path


def write_ndpi(path, um_per_px=0.23):
    """A slide with a level of half the size and a picture of the glass, as Hamamatsu stores them:
    each page one JPEG, whose restart markers are where it can be entered."""
    pages = [(SLIDE, 40.0), (SLIDE[::2, ::2], 20.0), (SLIDE[:48, :96], -1.0)]
    data, links = bytearray(b"II*\0" + bytes(8)), [4]
    for pixels, magnification in pages:
        _add_page(data, links, np.ascontiguousarray(pixels), magnification, 1e4 / um_per_px)
    path.write_bytes(data)
    return path


def _add_page(data, links, pixels, magnification, px_per_cm):
    """Add a JPEG and its tags; NDPI has places of 64 bits between pages, in a TIFF of 32 bits."""
    jpeg = _jpeg(pixels)
    scan = jpeg.index(b"\xff\xda")
    starts = [scan + 2 + struct.unpack(">H", jpeg[scan + 2 : scan + 4])[0]]
    starts += [i + 2 for i in range(starts[0], len(jpeg)) if _is_restart(jpeg[i : i + 2])]
    begin = len(data)
    data += jpeg + bytes(len(jpeg) % 2)
    height, width = pixels.shape[:2]
    per_cm = struct.pack("<II", round(px_per_cm * 1000), 1000)
    tags = {
        256: ("<I", [width]), 257: ("<I", [height]), 258: ("<H", [8] * 3), 259: ("<H", [7]),
        262: ("<H", [6]), 271: b"Hamamatsu\0", 273: ("<I", [begin]), 277: ("<H", [3]),
        278: ("<I", [height]), 279: ("<I", [len(jpeg)]), 282: per_cm, 283: per_cm,
        296: ("<H", [3]), 65420: ("<I", [1]), 65421: ("<f", [magnification]),
        65426: ("<I", starts),
    }  # fmt: skip
    entries = b"".join(_entry(data, code, value) for code, value in tags.items())
    data[links[-1] : links[-1] + 8] = struct.pack("<Q", len(data))
    data += struct.pack("<H", len(tags)) + entries
    links.append(len(data))
    data += bytes(8) + bytes(4 * len(tags))  # the next page, and high words of the values


def _jpeg(pixels):
    file = io.BytesIO()
    blocks = pixels.shape[1] // 8 // 3  # three pieces a row
    Image.fromarray(pixels).save(
        file, "JPEG", quality=95, subsampling=0, restart_marker_blocks=blocks
    )
    return file.getvalue()


def _is_restart(two):
    return two[0] == 0xFF and 0xD0 <= two[1] <= 0xD7


def _entry(data, code, value):
    kinds = {"<H": 3, "<I": 4, "<f": 11}
    if isinstance(value, bytes):
        kind, content = (2, value) if code == 271 else (5, value)
        count = len(value) if kind == 2 else 1
    else:
        kind, count = kinds[value[0]], len(value[1])
        content = b"".join(struct.pack(value[0], one) for one in value[1])
    if len(content) > 4:
        place = len(data)
        data += content + bytes(len(content) % 2)
        content = struct.pack("<I", place)
    return struct.pack("<HHI", code, kind, count) + content.ljust(4, b"\0")
