"""Intensity scaling as part of an exported graph: the same numbers as `IntensityScaling`."""

from fractions import Fraction

import torch
from torch import Tensor, nn

from pixelwise.network import IntensityScaling
from pixelwise.network.resampling import is_zero
from pixelwise.network.scaling import MAX_PIXELS_FOR_PERCENTILES
from pixelwise.network.sizes import forget_origin, known_positive

MAX_STEP = 32  # of a subsample: pictures of up to about 1,000 megapixels


def scaling_layer(scaling: IntensityScaling, in_channels: int) -> nn.Module:
    """The layer that scales pictures (B, C, H, W) of stored intensities."""
    if scaling.scheme == "percentiles":
        return ScaleByPercentiles(scaling.low, scaling.high)
    if scaling.scheme == "none":
        return nn.Identity()
    return ScaleByConstants(scaling, in_channels)


class ScaleByConstants(nn.Module):
    """``(image - offset) * gain`` with numbers that training fixed."""

    offset: Tensor  # (1, C, 1, 1)
    gain: Tensor

    def __init__(self, scaling: IntensityScaling, in_channels: int) -> None:
        super().__init__()
        nothing = torch.zeros(in_channels, 1, 1).numpy()  # its values do not count
        offset, gain = (torch.from_numpy(each) for each in scaling.coefficients(nothing))
        self.register_buffer("offset", offset.view(1, -1, 1, 1))
        self.register_buffer("gain", gain.view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scale (B, C, H, W)."""
        return (images - self.offset) * self.gain


class ScaleByPercentiles(nn.Module):
    """Map the low and high percentile of each picture to -1 and 1, as `IntensityScaling` says."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = (Fraction(str(value)) / 100 for value in (low, high))

    def forward(self, images: Tensor) -> Tensor:
        """Scale (B, C, H, W)."""
        ordered = subsample(images).flatten(1).sort(1).values  # (B, N)
        low, high = quantile(ordered, self.low), quantile(ordered, self.high)  # (B, 1) each
        is_flat = (low == high).to(images.dtype)
        everything = images.flatten(1)
        low = low + is_flat * (everything.amin(1, keepdim=True) - low)
        high = high + is_flat * (everything.amax(1, keepdim=True) - high)
        spread = high - low
        gain = 2 / (spread + 2 * (spread == 0).to(images.dtype))  # 1 for a picture of one value
        offset = (low + high) / 2
        return (images - offset[:, :, None, None]) * gain[:, :, None, None]


def quantile(ordered: Tensor, share: Fraction) -> Tensor:
    """The value below which a share of the values lies, between two of them by a straight line.

    Args:
        ordered: (B, N) rising.
        share: from 0 to 1.

    Returns:
        (B, 1).
    """
    position = (ordered.shape[1] - 1) * share.numerator
    whole, rest = position // share.denominator, position % share.denominator
    above = whole + 1 - is_zero(rest)  # the last value has none above it
    ends = torch.stack([torch.full((), n, dtype=torch.int64) for n in (whole, above)])
    found = ordered.index_select(1, ends)  # (B, 2)
    below, beyond = found[:, :1], found[:, 1:]
    return below + (beyond - below) * (torch.full((), rest) / share.denominator)


def subsample(images: Tensor) -> Tensor:
    """Every n-th pixel along each axis of large pictures, as `scaling.subsample` takes them."""
    height, width = images.shape[2:]
    step = subsample_step(height * width)
    rows = torch.arange(forget_origin((height + step - 1) // step)) * step
    columns = torch.arange(forget_origin((width + step - 1) // step)) * step
    return images.index_select(2, rows).index_select(3, columns)


def subsample_step(num_pixels: int) -> int:
    """``max(1, round(sqrt(num_pixels / 1e6)))`` by whole numbers.

    >>> [subsample_step(n) for n in (1, 2_249_999, 2_250_000, 6_250_000, 6_250_001)]
    [1, 1, 2, 2, 3]
    """
    starts = torch.tensor(
        [
            MAX_PIXELS_FOR_PERCENTILES // 4 * (2 * step - 1) ** 2 + step % 2  # halves to the even
            for step in range(2, MAX_STEP + 1)
        ]
    )
    return known_positive(1 + (starts <= num_pixels).sum())
