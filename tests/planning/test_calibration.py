"""Calibration: which formats are measured, which one is chosen, and what gives way to memory."""

import math
import time

import pytest

from pixelwise import PlanError
from pixelwise.planning import calibration
from pixelwise.planning.calibration import HANDICAP, Calibrator, Format

USUAL = Format("bfloat16", True)
OTHERS = [Format("bfloat16", False), Format("float32", True), Format("float32", False)]


@pytest.fixture(autouse=True)
def with_bfloat16(monkeypatch):
    monkeypatch.setattr(calibration, "has_bfloat16", lambda device: True)


def format_of(plan):
    return Format(plan.precision, plan.channels_last)


class TestFormats:
    def test_every_format_is_measured_on_a_small_batch(self, make_machine, make_small_plan):
        machine = make_machine()
        Calibrator(machine, math.inf).choose_format(make_small_plan(batch_size=8))
        assert [format_of(plan) for plan in machine.plans] == [USUAL, *OTHERS]
        assert {plan.batch_size for plan in machine.plans} == {2}

    def test_volumes_have_one_layout(self, make_machine, make_small_plan):
        machine = make_machine()
        Calibrator(machine, math.inf).choose_format(make_small_plan(patch_size=(4, 8, 8)))
        assert not any(plan.channels_last for plan in machine.plans)
        assert len(machine.plans) == 2

    def test_without_bfloat16_only_float32(self, make_machine, make_small_plan, monkeypatch):
        monkeypatch.setattr(calibration, "has_bfloat16", lambda device: False)
        machine = make_machine()
        best = Calibrator(machine, math.inf).choose_format(make_small_plan())
        assert {plan.precision for plan in machine.plans} == {"float32"}
        assert best == Format("float32", True)

    def test_the_number_of_threads_is_left_to_the_machine(self, make_machine, make_small_plan):
        machine = make_machine()
        Calibrator(machine, math.inf).choose_format(make_small_plan())
        assert {plan.num_threads for plan in machine.plans} == {None}

    @pytest.mark.parametrize("fastest", OTHERS)
    def test_one_that_is_clearly_faster_is_chosen(self, fastest, make_machine, make_small_plan):
        machine = make_machine(lambda plan: 0.1 if format_of(plan) == fastest else 0.2)
        assert Calibrator(machine, math.inf).choose_format(make_small_plan()) == fastest

    def test_one_that_is_a_little_faster_is_not(self, make_machine, make_small_plan):
        slow, fast = 0.1, 0.1 / (HANDICAP - 0.01)
        machine = make_machine(lambda plan: slow if format_of(plan) == USUAL else fast)
        assert Calibrator(machine, math.inf).choose_format(make_small_plan()) == USUAL

    def test_one_that_was_faster_only_once_is_not(self, make_machine, make_small_plan):
        """Another program held up the usual one when it was first measured."""
        disturbed = iter([True])
        machine = make_machine(
            lambda plan: 0.5 if format_of(plan) == USUAL and next(disturbed, False) else 0.1
        )
        assert Calibrator(machine, math.inf).choose_format(make_small_plan()) == USUAL

    def test_what_is_remembered_is_checked_where_it_is_unusual(self, make_machine, make_small_plan):
        machine = make_machine(lambda plan: 0.1 if format_of(plan) == OTHERS[1] else 0.2)
        Calibrator(machine, math.inf, seconds=0.7).choose_format(make_small_plan())
        asked = list(zip(map(format_of, machine.plans), machine.measured, strict=True))
        first = [(each, None) for each in (USUAL, *OTHERS)]
        assert asked == [*first, (USUAL, 0.7), (OTHERS[1], 0.7)]

    def test_past_the_deadline_the_usual_one_alone(self, make_machine, make_small_plan):
        machine = make_machine(lambda plan: 0.2 if format_of(plan) == USUAL else 0.1)
        assert Calibrator(machine, time.monotonic()).choose_format(make_small_plan()) == USUAL
        assert len(machine.plans) == 1


class TestMemory:
    def test_the_batch_gives_way_first_then_the_patch(self, make_machine, make_small_plan):
        plan = make_small_plan(batch_size=4, patch_size=(16, 24), widths=(4, 8, 16))
        for most, batch_size, patch_size in (
            (4 * 16 * 24, 4, (16, 24)),
            (4 * 16 * 24 - 1, 2, (16, 24)),
            (16 * 24, 1, (16, 24)),
            (16 * 24 - 1, 1, (8, 12)),
            (20, 1, (4, 4)),
        ):
            calibrator = Calibrator(make_machine(max_pixels=most), math.inf)
            smaller, timing = calibrator.time(plan)
            assert (smaller.batch_size, smaller.patch_size) == (batch_size, patch_size)
            assert timing.batch_size == batch_size
            assert calibrator.timings == [timing]

    def test_where_nothing_fits_the_message_says_what_to_do(self, make_machine, make_small_plan):
        calibrator = Calibrator(make_machine(max_pixels=0), math.inf)
        with pytest.raises(PlanError, match=r"one patch of 2 x 2 pixels\. Close other programs"):
            calibrator.time(make_small_plan())
