"""Many items in threads: as many threads as are worth it."""

import os
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]

NUM_ALONE = 16  # items that one thread does, before it is seen whether more threads are worth it,
ALONE_SECONDS = 0.5  # or fewer, where they take longer
SHORT = 0.003  # seconds of the median item: below it two threads are slower than one


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


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    num_ahead: Callable[[Result | None], int],
) -> Iterator[Result]:
    """Apply a function in a thread to the next items, while what it gave last is used.

    Args:
        function: called for one item after the other, in their order.
        items: to apply it to.
        num_ahead: how many items may be waiting, by the last result; None before the first.
    """
    waiting: deque[Future[Result]] = deque()
    last: Result | None = None
    with ThreadPoolExecutor(1) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                while len(waiting) > num_ahead(last):
                    last = waiting.popleft().result()
                    yield last
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
