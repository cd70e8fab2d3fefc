"""A network made of layers that every runtime knows: to predict with, never to train.

Some blocks of the U-Net have ways of computing that are fast on a CPU and that no other runtime
has. Here each is replaced by the plain layer that gives the same numbers.
"""

from copy import deepcopy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ModelFileError
from pixelwise.network.blocks import DecoderBlock
from pixelwise.network.ensemble import Ensemble
from pixelwise.network.folding import fold_normalizations
from pixelwise.network.instance_norm import EPSILON, InstanceNorm
from pixelwise.network.model import Model, Network
from pixelwise.network.sizes import num_blocks
from pixelwise.network.unet import UNet
from pixelwise.network.wrapped import WrappedConfig


class PlainNetwork(nn.Module):
    """Computes probabilities as a model's network does, for torch to follow.

    Args:
        model: a model of pictures; its network is copied.

    Raises:
        ModelFileError: it is a model of volumes, or its network is a wrapped one.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        config = model.config
        if config.network.spatial_dims != 2:
            raise ModelFileError(
                "This is a model of volumes, and only models of pictures are exported. Use it in "
                "Python: pixelwise.load(...).predict(arrays)."
            )
        if isinstance(config.network, WrappedConfig):
            raise ModelFileError(
                f"This model's network is {config.network.describe()}, and only U-Nets of "
                "pixelwise are exported. Export the module itself, with torch.onnx.export."
            )
        self.members = nn.ModuleList(plain_members(model.network))
        self.multiple = config.network.multiple
        self.needs_spread = config.network.normalization == "instance"
        self.is_exclusive = config.task.is_exclusive

    def forward(self, image: Tensor) -> Tensor:
        """Give probabilities.

        Args:
            image: (B, C, H, W) float32, scaled, of the working size.

        Returns:
            (B, K, H, W) float32 in [0, 1].
        """
        height, width = image.shape[2:]
        rows, columns = num_blocks(height, width, self.multiple, needs_spread=self.needs_spread)
        extended = take_pixels(image, rows * self.multiple, columns * self.multiple)
        found = [self._activate(logits_of(member, extended)) for member in self.members]
        mean = torch.stack(found).mean(0) if len(found) > 1 else found[0]
        return take_pixels(mean, height, width)

    def _activate(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.is_exclusive else logits.sigmoid()


def logits_of(network: nn.Module, extended: Tensor) -> Tensor:
    """Logits of pictures whose sides are multiples of what the network needs."""
    assert isinstance(network, UNet)
    *_, (_, features) = network.decode_extended(extended)
    logits: Tensor = network.head(features)
    return logits


def take_pixels(images: Tensor, height: int, width: int) -> Tensor:
    """The first rows and columns of (B, C, H, W); the last is repeated where there are too few."""
    rows = torch.arange(height).clamp(max=images.shape[2] - 1)
    columns = torch.arange(width).clamp(max=images.shape[3] - 1)
    return images.index_select(2, rows).index_select(3, columns)


def plain_members(network: Network) -> list[UNet]:
    """The network, or each of an ensemble: copies on the CPU, of plain layers, for evaluation."""
    network = deepcopy(network).cpu().float().eval()
    fold_normalizations(network)
    _replace_layers(network)
    network.requires_grad_(False)
    found = network.members if isinstance(network, Ensemble) else [network]
    return [member for member in found if isinstance(member, UNet)]


def _replace_layers(module: nn.Module) -> None:
    """Put plain layers into a network, in place."""
    for name, child in module.named_children():
        _replace_layers(child)
        if isinstance(child, InstanceNorm):
            setattr(module, name, PlainInstanceNorm(child))
        elif isinstance(child, nn.GroupNorm):
            setattr(module, name, PlainGroupNorm(child))
        elif isinstance(child, DecoderBlock):
            setattr(module, name, PlainDecoderBlock(child))
        elif isinstance(child, nn.Upsample):
            setattr(module, name, Doubling("bilinear"))


class PlainInstanceNorm(nn.Module):
    """Instance normalization by mean and variance."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, features: Tensor) -> Tensor:
        """Normalize (B, width, H, W)."""
        centred = features - mean_of_pixels(features)
        variance = mean_of_pixels(centred.square())
        gain = self.weight.view(1, -1, 1, 1) * (variance + EPSILON).rsqrt()
        return centred * gain + self.bias.view(1, -1, 1, 1)


def mean_of_pixels(features: Tensor) -> Tensor:
    """Mean over height and width: (..., H, W) -> (..., 1, 1).

    Columns are added up by a product of matrices. A mean over both axes is added up number by
    number by onnxruntime and OpenVINO, and rounding then changes the probabilities of dark pictures
    by up to 0.001 and 0.006; two means one after the other OpenVINO makes one of again.
    """
    height = features.shape[-2]
    columns = torch.ones(1, height) @ features / height  # (..., 1, W)
    return columns.mean(-1, keepdim=True)


class PlainGroupNorm(nn.Module):
    """Group normalization by mean and variance."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.num_groups = norm.num_groups

    def forward(self, features: Tensor) -> Tensor:
        """Normalize (B, width, H, W)."""
        batch, width, *size = features.shape
        groups = features.reshape(batch, self.num_groups, width // self.num_groups, *size)
        centred = groups - mean_of_pixels(groups).mean(2, keepdim=True)
        variance = mean_of_pixels(centred.square()).mean(2, keepdim=True)
        normalized = (centred * (variance + self.eps).rsqrt()).reshape(batch, width, *size)
        return normalized * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class PlainDecoderBlock(nn.Module):
    """Double the size where that is left to the block, join with the skip, convolve twice."""

    def __init__(self, block: DecoderBlock) -> None:
        super().__init__()
        self.up = Doubling("nearest") if block.is_nearest else nn.Identity()
        self.layers = nn.ModuleList(block)

    def forward(self, up: Tensor, skip: Tensor | None) -> Tensor:
        """Give the features (B, width, H, W); `skip` is (B, S, H, W) or None."""
        features = self.up(up)
        if skip is not None:
            features = torch.cat((features, skip), dim=1)
        for layer in self.layers:
            features = layer(features)
        return cast(Tensor, features)


class Doubling(nn.Module):
    """Twice the size, by whole numbers: "nearest" or "bilinear"."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2 H, 2 W)."""
        size = (2 * features.shape[2], 2 * features.shape[3])
        corners = None if self.mode == "nearest" else False
        return F.interpolate(features, size, mode=self.mode, align_corners=corners)
