"""The tally: losses come back as they went in, fetched together; a lost one is named."""

import math

import pytest
import torch

from pixelwise.training.tally import LostLoss, Tally, weighted_means

CPU = torch.device("cpu")


def filled(*losses):
    tally = Tally(CPU)
    for number, loss in enumerate(losses, 1):
        metric = {"accuracy": torch.tensor(number / 10, dtype=torch.float64)}
        tally.add(torch.tensor(loss, requires_grad=True), metric, number)
    return tally


def test_a_row_for_each_step():
    rows = filled(0.5, 0.25).collect(step=7)
    assert rows == [
        {"train_loss": 0.5, "accuracy": pytest.approx(0.1), "weight": 1},
        {"train_loss": 0.25, "accuracy": pytest.approx(0.2), "weight": 2},
    ]


def test_it_is_empty_afterwards():
    tally = filled(0.5)
    tally.collect(1)
    assert tally.collect(1) == []
    assert not tally.is_full


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_the_step_of_a_lost_loss_is_named(lost):
    tally = filled(0.5, lost, 0.25)
    with pytest.raises(LostLoss) as caught:
        tally.collect(step=12)
    assert caught.value.step == 11
    assert math.isnan(caught.value.loss) or caught.value.loss == lost
    assert tally.collect(12) == []


def test_steps_can_be_forgotten():
    tally = filled(0.5, math.nan)
    tally.clear()
    assert tally.collect(2) == []


def test_a_cpu_is_asked_at_each_step_and_other_devices_every_twenty():
    assert filled(0.5).is_full
    tally = Tally(torch.device("meta"))
    for _ in range(19):
        tally.add(torch.tensor(1.0), {}, 1)
    assert not tally.is_full
    tally.add(torch.tensor(1.0), {}, 1)
    assert tally.is_full


def test_means_weigh_by_the_number_of_images():
    rows = [{"loss": 1.0, "weight": 3}, {"loss": 5.0, "weight": 1}]
    assert weighted_means(rows) == {"loss": 2.0}
    assert weighted_means([]) == {}
