"""Weights of images, from the source of batches to the loss."""

import numpy as np
import pytest
import torch

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling
from pixelwise.training.batches import Batch
from pixelwise.training.objective import deep_loss, weighed_by_image
from pixelwise.training.patches import Cropping, PatchSource


def numbered(number):
    """Samples whose pixels are their number."""
    return [
        Sample(str(n), np.full((1, 4, 4), n, np.float32), np.zeros((4, 4), np.uint8), None)
        for n in range(number)
    ]


def source(weights, batch_size=2, number=5):
    return PatchSource(
        numbered(number), Cropping(None), batch_size=batch_size,
        scaling=IntensityScaling(scheme="none"), weights=weights,
    )  # fmt: skip


def test_each_image_has_its_own_weight_in_any_order():
    weights = np.arange(5, dtype=np.float32) * 10
    batches = source(weights)
    for step in range(2 * batches.steps_per_epoch):
        batch = batches.batch(step)
        assert (batch.images[:, 0, 0, 0] * 10).tolist() == batch.weights.tolist()


def test_without_weights_there_are_none():
    assert source(None).batch(0).weights is None


def test_they_go_to_the_device_with_their_batch():
    batch = Batch(torch.zeros(2, 1, 3, 3), torch.zeros(2, 3, 3), weights=torch.ones(2))
    assert batch.to(torch.device("cpu")).weights.tolist() == [1, 1]
    assert batch.to(torch.device("meta")).weights.device.type == "meta"
    assert Batch(batch.images, batch.targets).to(torch.device("cpu")).weights is None


@pytest.mark.parametrize("levels", [1, 2])
def test_they_count_at_every_level_of_deep_supervision(levels):
    def mean(logits, target):
        return logits.mean()

    logits = [
        torch.tensor([1.0, 5.0]).view(2, 1, 1, 1).expand(2, 1, 4 >> n, 4 >> n)
        for n in range(levels)
    ]
    weights, targets = torch.tensor([3.0, 1.0]), torch.zeros(2, 4, 4, dtype=torch.uint8)
    first, total = deep_loss(weighed_by_image(mean, weights), logits, targets)
    assert first.item() == pytest.approx((3 * 1 + 1 * 5) / 2)
    assert total.item() == pytest.approx(4 * (1 + 0.5 * (levels - 1)))


def test_gradients_follow_the_weights():
    logits = torch.zeros(2, 1, 2, 2, requires_grad=True)
    target = torch.ones(2, 2, 2)

    def squared(found, wanted):
        return (found[:, 0] - wanted).square().mean()

    weighed_by_image(squared, torch.tensor([0.0, 2.0]))(logits, target).backward()
    assert (logits.grad[0] == 0).all()
    assert logits.grad[1].sum().item() == pytest.approx(-2.0)
