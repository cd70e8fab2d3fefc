"""The state: through a checkpoint and back, whatever the layout of the weights."""

import math

import numpy as np
import pytest
import torch

from pixelwise.inference.evaluate import Counted
from pixelwise.training.checkpoint import Best, State, copy_weights
from pixelwise.training.optimizer import AveragedWeights, Muon


@pytest.fixture
def make_state(make_model):
    """Return a maker of states after some steps of a tiny network."""

    def make(steps=3, channels_last=False, seed=0, muon=False):
        network = make_model(seed=seed).network
        if channels_last:
            network = network.to(memory_format=torch.channels_last)
        torch.manual_seed(seed)
        heads = torch.nn.ModuleList([torch.nn.Conv2d(8, 1, 1)])
        weights = [*network.parameters(), *heads.parameters()]
        optimizer = torch.optim.AdamW(weights, 1e-2, fused=True)
        if muon:
            optimizer = Muon(network, 1e-2, 0.1, heads.parameters())
        state = State(network, heads, AveragedWeights(network, 0.5), optimizer, Best())
        for _ in range(steps):
            optimizer.zero_grad()
            network(torch.ones(2, 1, 8, 8)).square().mean().backward()
            heads[0](torch.ones(2, 8, 4, 4)).square().mean().backward()
            optimizer.step()
            state.step += 1
            state.average.update(network, state.average.weight_of(state.step, 10))
        return state

    return make


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("muon", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_restored_state_is_the_same(make_state, channels_last, muon):
    there = make_state(channels_last=channels_last, muon=muon)
    there.rate_factor, there.recent = 0.3, [{"train_loss": 0.1 + 0.2, "weight": 4}]
    there.history = [{"step": 2, "seconds": 1.5}]
    counted = Counted("a", np.arange(6).reshape(1, 2, 3), "patient 1")
    there.best = Best(0.5, 2, copy_weights(there.network), None, [counted])
    back = make_state(steps=0, channels_last=channels_last, seed=1, muon=muon)
    back.restore(there.to_checkpoint(7.5).copy())
    assert (back.step, back.rate_factor) == (3, 0.3)
    assert (back.recent, back.history) == (there.recent, there.history)
    assert equal(back.network.state_dict(), there.network.state_dict())
    assert equal(back.heads.state_dict(), there.heads.state_dict())
    assert equal(back.average.network.state_dict(), there.average.network.state_dict())
    assert equal(back.best.weights, there.best.weights)
    (one,) = back.best.counts
    assert (one.name, one.group) == ("a", "patient 1")
    assert np.array_equal(one.counts, counted.counts)
    moments = zip(back.optimizer.state.values(), there.optimizer.state.values(), strict=True)
    for one, other in moments:
        assert equal(one, other)
        assert [t.stride() for t in one.values()] == [t.stride() for t in other.values()]


def test_lists_are_copied_so_that_going_on_does_not_change_a_checkpoint(make_state):
    state = make_state()
    checkpoint = state.to_checkpoint(0.0)
    state.history.append({"step": 3})
    state.recent.append({"train_loss": 1.0})
    assert checkpoint.facts["history"] == checkpoint.facts["recent"] == []


def test_the_last_validation_is_that_of_the_history(make_state):
    state = make_state()
    assert state.validated_step == -1
    state.history.append({"step": 2})
    assert state.validated_step == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_lost_weights_are_seen(make_state, value):
    state = make_state()
    assert state.is_finite
    with torch.no_grad():
        state.network.head.bias.fill_(value)
    assert not state.is_finite
