"""Deep supervision: what lower levels answer, what they are compared with, and what they learn."""

import pytest
import torch
from torch import nn

from pixelwise.network import UNet, UNetConfig
from pixelwise.train import loss_for
from pixelwise.train.deep import DeepSupervision, deep_loss, reduce_targets


def make_network(widths=(4, 6, 8, 10), out_channels=2, **options):
    torch.manual_seed(0)
    return UNet(UNetConfig(in_channels=1, out_channels=out_channels, widths=widths, **options))


class TestLevels:
    @pytest.mark.parametrize(
        ("size", "sizes"),
        [
            ((16, 24), [(16, 24), (8, 12), (4, 6)]),
            ((13, 10), [(13, 10), (7, 5), (4, 3)]),
            ((1, 3), [(1, 3), (1, 2), (1, 1)]),
        ],
    )
    def test_each_has_half_the_size_of_that_above(self, size, sizes):
        deep = DeepSupervision(make_network(), 2)
        logits = deep(torch.randn(2, 1, *size))
        assert [tuple(each.shape) for each in logits] == [(2, 2, *each) for each in sizes]

    def test_the_first_are_those_of_the_network(self):
        network = make_network().eval()
        images = torch.randn(2, 1, 13, 10)
        logits = DeepSupervision(network, 2).eval()(images)
        assert torch.equal(logits[0], network(images))

    @pytest.mark.parametrize(
        ("asked", "depth", "found"), [(0, 3, 0), (1, 3, 1), (5, 3, 2), (2, 1, 0)]
    )
    def test_are_no_more_than_there_are_between_full_size_and_bottleneck(self, asked, depth, found):
        deep = DeepSupervision(make_network((4, 6, 8, 10)[: depth + 1]), asked)
        assert len(deep.heads) == found
        assert len(deep(torch.randn(1, 1, 16, 16))) == 1 + found

    def test_of_volumes_too(self):
        deep = DeepSupervision(make_network(spatial_dims=3, normalization="instance"), 1)
        logits = deep(torch.randn(1, 1, 8, 9, 16))
        assert [each.shape[2:] for each in logits] == [(8, 9, 16), (4, 5, 8)]

    def test_every_class_starts_nearly_equal(self):
        logits = DeepSupervision(make_network(), 2)(torch.randn(4, 1, 32, 32))
        assert all(each.detach().abs().mean() < 0.3 for each in logits)

    def test_the_network_itself_has_none_of_it(self):
        network = make_network()
        names = list(network.state_dict())
        DeepSupervision(network, 2)
        assert list(network.state_dict()) == names


class TestTargets:
    def test_are_the_middle_pixel_of_each(self):
        rows = torch.arange(8)[:, None] * 10 + torch.arange(8)
        assert reduce_targets(rows[None], 1, 2)[0].tolist() == [
            [11, 13, 15, 17], [31, 33, 35, 37], [51, 53, 55, 57], [71, 73, 75, 77],
        ]  # fmt: skip
        assert reduce_targets(rows[None], 2, 2)[0].tolist() == [[22, 26], [62, 66]]

    def test_at_an_edge_are_the_last_pixel(self):
        assert reduce_targets(torch.arange(5).expand(1, 5, 5), 1, 2)[0, 0].tolist() == [1, 3, 4]
        assert reduce_targets(torch.arange(5).expand(1, 5, 5), 2, 2)[0, 0].tolist() == [2, 4]

    def test_of_overlapping_classes_keep_their_planes(self):
        planes = torch.rand(2, 3, 6, 10) > 0.5
        assert torch.equal(reduce_targets(planes, 1, 2), planes[:, :, 1::2, 1::2])


class TestLoss:
    def test_lower_levels_are_half_as_heavy_each(self):
        logits = [
            torch.full((1, 1, side, side), value) for side, value in ((8, 3.0), (4, 5), (2, 7))
        ]
        first, total = deep_loss(lambda found, target: found.mean(), logits, torch.zeros(1, 8, 8))
        assert (first, total) == (3, 3 + 5 / 2 + 7 / 4)

    def test_lost_at_a_lower_level_is_lost(self):
        logits = [torch.ones(1, 1, 4, 4), torch.full((1, 1, 2, 2), torch.inf)]
        first, _ = deep_loss(lambda found, target: found.mean(), logits, torch.zeros(1, 4, 4))
        assert first == torch.inf

    @pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
    def test_fits_the_targets_of_every_task(self, task):
        num_logits = 1 if task == "binary" else 3
        targets = torch.randint(0, 2, (2, *([3] if task == "multilabel" else []), 13, 10))
        logits = DeepSupervision(make_network(out_channels=num_logits), 2)(
            torch.randn(2, 1, 13, 10)
        )
        loss = loss_for("cross_entropy_dice", task)
        first, total = deep_loss(loss, logits, targets.to(torch.uint8))
        assert first == loss(logits[0], targets.to(torch.uint8))
        assert total > first

    def test_lower_levels_learn_what_the_last_one_does_not_pass_on(self):
        network = make_network(out_channels=1)
        nn.init.zeros_(network.head.weight)
        deep = DeepSupervision(network, 1)
        targets = torch.randint(0, 2, (2, 16, 16), dtype=torch.uint8)
        loss = loss_for("cross_entropy", "binary")
        first, total = deep_loss(loss, deep(torch.randn(2, 1, 16, 16)), targets)
        weight = network.decoder[1].conv2.weight
        assert not torch.autograd.grad(first, weight, retain_graph=True)[0].any()
        assert torch.autograd.grad(total, weight)[0].any()
