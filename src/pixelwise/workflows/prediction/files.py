"""One image after the other: read, predict, write; reading and writing while others are computed.

    small images   read ahead ──> of one size together ──> predicted ──> written by a thread
    large ones     windows ──> tiles ──> bands of results ──> written while the next are computed

A picture is large where it takes more than 16 MB. Where its format can be read in parts, it is
never in memory as a whole; others, as PNG and JPEG, must fit.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Display, fill_no_data, mark_no_data, to_channels
from pixelwise.errors import DataError, PixelwiseError, PlanError
from pixelwise.inference import Band, IntensityCheck, Predictor, WindowedImage
from pixelwise.inference.memory import LARGE, Held, choose_tile_side, refuse_large
from pixelwise.io import (
    Place,
    Windows,
    make_folder,
    open_windows,
    remove_result,
    turn_back,
    turn_planes_back,
)
from pixelwise.parallel import map_ahead
from pixelwise.workflows.prediction.clean_rows import clean_rows
from pixelwise.workflows.prediction.loading import (
    Job,
    Loaded,
    Outcome,
    groups,
    is_large,
    load,
    num_ahead,
)
from pixelwise.workflows.prediction.make_rows import OF_PROBABILITIES, RowMaker
from pixelwise.workflows.prediction.results import Files, Results, held_by
from pixelwise.workflows.prediction.rows import Rows
from pixelwise.workflows.prediction.stacks import check_files, predict_stack, write_stack

STACK_NDIM = 4  # (D, H, W, C)
NUM_WRITING = 4  # batches that wait to be written
BANDS_WAITING = 2  # of a large image, with the one that is being written


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


class Original(NamedTuple):
    """An image as it is stored, for results that show or measure it."""

    seen: NDArray[Any]  # (H, W, C), or (N, 1, C) spread over it
    read: Callable[[slice], NDArray[Any]]  # some of its rows


class FilePredictor:
    """Predicts files with one model.

    Args:
        predictor: runs the model.
        memory: bytes that the process may take while large images are predicted.
        skip_background: of images that are read in parts, leave out tiles that show glass.
    """

    def __init__(
        self,
        predictor: Predictor,
        memory: int,
        *,
        skip_background: bool = False,
    ) -> None:
        self._predictor, self._memory = predictor, memory
        self._skip_background = skip_background
        self.check = IntensityCheck(predictor.model.config)
        self.on_part: Callable[[float], None] = lambda _: None  # with the share of a large image

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Predict images and write their files; the outcomes come in the order of the jobs.

        Raises:
            OutputError: a file cannot be written.
        """
        writing: deque[Future[list[Outcome]]] = deque()
        with ThreadPoolExecutor(1, "writes results") as writer:
            for group in groups(map_ahead(load, jobs, num_ahead), self._predictor):
                may_wait = 0 if is_large(group[0]) else NUM_WRITING
                yield from _finished(writing, may_wait)  # so that its parts count from there
                writing.append(writer.submit(self._write_all, self._predict(group)))
                yield from _finished(writing, may_wait)
            yield from _finished(writing, 0)

    def _predict(self, group: Sequence[Loaded]) -> list[Predicted | Outcome]:
        """Predict images of one size, or one image in parts; outcomes where nothing is to write."""
        taken, channels, found = list[Loaded](), list[NDArray[Any]](), list[Predicted | Outcome]()
        for loaded in group:
            try:
                if loaded.error:
                    raise DataError(loaded.error)
                if loaded.windows is not None:
                    found.append(self._predict_windows(loaded, loaded.windows))
                    continue
                if loaded.image is not None and loaded.image.ndim == STACK_NDIM:
                    found.append(self._predict_stack(loaded, loaded.image))
                    continue
                image = self._to_channels(loaded)
                is_upright = loaded.place.orientation == 1  # rows of others are no rows of the file
                if image.nbytes > LARGE and is_upright:
                    found.append(self._predict_in_parts(loaded, image))
                else:
                    channels.append(image)
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
        needed = {what for loaded in taken for what in loaded.job.files}
        needs_mask = needed.isdisjoint(OF_PROBABILITIES)
        if needs_mask and self._predictor.batch_size(channels[0].shape[1:]) == 1:
            # probabilities of large images take much memory
            masks = [self._predictor.segment(image) for image in channels]
            return [Predicted(*pair) for pair in zip(taken, masks, strict=True)]
        values = self._predictor.batch_probabilities(np.stack(channels))
        return [
            Predicted(loaded, self._predictor.clean(self._predictor.to_mask(one)), one)
            for loaded, one in zip(taken, values, strict=True)
        ]

    def _to_channels(self, loaded: Loaded) -> NDArray[Any]:
        """The image as the model takes it; DataError or PlanError where it cannot be taken."""
        in_channels, name = self._predictor.model.config.network.in_channels, str(loaded.job.path)
        image = loaded.image
        assert image is not None
        held = self._held(loaded.job, loaded.place, image.shape[2] * image.dtype.itemsize)
        if loaded.place.orientation != 1:  # predicted whole
            probabilities = 4 * self._predictor.model.config.num_classes
            held = held._replace(in_all=held.in_all + held.in_rows + probabilities)
        refuse_large(self._predictor, image, name, self._memory, held)
        image = fill_no_data(image, loaded.place.no_data)
        return self.check.take(to_channels(image, in_channels, name), name)

    def _predict_stack(self, loaded: Loaded, image: NDArray[Any]) -> Predicted:
        """The mask of a stack (D, H, W, C), plane by plane."""
        path, of_mask = loaded.job.path, Held(in_all=1)
        check_files(path, loaded.job.files, loaded.place)
        refuse_large(self._predictor, image, str(path), self._memory, of_mask)
        mask = predict_stack(self._predictor, self.check, image, str(path), loaded.place)
        return Predicted(loaded, mask)

    def _predict_windows(self, loaded: Loaded, windows: Windows) -> Outcome:
        """Write the files of an image that is read in windows while it is being predicted."""
        job, place = loaded.job, loaded.place
        image = WindowedImage(
            windows,
            self._predictor.model.config.network.in_channels,
            self.check,
            no_data=place.no_data,
            skip_background=self._skip_background,
        )
        held = self._held(job, place, windows.shape[2] * windows.dtype.itemsize)
        side = choose_tile_side(self._predictor, windows, self._memory, held)
        original = None
        if held.reads_again:  # by itself: windows let go of what lies above the last one
            again = open_windows(job.path)
            assert again is not None
            original = Original(again.overview(), lambda down: again[down, 0 : image.shape[2]])
        bands = self._predictor.bands(image, side)
        return self._write_bands(job, bands, image.shape, original, place)

    def _predict_in_parts(self, loaded: Loaded, channels: NDArray[Any]) -> Outcome:
        """The same of a large image that was read whole."""
        image = loaded.image
        assert image is not None
        bands, original = self._predictor.bands(channels), Original(image, lambda down: image[down])
        return self._write_bands(loaded.job, bands, channels.shape, original, loaded.place)

    def _write_bands(
        self,
        job: Job,
        bands: Iterator[Band],
        shape: Sequence[int],
        original: Original | None,
        place: Place,
    ) -> Outcome:
        """Write the files of an image (C, H, W) while its bands are computed."""
        _, height, width = shape
        min_area = self._predictor.model.config.min_area
        read = None if original is None else original.read
        rows = RowMaker(self._predictor, job.files).of_bands(bands, width, read)
        cleaned = (_mark(one, place) for one in clean_rows(rows, min_area))
        with self._results(job, (height, width), original, place) as results:
            done = 0
            for number in map_ahead(results.write, cleaned, lambda _: BANDS_WAITING):
                done += number
                self.on_part(done / height)
        return Outcome(job, height * width)

    def _results(
        self, job: Job, size: tuple[int, int], original: Original | None, place: Place
    ) -> Results:
        """What writes the files of a job."""
        display = None
        if "overlay" in job.files:
            assert original is not None
            display = Display.of(original.seen)
        config = self._predictor.model.config
        return Results(job.files, config, job.path, size, place, display)

    def _held(self, job: Job, place: Place, pixel_bytes: int) -> Held:
        config, marks_no_data = self._predictor.model.config, place.no_data is not None
        held = held_by(job.files, config, pixel_bytes)
        if not marks_no_data or held.reads_again:
            return held
        return held._replace(in_rows=held.in_rows + pixel_bytes, reads_again=True)

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
        job, image = predicted.loaded.job, predicted.loaded.image
        assert image is not None
        place = predicted.loaded.place
        if image.ndim == STACK_NDIM:
            (target,) = job.files.values()
            make_folder(target.parent)
            write_stack(target, predicted.mask, self._predictor.model.config, place)
            return
        maker = RowMaker(self._predictor, job.files)
        rows = maker.of_whole(image, predicted.mask, predicted.probabilities)
        rows = _mark(rows, place)
        original = Original(image, lambda down: image[down])
        with self._results(job, (image.shape[0], image.shape[1]), original, place) as results:
            results.write(rows)


def _mark(rows: Rows, place: Place) -> Rows:
    """Rows whose mask says where the image has no data."""
    if place.no_data is None:
        return rows
    return rows._replace(mask=mark_no_data(rows.mask, rows.image, place.no_data))


def _finished(writing: deque[Future[list[Outcome]]], may_wait: int) -> Iterator[Outcome]:
    """Outcomes of the batches that were given to the writer, but for the last ones."""
    while len(writing) > may_wait:
        yield from writing.popleft().result()


def _failed(job: Job, error: PixelwiseError) -> Outcome:
    """The outcome of an image that cannot be predicted; files of an earlier run are removed."""
    _remove(job.files)
    text = str(error)
    return Outcome(job, error=text if str(job.path) in text else f"{job.path}: {text}")


def _remove(files: Files) -> None:
    """An earlier run's files would be taken for those of this one."""
    for file in files.values():
        remove_result(file)
