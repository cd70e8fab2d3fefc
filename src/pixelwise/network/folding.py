"""Layers of a network whose weights stay as they are, joined so that it computes faster.

convolution, batch normalization      one convolution: both multiply and shift each channel;
                                      results differ by rounding alone
convolution, ReLU                     one kernel of a CPU, which gives the same bits without
                                      going through memory twice
what comes up, the skip               the convolution of the one, onto which that of the other is
                                      added: see `FrozenDecoder`
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pixelwise.network.blocks import DecoderBlock, spread_weights
from pixelwise.network.fused import add_convolved, convolve_relu, has_fused_convolution

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
def freeze_convolutions(network: nn.Module, dtype: torch.dtype) -> int:
    """Prepare the convolutions of a network of pictures for a CPU, once and not at each call.

    Args:
        network: one network or an ensemble, in channels-last; its normalizations are folded, where
            they can be. Changed in place: it cannot be trained any more.
        dtype: to compute in, float32 or bfloat16; the latter under autocast.

    Returns:
        How many ReLU became part of their convolution; none where this torch has no such kernels.
    """
    if not has_fused_convolution():
        return 0
    blocks = [m for m in network.modules() if isinstance(m, nn.Sequential)]
    number = sum(_fuse(block, number, dtype) for block in blocks for number in NUMBERS)
    for parent in list(network.modules()):
        for name, block in parent.named_children():
            if isinstance(block, DecoderBlock):
                frozen = FrozenDecoder(block, dtype)
                setattr(parent, name, frozen)
                number += frozen.has_activation
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(dtype)
    return number


def _fuse(block: nn.Sequential, number: int, dtype: torch.dtype) -> bool:
    """Fuse one convolution with its ReLU; False where something else is in between."""
    conv = getattr(block, f"conv{number}", None)
    if not isinstance(conv, nn.Conv2d) or not _is_followed_by_relu(block, number):
        return False
    if isinstance(block, DecoderBlock) and number == 1:  # it joins, see `FrozenDecoder`
        return False
    setattr(block, f"conv{number}", ConvolutionReLU(conv, dtype))
    setattr(block, f"activation{number}", nn.Identity())
    return True


def _is_followed_by_relu(block: nn.Sequential, number: int) -> bool:
    """Whether nothing is between a convolution and its ReLU."""
    norm, activation = (getattr(block, f"{name}{number}", None) for name in ("norm", "activation"))
    return isinstance(activation, nn.ReLU) and isinstance(norm, nn.Identity | None)


class ConvolutionReLU(nn.Module):
    """A convolution and the ReLU after it, by one kernel of a CPU."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", _laid(conv.weight, dtype), persistent=False)
        self.register_buffer("bias", _laid(conv.bias, dtype), persistent=False)
        self._padding = list(cast(tuple[int, int], conv.padding))

    def forward(self, features: Tensor) -> Tensor:
        """Give (B, width, H, W) in the format of the weights."""
        weight = cast(Tensor, self.weight)
        return convolve_relu(features.to(weight.dtype), weight, self.bias, self._padding)  # type: ignore[arg-type]


class FrozenDecoder(nn.Module):
    """A `DecoderBlock` with the weights that it makes at each call made once.

    What comes up is convolved; onto it the convolution of the skip is added, and the ReLU done, by
    one kernel: their channels are never joined in memory.
    """

    def __init__(self, block: DecoderBlock, dtype: torch.dtype) -> None:
        super().__init__()
        conv: nn.Conv2d = block.conv1  # type: ignore[assignment]
        up, skip = conv.weight[:, : block.num_up], conv.weight[:, block.num_up :]
        up = spread_weights(up) if block.is_nearest else up
        self.register_buffer("up_weight", _laid(up, dtype), persistent=False)
        self.register_buffer("skip_weight", _laid(skip, dtype), persistent=False)
        self.register_buffer("bias", _laid(conv.bias, dtype), persistent=False)
        self.is_nearest = block.is_nearest
        self.has_activation = _is_followed_by_relu(block, 1)
        done = {"conv1", "norm1", "activation1"} if self.has_activation else {"conv1"}
        self.rest = nn.Sequential(*(m for name, m in block.named_children() if name not in done))

    def forward(self, up: Tensor, skip: Tensor | None) -> Tensor:
        """Give the features (B, width, H, W); `skip` is (B, S, H, W) or None."""
        weight, bias = cast(Tensor, self.up_weight), cast("Tensor | None", self.bias)
        up = up.to(weight.dtype)
        if self.is_nearest:
            features = F.conv_transpose2d(up, weight, bias, stride=2, padding=1)
        else:
            features = F.conv2d(up, weight, bias, padding=1)
        if skip is not None:
            own = cast(Tensor, self.skip_weight)
            features = add_convolved(features, skip.to(own.dtype), own, self.has_activation)
        elif self.has_activation:
            features.clamp_min_(0)
        return cast(Tensor, self.rest(features))


def _laid(weight: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A weight or bias in a number format, and in the layout of channels-last."""
    if weight is None or weight.ndim < 4:
        return None if weight is None else weight.detach().to(dtype)
    return weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
