"""Write a tiled TIFF while its image is being made, from the top to the bottom.

    rows ──> blocks of 256 rows, of all levels ──> tiles, packed ──> temporary file ──> the TIFF

A TIFF has one plane after the other, and one level after the other, while rows come with all their
planes. So packed tiles wait in a file without a name, beside the result (small ones in memory);
when all are there, they are copied in the order of the TIFF. The image itself is never in memory.

Large files have their levels as SubIFDs of reduced images, as QuPath, Fiji (Bio-Formats) and QGIS
(GDAL from 3.2 on) find them; their description is OME-XML.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import color_table
from pixelwise.io.levels import Halve, LevelBlocks, every_second, mean_of_four, plan_levels
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.writers import (
    BIG_BYTES,
    PROBABILITIES,
    SIGNATURE,
    naming_failures,
    ome_id,
    ome_spacing,
    write_whole,
)

TILE = 256  # pixels, as most programs have it
TILE_STEP = 16  # of which the sides of tiles are multiples
BYTES_IN_MEMORY = 2**20  # packed: larger files wait on the disk
JPEG_QUALITY = 90
GREY = {"photometric": "minisblack", "compression": "zlib"}


def deflate(tile: NDArray[np.uint8]) -> bytes:
    """Pack a tile without loss, as zlib does it, in a third of the time."""
    from imagecodecs import deflate_encode

    return bytes(deflate_encode(tile.tobytes()))


def jpeg(tile: NDArray[np.uint8]) -> bytes:
    """Pack a tile (h, w, 3) with a loss that nobody sees."""
    from imagecodecs import jpeg8_encode

    return bytes(
        jpeg8_encode(
            np.ascontiguousarray(tile),
            level=JPEG_QUALITY,
            colorspace="RGB",
            outcolorspace="YCBCR",
            subsampling="444",  # thin outlines keep their colours,
        )
    )


@dataclass(frozen=True, slots=True)
class TiffPixels:
    """What the pixels of a file are: uint8, of one of the kinds below.

    Attributes:
        axes: "YX"; "CYX" of several planes; "YXS" of red, green and blue.
        num_planes: of "CYX"; else 1.
        samples: of a pixel in its plane: 3 of "YXS", else 1.
        halve: makes the next level.
        pack: a tile to the bytes of the file.
        options: how `tifffile` describes them.
        software: named in the file.
    """

    axes: str
    options: Mapping[str, Any]
    num_planes: int = 1
    samples: int = 1
    halve: Halve = mean_of_four
    pack: Callable[[NDArray[np.uint8]], bytes] = deflate
    software: str = SIGNATURE


def class_pixels(colors: Sequence[str]) -> TiffPixels:
    """Class indices, shown in the colours "#rrggbb" of the classes."""
    table = color_table(colors[:256], 256).reshape(-1, 3).T.astype(np.uint16) * 257
    options = {"photometric": "palette", "colormap": table, "compression": "zlib"}
    return TiffPixels("YX", options, halve=every_second)


def class_planes(num_planes: int) -> TiffPixels:
    """A plane of 0 and 1 for each class."""
    return TiffPixels("CYX", GREY, num_planes, halve=every_second)


def grey_pixels() -> TiffPixels:
    """One value, from 0 to 255."""
    return TiffPixels("YX", GREY)


def probability_planes(num_planes: int) -> TiffPixels:
    """A plane for each class, where 0 to 255 are probabilities from 0 to 1."""
    return TiffPixels("CYX", GREY, num_planes, software=PROBABILITIES)


def picture_pixels() -> TiffPixels:
    """Red, green and blue of a picture for looking at, packed with loss as JPEG."""
    options = {"photometric": "ycbcr", "subsampling": (1, 1), "compression": "jpeg"}
    return TiffPixels("YXS", options, samples=3, pack=jpeg)


class TiffBands:
    """A TIFF file that is written band by band.

    Used as a context: at its end the file is there; where an error leaves it, nothing is.

    Args:
        path: path of the file.
        size: (height, width).
        pixels: what they are.
        place: where they are in the world.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], pixels: TiffPixels, place: Place = NOWHERE
    ) -> None:
        self._path, self._pixels, self._place = path, pixels, place
        num_bytes = size[0] * size[1] * pixels.num_planes * pixels.samples
        self._sizes = plan_levels(size, num_bytes)
        self._tile = tuple(min(TILE, -(-side // TILE_STEP) * TILE_STEP) for side in size)
        self._blocks = LevelBlocks(self._sizes, self._tile[0], pixels.halve, self._pack)
        self._places = defaultdict[tuple[int, int], list[tuple[int, int]]](list)
        self._length = 0  # of all packed tiles
        self._stack = ExitStack()

    def __enter__(self) -> "TiffBands":
        """Begin."""
        self._packed = self._stack.enter_context(
            SpooledTemporaryFile(BYTES_IN_MEMORY, dir=str(self._path.parent))
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the file, or leave none; OutputError where it cannot be written."""
        with self._stack:
            if kind is None:
                assert self._blocks.is_complete
                write_whole(self._path, self._save)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows: (h, W), (K, h, W) or (h, W, 3); OutputError where that fails."""
        with naming_failures(self._path):
            self._blocks.add(rows if self._pixels.axes == "CYX" else rows[np.newaxis])

    def _pack(self, level: int, top: int, block: NDArray[np.uint8]) -> None:
        """Keep the tiles of a block (P, h, W, ...), which come in the order of their plane."""
        height, width = self._tile
        for plane, values in enumerate(block):
            for left in range(0, values.shape[1], width):
                part = values[:, left : left + width]
                missing = [(0, height - part.shape[0]), (0, width - part.shape[1])]
                others = [(0, 0)] * (part.ndim - 2)
                data = self._pixels.pack(np.pad(part, [*missing, *others], mode="edge"))
                self._packed.write(data)
                self._places[level, plane].append((self._length, len(data)))
                self._length += len(data)

    def _save(self, file: BinaryIO) -> None:
        import tifffile

        pixels, spacing = self._pixels, ome_spacing(self._place.spacing_um)
        num_reduced = len(self._sizes) - 1
        is_ome = bool(spacing) or num_reduced > 0  # other descriptions know nothing of levels
        first = {
            "metadata": {"axes": pixels.axes} | spacing | (ome_id(self._path) if is_ome else {}),
            "software": pixels.software,
            "extratags": self._place.tags,
            "subifds": num_reduced,
        }
        reduced = {"metadata": None, "subfiletype": 1, "software": False}
        with tifffile.TiffWriter(file, bigtiff=self._length > BIG_BYTES, ome=is_ome) as writer:
            for level, size in enumerate(self._sizes):
                writer.write(
                    self._stored(level),
                    shape=self._shape(size),
                    dtype=np.uint8,
                    tile=self._tile,
                    **pixels.options,
                    **(first if level == 0 else reduced),
                )

    def _shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        sides = {"C": self._pixels.num_planes, "Y": size[0], "X": size[1], "S": 3}
        return tuple(sides[axis] for axis in self._pixels.axes)

    def _stored(self, level: int) -> Iterator[bytes]:
        """The packed tiles of a level, plane by plane."""
        for plane in range(self._pixels.num_planes):
            for start, length in self._places[level, plane]:
                self._packed.seek(start)
                yield self._packed.read(length)
