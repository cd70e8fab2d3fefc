"""Weights of one network as the first weights of another."""

import pytest
import torch

from pixelwise.network import UNet, UNetConfig, transfer_weights


def network(seed, in_channels=1, out_channels=1):
    torch.manual_seed(seed)
    return UNet(
        UNetConfig(in_channels=in_channels, out_channels=out_channels, widths=(3, 6))
    ).eval()


def test_the_same_network_gives_the_same_logits():
    source, target = network(0), network(1)
    transfer_weights(source, target, with_head=True)
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(source(image), target(image))


def test_another_head_keeps_its_own_weights_on_the_same_features():
    source, target = network(0), network(1, out_channels=3)
    head = target.head.weight.clone()
    transfer_weights(source, target, with_head=False)
    assert torch.equal(target.head.weight, head)
    assert torch.equal(target.decoder[0].conv2.weight, source.decoder[0].conv2.weight)


def test_a_head_of_the_same_shape_is_left_alone_where_it_means_something_else():
    source, target = network(0), network(1)
    head = target.head.weight.clone()
    transfer_weights(source, target, with_head=False)
    assert torch.equal(target.head.weight, head)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 4), (2, 2)])
def test_grey_in_every_channel_gives_what_it_gave_before(before, after):
    source, target = network(0, before), network(1, after)
    transfer_weights(source, target, with_head=True)
    grey = torch.rand(1, 1, 8, 8)
    old, new = source(grey.expand(-1, before, -1, -1)), target(grey.expand(-1, after, -1, -1))
    torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-5)


def test_the_source_is_left_alone():
    source, target = network(0), network(1)
    before = source.encoder[0].conv1.weight.clone()
    transfer_weights(source, target, with_head=True)
    with torch.no_grad():
        target.encoder[0].conv1.weight.add_(1)
    assert torch.equal(source.encoder[0].conv1.weight, before)
