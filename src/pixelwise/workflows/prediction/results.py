"""The files of an image, written from its rows: those of a large image while it is computed.

rows ──> mask          palette TIFF, PNG, NIfTI or OME-Zarr; planes where classes overlap
     ──> probability   TIFF of a plane a class, 0 to 255
     ──> uncertainty   grey TIFF, 0 to 255
     ──> overlay       PNG; of a large image JPEG in a TIFF
     ──> table, polygons, COCO
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Display
from pixelwise.inference.memory import Held
from pixelwise.io import (
    Place,
    TiffBands,
    WholePicture,
    ZarrBands,
    class_pixels,
    class_planes,
    fill_planes,
    grey_pixels,
    make_folder,
    num_planes,
    picture_pixels,
    probability_planes,
    write_image,
    write_mask,
    write_nifti_mask,
)
from pixelwise.network import ModelConfig
from pixelwise.workflows.prediction.object_results import OBJECT_SAVES, ObjectResults
from pixelwise.workflows.prediction.overlay_rows import OverlayRows
from pixelwise.workflows.prediction.rows import Rows

OF_IMAGE = ("overlay", "table")  # results that need the image beside the mask
ROWS_CLEANED = 4  # at most, that wait for each pixel of the least area: two passes of twice that
OF_WHOLE = (".png", ".gz")  # of files that are written of the whole
PICTURE_COPIES = 3  # of one that is written of the whole: itself, its bytes, and that of Pillow

Files = Mapping[str, Path]  # to be written, by what they hold
PixelsOf = Callable[[Rows], Iterator[NDArray[np.uint8]]]  # what a file gets of rows


class RowsFile(AbstractContextManager[Any], Protocol):
    """A file of pixels. At its end it is whole; where an error leaves it, not there."""

    def write(self, rows: NDArray[Any], /) -> None:
        """Add the next rows; OutputError where they cannot be written."""


class Results:
    """Writes all files of an image.

    Args:
        files: to be written, by what they hold.
        config: of the model.
        image: path of the image.
        size: its height and width.
        place: where it is.
        display: how to show it in an overlay; None where there is none.
    """

    def __init__(
        self,
        files: Files,
        config: ModelConfig,
        image: Path,
        size: tuple[int, int],
        place: Place,
        display: Display | None,
    ) -> None:
        self._paths, self._stack = files.values(), ExitStack()
        self._files: list[tuple[RowsFile, PixelsOf]] = []
        for what, path in files.items():
            if what == "overlay":
                assert display is not None
                drawn = OverlayRows(size[0], config.class_colors, display)
                self._files.append((_open_picture(path, size, place), drawn.draw))
            elif what not in OBJECT_SAVES:
                self._files.append((_open_values(what, path, config, size, place), PIXELS[what]))
        self._objects = ObjectResults(files, config, place, image, size)

    def __enter__(self) -> "Results":
        """Begin all files."""
        with ExitStack() as stack:
            for path in self._paths:
                make_folder(path.parent)
            for file, _ in self._files:
                stack.enter_context(file)
            stack.enter_context(self._objects)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish all files, or leave none; OutputError where one cannot be written."""
        self._stack.__exit__(kind, error, trace)

    def write(self, rows: Rows) -> int:
        """Add the next rows to every file; return their number."""
        for file, pixels_of in self._files:
            for pixels in pixels_of(rows):
                file.write(pixels)
        self._objects.write(rows)
        return int(rows.mask.shape[-2])


def _of_mask(rows: Rows) -> Iterator[NDArray[np.uint8]]:
    yield fill_planes(rows.mask) if rows.mask.ndim == 3 else rows.mask


def _of_probabilities(rows: Rows) -> Iterator[NDArray[np.uint8]]:
    assert rows.probabilities is not None
    yield rows.probabilities


def _of_uncertainty(rows: Rows) -> Iterator[NDArray[np.uint8]]:
    assert rows.uncertainty is not None
    yield rows.uncertainty


PIXELS: Mapping[str, PixelsOf] = {
    "mask": _of_mask,
    "probability": _of_probabilities,
    "uncertainty": _of_uncertainty,
}


def _open_values(
    what: str, path: Path, config: ModelConfig, size: tuple[int, int], place: Place
) -> RowsFile:
    """The file of a mask, of probabilities, or of uncertainties."""
    if what == "probability":
        return TiffBands(path, size, probability_planes(config.network.out_channels), place)
    if what == "uncertainty":
        return TiffBands(path, size, grey_pixels(), place)
    colors = config.class_colors
    planes = num_planes(config.num_classes) if config.task.can_overlap else None
    if path.suffix == ".zarr":
        classes = list(zip(config.class_names, colors, strict=True))
        return ZarrBands(path, size, classes, planes, place)
    if path.suffix == ".png":
        return WholePicture(path, size, partial(write_mask, colors=colors, place=place))
    if path.suffix == ".gz":
        return WholePicture(path, size, partial(write_nifti_mask, place=place))
    pixels = class_pixels(colors) if planes is None else class_planes(planes)
    return TiffBands(path, size, pixels, place.of_mask() if planes is None else place)


def _open_picture(path: Path, size: tuple[int, int], place: Place) -> RowsFile:
    """The file of an overlay."""
    if path.suffix == ".png":
        return WholePicture(path, (*size, 3), partial(write_image, signed=True, place=place))
    return TiffBands(path, size, picture_pixels(), place)


def held_by(files: Files, config: ModelConfig, pixel_bytes: int) -> Held:
    """What the writers of files hold of an image.

    Args:
        files: to be written, by what they hold.
        config: of the model.
        pixel_bytes: bytes of a pixel of the image, all channels.
    """
    num_classes, can_overlap = config.num_classes, config.task.can_overlap
    is_kept = any(what in OF_IMAGE for what in files)
    in_rows = {
        "mask": num_classes + num_planes(num_classes) if can_overlap else 1,
        "probability": config.network.out_channels if "probability" in files else 0,
        "uncertainty": 1 if "uncertainty" in files else 0,
        "overlay": 3 if "overlay" in files else 0,
        "image": pixel_bytes if is_kept else 0,
    }
    pictures = {"mask": 1, "overlay": 3}  # bytes of a pixel
    in_all = sum(
        PICTURE_COPIES * pictures[what] for what, path in files.items() if path.suffix in OF_WHOLE
    )
    rows_cleaned = ROWS_CLEANED * config.min_area if config.min_area > 1 else 0
    return Held(sum(in_rows.values()), in_all, is_kept, rows_cleaned)
