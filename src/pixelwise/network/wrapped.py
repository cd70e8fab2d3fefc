"""A network that a person brings: any torch module that gives a value for each pixel and class.

It stands where a `UNet` stands. A model file keeps its weights and the name of its code, never the
code: who loads the file gives the module again, so that nothing of a file is executed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pixelwise.errors import PlanError
from pixelwise.network.modes import evaluating
from pixelwise.network.unet import MAX_CHANNELS, MAX_WIDTH, count_parameters, crop
from pixelwise.task import MAX_CLASSES

MULTIPLES = 1, 2, 4, 8, 16, 32, 64  # of which the sides of images may have to be
LEAST_SIDE = 64  # pixels of the images that a module is tried on
LOUD = 100.0  # deviation of their values: logits then leave [0, 1], and probabilities do not
OUTPUT_NAMES = "out", "logits"  # in the dicts and tuples of torchvision and transformers


class WrappedConfig(BaseModel):
    """What is known of a module that a person brought.

    Attributes:
        code: its class, as it is imported.
        in_channels: channels of the image.
        out_channels: channels of the logits: 1 for a binary task, else one for each class.
        spatial_dims: 2 for (H, W), 3 for (D, H, W).
        multiple: of which the sides of its images are; others are extended.
        width: the most values that a layer keeps for a pixel of the image, rounded up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(max_length=1000)
    in_channels: int = Field(ge=1, le=MAX_CHANNELS)
    out_channels: int = Field(ge=1, le=MAX_CLASSES)
    spatial_dims: Literal[2, 3] = 2
    multiple: int = Field(ge=1, le=max(MULTIPLES))
    width: int = Field(ge=1, le=MAX_WIDTH)

    def describe(self) -> str:
        """The network in a few words."""
        return self.code


class WrappedNetwork(nn.Module):
    """A module for images of any size, as a `UNet` is.

    Images are extended on their bottom and right by repeating the last row and column. Of several
    outputs the first, or that named "out" or "logits", counts; one that is smaller than the image
    is enlarged.
    """

    def __init__(self, module: nn.Module, config: WrappedConfig) -> None:
        super().__init__()
        self.module = module
        self.config = config

    def forward(self, image: Tensor) -> Tensor:
        """Give the logits (B, K, *spatial) of a batch of images (B, C, *spatial), of any size."""
        size = image.shape[2:]
        extra = [-side % self.config.multiple for side in size]
        padding = [n for more in reversed(extra) for n in (0, more)]
        extended = F.pad(image, padding, mode="replicate") if any(padding) else image
        return crop(self._logits(extended), size)

    def _logits(self, image: Tensor) -> Tensor:
        """The logits of images whose sides are right, in their size."""
        logits = find_logits(self.module(image))
        expected = (len(image), self.config.out_channels)
        if logits.ndim != image.ndim or tuple(logits.shape[:2]) != expected:
            raise PlanError(
                f"{self.config.code} gave {tuple(logits.shape)} for images "
                f"{tuple(image.shape)}. Expected {self.config.out_channels} logits for each pixel."
            )
        return enlarge(logits, image.shape[2:])

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return count_parameters(self)

    def summary(self) -> str:
        """The module as torch prints it, and its number of parameters."""
        return f"{self.module}\n{self.num_parameters:,} parameters"


def wrap_module(
    module: nn.Module, *, in_channels: int, out_channels: int, spatial_dims: int
) -> WrappedNetwork:
    """Try a module on images of several sizes, and wrap it.

    Args:
        module: takes (B, C, *spatial) float32 and gives (B, K, *spatial) logits.
        in_channels: C.
        out_channels: K.
        spatial_dims: 2 or 3.

    Raises:
        PlanError: it takes no such images, or gives no such logits; the message has what it gave.
    """
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    problem = ""
    for multiple in MULTIPLES:
        side, last = sides_of(multiple)
        shape = (1, in_channels, *[side] * (spatial_dims - 1), last)
        image = LOUD * torch.randn(shape, generator=torch.Generator().manual_seed(0))
        try:
            with evaluating(module), torch.no_grad(), counting_values(module) as counts:
                output = module(image.to(device))
            logits = enlarge(find_logits(output), shape[2:])
        except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
            problem = f"failed: {(str(error).strip().splitlines() or [type(error).__name__])[0]}"
            continue
        if tuple(logits.shape[2:]) != shape[2:]:
            problem = f"gave {tuple(logits.shape)}"
            continue
        _check_logits(module, logits, shape, out_channels)
        width = -(-max(counts, default=1) // image[0, 0].numel())
        config = WrappedConfig(
            code=code_of(module), in_channels=in_channels, out_channels=out_channels,
            spatial_dims=cast(Literal[2, 3], spatial_dims), multiple=multiple,
            width=min(MAX_WIDTH, width),
        )  # fmt: skip
        return WrappedNetwork(module, config)
    raise PlanError(
        f"{code_of(module)} was tried on images of many sizes, and gives no logits of their size: "
        f"for {shape} it {problem}. Wrap a module that takes (batch, {in_channels} channels, "
        "height, width) and gives (batch, classes, height, width)."
    )


def sides_of(multiple: int) -> tuple[int, int]:
    """Two sides that are multiples of a number, and of no larger power of two.

    >>> sides_of(1), sides_of(32)
    ((65, 67), (96, 160))
    """
    number = -(-LEAST_SIDE // multiple) | 1
    return number * multiple, (number + 2) * multiple


def find_logits(output: Any) -> Tensor:  # noqa: ANN401
    """Find the logits in what a module gave.

    Raises:
        TypeError: there are none.
    """
    for name in OUTPUT_NAMES:
        if isinstance(output, Mapping) and name in output:
            return find_logits(output[name])
        if not isinstance(output, Tensor) and isinstance(getattr(output, name, None), Tensor):
            return cast(Tensor, getattr(output, name))
    if isinstance(output, tuple | list) and output:
        return find_logits(output[0])
    if isinstance(output, Tensor):
        return output
    raise TypeError(f"it gave a {type(output).__name__}, in which no logits were found")


def enlarge(logits: Tensor, size: torch.Size | tuple[int, ...]) -> Tensor:
    """Enlarge logits (B, K, *spatial) of an image's half size, quarter and so on."""
    own = logits.shape[2:]
    factors = {whole / part if part else 0.0 for whole, part in zip(size, own, strict=False)}
    is_fraction = len(factors) == 1 and factors <= {2.0, 4.0, 8.0, 16.0, 32.0}
    if tuple(own) == tuple(size) or not is_fraction:
        return logits
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(logits, tuple(size), mode=mode, align_corners=False)


def code_of(module: nn.Module) -> str:
    """The class of a module, as it is imported."""
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _check_logits(
    module: nn.Module, logits: Tensor, shape: tuple[int, ...], out_channels: int
) -> None:
    """PlanError where there are other classes, or probabilities in place of logits."""
    name, number = code_of(module), logits.shape[1]
    if number != out_channels:
        classes = f"num_classes={number}" if number > 1 else "num_classes=1"
        raise PlanError(
            f"{name} gives {number} channels for images {shape}, and {out_channels} were expected. "
            f"Build it with {out_channels}, or give {classes}: 1 is a sigmoid for one class, more "
            "are a softmax that counts the background."
        )
    if bool(((logits >= 0) & (logits <= 1)).all()) and bool((logits != logits.flatten()[0]).any()):
        raise PlanError(
            f"{name} gives probabilities, all from 0 to 1, and logits were expected. Leave out its "
            "last sigmoid or softmax (activation=None): the loss has it."
        )


@contextmanager
def counting_values(module: nn.Module) -> Iterator[list[int]]:
    """Note how many values the layers give meanwhile, in the list that is given."""
    counts: list[int] = []

    def count(_: nn.Module, __: Any, output: Any) -> None:  # noqa: ANN401
        if isinstance(output, Tensor):
            counts.append(output.numel())

    handles = [layer.register_forward_hook(count) for layer in module.modules()]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()
