"""The blocks of the U-Net: convolutions, normalizations, and the joint of two levels."""

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.network.fused import TrainedJoint, is_fused, run_layers
from pixelwise.network.instance_norm import InstanceNorm

if TYPE_CHECKING:
    from pixelwise.network.unet import UNetConfig

LEAKY_SLOPE = 0.01

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
LINEAR_MODE = {2: "bilinear", 3: "trilinear"}
CONVOLVE = {4: F.conv2d, 5: F.conv3d}  # by the axes of a batch
ALONG_AXIS = torch.tensor([[0.0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]])
IN_PLANE = torch.kron(ALONG_AXIS, ALONG_AXIS)
SPREAD = {2: IN_PLANE, 3: torch.kron(IN_PLANE, ALONG_AXIS)}  # which of 3x3 weights add up to 4x4
CONVOLVE_TRANSPOSED = {4: F.conv_transpose2d, 5: F.conv_transpose3d}


def conv_block(in_channels: int, width: int, config: "UNetConfig") -> "ConvBlock":
    """Two 3x3 convolutions, each with its normalization and activation."""
    return ConvBlock(_layers(in_channels, width, config))


def decoder_block(below: int, skip: int, width: int, config: "UNetConfig") -> "DecoderBlock":
    """The block of a decoder: `below` channels come from one level down, `skip` by the skip."""
    num_up = width if config.upsampling == "transposed" else below
    layers = _layers(num_up + skip if config.skips else num_up, width, config)
    return DecoderBlock(layers, num_up, is_nearest=config.upsampling == "nearest")


def _layers(in_channels: int, width: int, config: "UNetConfig") -> OrderedDict[str, nn.Module]:
    """The layers of a block.

    A convolution has a bias only where no normalization follows, which would take it out again.
    """
    convolution, has_bias = CONVOLUTION[config.spatial_dims], config.normalization == "none"
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, channels in ((1, in_channels), (2, width)):
        layers[f"conv{number}"] = convolution(channels, width, 3, padding=1, bias=has_bias)
        if config.normalization != "none":
            layers[f"norm{number}"] = normalization(width, config)
        layers[f"activation{number}"] = activation(config)
    return layers


class ConvBlock(nn.Sequential):
    """Two convolutions, each with its normalization and activation."""

    def forward(self, features: Tensor) -> Tensor:
        """Give the features (B, width, *spatial)."""
        return run_layers(self, features)


class DecoderBlock(nn.Sequential):
    """Two convolutions on what comes up from the level below and on the skip, joined.

    The first convolution's weights are those of the channels that come up, then of the skip's.

    Args:
        layers: layers of a `conv_block`.
        num_up: channels that come up.
        is_nearest: they come at half the size, each pixel to be repeated twice along each axis.
    """

    def __init__(
        self, layers: OrderedDict[str, nn.Module], num_up: int, *, is_nearest: bool
    ) -> None:
        super().__init__(layers)
        self.num_up, self.is_nearest = num_up, is_nearest
        self.num_skip = cast(int, layers["conv1"].in_channels) - num_up

    def forward(self, up: Tensor, skip: Tensor | None) -> Tensor:  # type: ignore[override]
        """Give the features (B, width, *spatial); `skip` is (B, S, *spatial) or None."""
        first: nn.Conv2d | nn.Conv3d
        first, *layers = self  # type: ignore[assignment]
        if not (self.is_nearest and up.device.type == "cpu"):
            if self.is_nearest:
                up = F.interpolate(up, scale_factor=2, mode="nearest")
            return run_layers(layers, first(up if skip is None else torch.cat((up, skip), dim=1)))
        features = convolve_doubled(up, first.weight[:, : self.num_up], first.bias)
        if skip is None:
            return run_layers(layers, features)
        of_skip = first.weight[:, self.num_up :]
        if is_fused(first, layers[0], skip):
            features = TrainedJoint.apply(features, skip, of_skip)  # type: ignore[no-untyped-call]
            return run_layers(layers[1:], features)
        return run_layers(layers, features.add_(CONVOLVE[skip.ndim](skip, of_skip, padding=1)))


def convolve_doubled(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Double the size by repeating pixels, then convolve by 3x3 with zeros around; in one step.

    The nine weights of a pixel fall on four different pixels of the smaller image. So this is a
    transposed convolution of 4x4 weights and stride 2, which has 4 products an output pixel in
    place of 9 (in volumes 8 in place of 27), and no large image is made in between: a training step
    of the joint takes half as long (docs/log.md).

    Args:
        features: (B, C, *spatial).
        weight: (width, C, 3, 3), or (width, C, 3, 3, 3).
        bias: (width,).

    Returns:
        (B, width, *spatial of twice the size); to rounding that of the two steps.
    """
    with torch.autocast(weight.device.type, enabled=False):  # sums first, rounding later
        spread = spread_weights(weight)
    return CONVOLVE_TRANSPOSED[features.ndim](features, spread, bias, stride=2, padding=1)


def spread_weights(weight: Tensor) -> Tensor:
    """The weights (C, width, 4, 4) of `convolve_doubled`, of (width, C, 3, 3); in volumes alike."""
    dims = weight.ndim - 2
    spread = weight.reshape(-1, 3**dims) @ SPREAD[dims].to(weight.dtype)
    return spread.view(*weight.shape[:2], *[4] * dims).transpose(0, 1)


def normalization(width: int, config: "UNetConfig") -> nn.Module:
    """The normalization of a config; "group" has up to 8 groups, of two or more channels each."""
    if config.normalization == "batch":
        return BATCH_NORM[config.spatial_dims](width)
    if config.normalization == "instance":
        return InstanceNorm(width)
    groups = math.gcd(width, 8)
    return nn.GroupNorm(max(1, groups // 2) if groups == width else groups, width)


def activation(config: "UNetConfig") -> nn.Module:
    """The activation of a config; it overwrites its input, which nothing else reads."""
    if config.activation == "relu":
        return nn.ReLU(inplace=True)
    return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)


def upsampling(below: int, width: int, config: "UNetConfig") -> nn.Module:
    """Twice the size: interpolated with its channels kept, or transposed to the level's width.

    Nearest pixels are left to the block that follows.
    """
    if config.upsampling == "transposed":
        return TRANSPOSED[config.spatial_dims](below, width, 2, stride=2)
    if config.upsampling == "nearest":
        return nn.Identity()
    return nn.Upsample(scale_factor=2, mode=LINEAR_MODE[config.spatial_dims], align_corners=False)
