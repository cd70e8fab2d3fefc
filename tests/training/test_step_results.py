"""Results of steps: losses come back as they went in, fetched together; a lost one is named."""

import math

import pytest
import torch

from pixelwise.training.step import LostLoss, Measured, StepResults, weighted_means

CPU = torch.device("cpu")


def filled(*losses):
    results = StepResults(CPU)
    for number, loss in enumerate(losses, 1):
        metric = {"accuracy": torch.tensor(number / 10, dtype=torch.float64)}
        results.add(Measured(torch.tensor(loss, requires_grad=True), metric, number))
    return results


def test_a_row_for_each_step():
    rows = filled(0.5, 0.25).collect(step=7)
    assert rows == [
        {"train_loss": 0.5, "accuracy": pytest.approx(0.1), "weight": 1},
        {"train_loss": 0.25, "accuracy": pytest.approx(0.2), "weight": 2},
    ]


def test_it_is_empty_afterwards():
    results = filled(0.5)
    results.collect(1)
    assert results.collect(1) == []
    assert not results.is_full


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_the_step_of_a_lost_loss_is_named(lost):
    results = filled(0.5, lost, 0.25)
    with pytest.raises(LostLoss) as caught:
        results.collect(step=12)
    assert caught.value.step == 11
    assert math.isnan(caught.value.loss) or caught.value.loss == lost
    assert results.collect(12) == []


def test_steps_can_be_forgotten():
    results = filled(0.5, math.nan)
    results.clear()
    assert results.collect(2) == []


def test_a_cpu_is_asked_at_each_step_and_other_devices_every_twenty():
    assert filled(0.5).is_full
    results = StepResults(torch.device("meta"))
    for _ in range(19):
        results.add(Measured(torch.tensor(1.0), {}, 1))
    assert not results.is_full
    results.add(Measured(torch.tensor(1.0), {}, 1))
    assert results.is_full


def test_means_weigh_by_the_number_of_images():
    rows = [{"loss": 1.0, "weight": 3}, {"loss": 5.0, "weight": 1}]
    assert weighted_means(rows) == {"loss": 2.0}
    assert weighted_means([]) == {}
