"""Which number format files are predicted in, and the predictor that runs a model so.

bfloat16 keeps 8 of the 24 bits of float32: classes change in a few pixels where two are about as
likely. Where the processor or GPU has it, networks of every size that was tried took between a
third and all of the time of float32 (docs/log.md). So it is the rule for models that were never
validated, as those of Keras and `pixelwise.unet`; others are run as they were validated, for which
training measured what is faster. Two runs on one machine give the same masks.
"""

from pathlib import Path

import torch

from pixelwise.inference.predictor import Predictor, Quality
from pixelwise.inference.runtimes import (
    AskedPrecision,
    AskedRuntime,
    choose_runtime,
    make_runtime,
)
from pixelwise.network import Model
from pixelwise.threads import Threads, most_threads


def file_predictor(
    model: Model,
    *,
    device: str | torch.device,
    runtime: AskedRuntime = "auto",
    precision: AskedPrecision = "auto",
    tta: bool = False,
    quality: Quality = "normal",
    folder: Path | None = None,
) -> Predictor:
    """A predictor of a model that nobody else uses and whose weights will not change.

    Args:
        model: its network is moved and changed in place.
        device: to compute on.
        runtime: to compute with; "auto": torch, or that of an exported file.
        precision: to compute in; "auto": as it was validated, or bfloat16 where the device has it.
        tta: average over mirrored copies.
        quality: of large images.
        folder: of the model, in which what a runtime made of it is kept for the next time.

    Raises:
        PlanError: runtime, device and precision do not go together.
        MissingExtraError: the library of the runtime is not installed.
    """
    choice = choose_runtime(model, runtime=runtime, device=device, precision=precision)
    made = make_runtime(model, choice, folder)
    # other libraries keep threads of their own, whose number is fixed when they are made
    threads = None if choice.name == "torch" else Threads(made.device, number=most_threads())
    return Predictor(model, tta=tta, runtime=made, quality=quality, threads=threads)
