"""A network that gives one class everywhere is noticed, and its last layer starts anew."""

import pytest
import torch
from tests.plans import small_plan
from tests.training.test_stuck import SIZE, rare_squares

from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.task import IGNORE_INDEX, Task
from pixelwise.training import Clock, Timetable, Trainer, Watcher, loss_for
from pixelwise.training.collapse import MIN_LOOKS, CollapseWatch, count_answers
from pixelwise.training.objective import Objective
from pixelwise.training.ranks import Ranks

SEVERAL = torch.tensor([[[0, 1], [1, 0]]])
NUM_STEPS = 120


class TestAnswers:
    @pytest.mark.parametrize("sign", [-1, 1])
    def test_one_logit(self, sign):
        logits = torch.full((1, 1, 2, 2), sign * 0.5)
        assert count_answers(logits, SEVERAL).tolist() == [True, True]
        logits[0, 0, 0, 0] *= -1
        assert count_answers(logits, SEVERAL).tolist() == [False, True]

    def test_exclusive_classes(self):
        logits = torch.zeros(1, 3, 2, 2)
        logits[:, 2] = 1
        assert count_answers(logits, SEVERAL).tolist() == [True, True]
        logits[0, 0, 0, 0] = 2
        assert count_answers(logits, SEVERAL).tolist() == [False, True]

    def test_classes_that_overlap(self):
        logits = torch.full((1, 2, 2, 2), -1.0)
        targets = torch.zeros(1, 2, 2, 2)
        assert count_answers(logits, targets).tolist() == [True, False]
        targets[0, 1, 0, 0] = 1
        logits[0, 1] = 1
        assert count_answers(logits, targets).tolist() == [False, True]

    def test_targets_of_one_class(self):
        found = count_answers(torch.zeros(1, 1, 2, 2), torch.ones(1, 2, 2))
        assert found.tolist() == [True, False]

    def test_ignored_pixels_are_no_class(self):
        targets = torch.tensor([[[0, 0], [IGNORE_INDEX, 0]]]).byte()
        assert count_answers(torch.zeros(1, 1, 2, 2), targets).tolist() == [True, False]
        targets[0, 0, 0] = 1
        assert count_answers(torch.zeros(1, 1, 2, 2), targets).tolist() == [True, True]


class TestWatch:
    def watch(self, looks):
        watch = CollapseWatch(Ranks())
        for look in looks:
            watch.add(torch.tensor(look))
        return watch

    def test_one_class_in_every_look_is_noticed(self):
        assert self.watch([(True, True)] * MIN_LOOKS).is_noticed(0.2)

    def test_not_at_the_beginning(self):
        assert not self.watch([(True, True)] * MIN_LOOKS).is_noticed(0.1)

    def test_not_of_patches_that_hold_one_class(self):
        assert not self.watch([(True, False)] * 3 * MIN_LOOKS).is_noticed(0.5)

    def test_several_classes_once_end_the_watch(self):
        watch = self.watch([(True, True)] * MIN_LOOKS + [(False, True)])
        assert not watch.is_noticed(0.2)
        assert not watch.wants_look(0)


def train_from_a_trap(log=None):
    """A training whose head can give nothing above its bias, which says background."""
    torch.manual_seed(0)
    network = UNetConfig(
        in_channels=1, out_channels=1, widths=(8, 16, 32), normalization="instance"
    )
    config = ModelConfig(
        network=network,
        scaling=IntensityScaling(scheme="percentiles"),
        task=Task.BINARY,
        class_names=("background", "square"),
        class_colors=("#000000", "#ffffff"),
    )
    model = Model(config, UNet(network))
    torch.nn.init.constant_(model.network.head.weight, -0.5)
    torch.nn.init.constant_(model.network.head.bias, -3.0)
    plan = small_plan(
        optimizer="muon",
        learning_rate=5e-3,
        patch_size=SIZE,
        batch_size=2,
        widths=(8, 16, 32),
        normalization="instance",
        num_steps=NUM_STEPS,
        validate_every=NUM_STEPS,
    )
    trainer = Trainer(
        model,
        plan,
        rare_squares(),
        rare_squares(),
        objective=Objective(loss_for(plan.loss, Task.BINARY)),
        timetable=Timetable(Clock(), num_steps=NUM_STEPS, budget=None, validate_every=NUM_STEPS),
        device=torch.device("cpu"),
        watcher=log or Watcher(),
    )
    return trainer.run()


class Notes(Watcher):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def test_a_training_leaves_the_trap_and_says_so():
    log = Notes()
    outcome = train_from_a_trap(log=log)
    assert "one class everywhere" in outcome.warnings[0]
    assert log.texts == outcome.warnings
    assert outcome.scores.mean_dice > 0.7


def test_without_it_the_training_finds_nothing(monkeypatch):
    monkeypatch.setattr(CollapseWatch, "wants_look", lambda *_: False)
    outcome = train_from_a_trap()
    assert outcome.warnings == []
    assert outcome.scores.mean_dice == 0
