"""The optimizers: Muon's updates against singular values and against torch's own Muon."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.training.optimizer import (
    MOMENTUM,
    UPDATE_SIZE,
    Muon,
    make_optimizer,
    orthogonal_updates,
    orthogonalize,
    rates_as,
)

SIDES = st.integers(1, 40)


def with_gradients(network, seed=0):
    torch.manual_seed(seed)
    for weight in network.parameters():
        weight.grad = torch.randn_like(weight)
    return network


class TestOrthogonalize:
    @given(SIDES, SIDES, st.integers(0, 100), st.floats(-4, 4))
    def test_singular_values_come_near_one_and_vectors_stay(self, rows, columns, seed, power):
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        values = values[0] * torch.linspace(1, 0.02, len(values), dtype=torch.float64)
        matrix = left @ values.diag() @ right * 10**power
        turned = left.T @ orthogonalize([matrix.float()])[0].double() @ right.T
        found = turned.diagonal()
        assert found.min() > 0.6
        assert found.max() < 1.3
        assert (turned - found.diag()).abs().max() < 1e-3

    def test_of_nothing_comes_nothing(self):
        assert torch.equal(orthogonalize([torch.zeros(3, 5)])[0], torch.zeros(3, 5))

    def test_tall_is_wide_turned(self):
        matrix = torch.randn(20, 6)
        tall, wide = orthogonalize([matrix, matrix.T])
        assert torch.allclose(tall.T, wide, atol=1e-6)

    @given(st.lists(st.tuples(SIDES, SIDES), max_size=6), st.integers(0, 100))
    def test_several_are_each_as_it_would_be_alone(self, sizes, seed):
        generator = torch.Generator().manual_seed(seed)
        matrices = [torch.randn(size, generator=generator) for size in sizes]
        together = orthogonalize(matrices)
        assert [tuple(each.shape) for each in together] == sizes
        for each, matrix in zip(together, matrices, strict=True):
            assert torch.allclose(each, orthogonalize([matrix])[0], atol=1e-4)

    def test_values_of_the_update_are_about_one(self):
        shapes = (8, 16, 3, 3), (32, 8, 3, 3), (4, 6, 3, 3, 3), (64, 2, 2, 2)
        updates = orthogonal_updates([torch.randn(shape) for shape in shapes])
        for (update, size), shape in zip(updates, shapes, strict=True):
            assert update.shape == shape
            assert 0.7 < (update * size).square().mean().sqrt() < 1.15


class TestMuon:
    def test_a_step_is_that_of_torch(self, make_model):
        """Of one kernel as a matrix, without momentum; torch computes it in bfloat16."""
        network = with_gradients(make_model().network)
        weight = network.bottleneck.conv2.weight
        flat = torch.nn.Parameter(weight.detach().flatten(1).clone())
        flat.grad = weight.grad.flatten(1).clone()
        reference = torch.optim.Muon(
            [flat], 0.02, weight_decay=0.5, momentum=0, adjust_lr_fn="match_rms_adamw"
        )
        ours = Muon(network, 0.02 * 0.2 / UPDATE_SIZE, weight_decay=0.5 * UPDATE_SIZE / 0.2)
        before = weight.detach().clone()
        reference.step()
        ours.step()
        change = (weight - before).flatten(1)
        expected = flat - before.flatten(1)
        assert (change - expected).norm() < 0.03 * expected.norm()

    def test_momentum_looks_ahead(self, make_model):
        network = with_gradients(make_model().network)
        optimizer = Muon(network, 0.01, 0)
        weight = network.bottleneck.conv2.weight
        gradients = [torch.randn_like(weight) for _ in range(3)]
        average = torch.zeros_like(weight)
        for gradient in gradients:
            average = MOMENTUM * average + (1 - MOMENTUM) * gradient
            direction = (1 - MOMENTUM) * gradient + MOMENTUM * average
            ((update, size),) = orthogonal_updates([direction])
            expected = weight.detach() - 0.01 * UPDATE_SIZE * size * update
            weight.grad = gradient.clone()
            optimizer.step()
            assert torch.allclose(weight, expected, atol=1e-6)

    def test_every_weight_moves_and_the_ends_as_adamw_moves_them(self, make_model):
        networks = [with_gradients(make_model().network) for _ in range(2)]
        before = [weight.detach().clone() for weight in networks[0].parameters()]
        Muon(networks[0], 0.01, 0.1).step()
        torch.optim.AdamW(networks[1].parameters(), 0.01, weight_decay=0.1).step()
        assert all(
            not torch.equal(weight, old)
            for weight, old in zip(networks[0].parameters(), before, strict=True)
        )
        ours, others = (dict(network.named_parameters()) for network in networks)
        alike = {name for name in ours if torch.allclose(ours[name], others[name], atol=1e-6)}
        assert {"head.weight", "head.bias", "encoder.0.conv1.weight"} <= alike
        assert {name for name in ours if ours[name].ndim < 2} <= alike
        matrices = {name for name in ours if ours[name].ndim == 4}
        assert alike & matrices == {"head.weight", "encoder.0.conv1.weight"}

    def test_further_weights_move_as_adamw_moves_them(self, make_model):
        more, others = torch.nn.Conv2d(4, 2, 1), torch.nn.Conv2d(4, 2, 1)
        others.load_state_dict(more.state_dict())
        for head in (more, others):
            with_gradients(head)
        Muon(with_gradients(make_model().network), 0.01, 0.1, more.parameters()).step()
        torch.optim.AdamW(others.parameters(), 0.01, weight_decay=0.1).step()
        assert torch.allclose(more.weight, others.weight, atol=1e-6)
        assert torch.allclose(more.bias, others.bias, atol=1e-6)

    def test_the_layout_of_the_weights_changes_nothing(self, make_model):
        plain, last = (with_gradients(make_model().network) for _ in range(2))
        last = last.to(memory_format=torch.channels_last)
        for weight, other in zip(last.parameters(), plain.parameters(), strict=True):
            weight.grad = torch.empty_like(weight).copy_(other.grad)
        for network in (plain, last):
            Muon(network, 0.01, 0).step()
        pairs = zip(plain.parameters(), last.parameters(), strict=True)
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in pairs)

    def test_the_plan_says_which(self, make_model, make_small_plan):
        network = make_model().network
        assert isinstance(make_optimizer(network, make_small_plan(optimizer="muon")), Muon)
        adamw = make_optimizer(network, make_small_plan(weight_decay=0.3))
        assert isinstance(adamw, torch.optim.AdamW)
        assert adamw.defaults["weight_decay"] == 0.3


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_rate_that_is_a_tensor_gives_the_same_weights(make_model, make_small_plan, name):
    """As a recording on a GPU needs it; after that the rates are numbers again."""
    weights = []
    for rate in (0.01, torch.tensor(0.01)):
        network = with_gradients(make_model().network)
        plan = make_small_plan(optimizer=name, learning_rate=0.01, weight_decay=0.3)
        optimizer = make_optimizer(network, plan)
        factors = [1.0] * len(optimizer.param_groups)
        with rates_as(optimizer, rate, factors):
            optimizer.step()
        for group in optimizer.param_groups:
            assert isinstance(group["lr"], float) and group["lr"] == 0.01
            assert not group.get("capturable")
        weights.append(torch.cat([weight.flatten() for weight in network.parameters()]))
    torch.testing.assert_close(*weights)
