"""From the loss's name in the plan to the loss; from probabilities back to logits."""

import math

import pytest
import torch

from pixelwise.network import (
    binary_cross_entropy_loss,
    cross_entropy_dice_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from pixelwise.task import Task
from pixelwise.training import logits_of, loss_for

BINARY, MULTICLASS, MULTILABEL = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL

NAMES = ("cross_entropy", "dice", "cross_entropy_dice", "focal", "tversky")
OVERLAPS = {
    "dice": dice_loss,
    "cross_entropy_dice": cross_entropy_dice_loss,
    "tversky": tversky_loss,
}


def overlap(name, logits, target, *, task, **options):
    """The loss of that name; Dice of several classes leaves out those that are absent."""
    if name != "tversky":
        options["absent"] = task == BINARY
    return OVERLAPS[name](logits, target, multilabel=task == MULTILABEL, **options)


def example(task):
    """(logits, target) of 2 images of 6 x 6, some pixels ignored."""
    random = torch.Generator().manual_seed(0)
    num_logits = 1 if task == BINARY else 3
    logits = torch.randn(2, num_logits, 6, 6, generator=random)
    size = (2, 3, 6, 6) if task == MULTILABEL else (2, 6, 6)
    highest = 3 if task == MULTICLASS else 2
    target = torch.randint(highest, size, generator=random).to(torch.uint8)
    target[..., 0, :2] = 255
    return logits, target


class TestNames:
    @pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL])
    @pytest.mark.parametrize("name", NAMES)
    def test_every_name_for_every_task_can_be_trained_on(self, name, task):
        logits, target = example(task)
        logits.requires_grad_()
        loss = loss_for(name, task)(logits, target)
        loss.backward()
        assert loss.shape == ()
        assert loss.isfinite()
        assert logits.grad.isfinite().all()
        assert logits.grad.abs().sum() > 0
        assert (logits.grad[..., 0, :2] == 0).all()  # ignored pixels pull nowhere

    @pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL])
    @pytest.mark.parametrize("name", NAMES)
    def test_a_step_downhill_is_better(self, name, task):
        logits, target = example(task)
        logits.requires_grad_()
        loss = loss_for(name, task)
        before = loss(logits, target)
        before.backward()
        assert loss(logits - 0.5 * logits.grad, target) < before

    def test_cross_entropy(self):
        for task, loss in (
            (BINARY, binary_cross_entropy_loss),
            (MULTILABEL, binary_cross_entropy_loss),
            (MULTICLASS, cross_entropy_loss),
        ):
            assert loss_for("cross_entropy", task)(*example(task)) == loss(*example(task))

    def test_focal(self):
        for task in (BINARY, MULTICLASS, MULTILABEL):
            expected = focal_loss(*example(task), multilabel=task == MULTILABEL)
            assert loss_for("focal", task)(*example(task)) == expected

    @pytest.mark.parametrize("name", OVERLAPS)
    def test_overlaps_leave_the_background_of_many_classes_out(self, name):
        found, data = loss_for(name, MULTICLASS, background=True), example(MULTICLASS)
        assert found(*data) == overlap(name, *data, task=MULTICLASS, background=False)
        assert found(*data) != overlap(name, *data, task=MULTICLASS, background=True)

    @pytest.mark.parametrize("name", OVERLAPS)
    def test_overlaps_count_class_0_where_it_is_no_background(self, name):
        found, data = loss_for(name, MULTICLASS, background=False), example(MULTICLASS)
        assert found(*data) == overlap(name, *data, task=MULTICLASS, background=True)

    @pytest.mark.parametrize("name", OVERLAPS)
    @pytest.mark.parametrize("background", [True, False])
    def test_background_means_nothing_to_other_tasks(self, name, background):
        for task in (BINARY, MULTILABEL):
            expected = overlap(name, *example(task), task=task)
            assert loss_for(name, task, background=background)(*example(task)) == expected

    @pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_dice"])
    def test_class_weights_reach_the_cross_entropy_of_several_classes(self, name):
        logits, target = example(MULTICLASS)
        weights = [1.0] + [3.0] * (logits.shape[1] - 1)
        plain, weighted = (
            loss_for(name, MULTICLASS, class_weights=w)(logits, target) for w in (None, weights)
        )
        difference = cross_entropy_loss(
            logits, target, class_weights=torch.tensor(weights)
        ) - cross_entropy_loss(logits, target)
        assert difference != 0
        torch.testing.assert_close(weighted - plain, difference)
        binary = example(BINARY)
        assert loss_for(name, BINARY, class_weights=[1, 3])(*binary) == loss_for(name, BINARY)(
            *binary
        )


class TestLogits:
    @pytest.mark.parametrize("task", [BINARY, MULTILABEL])
    def test_sigmoid_gives_the_probabilities_back(self, task):
        probabilities = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(logits_of(probabilities, task).sigmoid(), probabilities)

    def test_softmax_gives_the_probabilities_back(self):
        logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        probabilities = logits.softmax(1)
        torch.testing.assert_close(logits_of(probabilities, MULTICLASS).softmax(1), probabilities)

    def test_by_hand(self):
        assert logits_of(torch.tensor([0.5]), BINARY).item() == 0
        assert logits_of(torch.tensor([0.8]), BINARY).item() == pytest.approx(math.log(4))
        assert logits_of(torch.tensor([0.8]), MULTICLASS).item() == pytest.approx(math.log(0.8))

    @pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL])
    def test_certainty_stays_finite(self, task):
        logits = logits_of(torch.tensor([[0.0, 1.0]]), task)
        assert logits.isfinite().all()
        assert logits[0, 0] < -10
