"""A convolution and the ReLU after it, in one pass over the memory of a CPU.

The kernels are those that torch has for its compiler (oneDNN's); they are not of its public
interface, so that `has_fused_convolution` tries them before anybody uses them.

plain:  image -> convolution -> memory -> ReLU -> memory      fused:  image -> both -> memory
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

FORMATS = torch.float32, torch.bfloat16
LEAST_VALUES = 2**21  # of a result: below, calls in Python cost more than memory saves


def run_layers(layers: Iterable[nn.Module], features: Tensor) -> Tensor:
    """Call layers one after the other; in training a convolution and its ReLU by one kernel.

    Args:
        layers: of a block.
        features: (B, C, *spatial).
    """
    left = list(layers)
    while left:
        layer = left.pop(0)
        if left and is_fused(layer, left[0], features):
            left.pop(0)
            conv = cast(nn.Conv2d, layer)
            padding = cast(tuple[int, int], conv.padding)
            features = TrainedConvolution.apply(features, conv.weight, conv.bias, padding)  # type: ignore[no-untyped-call]
        else:
            features = layer(features)
    return features


def is_fused(layer: nn.Module, following: nn.Module, features: Tensor) -> bool:
    """Whether a layer is a convolution that is trained on a CPU, and its ReLU follows.

    Networks that are exported or compiled, and layers that somebody watches, stay two layers.

    Args:
        layer: any.
        following: the layer after it.
        features: (B, C, H, W) of the size of the result.
    """
    if type(layer) is not nn.Conv2d or type(following) is not nn.ReLU:
        return False
    is_trained = torch.is_grad_enabled() and layer.weight.requires_grad
    is_recorded = torch.compiler.is_compiling() or torch._C._get_tracing_state()
    if not is_trained or is_recorded or features.device.type != "cpu":
        return False
    num_values = features.numel() // features.shape[1] * layer.out_channels
    if num_values < LEAST_VALUES or _is_watched(layer, following):
        return False
    by_one = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    is_plain = by_one and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    is_laid = features.is_contiguous(memory_format=torch.channels_last)
    return is_plain and is_laid and _format(features) in FORMATS and has_fused_convolution()


def _is_watched(*layers: nn.Module) -> bool:
    """Whether layers have hooks, which would not be called."""
    return any(
        hooks
        for layer in layers
        for hooks in (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks,
                      layer._backward_pre_hooks)
    )  # fmt: skip


def _format(features: Tensor) -> torch.dtype:
    """What a convolution of features computes in."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return features.dtype


class TrainedConvolution(torch.autograd.Function):
    """ReLU of a convolution, for training."""

    @staticmethod
    def forward(
        features: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        """Convolve (B, C, H, W) by (width, C, h, w), add (width,), take what is above 0."""
        format_ = _format(features)
        bias = None if bias is None else bias.to(format_)
        return convolve_relu(features.to(format_), weight.to(format_), bias, padding)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what the gradients need."""
        features, weight, bias, padding = inputs
        ctx.save_for_backward(features, weight, output)
        ctx.bias = None if bias is None else bias.dtype  # type: ignore[attr-defined]
        ctx.padding = padding  # type: ignore[attr-defined]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of features, weight and bias."""
        features, weight, result = ctx.saved_tensors  # type: ignore[attr-defined]
        below = torch.ops.aten.threshold_backward(gradient, result, 0)
        wanted = ctx.needs_input_grad[:3]  # type: ignore[attr-defined]
        of_features, of_weight, of_bias = _gradients(below, features, weight, ctx.padding, wanted)  # type: ignore[attr-defined]
        return of_features, of_weight, None if of_bias is None else of_bias.to(ctx.bias), None  # type: ignore[attr-defined]


class TrainedJoint(torch.autograd.Function):
    """ReLU of a total onto which a 3x3 convolution of features is added, for training."""

    @staticmethod
    def forward(total: Tensor, features: Tensor, weight: Tensor) -> Tensor:
        """Change the total (B, width, H, W) by features (B, C, H, W) and (width, C, 3, 3)."""
        low, own = features.to(total.dtype), weight.to(total.dtype)
        return add_convolved(total, low, own, has_activation=True)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what the gradients need."""
        total, features, weight = inputs
        ctx.mark_dirty(total)
        ctx.save_for_backward(features, weight, output)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of total, features and weight."""
        features, weight, result = ctx.saved_tensors  # type: ignore[attr-defined]
        below = torch.ops.aten.threshold_backward(gradient, result, 0)
        wanted = *ctx.needs_input_grad[1:], False  # type: ignore[attr-defined]
        of_features, of_weight, _ = _gradients(below, features, weight, (1, 1), wanted)
        return below, of_features, of_weight


def _gradients(
    below: Tensor, features: Tensor, weight: Tensor, padding: Sequence[int], wanted: Iterable[bool]
) -> tuple[Tensor | None, ...]:
    """Gradients of a convolution's features, weight and bias, those that are wanted."""
    low, own = features.to(below.dtype), weight.to(below.dtype)
    of_features, of_weight, of_bias = torch.ops.aten.convolution_backward(
        below, low, own, [len(weight)], [1, 1], padding, [1, 1], False, [0, 0], 1, list(wanted)
    )
    return (
        None if of_features is None else of_features.to(features.dtype),
        None if of_weight is None else of_weight.to(weight.dtype),
        of_bias,
    )


def convolve_relu(
    features: Tensor, weight: Tensor, bias: Tensor | None, padding: Sequence[int]
) -> Tensor:
    """ReLU of a convolution by steps of one pixel: (B, width, H, W)."""
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        features, weight, bias, padding, [1, 1], [1, 1], 1, "relu", [], ""
    )
    return found


def add_convolved(total: Tensor, features: Tensor, weight: Tensor, has_activation: bool) -> Tensor:
    """Add the 3x3 convolution of features onto a total, in place."""
    found: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
        total, features, weight, None, [1, 1], [1, 1], [1, 1], 1,
        "add", 1.0, "relu" if has_activation else None, [], "",
    )  # fmt: skip
    return found


@cache
def has_fused_convolution() -> bool:
    """Whether this torch has the kernels, and they give what convolution and ReLU give."""
    if not (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops, "mkldnn")
    ):
        return False
    generator = torch.Generator().manual_seed(0)
    image, weight, total = (torch.randn(2, 2, 5, 5, generator=generator) for _ in range(3))
    weight = weight[..., :3, :3].contiguous(memory_format=torch.channels_last)
    image, total = (one.contiguous(memory_format=torch.channels_last) for one in (image, total))
    try:
        with torch.autocast("cpu", enabled=False):
            plain = torch.conv2d(image, weight, padding=1)
            expected = plain.relu(), (total + plain).relu(), total + plain
            found = (
                convolve_relu(image, weight, None, [1, 1]),
                add_convolved(total.clone(), image, weight, has_activation=True),
                add_convolved(total.clone(), image, weight, has_activation=False),
            )
    except (RuntimeError, AttributeError, TypeError):  # they are not of torch's public interface
        return False
    return all(torch.allclose(*pair, atol=1e-6) for pair in zip(found, expected, strict=True))
