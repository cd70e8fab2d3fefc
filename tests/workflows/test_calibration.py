"""The machine that trains: on which images it measures a validation, and what follows for all."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.reading import read_dataset

from pixelwise.data import Sample
from pixelwise.planning import Timing
from pixelwise.workflows import calibration
from pixelwise.workflows.calibration import MAX_VALIDATED, TrainingMachine

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

        monkeypatch.setattr(calibration, "time_validation", time_validation)
        monkeypatch.setattr(calibration, "new_model", lambda *_: None)
        monkeypatch.setattr(calibration, "new_loss", lambda *_: None)
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


class TestThreads:
    """How many threads steps are measured with."""

    @pytest.fixture
    def trained(self, monkeypatch, tmp_path):
        """A machine on which three threads are the fastest, and what it was asked to do."""
        monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path))
        asked = []

        def find_threads(model, plan, *_):
            asked.append("find")
            return 3

        def time_steps(model, plan, *_, min_seconds):
            asked.append(plan.num_threads)
            return Timing(
                batch_size=1, widths=plan.widths, precision="float32", channels_last=False,
                num_threads=plan.num_threads, seconds_per_step=0.5,
            )  # fmt: skip

        monkeypatch.setattr(calibration, "find_threads", find_threads)
        monkeypatch.setattr(calibration, "time_steps", time_steps)
        monkeypatch.setattr(calibration, "new_model", lambda *_: None)
        monkeypatch.setattr(calibration, "new_loss", lambda *_: None)
        dataset = SimpleNamespace(in_channels=1, encoding=SimpleNamespace(classes=(0, 1)))

        def begin(device="cpu"):
            samples = make_samples(10)
            return TrainingMachine(dataset, samples, samples, torch.device(device)), asked

        return begin

    def test_found_once_and_then_taken_for_all(self, trained, plan):
        training, asked = trained()
        training.time_steps(plan, seconds=1)
        assert training.time_steps(plan, seconds=1).num_threads == 3
        assert asked == ["find", 3, 3]

    def test_found_again_at_every_start_whatever_is_remembered(self, trained, plan):
        trained()[0].time_steps(plan, seconds=None)
        training, asked = trained()
        assert training.time_steps(plan, seconds=None).num_threads == 3
        assert asked == ["find", 3, "find"]  # and the timing with three is remembered

    def test_a_number_in_the_plan_is_taken(self, trained, plan):
        training, asked = trained()
        training.time_steps(plan.model_copy(update={"num_threads": 2}), seconds=1)
        assert asked == [2]

    def test_a_gpu_has_none(self, trained, plan, monkeypatch):
        monkeypatch.setattr(calibration.RememberedTimings, "keep", lambda *_: None)
        monkeypatch.setattr("pixelwise.workflows.calibration.describe_processor", lambda _: "gpu")
        training, asked = trained("cuda")
        training.time_steps(plan, seconds=1)
        assert asked == [None]

    def test_a_validation_is_measured_with_the_same_number(self, trained, plan, monkeypatch):
        used = []
        training, _ = trained()
        monkeypatch.setattr(
            calibration, "time_validation", lambda *given: used.append(given[-1]) or 1
        )
        training.time_steps(plan, seconds=1)
        training.time_validation(plan)
        assert used == [3]


class TestNewImages:
    @pytest.fixture
    def held_up(self, monkeypatch):
        """Return a function of how many images train: (seconds for a new one, names measured)."""

        def find(number, device="cpu"):
            taken = []

            def time_preparation(model, plan, some):
                taken.extend(int(sample.name) for sample in some)
                return 0.08

            monkeypatch.setattr(calibration, "time_preparation", time_preparation)
            monkeypatch.setattr(calibration, "new_model", lambda *_: None)
            monkeypatch.setattr(calibration, "num_preparing", lambda _: 8)
            monkeypatch.setattr(calibration, "describe_processor", lambda _: "some")
            dataset = SimpleNamespace(in_channels=1, encoding=SimpleNamespace(classes=(0, 1)))
            samples = make_samples(*[4] * number)
            trained = TrainingMachine(dataset, samples, [], torch.device(device))
            return trained.time_new_image(PLAN), taken

        return find

    def test_a_cpu_waits_as_long_as_it_takes(self, held_up):
        seconds, taken = held_up(160)
        assert seconds == pytest.approx(0.08)
        assert taken == [10, 30, 50, 70, 90, 110, 130, 150]

    def test_a_gpu_waits_for_the_threads(self, held_up):
        assert held_up(160, "cuda")[0] == pytest.approx(0.01)

    def test_few_images_are_soon_known(self, held_up):
        assert held_up(20) == (0, [])


def test_the_test_images_take_as_long_as_validation_by_pixels(write_squares, tmp_path):
    """The forecast of a plan keeps back what the end of the training will."""
    dataset = read_dataset(write_squares(tmp_path / "a", {"train": 4, "val": 2, "test": 6}))
    trained = TrainingMachine(dataset, dataset.samples("train"), [], torch.device("cpu"))
    assert trained.time_test(2.0) == pytest.approx(1.15 * 2.0 * 3)
    assert trained.time_test(0.0) == 0
    dataset = read_dataset(write_squares(tmp_path / "b", {"train": 4, "val": 2}))
    trained = TrainingMachine(dataset, dataset.samples("train"), [], torch.device("cpu"))
    assert trained.time_test(2.0) == 0
