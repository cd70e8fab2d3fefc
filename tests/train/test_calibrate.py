"""Calibration: real steps of tiny trainings."""

import math

import pytest
import torch

from pixelwise.train import is_out_of_memory, loss_for, peak_megabytes, time_steps, time_validation
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_torch_says_in_several_ways_that_memory_is_short(text, expected):
    assert is_out_of_memory(RuntimeError(text)) is expected


def test_this_torch_says_it_so():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_memory_is_that_of_the_process():
    megabytes = peak_megabytes(CPU)
    if megabytes is None:
        pytest.skip("this system does not say how much memory a process had")
    assert 50 < megabytes < 1e6
    assert math.isfinite(megabytes)


def test_threads_are_as_before_also_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), using_threads(1):
        assert torch.get_num_threads() == 1
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
