"""How many threads compute: the fastest number is found, kept, and found again when it changes.

No time passes: a machine of our own says how long a piece of work takes with each number.
"""

import pytest
import torch

from pixelwise import threads
from pixelwise.threads import ThreadChooser, Threads, halvings, using_threads

QUIET = {8: 0.1, 4: 0.18, 2: 0.35, 1: 0.7}
BUSY = {8: 4.0, 4: 2.0, 2: 0.7, 1: 1.1}
TWO_QUIET, TWO_BUSY = {2: 0.08, 1: 0.133}, {2: 1.15, 1: 0.149}


def compute(chooser, seconds, number=None, *, until=None):
    """Compute pieces, so many or until so many seconds are over; return the numbers used."""
    used, total = [], 0.0
    while (number is None or len(used) < number) and (until is None or total < until):
        used.append(chooser.number)
        chooser.note(seconds[chooser.number])
        total += seconds[used[-1]]
    return used


def share_of_best(seconds, used):
    """Speed, as a share of that of the fastest number alone."""
    return len(used) * min(seconds.values()) / sum(seconds[number] for number in used)


@pytest.mark.parametrize(
    ("most", "numbers"), [(1, [1]), (2, [2, 1]), (6, [6, 3, 1]), (8, [8, 4, 2, 1])]
)
def test_candidates_are_halvings(most, numbers):
    assert halvings(most) == numbers


class TestStart:
    def test_one_number_of_threads_is_no_choice(self):
        chooser = ThreadChooser([3])
        assert chooser.is_settled
        assert set(compute(chooser, {3: 5.0}, 50)) == {3}

    def test_first_all_then_half_then_as_the_faster_one(self):
        chooser = ThreadChooser([2, 1])
        assert compute(chooser, TWO_QUIET, 12) == [2] * 4 + [1] * 4 + [2] * 4
        chooser = ThreadChooser([2, 1])
        assert compute(chooser, TWO_BUSY, 10) == [2] * 2 + [1] * 8

    @pytest.mark.parametrize("best", [8, 4, 2, 1])
    def test_the_fastest_of_many(self, best):
        seconds = {n: 0.1 * 2 ** abs(n.bit_length() - best.bit_length()) for n in QUIET}
        chooser = ThreadChooser(halvings(8))
        assert compute(chooser, seconds, 32)[-10:] == [best] * 10
        assert chooser.chosen == best

    def test_numbers_that_get_slower_and_slower_are_not_tried(self):
        assert set(compute(ThreadChooser(halvings(8)), QUIET, 100)) == {8, 4}

    def test_a_little_faster_is_not_enough(self):
        chooser = ThreadChooser([2, 1])
        compute(chooser, {2: 0.1, 1: 0.0999 / threads.GAIN + 0.001}, 30)
        assert chooser.chosen == 2

    def test_where_to_begin_may_be_known(self):
        chooser = ThreadChooser([8, 4, 2, 1], first=2)
        assert compute(chooser, {8: 0.4, 4: 0.2, 2: 0.1, 1: 0.2}, 12) == [2] * 4 + [1] * 4 + [4] * 4
        assert chooser.chosen == 2

    @pytest.mark.parametrize(("first", "number"), [(9, 8), (5, 4), (3, 2), (0, 1), (None, 8)])
    def test_a_number_between_two_is_the_smaller_one(self, first, number):
        assert ThreadChooser([8, 4, 2, 1], first).number == number

    def test_what_is_computed_first_may_be_slow(self):
        """The first piece with each number is not counted."""
        chooser = ThreadChooser([2, 1])
        for seconds in [5.0, 0.1, 0.1, 0.1, 0.25, 0.05, 0.05, 0.05]:
            chooser.note(seconds)
        assert chooser.chosen == 1

    def test_one_piece_that_was_held_up_does_not_decide(self):
        chooser = ThreadChooser([2, 1])
        for seconds in [0.1, 0.1, 0.9, 0.1, 0.2, 0.2, 0.01, 0.2]:
            chooser.note(seconds)
        assert chooser.is_settled
        assert chooser.chosen == 2

    def test_of_long_pieces_one_is_enough(self):
        chooser = ThreadChooser([8, 4, 2, 1])
        assert compute(chooser, {8: 9.0, 4: 6.0, 2: 4.0, 1: 5.0}, 6) == [8, 4, 2, 1, 2, 2]

    def test_seconds_are_for_a_unit_of_the_work(self):
        chooser = ThreadChooser([2, 1])
        for size in [1, 4, 2, 9, 1, 50, 1, 2]:
            chooser.note((0.1 if chooser.number == 2 else 0.06) * size, size)
        assert chooser.chosen == 1


class TestChange:
    def test_when_others_come_and_when_they_go(self):
        chooser = ThreadChooser([2, 1])
        assert compute(chooser, TWO_QUIET, until=20)[-1] == 2
        assert compute(chooser, TWO_BUSY, until=10)[-1] == 1
        quiet = compute(chooser, {2: 0.08, 1: 0.1}, until=30)
        assert quiet[-1] == 2

    def test_at_once_when_steps_become_much_slower(self):
        chooser = ThreadChooser([2, 1])
        compute(chooser, TWO_QUIET, until=20)
        # four of the last seven pieces are slow; a trial; one thread
        assert compute(chooser, TWO_BUSY, 12) == [2] * 4 + [1] * 8

    def test_of_many_as_few_as_needed(self):
        chooser = ThreadChooser(halvings(8))
        compute(chooser, QUIET, until=30)
        compute(chooser, BUSY, until=90)
        assert chooser.chosen == 2
        compute(chooser, QUIET, until=120)
        assert chooser.chosen == 8

    def test_now_and_then_it_is_seen_that_more_would_pay(self):
        """One thread is as fast as before, but two are no longer held up."""
        chooser = ThreadChooser([2, 1])
        compute(chooser, TWO_BUSY, until=100)
        used = compute(chooser, {2: 0.08, 1: 0.149}, until=200)
        assert used[-1] == 2
        assert used.count(1) * 0.149 < 120

    def test_one_piece_that_was_held_up_is_no_change(self):
        chooser = ThreadChooser([2, 1])
        compute(chooser, TWO_QUIET, until=20)
        for _ in range(20):
            chooser.note(3.0)
            assert compute(chooser, TWO_QUIET, 9) == [2] * 9

    def test_what_got_slower_for_another_reason_keeps_its_number(self):
        chooser = ThreadChooser([2, 1])
        compute(chooser, TWO_QUIET, until=20)
        used = compute(chooser, {2: 0.2, 1: 0.38}, until=200)
        assert used.count(1) == threads.NUM_MEASURED + 1
        assert used[-1] == 2


class TestCost:
    """Trials are to cost next to nothing."""

    def test_alone_on_the_machine(self):
        """A minute of steps of a quiet machine: one trial, at the start."""
        used = compute(ThreadChooser([2, 1]), TWO_QUIET, until=60)
        assert used.count(1) == threads.NUM_MEASURED + 1
        assert share_of_best(TWO_QUIET, used) > 0.99

    @pytest.mark.parametrize("seconds", [TWO_BUSY, BUSY, {2: 0.2, 1: 0.14}, {2: 0.02, 1: 0.01}])
    def test_beside_other_programs(self, seconds):
        chooser = ThreadChooser(sorted(seconds, reverse=True))
        compute(chooser, seconds, until=60)
        used = compute(chooser, seconds, until=600)
        assert share_of_best(seconds, used) > 0.98

    @pytest.mark.parametrize("spread", [0.05, 0.3])
    def test_with_times_that_vary(self, spread):
        """Alone, with steps that take up to so much longer, and some four times as long."""
        chooser, used, rng = ThreadChooser([2, 1]), [], torch.Generator().manual_seed(0)
        for _ in range(2000):
            draw = torch.rand(2, generator=rng).tolist()
            used.append(chooser.number)
            factor = (1 + spread * draw[0]) * (4 if draw[1] < 0.05 else 1)
            chooser.note(TWO_QUIET[chooser.number] * factor)
        assert share_of_best(TWO_QUIET, used) > 0.97

    def test_a_trial_that_is_hopeless_ends_at_once(self):
        chooser = ThreadChooser([2, 1], first=1)
        assert compute(chooser, TWO_BUSY, 8) == [1] * 4 + [2] + [1] * 3

    def test_a_first_piece_of_some_milliseconds_is_not_hopeless(self):
        """What is compiled for a number of threads takes its time once."""
        chooser = ThreadChooser([2, 1], first=1)
        for _ in range(4):
            chooser.note(0.004)
        for seconds in (0.06, 0.002, 0.002, 0.002):
            assert chooser.number == 2
            chooser.note(seconds)
        assert chooser.chosen == 2

    def test_the_same_seconds_give_the_same_numbers(self):
        one, other = (
            [*compute(c, TWO_QUIET, 300), *compute(c, TWO_BUSY, 300)]
            for c in (ThreadChooser([2, 1]), ThreadChooser([2, 1]))
        )
        assert one == other


class TestHeldUp:
    """A look at how long threads wait for one another."""

    @pytest.fixture
    def waits(self, monkeypatch):
        """Let an addition take so many seconds with each number of threads."""

        def set_waits(seconds):
            now = [0.0]

            class Values:
                def add_(self, _):
                    now[0] += seconds[threads.torch.get_num_threads()]

            monkeypatch.setattr(threads.torch, "zeros", lambda _: Values())
            monkeypatch.setattr(threads.time, "perf_counter", lambda: now[0])
            monkeypatch.setattr(threads.time, "monotonic", lambda: now[0])

        return set_waits

    @pytest.mark.parametrize(
        ("seconds", "is_held_up"),
        [
            ({1: 12e-6, 2: 7e-6}, False),
            ({1: 12e-6, 2: 30e-6}, False),
            ({1: 12e-6, 2: 150e-6}, True),
            ({1: 12e-6, 2: 30e-3}, True),
        ],
    )
    def test_long_waits_beside_one_thread(self, waits, seconds, is_held_up):
        waits(seconds)
        assert threads.are_held_up(2) == is_held_up

    @pytest.mark.parametrize(("held_up", "free"), [((), 8), ((8,), 4), ((8, 4), 2), ((8, 4, 2), 1)])
    def test_as_many_as_are_free(self, monkeypatch, held_up, free):
        monkeypatch.setattr(threads, "most_threads", lambda: 8)
        monkeypatch.setattr(threads, "are_held_up", lambda number: number in held_up)
        assert threads.free_threads(8) == free

    def test_one_thread_waits_for_nobody(self):
        assert threads.free_threads(1) == 1

    def test_never_more_than_torch_uses(self, monkeypatch):
        """A plan may be from a larger machine."""
        monkeypatch.setattr(threads, "most_threads", lambda: 2)
        monkeypatch.setattr(threads, "are_held_up", lambda number: False)
        assert threads.free_threads(64) == threads.free_threads() == 2


class TestGoOnFrom:
    def test_a_number_found_elsewhere_is_taken_without_a_trial(self):
        chooser = ThreadChooser([2, 1])
        chooser.go_on_from(1)
        assert chooser.is_settled
        assert compute(chooser, TWO_BUSY, 10) == [1] * 10

    def test_where_it_is_the_same_what_is_known_stays(self):
        chooser = ThreadChooser([2, 1])
        compute(chooser, TWO_QUIET, until=20)
        chooser.go_on_from(2)
        assert compute(chooser, TWO_BUSY, 12) == [2] * 4 + [1] * 8

    def test_a_trial_under_way_gives_way(self):
        chooser = ThreadChooser([8, 4, 2, 1])
        compute(chooser, QUIET, 5)
        chooser.go_on_from(2)
        assert compute(chooser, QUIET, 4) == [2] * 4


class TestThreads:
    """With a real torch, and seconds of our own."""

    @pytest.fixture(autouse=True)
    def two_threads(self, monkeypatch):
        before = torch.get_num_threads()
        monkeypatch.setattr(threads, "most_threads", lambda: 2)
        monkeypatch.setattr(threads, "are_held_up", lambda number: False)
        yield
        assert torch.get_num_threads() == before

    @pytest.fixture
    def clock(self, monkeypatch):
        """Let a piece take as long as a machine of our own says."""
        now = [0.0]
        monkeypatch.setattr(threads.time, "perf_counter", lambda: now[0])

        def work(found, seconds, number):
            used = []
            for _ in range(number):
                with found.timed():
                    used.append(torch.get_num_threads())
                    now[0] += seconds[used[-1]]
            return used

        return work

    def test_torch_computes_with_the_number_to_try(self, clock):
        found = Threads(torch.device("cpu"))
        assert clock(found, TWO_BUSY, 8) == [2] * 2 + [1] * 6
        assert found.chosen == 1
        assert found.is_settled

    def test_more_threads_are_not_tried_while_they_are_held_up(self, clock, monkeypatch):
        found = Threads(torch.device("cpu"), first=1)
        monkeypatch.setattr(threads, "are_held_up", lambda number: True)
        assert clock(found, TWO_BUSY, 100) == [1] * 100
        monkeypatch.setattr(threads, "are_held_up", lambda number: False)
        assert clock(found, TWO_QUIET, 40)[-1] == 2  # soon, since looking costs nothing

    def test_a_fixed_number_stays(self, clock):
        found = Threads(torch.device("cpu"), number=3)
        assert clock(found, {3: 1.0}, 20) == [3] * 20
        assert found.is_settled

    def test_backward_computes_with_it_too(self):
        seen = []
        found = Threads(torch.device("cpu"), number=3)
        with found.timed():
            weight = torch.ones(2, requires_grad=True)
            product = weight * 2
            product.register_hook(lambda slope: seen.append(torch.get_num_threads()))
            product.sum().backward()
        assert seen == [3]

    def test_on_a_gpu_there_is_nothing_to_choose(self, clock):
        found = Threads(torch.device("cuda"))
        before = torch.get_num_threads()
        assert clock(found, {before: 1.0}, 10) == [before] * 10
        assert found.is_settled

    def test_a_piece_that_failed_says_nothing(self, clock):
        found = Threads(torch.device("cpu"))
        with pytest.raises(ZeroDivisionError), found.timed():
            1 / 0  # noqa: B018
        assert clock(found, TWO_QUIET, 5) == [2] * 4 + [1]

    def test_another_may_go_on_from_it(self, clock):
        one, other = Threads(torch.device("cpu")), Threads(torch.device("cpu"))
        clock(one, TWO_BUSY, 10)
        other.go_on_from(one)
        assert clock(other, TWO_BUSY, 6) == [1] * 6


def test_threads_are_as_before_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), using_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
    with using_threads(None):
        assert torch.get_num_threads() == before
