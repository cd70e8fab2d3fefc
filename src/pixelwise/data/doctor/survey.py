"""Look once at every file of a data set, in threads, and keep only a few facts of each.

Memory does not grow with the images: what is kept of a file is its size, its type and, for a mask,
how often each value occurs.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.channels import has_constant_alpha, has_equal_channels
from pixelwise.data.files.image_files import decode_image, read_bytes, stack_channels
from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.sources import MaskSource
from pixelwise.errors import FileError, MaskError

TWO_TONE_RANGE = 100  # below this difference of values a mask holds class indices, never two tones

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is kept of an image."""

    size: tuple[int, ...]
    channels: int  # as stored
    dtype: str
    has_constant_alpha: bool
    is_grey: bool  # one channel, or equal channels, alpha aside
    is_constant: bool
    is_finite: bool
    turned: bool  # by EXIF
    num_bytes: int
    digest: bytes  # of the file's content
    note: str  # of the reader


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """What is kept of a mask."""

    size: tuple[int, ...]
    values: NDArray[np.int64]  # stored values that occur
    counts: NDArray[np.int64]  # pixels of each
    interior: NDArray[
        np.int64
    ]  # pixels of each that are no edge: all four neighbours have the same value
    is_jpeg: bool
    num_bytes: int


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """A pair of files with what is known of them, or the error that reading them gave."""

    found: FoundSample
    image: ImageFacts | FileError
    mask: MaskFacts | FileError | MaskError | None


def survey_samples(
    samples: Iterable[FoundSample], num_threads: int | None = None
) -> list[SampleFacts]:
    """Read every image and mask once, in threads, and keep the facts; bad files raise nothing."""
    return map_in_threads(_survey_sample, list(samples), num_threads)


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], num_threads: int | None = None
) -> list[Result]:
    """Apply a function to every item in a pool of threads; results keep the order of the items."""
    num_threads = num_threads or available_cores()
    with ThreadPoolExecutor(min(num_threads, max(1, len(items)))) as pool:
        return list(pool.map(function, items))


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _survey_sample(found: FoundSample) -> SampleFacts:
    image: ImageFacts | FileError
    mask: MaskFacts | FileError | MaskError | None
    try:
        image = survey_image(found.images)
    except FileError as error:
        image = error
    try:
        size = image.size if isinstance(image, ImageFacts) else None
        mask = survey_mask(found.mask, size) if found.mask else None
    except (FileError, MaskError) as error:
        mask = error
    return SampleFacts(found, image, mask)


def survey_image(paths: Sequence[Path]) -> ImageFacts:
    """Decode an image and keep its facts; FileError where it cannot be read.

    Args:
        paths: the file, or one file a channel.
    """
    contents = [read_bytes(path) for path in paths]
    pixels = stack_channels(
        [decode_image(*file) for file in zip(contents, paths, strict=True)], paths
    )
    values = pixels.values
    constant_alpha = has_constant_alpha(values)
    color = values[..., :-1] if constant_alpha else values
    return ImageFacts(
        size=values.shape[:-1],
        channels=values.shape[-1],
        dtype=values.dtype.name,
        has_constant_alpha=constant_alpha,
        is_grey=color.shape[-1] in (1, 3) and has_equal_channels(color),
        is_constant=bool((color == color.reshape(-1, color.shape[-1])[0]).all()),
        is_finite=values.dtype.kind != "f" or bool(np.isfinite(values).all()),
        turned=pixels.turned,
        num_bytes=pixels.num_bytes,
        digest=hashlib.blake2b(b"".join(contents), digest_size=16).digest(),
        note=pixels.note,
    )


def survey_mask(source: MaskSource, image_size: tuple[int, ...] | None) -> MaskFacts:
    """Read a mask and count its values; FileError or MaskError where it cannot be understood."""
    mask = read_stored_mask(source, image_size)
    stored = mask.values
    values, counts = count_values(stored)
    interior = counts.copy()
    if len(values) > 2 and values[-1] - values[0] >= TWO_TONE_RANGE:
        interior = _count_interior(stored, values)
    return MaskFacts(
        size=mask.size,
        values=values,
        counts=counts,
        interior=interior,
        is_jpeg=source.path.suffix.lower() in (".jpg", ".jpeg"),
        num_bytes=mask.num_bytes,
    )


def count_values(stored: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The values that occur, in order, and how often each does."""
    if stored.dtype.kind == "u" and stored.dtype.itemsize <= 2:
        counts = np.bincount(stored.ravel())
        values = np.flatnonzero(counts)
        return values.astype(np.int64), counts[values].astype(np.int64)
    values, counts = np.unique(stored, return_counts=True)
    return values.astype(np.int64), counts.astype(np.int64)


def _count_interior(stored: NDArray[Any], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of pixels of each value whose four neighbours have the same value."""
    centre = stored[1:-1, 1:-1]
    is_interior = (
        (centre == stored[:-2, 1:-1])
        & (centre == stored[2:, 1:-1])
        & (centre == stored[1:-1, :-2])
        & (centre == stored[1:-1, 2:])
    )
    found, counts = count_values(centre[is_interior])
    interior = np.zeros(len(values), dtype=np.int64)
    interior[np.searchsorted(values, found)] = counts
    return interior
