"""Which number format files are predicted in, and the predictor that runs a model so.

bfloat16 keeps 8 of the 24 bits of float32: classes change in a few pixels where two are about as
likely. Where the processor or GPU has it, networks of every size that was tried took between a
third and all of the time of float32 (docs/log.md). So it is the rule for models that were never
validated, as those of Keras and `pixelwise.unet`; others are run as they were validated, for which
training measured what is faster. Two runs on one machine give the same masks.
"""

from typing import Literal

import torch

from pixelwise.device import Precision, has_bfloat16, pick_device
from pixelwise.inference.predictor import Predictor, Quality
from pixelwise.inference.runtime import TorchRuntime
from pixelwise.network import Model

AskedPrecision = Literal["auto", Precision]


def file_predictor(
    model: Model,
    *,
    device: str | torch.device,
    precision: AskedPrecision = "auto",
    tta: bool = False,
    quality: Quality = "normal",
) -> Predictor:
    """A predictor of a model that nobody else uses and whose weights will not change.

    Args:
        model: its network is moved and changed in place.
        device: to compute on.
        precision: to compute in; "auto": as it was validated, or bfloat16 where the device has it.
        tta: average over mirrored copies.
        quality: of large images.
    """
    chosen = pick_device(device)
    if precision == "auto":
        fastest: Precision = "bfloat16" if has_bfloat16(chosen) else "float32"
        precision = model.config.precision if model.config.scores else fastest
    runtime = TorchRuntime(model, chosen, in_place=True, fold=True, precision=precision)
    return Predictor(model, tta=tta, runtime=runtime, quality=quality)
