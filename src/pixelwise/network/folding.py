"""Layers of a network whose weights stay as they are, joined so that it computes faster.

convolution, batch normalization      one convolution: both multiply and shift each channel;
                                      results differ by rounding alone
convolution, ReLU                     one kernel of a CPU, which gives the same bits without
                                      going through memory twice
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.network.blocks import DecoderBlock

NUMBERS = 1, 2  # of the convolutions of a block, see blocks.py


@torch.no_grad()
def fold_normalizations(network: nn.Module) -> int:
    """Fold the batch normalizations of the U-Net's own blocks, in place.

    Args:
        network: one network or an ensemble, whose weights will not be trained again.

    Returns:
        How many were folded.
    """
    blocks = [m for m in network.modules() if isinstance(m, nn.Sequential)]
    return sum(_fold(block, number) for block in blocks for number in NUMBERS)


def _fold(block: nn.Sequential, number: int) -> bool:
    """Fold one normalization into its convolution; False where there is none."""
    conv, norm = (getattr(block, f"{name}{number}", None) for name in ("conv", "norm"))
    if not isinstance(norm, _BatchNorm) or not isinstance(conv, nn.Conv2d | nn.Conv3d):
        return False
    if norm.running_mean is None or norm.running_var is None:
        return False
    gain = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        gain = gain * norm.weight
    shift = (norm.bias if norm.affine else 0) - norm.running_mean * gain
    if conv.bias is not None:
        shift = shift + conv.bias * gain
    conv.weight.mul_(gain.view(-1, *[1] * (conv.weight.ndim - 1)))
    conv.bias = nn.Parameter(shift)
    setattr(block, f"norm{number}", nn.Identity())
    return True


@torch.no_grad()
def fuse_activations(network: nn.Module, dtype: torch.dtype) -> int:
    """Let the convolutions of a network of pictures on a CPU do the ReLU that follows them.

    Args:
        network: one network or an ensemble, in channels-last; its normalizations are folded, or
            there are none. Changed in place: it cannot be trained any more.
        dtype: to compute in, float32 or bfloat16.

    Returns:
        How many were fused; none where this torch has no such kernel.
    """
    if not has_fused_convolution():
        return 0
    blocks = [m for m in network.modules() if isinstance(m, nn.Sequential)]
    return sum(_fuse(block, number, dtype) for block in blocks for number in NUMBERS)


def _fuse(block: nn.Sequential, number: int, dtype: torch.dtype) -> bool:
    """Fuse one convolution with its ReLU; False where something else is in between."""
    conv, norm, activation = (
        getattr(block, f"{name}{number}", None) for name in ("conv", "norm", "activation")
    )
    if not isinstance(conv, nn.Conv2d) or not isinstance(activation, nn.ReLU):
        return False
    if norm is not None and not isinstance(norm, nn.Identity):
        return False
    if isinstance(block, DecoderBlock) and number == 1:  # it computes in two parts
        setattr(block, f"activation{number}", Floor())
        return False
    setattr(block, f"conv{number}", ConvolutionReLU(conv, dtype))
    setattr(block, f"activation{number}", nn.Identity())
    return True


class ConvolutionReLU(nn.Module):
    """A convolution and the ReLU after it, by one kernel of a CPU."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        weight = conv.weight.detach().to(dtype, memory_format=torch.channels_last)
        bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self._padding = list(cast(tuple[int, int], conv.padding))

    def forward(self, features: Tensor) -> Tensor:
        """Give (B, width, H, W) in the format of the weights."""
        weight = cast(Tensor, self.weight)
        return _convolve(features.to(weight.dtype), weight, self.bias, self._padding)  # type: ignore[arg-type]


class Floor(nn.Module):
    """ReLU for what is not trained, by a kernel that takes half the time in bfloat16."""

    def forward(self, features: Tensor) -> Tensor:
        """Replace what is below 0, in place."""
        return features.clamp_min_(0)


def _convolve(features: Tensor, weight: Tensor, bias: Tensor | None, padding: list[int]) -> Tensor:
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        features, weight, bias, padding, [1, 1], [1, 1], 1, "relu", [], ""
    )
    return found


def has_fused_convolution() -> bool:
    """Whether this torch has the kernel, and it gives what convolution and ReLU give."""
    if not (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops, "mkldnn")
    ):
        return False
    generator = torch.Generator().manual_seed(0)
    image, weight = (torch.randn(2, 2, 5, 5, generator=generator) for _ in range(2))
    weight = weight[..., :3, :3].contiguous(memory_format=torch.channels_last)
    image = image.contiguous(memory_format=torch.channels_last)
    try:
        with torch.autocast("cpu", enabled=False):
            expected = torch.conv2d(image, weight, padding=1).relu()
            found = _convolve(image, weight, None, [1, 1])
    except (RuntimeError, AttributeError, TypeError):  # it is not part of torch's public interface
        return False
    return bool(torch.allclose(found, expected, atol=1e-6))
