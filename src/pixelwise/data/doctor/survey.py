"""Look once at every file of a data set, in threads, and keep only a few facts of each.

Memory does not grow with the images: what is kept of a sample (`ImageFacts`, `MaskFacts`,
`PairFacts`) takes less than 4 kB, whatever the size of its files.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pixelwise.data.doctor.image_facts import (
    ImageFacts,
    describe_image,
    read_pixels,
    survey_image,
)
from pixelwise.data.doctor.pair_facts import PairFacts, describe_pair
from pixelwise.data.files.pixels import Pixels
from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.facts import MaskFacts, describe_mask
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.errors import FileError, MaskError

__all__ = [
    "ImageFacts",
    "SampleFacts",
    "available_cores",
    "map_in_threads",
    "readable_images",
    "readable_masks",
    "survey_image",
    "survey_samples",
]

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]

NUM_WAITING = 4  # items handed out for each thread, so that none is idle


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """A pair of files with what is known of them, or the error that reading them gave.

    Attributes:
        found: the files.
        image: facts of the image.
        mask: facts of the mask; None where there is none.
        pair: facts of both together; None unless both can be read.
    """

    found: FoundSample
    image: ImageFacts | FileError
    mask: MaskFacts | FileError | MaskError | None
    pair: PairFacts | None = None


def survey_samples(
    samples: Iterable[FoundSample],
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> list[SampleFacts]:
    """Read every image and mask once, in threads, and keep the facts; bad files raise nothing.

    Args:
        samples: the files.
        num_threads: as many as there are cores by default.
        progress: called with (number done, number of all) after each sample.
    """
    return map_in_threads(_survey_sample, list(samples), num_threads, progress)


def map_in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Apply a function to every item in a pool of threads; results keep the order of the items.

    Only a few items are handed out ahead. The first exception of `function` is raised.
    """
    num_threads = num_threads or available_cores()
    results: dict[int, Result] = {}
    with ThreadPoolExecutor(min(num_threads, max(1, len(items)))) as pool:
        for index, result in _run(pool, function, items, NUM_WAITING * num_threads):
            results[index] = result
            if progress is not None:
                progress(len(results), len(items))
    return [results[index] for index in range(len(items))]


def _run(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    num_ahead: int,
) -> Iterator[tuple[int, Result]]:
    """Indices and results as they come, with at most `num_ahead` items under way."""
    waiting: dict[Future[Result], int] = {}
    try:
        for index, item in enumerate(items):
            waiting[pool.submit(function, item)] = index
            while len(waiting) >= num_ahead:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def readable_images(surveyed: Iterable[SampleFacts]) -> list[tuple[SampleFacts, ImageFacts]]:
    """Pairs whose image could be read, with its facts."""
    return [(facts, facts.image) for facts in surveyed if isinstance(facts.image, ImageFacts)]


def readable_masks(surveyed: Iterable[SampleFacts]) -> list[tuple[SampleFacts, Path, MaskFacts]]:
    """Pairs whose mask could be read, with its path and facts."""
    return [
        (facts, facts.found.mask.path, facts.mask)
        for facts in surveyed
        if facts.found.mask is not None and isinstance(facts.mask, MaskFacts)
    ]


def holders_of(values: Sequence[int], surveyed: Sequence[SampleFacts]) -> tuple[Path, ...]:
    """The masks with any of the values, where these are less than half of the masks; else none."""
    masks = readable_masks(surveyed)
    found = tuple(path for _, path, mask in masks if np.isin(mask.values, values).any())
    return found if 2 * len(found) < len(masks) else ()


def _survey_sample(found: FoundSample) -> SampleFacts:
    pixels: Pixels | None = None
    image: ImageFacts | FileError
    try:
        pixels = read_pixels(found.images)
        image = describe_image(pixels)
    except FileError as error:
        image = error
    if found.mask is None:
        return SampleFacts(found, image, None)
    try:
        stored = read_stored_mask(found.mask, pixels.values.shape[:-1] if pixels else None)
        mask = describe_mask(stored, found.mask)
    except (FileError, MaskError) as error:
        return SampleFacts(found, image, error)
    pair = describe_pair(pixels.values, stored) if pixels else None
    return SampleFacts(found, image, mask, pair)
