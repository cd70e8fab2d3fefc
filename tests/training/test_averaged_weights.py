"""Averaged weights, by hand: one number that jumps from 0 to 1."""

import pytest
import torch

from pixelwise.network import UNet, UNetConfig
from pixelwise.training.optimizer import AveragedWeights


def network(value=0.0):
    built = UNet(UNetConfig(in_channels=1, out_channels=1, widths=(2, 2)))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.fill_(value)
    return built


def value_of(average):
    return average.network.head.weight[0, 0].item()


def test_a_share_of_0_follows_without_delay():
    average = AveragedWeights(network(0), share=0)
    average.update(network(0.3), average.weight_of(1, 100))
    assert value_of(average) == pytest.approx(0.3)
    average.update(network(0.7), average.weight_of(2, 100))
    assert value_of(average) == pytest.approx(0.7, abs=1e-7)


def test_memory_is_a_share_of_all_steps():
    average = AveragedWeights(network(0), share=0.01)
    # memory of 100 steps, long warmed up
    average.update(network(1), average.weight_of(9_000, 10_000))
    assert value_of(average) == pytest.approx(0.01)
    average.update(network(1), average.weight_of(9_001, 10_000))
    assert value_of(average) == pytest.approx(0.01 + 0.99 * 0.01)


def test_poor_first_weights_are_soon_forgotten():
    average = AveragedWeights(network(5), share=0.5)
    for step in range(1, 31):
        average.update(network(1), average.weight_of(step, 1000))
    assert value_of(average) == pytest.approx(1, abs=0.001)


def test_between_two_values_it_is_between_them():
    average = AveragedWeights(network(0), share=0.1)
    for step in range(1, 200):
        average.update(network(step % 2), average.weight_of(step, 1000))
        assert 0 <= value_of(average) <= 1
    assert value_of(average) == pytest.approx(0.5, abs=0.1)


def test_running_statistics_are_averaged_and_counts_copied():
    current = network(0)
    current.encoder[0].norm1.running_mean.fill_(2)
    current.encoder[0].norm1.num_batches_tracked.fill_(7)
    average = AveragedWeights(network(0), share=0.5)
    # memory of 20 steps; after 90 steps a weight of 9 / 100
    average.update(current, average.weight_of(90, 40))
    assert average.network.encoder[0].norm1.running_mean.tolist() == pytest.approx([0.18] * 2)
    assert int(average.network.encoder[0].norm1.num_batches_tracked) == 7


def test_the_network_in_training_is_left_alone():
    current = network(1)
    average = AveragedWeights(current, share=0.1)
    average.update(network(0), average.weight_of(1, 10))
    assert current.head.weight[0, 0].item() == 1
    assert current.training
    assert current.head.weight.requires_grad
    assert not average.network.training
    assert not average.network.head.weight.requires_grad
