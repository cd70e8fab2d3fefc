"""The timetable: budgets are met whatever steps and validations turn out to take.

No time passes: a clock of our own is moved by hand, as training would.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.training import Clock, Timetable


class Time:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def train(step_seconds, validation_seconds, *, budget, forecast, validate_every=50, **options):
    """Train like the loop; return (seconds used, steps, validations).

    `step_seconds` is a function of the elapsed seconds; `forecast` is of (step, validation).
    """
    time = Time()
    clock = Clock(now=time)
    timetable = Timetable(
        clock,
        num_steps=max(1, int(budget / forecast[0])),
        budget=budget,
        validate_every=validate_every,
        seconds_per_step=forecast[0],
        seconds_per_validation=forecast[1],
        **options,
    )
    step = validations = 0
    while True:
        is_over = timetable.is_over or step >= timetable.num_steps
        if is_over or timetable.is_validation_due(step):
            time.now += validation_seconds
            timetable.validated(step, validation_seconds)
            validations += 1
        if is_over:
            return clock.elapsed, step, validations
        seconds = step_seconds(clock.elapsed)
        time.now += seconds
        step += 1
        timetable.stepped(step, seconds)


def is_met(elapsed, budget):
    """Within 5 % or 5 s of the budget, whichever is larger."""
    return abs(elapsed - budget) <= max(0.05 * budget, 5)


class TestBudget:
    @pytest.mark.parametrize("budget", [20, 120, 600, 3600])
    def test_with_a_forecast_that_holds(self, budget):
        elapsed, steps, _ = train(lambda t: 0.2, 2, budget=budget, forecast=(0.2, 2))
        assert is_met(elapsed, budget)
        assert steps > 0.6 * budget / 0.2

    @pytest.mark.parametrize("factor", [0.1, 0.5, 3, 10])
    def test_with_a_first_forecast_that_is_wrong(self, factor):
        elapsed, _, _ = train(lambda t: 0.2 * factor, 2, budget=300, forecast=(0.2, 2))
        assert is_met(elapsed, 300)

    @pytest.mark.parametrize("factor", [0.2, 2, 4, 8])
    def test_when_steps_change_their_speed_midway(self, factor):
        elapsed, _, _ = train(
            lambda t: 0.2 * (factor if t > 150 else 1), 2, budget=300, forecast=(0.2, 2)
        )
        assert is_met(elapsed, 300)

    @pytest.mark.parametrize(("crowding", "kept_back"), [(1, 5), (0.5, 5), (2, 10), (100, 20)])
    def test_a_crowded_processor_takes_longer_for_what_follows(self, crowding, kept_back):
        time = Time()
        timetable = Timetable(
            Clock(now=time), num_steps=900, budget=100, validate_every=10**6,
            closing_seconds=5, seconds_per_step=0.1,
        )  # fmt: skip
        for step in range(1, 201):
            time.now += 0.1
            timetable.stepped(step, 0.1, crowding)
        ends = timetable.num_steps * 0.1  # steps that fit, and their seconds
        assert ends == pytest.approx(100 - kept_back, abs=0.2)

    @pytest.mark.parametrize(("before", "now", "kept_back"), [(2, 2, 16), (1, 2, 22), (2, 1, 11)])
    def test_what_is_scored_afterwards_was_timed_on_a_crowded_processor(
        self, before, now, kept_back
    ):
        """5 s for files, times `now`; 6 s for scores, which were measured where it was `before`."""
        time = Time()
        timetable = Timetable(
            Clock(now=time), num_steps=900, budget=100, validate_every=10**6,
            closing_seconds=5, scoring_seconds=6, crowding=before, seconds_per_step=0.1,
        )  # fmt: skip
        for step in range(1, 201):
            time.now += 0.1
            timetable.stepped(step, 0.1, now)
        assert timetable.num_steps * 0.1 == pytest.approx(100 - kept_back, abs=0.2)

    @pytest.mark.parametrize(("seconds", "kept_back"), [(2, 6), (3, 9), (1, 3), (100, 10)])
    def test_what_is_scored_afterwards_takes_as_a_validation_did(self, seconds, kept_back):
        """6 s were expected where a validation was to take 2 s; at most a tenth of the budget."""
        time = Time()
        timetable = Timetable(
            Clock(now=time), num_steps=900, budget=100, validate_every=10**6,
            scoring_seconds=6, seconds_per_step=0.1, seconds_per_validation=2,
        )  # fmt: skip
        before = timetable._left
        timetable.validated(0, seconds)
        margin = 1.15 * (seconds - 2)  # the last validation takes as long, too
        assert before - timetable._left == pytest.approx(kept_back - 6 + margin)

    def test_a_fold_keeps_what_scoring_all_its_images_takes(self):
        """40 s of 100, more than a forecast may grow to; no change by a validation as expected."""
        timetable = Timetable(
            Clock(now=Time()), num_steps=900, budget=100, validate_every=10**6,
            scoring_seconds=40, seconds_per_step=0.1, seconds_per_validation=2,
        )  # fmt: skip
        before = timetable._left
        timetable.validated(0, 2)
        assert timetable._left == pytest.approx(before)

    def test_when_steps_get_slower_near_the_end(self):
        elapsed, _, _ = train(lambda t: 2.0 if t > 280 else 0.2, 2, budget=300, forecast=(0.2, 2))
        assert is_met(elapsed, 300)

    def test_when_other_programs_come_after_the_last_but_one_validation(self):
        """Steps take four times as long, and so does the validation at the end."""
        time = Time()
        timetable = Timetable(
            Clock(now=time), num_steps=3000, budget=300, validate_every=600,
            seconds_per_step=0.1, seconds_per_validation=10,
        )  # fmt: skip
        step = 0
        while not (timetable.is_over or step >= timetable.num_steps):
            factor = 4 if timetable.clock.elapsed > 200 else 1
            time.now += 0.1 * factor
            step += 1
            timetable.stepped(step, 0.1 * factor)
            if factor == 1 and timetable.is_validation_due(step):
                time.now += 10
                timetable.validated(step, 10)
        assert 240 <= timetable.clock.elapsed <= 300 - 40
        assert is_met(timetable.clock.elapsed + 40, 300)

    def test_one_step_that_was_held_up_ends_nothing(self):
        time = Time()
        timetable = Timetable(Clock(now=time), num_steps=3000, budget=300, validate_every=50)
        for step in range(1, 100):
            time.now += 0.1
            timetable.stepped(step, 0.1)
        timetable.validated(99, 20)
        time.now += 30
        timetable.stepped(100, 30)
        assert not timetable.is_over
        for step in range(101, 200):
            time.now += 0.1
            timetable.stepped(step, 0.1)
        # 250 s are left: 23 for the validation at the end, a step and its share of others 0.112
        assert timetable.clock.elapsed == pytest.approx(49.8)
        assert timetable.num_steps == pytest.approx(199 + 227 / 0.112, rel=0.1)

    def test_a_forecast_that_is_wrong_keeps_little_back_for_the_validation(self):
        """Steps are ten times as slow as forecast; the validation has its tenth of the budget."""
        time = Time()
        timetable = Timetable(
            Clock(now=time), num_steps=15_000, budget=300, validate_every=15_000,
            seconds_per_step=0.02, seconds_per_validation=3000,
        )  # fmt: skip
        step = 0
        while not (timetable.is_over or step >= timetable.num_steps):
            time.now += 0.2
            step += 1
            timetable.stepped(step, 0.2)
        assert timetable.clock.elapsed == pytest.approx(300 - 1.15 * 30, abs=1)

    def test_when_every_tenth_step_is_slow(self):
        count = iter(range(10**6))
        elapsed, _, _ = train(
            lambda t: 3.0 if next(count) % 10 == 0 else 0.1, 2, budget=300, forecast=(0.1, 2)
        )
        assert is_met(elapsed, 300)

    @pytest.mark.parametrize("forecast", [0, 1, 30, 3000])
    def test_with_dear_validations_however_forecast(self, forecast):
        elapsed, steps, validations = train(
            lambda t: 0.2, 25, budget=300, forecast=(0.2, forecast), validate_every=300
        )
        assert is_met(elapsed, 300)
        assert validations >= 2
        assert steps >= 600

    def test_with_free_validations(self):
        elapsed, steps, _ = train(lambda t: 0.2, 0, budget=60, forecast=(0.2, 0))
        assert is_met(elapsed, 60)
        assert steps == pytest.approx(300, abs=2)

    def test_what_follows_training_has_its_time(self):
        elapsed, _, _ = train(lambda t: 0.2, 2, budget=300, forecast=(0.2, 2), closing_seconds=20)
        assert is_met(elapsed + 20, 300)

    def test_a_validation_that_eats_all_ends_after_few_steps(self):
        _, steps, validations = train(
            lambda t: 1, 500, budget=60, forecast=(1, 1), validate_every=5
        )
        assert steps <= 15
        assert validations <= 2


class TestSteps:
    def timetable(self, time, budget=None, **options):
        values = {"num_steps": 40, "budget": budget, "validate_every": 10}
        return Timetable(Clock(now=time), **values | options)

    def test_without_a_budget_their_number_stays(self):
        time = Time()
        timetable = self.timetable(time)
        for step in range(1, 30):
            time.now += 1000
            timetable.stepped(step, 1000)
            assert (timetable.num_steps, timetable.is_over) == (40, False)

    def test_with_one_their_number_follows_their_time(self):
        time = Time()
        timetable = self.timetable(time, budget=100, seconds_per_step=1)
        time.now += 2
        timetable.stepped(1, 2)
        assert timetable.num_steps == 1 + 49  # 98 seconds at 2 seconds each

    def test_validations_take_their_time_from_steps(self):
        time = Time()
        free, dear = (self.timetable(time, budget=100, seconds_per_step=2) for _ in range(2))
        dear.validated(0, 10)
        time.now += 2
        for timetable in (free, dear):
            timetable.stepped(1, 2)
        # each step pays its share, and the last validation is kept back
        assert dear.num_steps < free.num_steps - 10 / 2

    def test_the_number_is_never_below_the_steps_done(self):
        time = Time()
        timetable = self.timetable(time, budget=10)
        time.now += 50
        timetable.stepped(7, 50)
        assert timetable.num_steps == 7
        assert timetable.is_over

    def test_forecast_of_the_time_left(self):
        timetable = self.timetable(Time(), seconds_per_step=2, seconds_per_validation=5)
        assert timetable.seconds_for(20) == pytest.approx(20 * 2 + 2 * 5)

    def test_seconds_left_never_below_zero(self):
        time = Time()
        timetable = self.timetable(time, budget=10)
        assert timetable.seconds_left == 10
        time.now += 4
        assert timetable.seconds_left == 6
        time.now += 40
        assert timetable.seconds_left == 0


class TestValidations:
    """When they are due."""

    def timetable(self, time, budget, **options):
        values = {"num_steps": 100, "budget": budget, "validate_every": 25, "seconds_per_step": 1}
        return Timetable(Clock(now=time), **values | options)

    def due_steps(self, timetable, time, seconds_per_step, validation_seconds, num_steps=100):
        due = []
        for step in range(1, num_steps + 1):
            time.now += seconds_per_step
            timetable.stepped(step, seconds_per_step)
            if timetable.is_validation_due(step):
                time.now += validation_seconds
                timetable.validated(step, validation_seconds)
                due.append(step)
        return due

    def test_without_a_budget_every_so_many_steps(self):
        time = Time()
        assert self.due_steps(self.timetable(time, None), time, 1, 500) == [25, 50, 75, 100]

    def test_never_before_the_first_step(self):
        assert not self.timetable(Time(), None).is_validation_due(0)
        assert not self.timetable(Time(), 100).is_validation_due(0)

    @pytest.mark.parametrize("factor", [0.25, 1, 4])
    def test_under_a_budget_about_as_many_as_planned_however_many_steps_fit(self, factor):
        time = Time()
        num_steps = int(100 / factor)
        due = self.due_steps(self.timetable(time, 100), time, factor, 0, num_steps)
        assert 3 <= len(due) <= 5

    def test_under_a_budget_none_shortly_before_the_last(self):
        """After which comes one in any case."""
        time = Time()
        timetable = self.timetable(time, 100, validate_every=32)  # 100 steps fit
        assert self.due_steps(timetable, time, 1, 0) == [32, 64]

    def test_dear_ones_come_seldom(self):
        time = Time()
        due = self.due_steps(self.timetable(time, 1000, num_steps=1000), time, 1, 50, 500)
        assert 50 * len(due) < 0.25 * (time.now - 100)

    def test_one_that_was_held_up_does_not_put_off_the_next(self):
        time = Time()
        timetable = self.timetable(
            time, 1000, num_steps=1000, validate_every=100, seconds_per_validation=2
        )
        assert len(self.due_steps(timetable, time, 1, 100, 100)) == 1
        due = []
        for step in range(101, 401):
            time.now += 1
            timetable.stepped(step, 1)
            if timetable.is_validation_due(step):
                timetable.validated(step, 2)
                due.append(step)
        assert len(due) == 3


class TestClock:
    def test_counts_from_its_start(self):
        time = Time()
        clock = Clock(now=time)
        time.now += 7
        assert clock.elapsed == 7

    def test_goes_on_from_earlier_seconds(self):
        time = Time()
        clock = Clock(30, now=time)
        time.now += 7
        assert clock.elapsed == 37


class TestCheckpoints:
    def due_at(self, *, budget=None, writing=0.0, until=100):
        """Seconds at which a checkpoint is due, looked at each second."""
        time = Time()
        timetable = Timetable(Clock(now=time), num_steps=10**6, budget=budget, validate_every=50)
        found = []
        for _ in range(until):
            if timetable.is_checkpoint_due:
                found.append(round(timetable.clock.elapsed))
                timetable.checkpointed(writing)
            time.now += 1
        return found

    def test_one_at_the_start_and_every_thirty_seconds(self):
        assert self.due_at() == [0, 30, 60, 90]

    def test_a_fiftieth_of_a_long_budget(self):
        assert self.due_at(budget=2500) == [0, 50]

    def test_writing_takes_a_fiftieth_of_the_time_at_most(self):
        assert self.due_at(writing=0.9) == [0, 45, 90]

    def test_one_written_with_a_validation_counts(self):
        time = Time()
        timetable = Timetable(Clock(now=time), num_steps=9, budget=None, validate_every=3)
        timetable.checkpointed()
        time.now += 29
        assert not timetable.is_checkpoint_due
        time.now += 1
        assert timetable.is_checkpoint_due


@settings(max_examples=100)
@given(
    st.floats(0.05, 1.0), st.floats(1, 6), st.floats(1, 6), st.floats(0, 10), st.floats(0.3, 3.0),
)  # fmt: skip
def test_the_end_has_its_time_whatever_the_processor_does(seconds, before, now, scoring, longer):
    """Files and scores take as much longer as the processor is more crowded at the end."""
    time = Time()
    timetable = Timetable(
        Clock(now=time), num_steps=1000, budget=200, validate_every=10**6, closing_seconds=4,
        scoring_seconds=scoring, crowding=before, seconds_per_step=seconds,
        seconds_per_validation=2,
    )  # fmt: skip
    step = 0
    while not timetable.is_over and step < timetable.num_steps:
        time.now += seconds
        step += 1
        timetable.stepped(step, seconds, now)
    time.now += 2 * longer
    timetable.validated(step, 2 * longer)
    crowded = [min(each, 4.0) for each in (before, now)]
    time.now += scoring * max(1.0, crowded[1] / crowded[0]) + 4 * crowded[1]
    assert time.now - 100 <= 200 + 2 * max(0.0, longer - 1.15) + 2 * seconds


def test_a_training_that_goes_on_validates_when_it_would_have():
    time = Time()
    timetable = Timetable(Clock(100.0, now=time), num_steps=100, budget=1000, validate_every=10)
    assert timetable.is_validation_due(15)
    timetable.resumed([{"step": 5, "seconds": 50.0}, {"step": 10, "seconds": 90.0}])
    assert not timetable.is_validation_due(19)
    assert timetable.is_validation_due(20)
