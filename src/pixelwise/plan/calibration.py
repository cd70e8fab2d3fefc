"""Calibration: real training steps on this device, so that a plan's speed is measured."""

import time
from collections.abc import Callable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pixelwise.network import UNet, UNetConfig
from pixelwise.predict import autocast, has_bfloat16

HANDICAP = 1.2
Precision = Literal["float32", "bfloat16"]


class Timing(BaseModel):
    """How long a training step took in one way of computing it."""

    model_config = ConfigDict(frozen=True)

    batch_size: int
    widths: tuple[int, ...]
    precision: Precision
    channels_last: bool
    seconds_per_step: float


class Calibration(BaseModel):
    """What was measured on this device, and what it says of the chosen configuration."""

    model_config = ConfigDict(frozen=True)

    device: str
    num_threads: int
    seconds_per_step: float  # of the chosen configuration
    seconds_per_validation: float  # a forecast: a forward pass over all validation pixels
    timings: tuple[Timing, ...]


def time_step(
    config: UNetConfig,
    batch_shape: tuple[int, ...],
    device: torch.device,
    *,
    precision: Precision,
    channels_last: bool,
    num_steps: int = 2,
) -> Timing:
    """Measure a training step: forward, loss, backward, optimizer; the best after a warm-up step.

    Args:
        config: the network.
        batch_shape: (B, C, *spatial).
        device: where.
        precision: of the forward and backward pass.
        channels_last: memory layout of images and weights (two spatial dimensions only).
        num_steps: timed steps.
    """
    network = UNet(config).to(device)
    images = torch.randn(batch_shape, device=device)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    step = _stepper(network, optimizer, images, device, precision)
    step()
    seconds = min(_timed(step, device) for _ in range(num_steps))
    return Timing(
        batch_size=batch_shape[0],
        widths=config.widths,
        precision=precision,
        channels_last=channels_last,
        seconds_per_step=round(seconds, 5),
    )


def time_formats(
    config: UNetConfig, batch_shape: tuple[int, ...], device: torch.device, deadline: float
) -> tuple[Timing, ...]:
    """Measure every precision and layout the device has, on a small batch; the fastest first.

    Args:
        config: the network.
        batch_shape: (B, C, *spatial); two images of it are used.
        device: where.
        deadline: `time.monotonic()` from which no further one is measured.
    """
    precisions: list[Precision] = ["bfloat16", "float32"] if has_bfloat16(device) else ["float32"]
    layouts = (True, False) if config.spatial_dims == 2 else (False,)
    small = (min(2, batch_shape[0]), *batch_shape[1:])
    timings: list[Timing] = []
    for precision in precisions:
        for layout in layouts:
            if timings and time.monotonic() > deadline:
                break
            timings.append(
                time_step(config, small, device, precision=precision, channels_last=layout)
            )
    return tuple(sorted(timings, key=lambda timing: timing.seconds_per_step * _handicap(timing)))


def _handicap(timing: Timing) -> float:
    """What is usually slower must be clearly faster to be chosen: single timings are noisy."""
    is_usual = timing.channels_last and timing.precision == "bfloat16"
    return 1.0 if is_usual else HANDICAP


def _stepper(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    device: torch.device,
    precision: Precision,
) -> Callable[[], None]:
    def step() -> None:
        with autocast(device, precision):
            logits = network(images)
        optimizer.zero_grad(set_to_none=True)
        logits.float().sigmoid().mean().backward()
        optimizer.step()

    return step


def _timed(step: Callable[[], None], device: torch.device) -> float:
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
