"""How many threads a CPU computes with: as many as are fastest now, found while it computes.

Threads that share a computation wait for one another, some hundred times in a training step. Where
other programs use the cores too, every wait lasts until the last thread has had its turn, and fewer
threads, or one, are several times as fast as all of them. When the others end, it is the other way
round. So the number is measured at the start, and again when the speed has changed:

    pieces    2 2 2 2   1 1 1 1   2 2 2 2 2 ... 2 2 2   1 1 1 1   1 1 1 ...   2        1 1 1 ...
              measured  a trial,  slower from here on   a trial,  faster:     now and  slower at
                        slower                                    kept        then     once
"""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

NUM_MEASURED = 3  # pieces of work, whose median counts, after one that is not counted
ENOUGH_SECONDS = 1.0  # fewer pieces are enough where they take so long together,
COUNTED_SECONDS = 2.0  # and the first one counts where it alone takes so long
NUM_RECENT = 7  # pieces, whose median is the speed of the chosen number
GAIN = 1.1  # another number must be so many times faster to be chosen
CHANGE = 1.4  # of the speed, either way, after which other numbers are tried again
HOPELESS = 2.5  # times slower than the chosen number: a trial ends at once,
HOPELESS_SECONDS = 0.3  # unless it lost less than this, as what is computed first may
TRIAL_SHARE = 0.01  # of the time that trials may lose, where nothing seems to have changed,
CHANGED_SHARE = 0.05  # and where the speed has, or where a number was just taken
MIN_REST = 2.0  # seconds between trials, however little the last ones lost
LOOK_SECONDS = 0.03  # at how long threads wait for one another, before a trial of more of them
LOOK_VALUES = 2**15  # for each thread to add to: torch shares out no less
MAX_WAIT = 4.0  # times as long as one thread takes for all of it: a trial would be hopeless
NEW_REST = 10.0  # seconds at most, before the earlier number is tried once more


def halvings(most: int) -> list[int]:
    """The numbers of threads to choose from.

    >>> halvings(12)
    [12, 6, 3, 1]
    """
    numbers = [most]
    while numbers[-1] > 1:
        numbers.append(numbers[-1] // 2)
    return numbers


class ThreadChooser:
    """Chooses the number of threads from the seconds that pieces of the same work take.

    It has no clock and draws nothing: the same seconds give the same numbers. A trial computes
    some pieces with the next smaller or the next larger number; where nothing has changed, trials
    are as far apart as keeps what they lose below a hundredth of the time.

    Args:
        candidates: numbers to choose from, the largest first.
        first: to begin with, or the largest candidate below it; None: the largest.
    """

    def __init__(self, candidates: Sequence[int], first: int | None = None) -> None:
        self._candidates = tuple(candidates)
        self._chosen = self._place_of(first)
        self._trial: int | None = None  # place of the candidate that is tried
        self._waiting: list[int] = []  # places of those to be tried after it
        self._pieces: list[float] = []  # seconds of the last ones, with the number in use
        self._is_first = True  # the next piece with this number, which is not counted
        self._usual: float | None = None  # seconds of a piece with the chosen number, as compared
        self._has_tried = False
        self._is_new = (
            False  # the chosen number: soon it is seen whether the earlier one was slower
        )
        self._lost = self._rested = 0.0  # seconds that the last trials cost; and since then

    @property
    def number(self) -> int:
        """Of threads to compute the next piece with."""
        return self._candidates[self._chosen if self._trial is None else self._trial]

    @property
    def chosen(self) -> int:
        """The fastest number so far."""
        return self._candidates[self._chosen]

    @property
    def is_settled(self) -> bool:
        """Whether no number is being compared with others."""
        return len(self._candidates) == 1 or (self._has_tried and self._trial is None)

    @property
    def is_growing(self) -> bool:
        """Whether a trial of more threads is about to begin."""
        return self._trial is not None and self._trial < self._chosen and self._is_first

    def give_up(self, seconds: float) -> None:
        """End a trial that was seen in so many seconds to be hopeless."""
        self._lost += seconds
        self._use(self._waiting.pop(0) if self._waiting else None)

    def go_on_from(self, number: int) -> None:
        """Take a number that was found by other work, at this time."""
        place = self._place_of(number)
        if place != self._chosen or not self._has_tried:
            self._chosen, self._usual, self._has_tried = place, None, True
            self._waiting = []
            self._use(None)

    def note(self, seconds: float, size: float = 1.0) -> None:
        """Take note of a piece of work that was computed with `number` threads.

        Args:
            seconds: that it took.
            size: size of the piece, in any unit: seconds per unit are compared.
        """
        if len(self._candidates) == 1:
            return
        is_counted = not self._is_first or seconds >= COUNTED_SECONDS
        self._is_first = False
        if is_counted:
            self._pieces = [*self._pieces, seconds / size][-NUM_RECENT:]
        if self._trial is not None:
            self._judge(seconds, size)
            return
        self._rested += seconds
        if self._is_measured(size):
            self._look_for_change(statistics.median_low(self._pieces))

    def _is_measured(self, size: float) -> bool:
        """Whether enough pieces were computed with the number in use, the last one of that size."""
        return len(self._pieces) >= NUM_MEASURED or sum(self._pieces) * size >= ENOUGH_SECONDS

    def _judge(self, seconds: float, size: float) -> None:
        """End the trial where its outcome is clear, and go on to the next one, if any."""
        assert self._trial is not None and self._usual is not None
        expected = self._usual * size
        self._lost += max(0.0, seconds - expected)
        is_hopeless = seconds > max(HOPELESS * expected, expected + HOPELESS_SECONDS)
        if not (is_hopeless or self._is_measured(size)):
            return
        if not is_hopeless and statistics.median_low(self._pieces) * GAIN < self._usual:
            further = 2 * self._trial - self._chosen  # the next one in this direction
            self._chosen, self._usual = self._trial, statistics.median_low(self._pieces)
            self._lost = expected - self._usual * size  # as a trial of the earlier one would
            self._waiting, self._is_new = self._places(further), True
        self._use(self._waiting.pop(0) if self._waiting else None)

    def _look_for_change(self, seconds: float) -> None:
        """Begin trials at the start, where the speed has changed, and now and then.

        Args:
            seconds: seconds of a piece with the chosen number, now.
        """
        fewer, more = self._places(self._chosen + 1), self._places(self._chosen - 1)
        if not self._has_tried:
            self._try(fewer + more, seconds)
            return
        usual = self._usual = self._usual or seconds
        is_slower, is_faster = seconds > CHANGE * usual, seconds * CHANGE < usual
        share = CHANGED_SHARE if is_slower or is_faster else TRIAL_SHARE
        rest = min(self._lost / share, NEW_REST if self._is_new else math.inf)
        if not more:
            self._usual = min(usual, seconds)
        if self._rested >= max(MIN_REST, rest) and (is_slower or more):
            self._try(fewer + more if is_slower else more, seconds)

    def _try(self, places: list[int], seconds: float) -> None:
        """Begin trials of other candidates, to compare with what the chosen one takes."""
        self._usual, self._has_tried, self._is_new = seconds, True, False
        self._lost = self._rested = 0.0
        self._waiting = places[1:]
        self._use(places[0])

    def _use(self, trial: int | None) -> None:
        """Compute the next pieces with a candidate to be tried, or with the chosen one."""
        self._trial, self._pieces, self._is_first = trial, [], True

    def _places(self, place: int) -> list[int]:
        """The place, where there is such."""
        return [place] if 0 <= place < len(self._candidates) else []

    def _place_of(self, number: int | None) -> int:
        """Of a number, or of the next smaller candidate."""
        if number is None:
            return 0
        places = [place for place, each in enumerate(self._candidates) if each <= number]
        return places[0] if places else len(self._candidates) - 1


class Threads:
    """The threads that a device computes pieces of work with: chosen, or a fixed number.

    Args:
        device: a CPU, or another one, for which there is nothing to choose.
        number: fixed number of threads; None: as many as are fastest, at most those of torch.
        first: to begin with, where it is not fixed; None: as many as torch uses.
    """

    def __init__(
        self, device: torch.device, number: int | None = None, first: int | None = None
    ) -> None:
        self._is_used = device.type == "cpu"
        self._chooser = ThreadChooser([number] if number else halvings(most_threads()), first)

    @property
    def chosen(self) -> int:
        """The fastest number so far."""
        return self._chooser.chosen

    @property
    def is_settled(self) -> bool:
        """Whether no number is being compared with others."""
        return not self._is_used or self._chooser.is_settled

    def go_on_from(self, other: "Threads") -> None:
        """Begin with the number that other work on this device has just now."""
        self._chooser.go_on_from(other.chosen)

    @contextmanager
    def timed(self, size: float = 1.0) -> Iterator[None]:
        """Compute a piece of work within, with the number that its time tells something about.

        Args:
            size: size of the piece, in any unit: seconds per unit are compared.
        """
        if not self._is_used:
            yield
            return
        started = time.perf_counter()
        if self._chooser.is_growing and are_held_up(self._chooser.number):
            self._chooser.give_up(time.perf_counter() - started)
        with using_threads(self._chooser.number):
            started = time.perf_counter()
            yield
            self._chooser.note(time.perf_counter() - started, size)


def most_threads() -> int:
    """As many as torch uses: a thread for each core, or what the user said."""
    return torch.get_num_threads()


def free_threads(most: int | None = None) -> int:
    """As many as do not wait long for one another now: where to begin looking for the fastest.

    Args:
        most: threads to begin with, where torch uses as many; None: as many as it uses.
    """
    numbers = halvings(min(most or most_threads(), most_threads()))
    return next(number for number in numbers if number == 1 or not are_held_up(number))


def are_held_up(number: int) -> bool:
    """Whether so many threads wait for one another most of the time, since others use the cores.

    What takes a microsecond for each of them alone takes milliseconds then.
    """
    values = torch.zeros(number * LOOK_VALUES)
    with using_threads(1):
        alone = min(_seconds_of_addition(values) for _ in range(5))
    with using_threads(number):
        num_done, began = 0, time.monotonic()
        while (seconds := time.monotonic() - began) < LOOK_SECONDS:
            values.add_(1)
            num_done += 1
    return seconds > MAX_WAIT * alone * num_done


def _seconds_of_addition(values: torch.Tensor) -> float:
    started = time.perf_counter()
    values.add_(1)
    return time.perf_counter() - started


@contextmanager
def using_threads(number: int | None) -> Iterator[None]:
    """Let a CPU compute with so many threads meanwhile; None for as many as it does anyway."""
    before = torch.get_num_threads()
    if number not in (None, before):
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number not in (None, before):
            torch.set_num_threads(before)
