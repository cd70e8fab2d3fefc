"""The U-Net: an encoder, a bottleneck, a decoder, and a skip at every level between them.

    level 0   image ── encoder 0 ───────────── skip 0 ────────────── decoder 0 ── head ── logits
                           └ pool                                  upsample ┘
    level 1                 encoder 1 ──────── skip 1 ──────── decoder 1
                                └ pool                       upsample ┘
    level 2                      └─────────── bottleneck ──────────┘        widths (16, 32, 64)

Level n works at 1 / 2**n of the image's size with ``widths[n]`` channels. Every block is two
3x3 convolutions, each followed by its normalization and its activation. The same code makes
networks for pictures (``spatial_dims=2``) and volumes (``spatial_dims=3``). A ready-made encoder
(`pixelwise.network.encoders`) can take the place of all levels of the encoder but the first.

Source: Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image
Segmentation, MICCAI 2015; with "same" padding, so that logits have the image's own size.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from pixelwise.network.blocks import (
    CONVOLUTION,
    LEAKY_SLOPE,
    MAX_POOL,
    DecoderBlock,
    conv_block,
    decoder_block,
    upsampling,
)
from pixelwise.network.encoders import channels_of, make_encoder
from pixelwise.task import MAX_CLASSES, Task, too_many_classes

MAX_CHANNELS = 4096  # of images and logits
MAX_WIDTH = 8192  # channels of a level
MIN_SHARE = 0.01  # of a class; patches hold more of rare ones than images do
MAX_LEVELS = 12  # the lowest has 1 / 2048 of the image's size


class UNetConfig(BaseModel):
    """What is needed to build a `UNet`; two networks of equal config have the same weights' names.

    Attributes:
        in_channels: channels of the image.
        out_channels: channels of the logits: 1 for a binary task, else one for each class.
        widths: channels of each level from full size down; the last is the bottleneck, so that
            ``(16, 32, 64)`` pools twice.
        spatial_dims: 2 for (H, W), 3 for (D, H, W).
        normalization: after every 3x3 convolution. "batch" predicts fastest (it can be folded
            into the convolution) and wants batches of 4 or more patches; "instance" and "group"
            do not depend on the batch; "none" is the tutorial network.
        upsampling: "nearest" and "linear" interpolate, and leave the channels to the block that
            follows; "transposed" learns a 2x2 transposed convolution to the level's width.
        activation: "relu", or "leaky_relu" with slope 0.01.
        skips: False leaves out the skip connections, to show what they do (ablation).
        encoder: name of a network of the timm library, as "resnet34", whose features come in from
            level 1 on; the bottleneck's block follows on the deepest of them. None: the U-Net's
            own blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: int = Field(ge=1, le=MAX_CHANNELS)
    out_channels: int = Field(ge=1)
    widths: tuple[int, ...] = Field(max_length=MAX_LEVELS)
    spatial_dims: Literal[2, 3] = 2
    normalization: Literal["none", "batch", "instance", "group"] = "batch"
    upsampling: Literal["nearest", "linear", "transposed"] = "nearest"
    activation: Literal["relu", "leaky_relu"] = "relu"
    skips: bool = True
    encoder: str | None = Field(default=None, max_length=200)

    @field_validator("widths")
    @classmethod
    def _check_widths(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(
                f"widths must be two or more positive integers, the last for the bottleneck, "
                f"but {widths} arrived. Give for example (16, 32, 64)."
            )
        if max(widths) > MAX_WIDTH:
            raise ValueError(f"widths go to {MAX_WIDTH}, but {max(widths)} arrived")
        return widths

    @field_validator("out_channels")
    @classmethod
    def _check_classes(cls, out_channels: int) -> int:
        if out_channels > MAX_CLASSES:
            raise ValueError(too_many_classes(out_channels))
        return out_channels

    @model_validator(mode="after")
    def _check_encoder(self) -> "UNetConfig":
        if self.encoder is not None and self.spatial_dims != 2:
            raise ValueError(
                f"encoder {self.encoder} is for pictures, but this network is for volumes. Leave "
                "the encoder out."
            )
        return self

    @property
    def depth(self) -> int:
        """Number of times the image is halved on the way down."""
        return len(self.widths) - 1

    @property
    def multiple(self) -> int:
        """Of which the sides of images are that it takes without extending them."""
        return int(2**self.depth)

    @property
    def width(self) -> int:
        """Channels at full size."""
        return self.widths[0]

    def describe(self) -> str:
        """The network in a few words."""
        encoder = f", encoder {self.encoder}" if self.encoder else ""
        return f"U-Net, widths {', '.join(map(str, self.widths))}{encoder}"


class UNet(nn.Module):
    """A U-Net for images of any size, from 1x1 up.

    Inside, the image is extended on its bottom and right by repeating its last row and column to
    the next multiple of ``2**depth``, and the logits are cropped back. An image of such a size
    goes straight through.

    Example:
        >>> import torch
        >>> network = UNet(UNetConfig(in_channels=1, out_channels=1, widths=(16, 32, 64),
        ...                           normalization="none"))
        >>> network.num_parameters
        117985
        >>> network(torch.zeros(2, 1, 37, 50)).shape
        torch.Size([2, 1, 37, 50])
    """

    def __init__(self, config: UNetConfig) -> None:
        """Build the network of a config, with fresh weights from torch's random state."""
        super().__init__()
        self.config = config
        self.depth = config.depth
        self.skips = config.skips
        *widths, bottleneck = config.widths
        deeper = config.widths[1:]  # channels that come up into level n
        backbone, skips, deepest = None, widths, widths[-1]
        if config.encoder is not None:
            backbone = make_encoder(config.encoder, config.in_channels, config.depth)
            *middle, deepest = channels_of(backbone)
            skips = [widths[0], *middle]
        own = widths[:1] if backbone is not None else widths

        self.encoder = nn.ModuleList(
            conv_block(before, width, config)
            for before, width in zip((config.in_channels, *own), own, strict=False)
        )
        self.pool = MAX_POOL[config.spatial_dims](2)
        self.bottleneck = conv_block(deepest, bottleneck, config)
        self.upsample = nn.ModuleList(
            upsampling(below, width, config) for below, width in zip(deeper, widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            decoder_block(*channels, config) for channels in zip(deeper, skips, widths, strict=True)
        )
        self.head = CONVOLUTION[config.spatial_dims](widths[0], config.out_channels, 1)
        initialize(self)
        self.backbone = backbone
        self._num_parameters = count_parameters(self)  # before prediction arranges them otherwise

    def forward(self, image: Tensor) -> Tensor:
        """Give the logits of a batch of images.

        Args:
            image: (B, C, *spatial) float, of any size.

        Returns:
            (B, K, *spatial) logits, before sigmoid or softmax.
        """
        for level, features in self.decode(image):
            if level == 0:
                logits = cast(Tensor, self.head(features))
        return crop(logits, image.shape[2:])

    def decode(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Give each level of the decoder with its features, from the lowest up to 0.

        They are those of the extended image: (B, width, *spatial), halved at each level.
        """
        padding = self._padding(image)
        return self.decode_extended(
            F.pad(image, padding, mode="replicate") if any(padding) else image
        )

    def decode_extended(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Give the same as `decode` for an image whose sides are multiples of ``2**depth``."""
        skips = self._encode(image)
        features = self.bottleneck(skips.pop())
        for level in reversed(range(self.depth)):
            features = self.upsample[level](features)
            skip = skips.pop()
            features = self.decoder[level](features, skip if self.skips else None)
            yield level, features

    def _encode(self, image: Tensor) -> list[Tensor]:
        """The features of each level's skip, and what goes on into the bottleneck."""
        if self.backbone is not None:
            return [self.encoder[0](image), *self.backbone(image)]
        features, skips = image, []
        for block in self.encoder:
            skips.append(block(features))
            features = self.pool(skips[-1])
        return [*skips, features]

    def _padding(self, image: Tensor) -> list[int]:
        """How far to extend the image, in the order of `F.pad`: last dimension first, 0 before.

        A bottleneck of one single pixel has no spread, so that statistics taken from it cannot
        normalize it (and torch refuses): there the last dimension gets one pixel more.
        """
        multiple = 2**self.depth
        size = image.shape[2:]
        extra = [-n % multiple for n in size]
        if self._needs_spread(image) and all(
            n + more == multiple for n, more in zip(size, extra, strict=True)
        ):
            extra[-1] += multiple
        return [n for more in reversed(extra) for n in (0, more)]

    def _needs_spread(self, image: Tensor) -> bool:
        """Whether the bottleneck's statistics come from this one image alone."""
        normalization = self.config.normalization
        takes_batch = normalization == "batch" or self.backbone is not None
        return normalization == "instance" or (
            takes_batch and self.training and image.shape[0] == 1
        )

    def head_biases(self) -> Tensor:
        """A copy of the head's biases, (K,)."""
        return cast(Tensor, self.head.bias).detach().clone()

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return self._num_parameters

    def summary(self) -> str:
        """Draw the network as a table: each stage, its output, its parameters and its skip."""
        config = self.config
        head = count_parameters(self.head)
        rows = [("stage", "made of", "output", "parameters", "skip"), *self._stage_rows()]
        rows.append(("head", "1x1 convolution", f"{config.out_channels} x size", f"{head:,}", ""))
        rows.append(("total", "", "", f"{self.num_parameters:,}", ""))
        columns = [max(len(row[n]) for row in rows) for n in range(5)]
        lines = [
            "  ".join(
                cell.rjust(n) if column == 3 else cell.ljust(n)
                for column, (cell, n) in enumerate(zip(row, columns, strict=True))
            ).rstrip()
            for row in rows
        ]
        title = (
            f"U-Net, {config.spatial_dims} spatial dimensions, {config.in_channels} channels in, "
            f"normalization {config.normalization}, activation {config.activation}"
        )
        rule = "-" * max(map(len, lines))
        return "\n".join([title, rule, lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _backbone_row(self, backbone: nn.Module) -> tuple[str, str, str, str, str]:
        """The row of a ready-made encoder in the summary."""
        channels = ", ".join(map(str, channels_of(backbone)))
        output = f"{channels} x size/2 to {_fraction(self.depth)}"
        stage = f"encoder 1 to {self.depth}"
        count = f"{count_parameters(backbone):,}"
        sent = f"skips 1 to {self.depth - 1}" if self.skips and self.depth > 1 else "none"
        return stage, f"timm's {self.config.encoder}", output, count, sent

    def _stage_rows(self) -> list[tuple[str, str, str, str, str]]:
        """The rows of the summary between its heading and the head."""
        config, convolutions = self.config, "two 3x3 convolutions"
        down, up = [], []
        for level, width in enumerate(config.widths[:-1]):
            output = f"{width} x {_fraction(level)}"
            made = f"2x max pooling, {convolutions}" if level else convolutions
            if level < len(self.encoder):
                count = f"{count_parameters(self.encoder[level]):,}"
                sent = (
                    f"skip {level}: {width} channels to decoder {level}" if self.skips else "none"
                )
                down.append((f"encoder {level}", made, output, count, sent))

            made = f"2x {config.upsampling} upsampling, {convolutions}"
            parts = (self.upsample[level], self.decoder[level])
            count = f"{sum(map(count_parameters, parts)):,}"
            channels = cast(DecoderBlock, self.decoder[level]).num_skip
            taken = f"skip {level}: {channels} channels from encoder {level}"
            taken = taken if self.skips else "none"
            up.append((f"decoder {level}", made, output, count, taken))
        made = f"2x max pooling, {convolutions}"
        if self.backbone is not None:
            down.append(self._backbone_row(self.backbone))
            made = convolutions
        output = f"{config.widths[-1]} x {_fraction(self.depth)}"
        bottom = ("bottleneck", made, output, f"{count_parameters(self.bottleneck):,}", "")
        return [*down, bottom, *reversed(up)]


def initialize(network: UNet) -> None:
    """Draw fresh weights of the U-Net's own blocks, so that signals neither fade nor grow.

    - 3x3 convolutions: He normal, which keeps the signal's size through convolution and ReLU.
      Without normalization nothing else would (He et al., ICCV 2015).
    - transposed convolutions: each output value sums over the input channels once and no
      activation follows, hence variance 1 / in_channels.
    - head: as many weights above 0 as below, in sum 0. Features are never negative, so that a head
      whose weights all fall below 0 (which one class everywhere in the first steps would bring
      about) gives no logit above its bias, and is stuck there (docs/log.md).
    - biases zero; normalizations keep torch's scale 1 and shift 0.
    """
    slope = LEAKY_SLOPE if network.config.activation == "leaky_relu" else 0.0
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, a=slope)
        elif isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(module.weight, std=module.in_channels**-0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    initialize_head(cast(nn.Conv2d, network.head))


def initialize_head(head: nn.Conv2d | nn.Conv3d, biases: Tensor | None = None) -> None:
    """Draw the weights of a head: variance 1 / channels, in sum 0 for each class.

    Args:
        head: changed in place.
        biases: (K,) to start from; None: 0.
    """
    nn.init.normal_(head.weight, std=head.in_channels**-0.5)
    if head.in_channels > 1:
        with torch.no_grad():
            head.weight -= head.weight.mean(1, keepdim=True)
    own = cast(Tensor, head.bias)
    with torch.no_grad():
        own.copy_(torch.zeros_like(own) if biases is None else biases)


def start_from_shares(network: UNet, shares: Sequence[float], task: Task) -> None:
    """Set the biases of a fresh network's head so that it begins near the shares of the classes.

    The first steps would else be spent on learning how rare the classes are, which shifts all
    weights of the head alike. As for the head of RetinaNet (Lin et al., ICCV 2017).

    Args:
        network: with fresh weights; changed in place.
        shares: share of pixels of each class, background included; those below MIN_SHARE count as
            so much.
        task: task of the model.
    """
    share = torch.tensor(shares).clamp(MIN_SHARE, 1 - MIN_SHARE)
    if task.is_exclusive:
        biases = share.log() - share.log().mean()
    else:
        biases = torch.logit(share[1:] if task.has_one_logit else share)
    with torch.no_grad():
        cast(Tensor, network.head.bias).copy_(biases)


def crop(logits: Tensor, size: Sequence[int]) -> Tensor:
    """The first pixels of (B, K, *spatial) along each spatial axis; all of them as they are."""
    if logits.shape[2:] != tuple(size):
        for dim, n in enumerate(size, start=2):
            logits = logits.narrow(dim, 0, n)
    return logits


def count_parameters(module: nn.Module) -> int:
    """Number of trained values of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def _fraction(level: int) -> str:
    """The size at a level, as the summary writes it."""
    return f"size/{2**level}" if level else "size"
