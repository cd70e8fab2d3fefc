"""The files of an image, written from its rows: those of a large image while it is computed.

rows ──> mask          palette TIFF, PNG, NIfTI or OME-Zarr; planes where classes overlap
     ──> probability   TIFF of a plane a class, 0 to 255
     ──> uncertainty   grey TIFF, 0 to 255
     ──> overlay       PNG; of a large image JPEG in a TIFF
     ──> table, polygons, COCO
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType

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
from pixelwise.workflows.prediction.overlay_rows import OverlayRows, RowsFile
from pixelwise.workflows.prediction.rows import ResultWriter, Rows

OF_IMAGE = ("overlay", "table")  # results that need the image beside the mask
ROWS_CLEANED = 4  # at most, that wait for each pixel of the least area: two passes of twice that
OF_WHOLE = (".png", ".gz")  # of files that are written of the whole
PICTURE_COPIES = 3  # of one that is written of the whole: itself, its bytes, and that of Pillow

Files = Mapping[str, Path]  # to be written, by what they hold


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
        self._files, self._stack = files, ExitStack()
        self._writers: list[ResultWriter] = []
        for what, path in files.items():
            if what == "overlay":
                assert display is not None
                file = _open_picture(path, size, place)
                self._writers.append(OverlayRows(file, size[0], config.class_colors, display))
            elif what not in OBJECT_SAVES:
                file = _open_values(what, path, config, size, place)
                self._writers.append(_FileOfRows(file, VALUES[what]))
        self._writers.append(ObjectResults(files, config, place, image, size))

    def __enter__(self) -> "Results":
        """Begin all files."""
        with ExitStack() as stack:
            for path in self._files.values():
                make_folder(path.parent)
            for writer in self._writers:
                stack.enter_context(writer)
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
        for writer in self._writers:
            writer.write(rows)
        return int(rows.mask.shape[-2])


class _FileOfRows:
    """Writes what a function takes from rows into a file."""

    def __init__(self, file: RowsFile, values: Callable[[Rows], NDArray[np.uint8] | None]) -> None:
        self._file, self._values = file, values

    def __enter__(self) -> "_FileOfRows":
        self._file.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def write(self, rows: Rows) -> None:
        values = self._values(rows)
        assert values is not None
        self._file.write(values)


def _mask_values(rows: Rows) -> NDArray[np.uint8]:
    return fill_planes(rows.mask) if rows.mask.ndim == 3 else rows.mask


VALUES: Mapping[str, Callable[[Rows], NDArray[np.uint8] | None]] = {
    "mask": _mask_values,
    "probability": lambda rows: rows.probabilities,
    "uncertainty": lambda rows: rows.uncertainty,
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


def held_by(
    files: Files, config: ModelConfig, pixel_bytes: int, min_area: int | None = None
) -> Held:
    """What the writers of files hold of an image.

    Args:
        files: to be written, by what they hold.
        config: of the model.
        pixel_bytes: bytes of a pixel of the image, all channels.
        min_area: pixels of the smallest region that stays in masks.
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
    return Held(sum(in_rows.values()), in_all, is_kept, ROWS_CLEANED * (min_area or 0))
