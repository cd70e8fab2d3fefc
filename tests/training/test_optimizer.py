"""The optimizers: Muon's updates against singular values and against torch's own Muon."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.training.optimizer import (
    MOMENTUM,
    UPDATE_SIZE,
    Muon,
    make_optimizer,
    orthogonal_update,
    orthogonalize,
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
        turned = left.T @ orthogonalize(matrix.float()).double() @ right.T
        found = turned.diagonal()
        assert found.min() > 0.6
        assert found.max() < 1.3
        assert (turned - found.diag()).abs().max() < 1e-3

    def test_of_nothing_comes_nothing(self):
        assert torch.equal(orthogonalize(torch.zeros(3, 5)), torch.zeros(3, 5))

    def test_tall_is_wide_turned(self):
        matrix = torch.randn(20, 6)
        assert torch.allclose(orthogonalize(matrix).T, orthogonalize(matrix.T), atol=1e-6)

    def test_values_of_the_update_are_about_one(self):
        for shape in ((8, 16, 3, 3), (32, 8, 3, 3), (4, 6, 3, 3, 3), (64, 2, 2, 2)):
            update, size = orthogonal_update(torch.randn(shape))
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
            update, size = orthogonal_update((1 - MOMENTUM) * gradient + MOMENTUM * average)
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
