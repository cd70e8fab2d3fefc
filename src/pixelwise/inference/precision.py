"""Which number format a model is run in on this machine, and the predictor that runs it so.

bfloat16 keeps 8 of the 24 bits of float32: classes change in a few pixels where two are about as
likely. Processors and GPUs that have it compute two to three times as fast; it is measured whether
this one does for this model, since small networks may not.
"""

import time
from typing import Literal

import torch

from pixelwise.device import Precision, has_bfloat16, pick_device
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.runtime import TorchRuntime
from pixelwise.network import Model

AskedPrecision = Literal["auto", "float32", "bfloat16"]
SIDE = 256  # pixels of the picture that is timed
NUM_TIMED = 2  # after one that is not
GAIN = 1.1  # bfloat16 must be so many times as fast


def fast_predictor(
    model: Model, *, device: str | torch.device, precision: AskedPrecision, tta: bool
) -> Predictor:
    """A predictor of a model that nobody else uses, whose weights will not change.

    Args:
        model: its network is moved and changed in place.
        device: to compute on.
        precision: to compute in; "auto" measures.
        tta: average over mirrored copies.
    """
    chosen = pick_device(device)
    usual = model.config.precision
    first = TorchRuntime(
        model,
        chosen,
        in_place=True,
        fold=True,
        precision=usual if precision == "auto" else precision,
    )
    predictor = Predictor(model, tta=tta, runtime=first)
    if precision == "auto" and usual == "float32" and has_bfloat16(chosen):
        other = TorchRuntime(model, chosen, in_place=True, precision="bfloat16")
        with predictor.threads.timed():
            if _seconds(other, model) * GAIN < _seconds(first, model):
                predictor.runtime = other
    return predictor


@torch.inference_mode()
def _seconds(runtime: TorchRuntime, model: Model) -> float:
    config = model.config.network
    side = SIDE if config.spatial_dims == 2 else 32
    batch = torch.zeros(1, config.in_channels, *[side] * config.spatial_dims, device=runtime.device)
    taken = []
    for _ in range(1 + NUM_TIMED):
        started = time.perf_counter()
        runtime(batch).flatten()[0].item()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def precision_of(predictor: Predictor) -> Precision | None:
    """What a predictor computes in; None of a runtime that is not torch."""
    return getattr(predictor.runtime, "precision", None)
