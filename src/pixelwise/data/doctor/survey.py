"""Look once at every file of a data set, in threads, and keep only a few facts of each.

Memory does not grow with the images: what is kept of a sample (`ImageFacts`, `MaskFacts`,
`PairFacts`) takes less than 4 kB, whatever the size of its files.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Generic, TypeVar

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
ALONE_SECONDS = 0.5  # or fewer, where they take longer
SHORT = 0.003  # seconds of the median item: below it two threads are slower than one


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

    Where items are done in no time, all but the first are done by the thread that calls: several
    would wait for Python's lock longer than they compute. The first exception of `function` is
    raised, and no more items are taken.
    """
    num_threads = min(num_threads or available_cores(), max(1, len(items)))
    work = _Work(function, items, progress)
    with ThreadPoolExecutor(num_threads) as pool:
        try:
            alone = pool.submit(work.go_on)
            is_short = work.collect(NUM_ALONE, ALONE_SECONDS) and work.is_short
            if is_short:
                work.is_over.set()
                alone.result()
            else:
                for _ in range(num_threads - 1):
                    pool.submit(work.go_on)
                work.collect(len(items))
        finally:
            work.is_over.set()
    if is_short:
        work.collect_rest()
    return [work.results[index] for index in range(len(items))]


class _Work(Generic[Item, Result]):
    """Items of which each thread takes the next one, when it has done its last one."""

    def __init__(
        self, function: Callable[[Item], Result], items: Sequence[Item], progress: Progress | None
    ) -> None:
        self._function, self._progress, self._num_items = function, progress, len(items)
        self._waiting, self._is_taking = iter(enumerate(items)), Lock()
        self._done = SimpleQueue[float | BaseException]()  # seconds of each item, or what it raised
        self._durations: list[float] = []  # of those collected
        self.results: dict[int, Result] = {}
        self.is_over = Event()

    def go_on(self) -> None:
        """Do items until there are none, or work is over."""
        while not self.is_over.is_set():
            try:
                if not self._do_next():
                    return
            except BaseException as error:
                self._done.put(error)
                return

    def _do_next(self) -> bool:
        """Do one item; False where none is left."""
        with self._is_taking:
            taken = next(self._waiting, None)
        if taken is None:
            return False
        began = time.monotonic()
        self.results[taken[0]] = self._function(taken[1])
        self._done.put(time.monotonic() - began)
        return True

    def collect(self, number: int, seconds: float | None = None) -> bool:
        """Wait until so many items are done; raise what one raised; False where it takes longer."""
        until = None if seconds is None else time.monotonic() + seconds
        while len(self._durations) < min(number, self._num_items):
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                found = self._done.get(timeout=left)
            except Empty:
                return False
            if isinstance(found, BaseException):
                raise found
            self._durations.append(found)
            if self._progress is not None:
                self._progress(len(self._durations), self._num_items)
        return True

    def collect_rest(self) -> None:
        """Do what is left, in this thread."""
        while not self._done.empty():
            self.collect(len(self._durations) + 1)
        while self._do_next():
            self.collect(len(self._durations) + 1)

    @property
    def is_short(self) -> bool:
        """Whether the items so far took no time."""
        return statistics.median(self._durations) < SHORT if self._durations else False


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
