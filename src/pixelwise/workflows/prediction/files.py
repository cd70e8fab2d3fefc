"""One image after the other: read, predict, write; reading and writing while others are computed.

    small images   read ahead ──> of one size together ──> predicted ──> written by a thread
    large ones     windows ──> tiles ──> bands of the mask ──> written while the next are computed

A picture is large where its format can be read in parts and it takes more than 16 MB. Overlays,
probabilities and PNG files are made of the whole, which must fit into memory.
"""

import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import fill_no_data, mark_no_data, overlay, to_channels
from pixelwise.errors import DataError, PixelwiseError, PlanError
from pixelwise.inference import Band, IntensityCheck, Predictor, WindowedImage
from pixelwise.inference.memory import choose_tile_side, refuse_large
from pixelwise.io import (
    NOWHERE,
    Place,
    TiffBands,
    Windows,
    make_folder,
    open_windows,
    read_pixels,
    read_place,
    turn_back,
    turn_planes_back,
    write_image,
    write_mask,
    write_nifti_mask,
    write_planes,
    write_probabilities,
    write_text,
)
from pixelwise.objects import Region, describe_regions, find_regions, to_geojson
from pixelwise.parallel import map_ahead
from pixelwise.workflows.prediction.stacks import predict_stack, write_stack

AHEAD_BYTES = 2**25  # of images that were read and wait
MAX_AHEAD = 64  # images
STACK_NDIM = 4  # (D, H, W, C)
NUM_WRITING = 4  # batches that wait to be written
Files = Mapping[str, Path]  # to be written, by what they hold


@dataclass(frozen=True, slots=True)
class Job:
    """An image and the files to be made of it."""

    path: Path
    files: Files
    can_overlap: bool = False  # its classes

    @property
    def goes_in_parts(self) -> bool:
        """Whether its files can be written while it is predicted: one mask, as TIFF."""
        suffixes = [file.suffix for file in self.files.values()]
        return list(self.files) == ["mask"] and suffixes == [".tif"] and not self.can_overlap


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image."""

    job: Job
    num_pixels: int = 0
    error: str = ""  # why it could not be predicted


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that was read, or why not."""

    job: Job
    image: NDArray[Any] | None = None  # (H, W, C)
    place: Place = NOWHERE
    windows: Windows | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Predicted:
    """An image with its mask, and its probabilities (K, H, W) where these were kept."""

    loaded: Loaded
    mask: NDArray[Any]
    probabilities: NDArray[np.float32] | None = None

    def as_stored(self) -> "Predicted":
        """The same with pixels in the order of the file, whose results go with them."""
        orientation, image = self.loaded.place.orientation, self.loaded.image
        if orientation == 1 or image is None:
            return self
        probabilities = self.probabilities
        if probabilities is not None:
            probabilities = turn_planes_back(probabilities, orientation)
        loaded = replace(self.loaded, image=turn_back(image, orientation))
        return Predicted(loaded, turn_planes_back(self.mask, orientation), probabilities)


class FilePredictor:
    """Predicts files with one model.

    Args:
        predictor: runs the model.
        memory: bytes that the process may take while large images are predicted.
        skip_background: of images that are read in parts, leave out tiles that show glass.
    """

    def __init__(
        self, predictor: Predictor, memory: int, *, skip_background: bool = False
    ) -> None:
        self._predictor, self._memory = predictor, memory
        self._skip_background = skip_background
        self.check = IntensityCheck(predictor.model.config)

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Predict images and write their files; the outcomes come in the order of the jobs.

        Raises:
            OutputError: a file cannot be written.
        """
        writing: deque[Future[list[Outcome]]] = deque()
        with ThreadPoolExecutor(1, "writes results") as writer:
            for group in _groups(map_ahead(_load, jobs, _num_ahead), self._predictor):
                writing.append(writer.submit(self._write_all, self._predict(group)))
                while len(writing) > NUM_WRITING:
                    yield from writing.popleft().result()
            while writing:
                yield from writing.popleft().result()

    def _predict(self, group: Sequence[Loaded]) -> list[Predicted | Outcome]:
        """Predict images of one size, or one image in parts; outcomes where nothing is to write."""
        taken, channels, found = list[Loaded](), list[NDArray[Any]](), list[Predicted | Outcome]()
        for loaded in group:
            try:
                if loaded.error:
                    raise DataError(loaded.error)
                if loaded.windows is not None:
                    found.append(self._predict_in_parts(loaded.job, loaded.windows))
                elif loaded.image is not None and loaded.image.ndim == STACK_NDIM:
                    found.append(self._predict_stack(loaded, loaded.image))
                else:
                    channels.append(self._to_channels(loaded))
                    taken.append(loaded)
            except (DataError, PlanError) as error:
                found.append(_failed(loaded.job, error))
        try:
            return found + self._predict_arrays(taken, channels)
        except DataError as error:
            if len(taken) == 1:
                return [*found, _failed(taken[0].job, error)]
        return found + [one for loaded in taken for one in self._predict([loaded])]  # one is bad

    def _predict_arrays(
        self, taken: Sequence[Loaded], channels: Sequence[NDArray[Any]]
    ) -> list[Predicted | Outcome]:
        """Predict images of one size that were read whole."""
        if not taken:
            return []
        needs_mask = not any("probability" in loaded.job.files for loaded in taken)
        if needs_mask and self._predictor.batch_size(channels[0].shape[1:]) == 1:
            # probabilities of large images take much memory
            masks = [self._predictor.segment(image) for image in channels]
            return [Predicted(*pair) for pair in zip(taken, masks, strict=True)]
        values = self._predictor.batch_probabilities(np.stack(channels))
        return [
            Predicted(loaded, self._predictor.to_mask(one), one)
            for loaded, one in zip(taken, values, strict=True)
        ]

    def _to_channels(self, loaded: Loaded) -> NDArray[Any]:
        """The image as the model takes it; DataError or PlanError where it cannot be taken."""
        in_channels, name = self._predictor.model.config.network.in_channels, str(loaded.job.path)
        image = loaded.image
        assert image is not None
        keeps = "probability" in loaded.job.files
        refuse_large(self._predictor, image, name, self._memory, keeps_probabilities=keeps)
        image = fill_no_data(image, loaded.place.no_data)
        return self.check.take(to_channels(image, in_channels, name), name)

    def _predict_stack(self, loaded: Loaded, image: NDArray[Any]) -> Predicted:
        """The mask of a stack (D, H, W, C), plane by plane."""
        name, place = str(loaded.job.path), loaded.place
        refuse_large(self._predictor, image, name, self._memory, keeps_probabilities=False)
        return Predicted(loaded, predict_stack(self._predictor, self.check, image, name, place))

    def _predict_in_parts(self, job: Job, windows: Windows) -> Outcome:
        """Write the mask of a large image while it is being predicted."""
        config = self._predictor.model.config
        place = read_place(job.path)
        image = WindowedImage(
            windows,
            config.network.in_channels,
            self.check,
            no_data=place.no_data,
            skip_background=self._skip_background,
        )
        height, width = image.shape[1:]
        side = choose_tile_side(self._predictor, windows, self._memory)
        bands = self._predictor.bands(image, side)
        (target,) = job.files.values()
        make_folder(target.parent)
        marked = _mark_rows(_whole_rows(bands, width, self._predictor), job.path, place)
        with TiffBands(target, (height, width), config.class_colors, place.of_mask()) as file:
            for rows in marked:
                file.write(rows)
        return Outcome(job, height * width)

    def _write_all(self, group: Sequence[Predicted | Outcome]) -> list[Outcome]:
        """Write the files of a group."""
        done = []
        for one in group:
            if isinstance(one, Outcome):
                done.append(one)
            else:
                self._write(one.as_stored())
                assert one.loaded.image is not None
                done.append(Outcome(one.loaded.job, math.prod(one.loaded.image.shape[:-1])))
        return done

    def _write(self, predicted: Predicted) -> None:
        job, image, mask = predicted.loaded.job, predicted.loaded.image, predicted.mask
        assert image is not None
        config = self._predictor.model.config
        colors, place = config.class_colors, predicted.loaded.place
        mask = mark_no_data(mask, image, place.no_data)
        if image.ndim == STACK_NDIM:
            (target,) = job.files.values()
            make_folder(target.parent)
            write_stack(target, mask, config, place)
            return
        regions: list[Region] = []
        if "table" in job.files or "polygons" in job.files:
            has_background = config.task.has_background(config.class_names)
            regions = list(find_regions(mask, has_background=has_background))
        for what, target in job.files.items():
            make_folder(target.parent)
            if what == "probability":
                assert predicted.probabilities is not None
                write_probabilities(target, predicted.probabilities, place)
            elif what == "overlay":
                write_image(target, overlay(image, mask, colors), signed=True, place=place)
            elif what == "table":
                names, spacing = config.class_names, place.spacing_um
                write_text(target, describe_regions(regions, names, image, spacing))
            elif what == "polygons":
                content = to_geojson(regions, config.class_names, colors, place)
                write_text(target, json.dumps(content, separators=(",", ":")))
            elif mask.dtype == np.bool_:
                write_planes(target.with_name(target.name.removesuffix(".tif")), mask, place)
            elif target.suffix == ".tif":
                size = mask.shape[0], mask.shape[1]
                with TiffBands(target, size, colors, place.of_mask()) as file:
                    file.write(mask)
            elif target.suffix == ".png":
                write_mask(target, mask, colors, place)
            else:
                write_nifti_mask(target, mask, place)


def _failed(job: Job, error: PixelwiseError) -> Outcome:
    """The outcome of an image that cannot be predicted; files of an earlier run are removed."""
    _remove(job.files)
    text = str(error)
    return Outcome(job, error=text if str(job.path) in text else f"{job.path}: {text}")


def _groups(images: Iterator[Loaded], predictor: Predictor) -> Iterator[Sequence[Loaded]]:
    """Images that follow each other and are computed together: small, of one size and type."""
    group: list[Loaded] = []
    for loaded in images:
        if group and not _belongs(loaded, group):
            yield group
            group = []
        group.append(loaded)
        if loaded.image is None or not _fits_more(group, predictor):
            yield group
            group = []
    if group:
        yield group


def _belongs(loaded: Loaded, group: Sequence[Loaded]) -> bool:
    one, other = group[0].image, loaded.image
    if one is None or other is None or one.shape != other.shape:
        return False
    is_same: bool = one.dtype == other.dtype
    return is_same


def _fits_more(group: Sequence[Loaded], predictor: Predictor) -> bool:
    image = group[0].image
    assert image is not None
    return len(group) < predictor.batch_size(image.shape[:-1])


def _num_ahead(last: Loaded | None) -> int:
    """How many images may be read before they are asked for: as the last one, within some MB."""
    if last is None or last.image is None:
        return 1
    return min(MAX_AHEAD, max(1, AHEAD_BYTES // (last.image.nbytes + 1)))


def _load(job: Job) -> Loaded:
    try:
        windows = open_windows(job.path) if job.goes_in_parts else None
        if windows is not None:
            return Loaded(job, windows=windows)
        pixels = read_pixels(job.path)
        place = replace(read_place(job.path), orientation=pixels.orientation)
        return Loaded(job, pixels.values, place)
    except DataError as error:
        return Loaded(job, error=str(error))


def _whole_rows(
    bands: Iterator[Band], width: int, predictor: Predictor
) -> Iterator[NDArray[np.uint8]]:
    """Class indices (h, width) of bands, from the top to the bottom."""
    rows: NDArray[np.uint8] = np.zeros((0, width), np.uint8)
    for window, probabilities in bands:
        down, across = window
        if across.start == 0:
            rows = np.empty((down.stop - down.start, width), np.uint8)
        rows[:, across] = predictor.to_mask(probabilities)
        if across.stop == width:
            yield rows


def _mark_rows(
    bands: Iterator[NDArray[np.uint8]], path: Path, place: Place
) -> Iterator[NDArray[np.uint8]]:
    """Bands (h, W) of a mask, with 255 where the image has no data."""
    if place.no_data is None:
        yield from bands
        return
    windows, top = open_windows(path), 0  # by itself: windows let go of what lies above the last
    assert windows is not None
    for rows in bands:
        image = windows[top : top + len(rows), 0 : rows.shape[1]]
        yield mark_no_data(rows, image, place.no_data)
        top += len(rows)


def _remove(files: Files) -> None:
    """An earlier run's files would be taken for those of this one."""
    for file in files.values():
        file.unlink(missing_ok=True)
