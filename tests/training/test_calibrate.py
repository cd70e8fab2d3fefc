"""Calibration: real steps of tiny trainings."""

from types import SimpleNamespace

import pytest
import torch

from pixelwise import threads
from pixelwise.task import Task
from pixelwise.training import (
    calibrate,
    find_threads,
    loss_for,
    time_preparation,
    time_steps,
    time_validation,
)
from pixelwise.training.schedule import MAX_SLOWDOWN

CPU = torch.device("cpu")
LOSS = loss_for("cross_entropy", Task.BINARY)


def clock_at(now, crowding=1.0):
    """A clock that shows the first of `now`, where other programs take some of the processor."""
    return SimpleNamespace(
        perf_counter=lambda: now[0], thread_time=lambda: now[0] / crowding - 1e-9 * now[0]
    )


@pytest.fixture
def timed(make_model, make_small_plan, make_squares):
    """Return a function that times steps of a plan with changes, and the model it trained."""

    def time(min_seconds=0, **changes):
        plan = make_small_plan(**changes)
        model = make_model(widths=plan.widths, normalization=plan.normalization)
        samples = make_squares(4, (40, 50))
        return time_steps(model, plan, samples, LOSS, CPU, min_seconds=min_seconds), model

    return time


def test_a_timing_says_what_was_measured(timed):
    timing, _ = timed(batch_size=3, channels_last=True, num_threads=1)
    assert 0 < timing.seconds_per_step < 10
    assert (timing.batch_size, timing.patch_size, timing.widths) == (3, (16, 16), (4, 8))
    assert (timing.precision, timing.channels_last, timing.num_threads) == ("float32", True, 1)


def test_the_steps_are_real(timed, make_model):
    """Weights move, as they would in training; nothing else of the process does."""
    threads = torch.get_num_threads()
    _, model = timed(num_threads=1)
    assert not torch.equal(model.network.head.weight, make_model().network.head.weight)
    assert torch.get_num_threads() == threads


def test_time_grows_with_what_there_is_to_compute(timed):
    small, _ = timed(patch_size=(8, 8))
    large, _ = timed(patch_size=(160, 160), widths=(16, 32))
    assert large.seconds_per_step > small.seconds_per_step


@pytest.mark.parametrize(("min_seconds", "is_long"), [(0, False), (0.6, True)])
def test_what_is_measured_for_longer_counts_slow_steps_too(
    timed, monkeypatch, min_seconds, is_long
):
    """Of three steps the median counts, so that one of 0.4 s does not; of many the mean."""
    taken, now, real = [], [0.0], calibrate.Stepper.take

    def take(self, *arguments):
        taken.append(self)
        now[0] += 0.4 if len(taken) == 3 else 0.01
        return real(self, *arguments)

    monkeypatch.setattr(calibrate.Stepper, "take", take)
    monkeypatch.setattr(calibrate, "time", clock_at(now))
    timing, _ = timed(min_seconds)
    assert (len(taken) > 1 + calibrate.NUM_STEPS) == is_long
    if is_long:
        assert timing.seconds_per_step > 0.4 / len(taken)
    else:
        assert timing.seconds_per_step < 0.4


@pytest.mark.parametrize(("crowding", "said"), [(1, 1), (2.5, 2.5), (0.5, 1)])
def test_a_timing_says_how_crowded_the_processor_is(timed, monkeypatch, crowding, said):
    """Only while steps compute: what waits for a batch is not held up by other programs."""
    now, take, give = [0.0], calibrate.Stepper.take, calibrate.BatchQueue.take

    def step(self, *arguments):
        now[0] += 1
        return take(self, *arguments)

    def wait(self):
        now[0] += 5
        return give(self)

    monkeypatch.setattr(calibrate.Stepper, "take", step)
    monkeypatch.setattr(calibrate.BatchQueue, "take", wait)
    monkeypatch.setattr(calibrate, "time", clock_at(now, crowding))
    assert timed()[0].crowding == said


def test_a_clock_of_the_processor_that_is_too_coarse_says_the_most(timed, monkeypatch):
    """On some systems it stands still for whole steps."""
    now, take = [0.0], calibrate.Stepper.take

    def step(self, *arguments):
        now[0] += 1
        return take(self, *arguments)

    clock = SimpleNamespace(perf_counter=lambda: now[0], thread_time=lambda: 0.0)
    monkeypatch.setattr(calibrate.Stepper, "take", step)
    monkeypatch.setattr(calibrate, "time", clock)
    assert timed()[0].crowding == MAX_SLOWDOWN


def test_new_images_are_prepared_by_one_thread_as_in_training(
    make_model, make_small_plan, make_squares, monkeypatch
):
    """More of them wait for one another, where other programs use the cores."""
    used, real = [], calibrate.patch_source

    def patch_source(*given):
        source = real(*given)
        prepare = source.prepare
        source.prepare = lambda index: (used.append(torch.get_num_threads()), prepare(index))
        return source

    monkeypatch.setattr(calibrate, "patch_source", patch_source)
    with threads.using_threads(2):
        time_preparation(make_model(), make_small_plan(), make_squares(3, (16, 16)))
    assert used == [1, 1, 1]


def test_at_a_working_scale(timed, make_squares):
    timing, model = timed(working_scale=0.5)
    assert timing.seconds_per_step > 0
    assert time_validation(model, make_squares(2), LOSS, CPU, 1) > 0


def test_small_batches_at_the_end_of_an_epoch_do_not_count(
    make_model, make_small_plan, make_squares, monkeypatch
):
    """Of four images batches hold three and one, of which each takes a second."""
    now, real = [0.0], calibrate.Stepper.take

    def take(self, batch, *rest):
        now[0] += batch.num_images
        return real(self, batch, *rest)

    monkeypatch.setattr(calibrate.Stepper, "take", take)
    monkeypatch.setattr(calibrate, "time", clock_at(now))
    plan = make_small_plan(batch_size=3, num_threads=1)
    samples = make_squares(4, (16, 16))
    assert time_steps(make_model(), plan, samples, LOSS, CPU).seconds_per_step == 3


class TestNewImages:
    @pytest.fixture
    def asked(self, make_squares):
        """Samples that note which of them is asked for."""

        class Noting(list):
            def __getitem__(self, index):
                found.append(index)
                return super().__getitem__(index)

        found = []
        return Noting(make_squares(6, (40, 50))), found

    def test_all_are_looked_at_before_steps_are_timed(
        self, make_model, make_small_plan, monkeypatch, asked
    ):
        samples, found = asked
        seen = []
        monkeypatch.setattr(
            calibrate.BatchQueue, "__enter__", lambda self: seen.append(set(found)) or self
        )
        time_steps(make_model(), make_small_plan(), samples, LOSS, CPU)
        assert seen == [set(range(6))]

    def test_the_time_is_that_of_one(self, make_model, make_small_plan, monkeypatch, asked):
        samples, found = asked
        clock = SimpleNamespace(perf_counter=lambda: 0.5 * len(set(found)))
        monkeypatch.setattr(calibrate, "time", clock)
        assert time_preparation(make_model(), make_small_plan(), samples) == 0.5


@pytest.fixture
def slow_threads(monkeypatch):
    """Say that torch may use four threads, and how long a step takes with each number of them.

    No time passes: a clock of our own is moved by hand.
    """

    def set_seconds(seconds, held_up=()):
        used, now = [], [0.0]
        monkeypatch.setattr(threads, "most_threads", lambda: 4)
        monkeypatch.setattr(threads, "are_held_up", lambda number: number in held_up)

        def take(*arguments):
            used.append(torch.get_num_threads())
            now[0] += seconds[used[-1]]
            return SimpleNamespace(loss=torch.zeros(()))

        monkeypatch.setattr(calibrate.Stepper, "take", take)
        clock = SimpleNamespace(perf_counter=lambda: now[0])
        monkeypatch.setattr(threads, "time", clock)
        monkeypatch.setattr(calibrate, "time", clock)
        return used

    return set_seconds


@pytest.mark.parametrize(
    ("seconds", "best"),
    [({4: 0.1, 2: 0.2, 1: 0.4}, 4), ({4: 0.4, 2: 0.1, 1: 0.2}, 2), ({4: 0.2, 2: 0.1, 1: 0.05}, 1)],
)
def test_as_many_threads_as_are_fastest_now(
    slow_threads, make_model, make_small_plan, make_squares, seconds, best
):
    before = torch.get_num_threads()
    used = slow_threads(seconds)
    assert find_threads(make_model(), make_small_plan(), make_squares(4), LOSS, CPU) == best
    assert used[:5] == [4, 4, 4, 4, 2]
    assert len(used) <= 12
    assert torch.get_num_threads() == before


def test_finding_the_number_of_threads_takes_few_steps_where_they_are_long(
    slow_threads, make_model, make_small_plan, make_squares
):
    used = slow_threads({4: 20.0, 2: 15.0, 1: 10.0})
    assert find_threads(make_model(), make_small_plan(), make_squares(4), LOSS, CPU) == 1
    assert used == [4, 2, 1]


def test_threads_that_are_held_up_do_not_hold_up_a_step(
    slow_threads, make_model, make_small_plan, make_squares
):
    used = slow_threads({2: 0.1, 1: 0.2}, held_up=(4,))
    assert find_threads(make_model(), make_small_plan(), make_squares(4), LOSS, CPU) == 2
    assert 4 not in used


def test_a_number_of_threads_that_the_plan_has_is_not_measured(
    slow_threads, make_model, make_small_plan, make_squares
):
    used = slow_threads({})
    plan = make_small_plan(num_threads=3)
    assert find_threads(make_model(), plan, make_squares(4), LOSS, CPU) == 3
    assert used == []
