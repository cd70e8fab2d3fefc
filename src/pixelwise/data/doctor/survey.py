"""Look once at every file of a data set, in threads, and keep only a few facts of each.

Memory does not grow with the images: what is kept of a sample (`ImageFacts`, `MaskFacts`,
`PairFacts`) takes less than 4 kB, whatever the size of its files.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock
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

NUM_ALONE = 16  # items that one thread does, before it is seen whether more threads are worth it,
ALONE_SECONDS = 0.3  # or fewer, where they take so long
SHORT = 0.003  # seconds of an item: two threads are slower than one


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

    Each thread takes the next item when it has done its last one. Where the first items are done in
    no time, one thread does all: several would wait for Python's lock longer than they compute. The
    first exception of `function` is raised, and no more items are taken.
    """
    num_threads = min(num_threads or available_cores(), max(1, len(items)))
    waiting, results = iter(enumerate(items)), dict[int, Result]()
    is_taking, is_over = Lock(), Event()
    done = SimpleQueue[BaseException | None]()

    def work() -> None:
        while not is_over.is_set():
            try:
                with is_taking:
                    taken = next(waiting, None)
                if taken is None:
                    return
                results[taken[0]] = function(taken[1])
                done.put(None)
            except BaseException as error:
                done.put(error)
                return

    with ThreadPoolExecutor(num_threads) as pool:
        try:
            pool.submit(work)
            num_done, began, is_alone = 0, time.monotonic(), num_threads > 1
            while num_done < len(items):
                seconds = time.monotonic() - began
                if is_alone and (num_done == NUM_ALONE or seconds > ALONE_SECONDS):
                    is_alone = False
                    for _ in range(num_threads - 1 if seconds > num_done * SHORT else 0):
                        pool.submit(work)
                with suppress(Empty):
                    error = done.get(timeout=ALONE_SECONDS if is_alone else None)
                    if error is not None:
                        raise error
                    num_done += 1
                    if progress is not None:
                        progress(num_done, len(items))
        finally:
            is_over.set()
    return [results[index] for index in range(len(items))]


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
