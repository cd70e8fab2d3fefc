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
from typing import TypeVar

import numpy as np

from pixelwise.data.channels import has_constant_alpha, has_equal_channels
from pixelwise.data.files.image_files import decode_image, read_bytes, stack_channels
from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.facts import MaskFacts, survey_mask
from pixelwise.errors import FileError, MaskError

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
