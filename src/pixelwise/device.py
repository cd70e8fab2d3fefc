"""Which device and number format computations run in."""

import re
from typing import Literal

import torch
from torch import Tensor

from pixelwise.errors import PlanError

Precision = Literal["float32", "bfloat16"]
KNOWN = r"(cpu|cuda|mps|xpu)(:\d+)?"  # names of devices


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device to use: "auto" takes a GPU where there is one, "gpu" wants one.

    Raises:
        PlanError: the device is unknown or not there.
    """
    if isinstance(device, str) and device in ("auto", "gpu"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        if device == "gpu":
            raise PlanError("There is no GPU here that torch can use. Use --device auto or cpu.")
        return torch.device("cpu")
    if isinstance(device, str) and not re.fullmatch(KNOWN, device):
        raise PlanError(
            f"Device {device!r} is not known. Use --device auto, cpu, cuda (an NVIDIA GPU; cuda:1 "
            "is the second one) or mps (that of a Mac)."
        )
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise PlanError(
            f"Device {device!r} cannot be used: {str(error).splitlines()[0]}. "
            "Use --device auto, cpu, or cuda where there is an NVIDIA GPU."
        ) from error
    return chosen


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself rather than emulating it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context of the asked precision; float32 where the device has no bfloat16."""
    enabled = precision == "bfloat16" and has_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def send(values: Tensor, device: torch.device) -> Tensor:
    """Copy values to a device; an NVIDIA GPU goes on with what it does meanwhile."""
    return values.to(device, non_blocking=device.type == "cuda")
