"""Where the pixels of a picture are in the world, copied from an image to its mask.

    GeoTIFF         the tags of coordinate system and transform, as they are, and the no-data value
    OME, ImageJ     the physical size of a pixel, written as OME-TIFF or OME-Zarr
    NIfTI           the header, see volume_masks.py
    EXIF            the orientation: results are stored as the file stores its pixels, and turned by
                    the same tag, so that they fit where programs heed it and where they do not

So a mask lies on its image in QGIS, QuPath or Fiji. The tags of a GeoTIFF are copied without being
understood, which needs no GDAL; statistics and descriptions of bands stay behind, since they are
of the image's bands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import FileError
from pixelwise.io.axes import order_axes
from pixelwise.io.image_files import guarded, read_start
from pixelwise.io.nifti_files import is_nifti, read_layout
from pixelwise.io.tiff_files import ORIENTATION_TAG, is_tiff
from pixelwise.io.tiff_spacing import read_spacing
from pixelwise.io.zarr_files import spacing_of_zarr
from pixelwise.task import IGNORE_INDEX

START_BYTES = 4096  # of a file, which hold a NIfTI header, packed or not
SCALE_TAG, TIE_TAG, KEYS_TAG = 33550, 33922, 34735
RASTER_TYPE_KEY, PIXEL_IS_POINT = 1025, 2
PROJECTED_KEY, GEOGRAPHIC_KEY, USER_DEFINED = 3072, 2048, 32767
GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
NO_DATA_TAG = 42113  # of GDAL
DOUBLE, SHORT, ASCII = 12, 3, 2  # number types of TIFF tags
TAG_TYPES = {
    33550: DOUBLE,
    33922: DOUBLE,
    34264: DOUBLE,
    34735: SHORT,
    34736: DOUBLE,
    34737: ASCII,
    NO_DATA_TAG: ASCII,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture is; empty where the file does not say.

    Attributes:
        geo_tags: (code, type, count, value) of the tags of a GeoTIFF.
        spacing_um: physical size of a pixel along each axis, micrometres.
        orientation: EXIF orientation, 1 to 8, in which the file stores its pixels.
        nifti_header: of a NIfTI file, by which its mask lies as it does.
        num_planes: of a stack, or 1.
        no_data: value of pixels without data, where the file declares one.
        written_no_data: the same of the file to be written, see `of_mask`.
        plane_axis: axis of (D, H, W) along which the planes of a stack follow each other.
    """

    geo_tags: tuple[tuple[int, int, int, Any], ...] = ()
    spacing_um: tuple[float, ...] | None = None
    orientation: int = 1
    nifti_header: bytes = b""
    num_planes: int = 1
    plane_axis: int = 0
    no_data: float | None = None
    written_no_data: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is known that a PNG file cannot say."""
        return bool(self.geo_tags or self.spacing_um or self.no_data is not None)

    def of_mask(self) -> "Place":
        """The place of a mask, which declares 255 as no data where its image declares a value."""
        return self if self.no_data is None else replace(self, written_no_data=IGNORE_INDEX)

    @property
    def tags(self) -> list[tuple[int, int, int, Any, bool]]:
        """(code, type, count, value, True) of each tag of a TIFF file in this place."""
        turned = [(ORIENTATION_TAG, SHORT, 1, self.orientation)] if self.orientation != 1 else []
        value = [] if self.written_no_data is None else [_tag(NO_DATA_TAG, self.written_no_data)]
        return [(*tag, True) for tag in (*self.geo_tags, *turned, *value)]

    def to_map(self) -> Callable[[Sequence[Sequence[float]]], list[list[float]]] | None:
        """What turns (x, y) in pixels, from the outer edge of the first, into those of the map.

        None where the file does not say, or says it by a rotated grid.
        """
        tags = {code: value for code, _, _, value in self.geo_tags}
        if SCALE_TAG not in tags or TIE_TAG not in tags:
            return None
        (width, height, *_), (column, row, _, east, north, *_) = tags[SCALE_TAG], tags[TIE_TAG]
        shift = 0.5 if self._keys.get(RASTER_TYPE_KEY) == PIXEL_IS_POINT else 0.0
        west, top = east - (column + shift) * width, north + (row + shift) * height

        def convert(corners: Sequence[Sequence[float]]) -> list[list[float]]:
            return [[west + x * width, top - y * height] for x, y in corners]

        return convert

    @property
    def epsg(self) -> int | None:
        """Number of the coordinate system, where it has one."""
        code = self._keys.get(PROJECTED_KEY) or self._keys.get(GEOGRAPHIC_KEY)
        return code if code not in (None, USER_DEFINED) else None

    @property
    def _keys(self) -> dict[int, int]:
        """The keys of a GeoTIFF that have a number as their value."""
        directory = next((v for code, _, _, v in self.geo_tags if code == KEYS_TAG), ())
        entries = [directory[start : start + 4] for start in range(4, len(directory), 4)]
        return {e[0]: e[3] for e in entries if len(e) == 4 and e[1] == 0}


NOWHERE = Place()


def read_place(path: Path) -> Place:
    """Where the pixels of a TIFF, Zarr or NIfTI image are; `NOWHERE` where it does not say.

    Raises:
        FileError: the file is missing or damaged.
        MissingExtraError: it is NIfTI, and nibabel is not installed.
    """
    if path.is_dir():
        return Place(spacing_um=guarded(path, lambda: spacing_of_zarr(path)))
    start = read_start(path, START_BYTES)
    if is_tiff(start):
        return guarded(path, lambda: _read_tiff(path))
    return guarded(path, lambda: _read_nifti(start)) if is_nifti(start) else NOWHERE


def _read_nifti(start: bytes) -> Place:
    found = read_layout(start)
    return Place(
        spacing_um=found.spacing_um,
        nifti_header=found.header,
        num_planes=found.num_planes,
        plane_axis=found.plane_axis,
    )


def _read_tiff(path: Path) -> Place:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        if not tiff.pages:
            raise FileError("it has no pages. Copy it again from its source.")
        tags, series = tiff.pages.first.tags, tiff.series[0]
        num_planes = _num_planes(series.shape, series.axes)
        if tiff.is_geotiff:
            found = [tags[code] for code in GEO_TAGS if code in tags]
            geo_tags = tuple(_tag(tag.code, tag.value) for tag in found)
            return Place(geo_tags, num_planes=num_planes, no_data=_no_data(tags))
        spacing = read_spacing(tiff, "ZYX" if num_planes > 1 else "YX")
        return Place(spacing_um=spacing, num_planes=num_planes, no_data=_no_data(tags))


def _no_data(tags: Any) -> float | None:  # noqa: ANN401  (of tifffile)
    """The value for no data; None where there is none, or what is there is no number."""
    if NO_DATA_TAG not in tags:
        return None
    try:
        return float(str(tags[NO_DATA_TAG].value).strip(" \0"))
    except ValueError:
        return None


def _num_planes(shape: Sequence[int], axes: str) -> int:
    """Slices of a volume; 1 of a picture, and of what cannot be read, which is said in its turn."""
    axes += "S" * (len(shape) - len(axes))
    try:
        ordered = order_axes(np.broadcast_to(np.uint8(0), shape), axes)
    except FileError:
        return 1
    return ordered.values.shape[0] if len(ordered.spatial_axes) == len("ZYX") else 1


def _tag(code: int, value: Any) -> tuple[int, int, int, Any]:  # noqa: ANN401  (whatever it holds)
    kind = TAG_TYPES[code]
    if kind == ASCII:
        text = str(value)
        return code, kind, len(text.encode()) + 1, text
    values = tuple(value) if hasattr(value, "__len__") else (value,)
    return code, kind, len(values), values
