"""Calibration: real steps of tiny networks."""

from contextlib import nullcontext

import pytest
import torch

from pixelwise.network import UNetConfig
from pixelwise.plan import calibration
from pixelwise.plan.calibration import time_formats, time_step
from pixelwise.predict import has_bfloat16

CPU = torch.device("cpu")


def network(dims=2):
    return UNetConfig(in_channels=1, out_channels=2, widths=(4, 8), spatial_dims=dims)


def test_a_step_takes_time():
    timing = time_step(network(), (3, 1, 16, 16), CPU, precision="float32", channels_last=True)
    assert 0 < timing.seconds_per_step < 10
    assert (timing.batch_size, timing.widths) == (3, (4, 8))
    assert (timing.precision, timing.channels_last) == ("float32", True)


@pytest.mark.parametrize("dims", [2, 3])
def test_every_format_of_the_device(dims):
    shape = (8, 1, *[8] * dims)
    timings = time_formats(network(dims), shape, CPU, deadline=float("inf"))
    precisions = {"float32", "bfloat16"} if has_bfloat16(CPU) else {"float32"}
    assert {timing.precision for timing in timings} == precisions
    assert {timing.channels_last for timing in timings} == ({True, False} if dims == 2 else {False})
    assert len(timings) == len(precisions) * (2 if dims == 2 else 1)
    assert {timing.batch_size for timing in timings} == {2}


@pytest.mark.parametrize("fastest", range(4))
def test_one_that_is_clearly_faster_comes_first(monkeypatch, fastest):
    seconds = [0.1] * 4  # two timings each of the formats, in the order they are measured
    seconds[fastest] = 0.01
    monkeypatch.setattr(calibration, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(calibration, "autocast", lambda device, precision: nullcontext())
    timed = iter(second for second in seconds for _ in range(2))
    monkeypatch.setattr(calibration, "_timed", lambda step, device: next(timed))
    first = time_formats(network(), (2, 1, 8, 8), CPU, deadline=float("inf"))[0]
    assert first.seconds_per_step == 0.01


def test_past_the_deadline_one_is_measured_all_the_same():
    assert len(time_formats(network(), (2, 1, 8, 8), CPU, deadline=0.0)) == 1


def test_time_of_a_step_grows_with_its_pixels():
    small, large = (
        time_step(network(), (2, 1, side, side), CPU, precision="float32", channels_last=False)
        for side in (8, 192)
    )
    assert large.seconds_per_step > small.seconds_per_step
