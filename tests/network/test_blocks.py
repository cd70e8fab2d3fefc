"""The joint of two levels: what is computed at once is what two steps would give."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.network import UNet, UNetConfig
from pixelwise.network.blocks import DecoderBlock, convolve_doubled

DOUBLE = torch.float64
CONVOLVE = {2: F.conv2d, 3: F.conv3d}


def in_two_steps(features, weight, bias=None):
    large = F.interpolate(features, scale_factor=2, mode="nearest")
    return CONVOLVE[features.ndim - 2](large, weight, bias, padding=1)


def test_by_hand():
    """One row [1, 2] becomes 1 1 2 2 in two rows; weights that look one pixel to the left."""
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 0] = 1
    doubled = convolve_doubled(torch.tensor([[[[1.0, 2.0]]]]), weight)
    assert doubled[0, 0].tolist() == [[0, 1, 1, 2], [0, 1, 1, 2]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 4), (7, 2), (2, 3, 4), (1, 1, 1)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_values_and_gradients_are_those_of_two_steps(size, has_bias):
    torch.manual_seed(0)
    inputs = [torch.randn(2, 3, *size), torch.randn(5, 3, *[3] * len(size))]
    inputs += [torch.randn(5)] if has_bias else []
    results = []
    for convolve in (convolve_doubled, in_two_steps):
        own = [value.to(DOUBLE).requires_grad_() for value in inputs]
        doubled = convolve(*own)
        doubled.square().sum().backward()
        results.append([doubled, *(value.grad for value in own)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("options", [{}, {"skips": False}, {"normalization": "none"}])
def test_a_network_gives_what_one_of_plain_layers_gives(spatial_dims, options, monkeypatch):
    torch.manual_seed(0)
    config = UNetConfig(in_channels=2, out_channels=3, widths=(4, 6, 8), spatial_dims=spatial_dims)
    network = UNet(config.model_copy(update=options)).to(DOUBLE)
    image = torch.randn(2, 2, *(6, 9, 5)[:spatial_dims], dtype=DOUBLE)
    found = network(image)

    def call_layers(block, up, skip):
        up = F.interpolate(up, scale_factor=2, mode="nearest")
        joined = up if skip is None else torch.cat((up, skip), dim=1)
        return nn.Sequential.forward(block, joined)

    monkeypatch.setattr(DecoderBlock, "forward", call_layers)
    torch.testing.assert_close(found, network(image))


def test_in_bfloat16_weights_are_added_before_they_are_rounded():
    """1 + 1/256 is no bfloat16 and rounds to 1; of the sum with -1 nothing would be left."""
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1:] = torch.tensor([1 + 1 / 256, -1])
    with torch.autocast("cpu", torch.bfloat16):
        doubled = convolve_doubled(torch.ones(1, 1, 4, 4), weight)
    assert doubled.dtype == torch.bfloat16
    assert doubled[0, 0, 3, 2].item() == 1 / 256
