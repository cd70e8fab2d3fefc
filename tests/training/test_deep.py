"""Deep supervision: what lower levels answer, what they are compared with, and what they learn."""

import pytest
import torch
from torch import nn

from pixelwise.network import UNet, UNetConfig, resize_masks
from pixelwise.task import Task
from pixelwise.training import loss_for
from pixelwise.training.objective import DeepSupervision, deep_loss, reduce_targets


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

    def test_start_from_the_shares_that_the_network_starts_from(self):
        network = make_network()
        torch.nn.init.constant_(network.head.bias, -2.5)
        heads = DeepSupervision(network, 2).heads
        assert len(heads) == 2
        assert all((head.bias == -2.5).all() for head in heads)

    def test_the_network_itself_has_none_of_it(self):
        network = make_network()
        names = list(network.state_dict())
        DeepSupervision(network, 2)
        assert list(network.state_dict()) == names


class TestTargets:
    def test_are_the_class_of_most_of_each_pixel(self):
        rows = torch.tensor([[0, 0, 1, 1, 0, 2, 2, 2], [0, 0, 0, 1, 2, 2, 2, 0]]).byte()
        targets = rows.repeat_interleave(2, 0)[None]  # rows 0, 0, 1, 1
        logits = torch.zeros(1, 3, 2, 4), torch.zeros(1, 3, 1, 2)
        assert reduce_targets(targets[:, ::2], 1, logits[0][:, :, :1]).tolist() == [[[0, 1, 2, 2]]]
        assert reduce_targets(targets, 2, logits[1]).tolist() == [[[0, 2]]]

    def test_are_ignored_where_most_of_a_pixel_is(self):
        targets = torch.tensor([[[255, 255, 255, 1], [255, 1, 1, 255]]]).byte()
        assert reduce_targets(targets, 1, torch.zeros(1, 1, 1, 2)).tolist() == [[[255, 1]]]

    def test_beyond_an_edge_the_last_pixel_goes_on(self):
        targets = torch.tensor([0, 0, 1, 1, 2]).byte().expand(1, 5, 5)
        half, quarter = torch.zeros(1, 3, 3, 3), torch.zeros(1, 3, 2, 2)
        assert reduce_targets(targets, 1, half)[0].tolist() == [[0, 1, 2]] * 3
        assert reduce_targets(targets, 2, quarter)[0, :, 1].tolist() == [2, 2]

    def test_of_overlapping_classes_keep_their_planes(self):
        planes = torch.rand(2, 3, 6, 10) > 0.5
        small = reduce_targets(planes, 1, torch.zeros(2, 3, 3, 5))
        shares = planes.float().unflatten(3, (5, 2)).unflatten(2, (3, 2)).mean((3, 5))
        assert small.dtype == torch.bool
        assert torch.equal(small[shares != 0.5], shares[shares != 0.5] > 0.5)

    def test_of_overlapping_classes_may_be_ignored_one_by_one(self):
        planes = torch.zeros(1, 4, 2, 8, dtype=torch.uint8)
        planes[0, 3] = torch.tensor([255, 255, 255, 1, 1, 1, 0, 0])
        small = reduce_targets(planes, 1, torch.zeros(1, 4, 1, 4))
        assert small[0, 3].tolist() == [[255, 1, 1, 0]]  # half is not most
        assert not small[0, :3].any()

    @pytest.mark.parametrize("level", [1, 2])
    def test_are_what_masks_are_at_a_working_scale(self, level):
        targets = torch.randint(0, 4, (2, 16, 24), dtype=torch.uint8)
        size = (16 >> level, 24 >> level)
        found = reduce_targets(targets, level, torch.zeros(2, 4, *size))
        assert torch.equal(found, resize_masks(targets, size))


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

    @pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL])
    def test_fits_the_targets_of_every_task(self, task):
        num_logits = 1 if task == Task.BINARY else 3
        targets = torch.randint(0, 2, (2, *([3] if task == Task.MULTILABEL else []), 13, 10))
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
        loss = loss_for("cross_entropy", Task.BINARY)
        first, total = deep_loss(loss, deep(torch.randn(2, 1, 16, 16)), targets)
        weight = network.decoder[1].conv2.weight
        assert not torch.autograd.grad(first, weight, retain_graph=True)[0].any()
        assert torch.autograd.grad(total, weight)[0].any()
