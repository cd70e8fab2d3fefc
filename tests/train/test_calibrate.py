"""Calibration: real steps of tiny trainings."""

import pytest
import torch

from pixelwise.train import loss_for, time_steps, time_validation
from pixelwise.train.stepper import using_threads

CPU = torch.device("cpu")
LOSS = loss_for("cross_entropy", "binary")


@pytest.fixture
def timed(make_model, make_small_plan, make_squares):
    """Return a function that times steps of a plan with changes, and the model it trained."""

    def time(**changes):
        plan = make_small_plan(**changes)
        model = make_model(widths=plan.widths, normalization=plan.normalization)
        return time_steps(model, plan, make_squares(4, (40, 50)), LOSS, CPU), model

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


def test_at_a_working_scale(timed, make_squares):
    timing, model = timed(working_scale=0.5)
    assert timing.seconds_per_step > 0
    assert time_validation(model, make_squares(1)[0], LOSS, CPU, 1) > 0


def test_threads_are_as_before_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), using_threads(1):
        assert torch.get_num_threads() == 1
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
