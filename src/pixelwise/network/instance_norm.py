"""Instance normalization, by the kernels that a CPU computes it fastest with."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

EPSILON = 1e-5
NARROW = 16  # channels: fewer do not fill a vector register, and such kernels then go one by one
WIDE = 256  # numbers that go through them as channels instead


class InstanceNorm(nn.Module):
    """Normalize each channel of each image by its own mean and variance, then scale and shift.

    The same numbers as `torch.nn.InstanceNorm2d(width, affine=True)`. On a CPU the images go one
    by one through batch normalization, whose kernels know channels-last and bfloat16; images of few
    channels with several of their pixels as one (docs/log.md has what that saves).

    Source: Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """Normalize (B, width, *spatial); there must be more than one pixel."""
        on_cpu, width = features.device.type == "cpu", features.shape[1]
        if not on_cpu and len(features) > 1:  # of one, torch's gradient can be wrong (2.13.0)
            return F.instance_norm(features, weight=self.weight, bias=self.bias, eps=EPSILON)
        if on_cpu and width < NARROW and features.requires_grad and joined_pixels(features) > 1:
            normalized = NarrowInstanceNorm.apply(features, self.weight, self.bias)  # type: ignore[no-untyped-call]
            return cast(Tensor, normalized)
        images = [
            F.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=EPSILON)
            for image in torch.split(features, 1)
        ]
        return torch.cat(images) if len(images) > 1 else images[0]


class NarrowInstanceNorm(torch.autograd.Function):
    """Instance normalization of channels-last images of few channels, for training.

    Several neighbours in a row are taken as one pixel of so many times the channels. The kernels of
    batch normalization give the mean and variance of each of these, from which those of a channel
    follow; so do the sums that the gradient needs.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Normalize (B, C, H, W)."""
        joined = joined_pixels(features)
        wide = torch.split(join_pixels(features, joined), 1)
        ones = _two_ones(wide[0])
        found = [torch.ops.aten.batch_norm_update_stats(image, *ones, 0.0) for image in wide]
        means, variances = (
            torch.stack(values).view(len(wide), joined, -1) for values in zip(*found, strict=True)
        )
        mean = means.mean(1)
        variance = means.var(1, correction=0).add_(variances.mean(1))  # (B, C)
        normalized = torch.empty_like(features)
        out = torch.split(join_pixels(normalized, joined), 1)
        by_image = (moments.repeat(1, joined).unbind() for moments in (mean, variance))
        scale, shift = weight.repeat(joined), bias.repeat(joined)
        none = weight.new_empty(0)
        for image, target, *moments in zip(wide, out, *by_image, strict=True):
            torch.ops.aten.native_batch_norm.out(
                image, scale, shift, *moments, False, 0.0, EPSILON,
                out=target, save_mean=none, save_invstd=none,
            )  # fmt: skip
        ctx.save_for_backward(features, weight, mean, (variance + EPSILON).rsqrt())
        return normalized

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of features, weight and bias."""
        features, weight, mean, inverse = ctx.saved_tensors  # type: ignore[attr-defined]
        joined, num_pixels = joined_pixels(features), features[0, 0].numel()
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        wide, above = join_pixels(features, joined), join_pixels(gradient, joined)
        weight_and_variance = _two_ones(wide)
        sums = [
            _sums(*parts, *weight_and_variance)
            for parts in zip(
                torch.split(wide, 1),
                torch.split(above, 1),
                mean.repeat(1, joined).unbind(),
                strict=True,
            )
        ]
        products, total = (
            torch.stack(values).view(len(wide), joined, -1).sum(1)
            for values in zip(*sums, strict=True)
        )
        products = products * inverse  # of gradient and normalized features: (B, C)
        slope = weight * inverse
        of_features = -slope * inverse * products / num_pixels
        offset = -slope * total / num_pixels - of_features * mean
        result = torch.empty_like(features)
        factors = (
            each.to(features.dtype).repeat(1, joined)[..., None, None]
            for each in (offset, of_features, slope)
        )
        start, times_features, times_gradient = factors
        out = join_pixels(result, joined)
        torch.addcmul(start, wide, times_features, out=out).addcmul_(above, times_gradient)
        return result, products.sum(0), total.sum(0)


def joined_pixels(features: Tensor) -> int:
    """Neighbours in a row that are taken as one pixel; 1 where that is not for these features."""
    if features.ndim != 4 or not features.is_contiguous(memory_format=torch.channels_last):
        return 1
    joined = 1
    while features.shape[3] % (2 * joined) == 0 and 2 * joined * features.shape[1] <= WIDE:
        joined *= 2
    return joined


def join_pixels(features: Tensor, joined: int) -> Tensor:
    """See (B, C, H, W) as (B, joined * C, H, W / joined), both channels-last."""
    by_pixel = features.permute(0, 2, 3, 1)
    batch, height, width, channels = by_pixel.shape
    return by_pixel.view(batch, height, width // joined, joined * channels).permute(0, 3, 1, 2)


def _sums(
    image: Tensor, gradient: Tensor, mean: Tensor, weight: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums by channel of gradient times (image - mean), and of the gradient: float32 (C,) each."""
    _, products, total = torch.ops.aten.native_batch_norm_backward(
        gradient, image, weight, mean, variance, None, None, False, 0.0, [False, True, True]
    )
    return products, total


def _two_ones(images: Tensor) -> tuple[Tensor, Tensor]:
    """Twice a one for each channel, in float32: the precision that kernels then use."""
    return torch.ones(images.shape[1]), torch.ones(images.shape[1])
