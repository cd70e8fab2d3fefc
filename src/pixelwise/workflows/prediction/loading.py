"""Images on their way to be predicted: read ahead, and those that are computed together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pixelwise.errors import DataError
from pixelwise.inference import Predictor
from pixelwise.inference.memory import LARGE
from pixelwise.io import NOWHERE, Place, Windows, open_windows, read_pixels, read_place
from pixelwise.workflows.prediction.results import Files

AHEAD_BYTES = 2**25  # of images that were read and wait
MAX_AHEAD = 64  # images


@dataclass(frozen=True, slots=True)
class Job:
    """An image and the files to be made of it."""

    path: Path
    files: Files


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
    image: NDArray[Any] | None = None  # (H, W, C), upright
    place: Place = NOWHERE
    windows: Windows | None = None
    error: str = ""


def groups(images: Iterator[Loaded], predictor: Predictor) -> Iterator[Sequence[Loaded]]:
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


def num_ahead(last: Loaded | None) -> int:
    """How many images may be read before they are asked for: as the last one, within some MB."""
    if last is None or last.image is None:
        return 1
    return min(MAX_AHEAD, max(1, AHEAD_BYTES // (last.image.nbytes + 1)))


def load(job: Job) -> Loaded:
    """Open an image that is read in windows, or read it."""
    try:
        windows, place = open_windows(job.path), read_place(job.path)
        if windows is not None:
            return Loaded(job, place=place, windows=windows)
        pixels = read_pixels(job.path)
        return Loaded(job, pixels.values, replace(place, orientation=pixels.orientation))
    except DataError as error:
        return Loaded(job, error=str(error))


def is_large(loaded: Loaded) -> bool:
    """Whether an image is written part by part, while it is predicted."""
    image = loaded.image
    return loaded.windows is not None or (image is not None and image.nbytes > LARGE)
