"""The machine that trains: on which images it measures a validation, and what follows for all."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pixelwise.data import Sample
from pixelwise.folders import machine
from pixelwise.folders.machine import MAX_VALIDATED, TrainingMachine

PLAN = SimpleNamespace(num_threads=1)


def make_samples(*sides):
    return [
        Sample(str(index), np.zeros((1, side, side), np.uint8), None, None)
        for index, side in enumerate(sides)
    ]


@pytest.fixture
def forecast(monkeypatch):
    """Return a function of validation samples: (forecast in seconds, names of the measured ones).

    A pixel takes a millisecond.
    """

    def find(samples):
        taken = []

        def time_validation(model, some, *_):
            taken.extend(sample.name for sample in some)
            return sum(sample.image[0].size for sample in some) / 1000

        monkeypatch.setattr(machine, "time_validation", time_validation)
        monkeypatch.setattr(machine, "new_model", lambda *_: None)
        monkeypatch.setattr(machine, "new_loss", lambda *_: None)
        dataset = SimpleNamespace(in_channels=1, encoding=SimpleNamespace(classes=(0, 1)))
        trained = TrainingMachine(dataset, [], samples, torch.device("cpu"))
        return trained.time_validation(PLAN), taken

    return find


def test_a_few_are_all_measured(forecast):
    assert forecast(make_samples(10, 20)) == (pytest.approx(0.5), ["0", "1"])


def test_of_many_some_from_the_first_to_the_last(forecast):
    seconds, taken = forecast(make_samples(*[10] * 21, *[20] * 20))
    assert taken == ["0", "10", "20", "30", "40"]
    assert len(taken) == MAX_VALIDATED
    assert seconds == pytest.approx(21 * 0.1 + 20 * 0.4)


def test_without_images_there_is_nothing_to_take_time(forecast):
    assert forecast([]) == (0, [])
