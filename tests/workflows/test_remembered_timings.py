"""Timings that are remembered: for what they hold, and what becomes of a file that is no use."""

import pytest
import torch

from pixelwise.network import IntensityScaling
from pixelwise.planning import Plan, Timing
from pixelwise.workflows import calibration
from pixelwise.workflows.calibration import RememberedTimings

CPU = torch.device("cpu")


def plan_of(**changes):
    values = {
        "scaling": IntensityScaling(), "patch_size": (16, 16), "batch_size": 2, "widths": (4, 8),
        "normalization": "instance", "loss": "dice", "learning_rate": 1e-3, "num_steps": 10,
        "validate_every": 5,
    }  # fmt: skip
    return Plan(**values | changes)


def timing_of(seconds=0.25):
    return Timing(
        batch_size=2, widths=(4, 8), precision="float32", channels_last=True,
        seconds_per_step=seconds,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "calibration.json"


def test_it_is_found_by_another_training(path):
    RememberedTimings(CPU, (3, 2), path).keep(plan_of(), timing_of())
    again = RememberedTimings(CPU, (3, 2), path)
    assert again.find(plan_of(learning_rate=1e-2, seed=4, num_steps=7)) == timing_of()


@pytest.mark.parametrize(
    "changes",
    [{"precision": "bfloat16"}, {"channels_last": True}, {"num_threads": 1}, {"batch_size": 4},
     {"optimizer": "muon"}, {"patch_size": (16, 32)}, {"widths": (4, 8, 16)},
     {"normalization": "batch"}, {"deep_supervision": 1}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_it_holds_for_what_was_measured_alone(path, changes):
    timings = RememberedTimings(CPU, (3, 2), path)
    timings.keep(plan_of(), timing_of())
    assert timings.find(plan_of(**changes)) is None


def test_other_channels_versions_and_processors_are_others(path, monkeypatch):
    RememberedTimings(CPU, (3, 2), path).keep(plan_of(), timing_of())
    assert RememberedTimings(CPU, (1, 2), path).find(plan_of()) is None
    monkeypatch.setattr(calibration, "describe_processor", lambda device: "another")
    assert RememberedTimings(CPU, (3, 2), path).find(plan_of()) is None
    monkeypatch.undo()
    monkeypatch.setattr(calibration, "__version__", "99")
    assert RememberedTimings(CPU, (3, 2), path).find(plan_of()) is None


def test_the_newest_counts_and_the_oldest_give_way(path, monkeypatch):
    monkeypatch.setattr(calibration, "MAX_ENTRIES", 2)
    timings = RememberedTimings(CPU, (3, 2), path)
    for seconds, batch_size in ((0.1, 1), (0.2, 2), (0.3, 1), (0.4, 3)):
        timings.keep(plan_of(batch_size=batch_size), timing_of(seconds))
    found = [timings.find(plan_of(batch_size=n)) for n in (1, 2, 3)]
    assert [timing and timing.seconds_per_step for timing in found] == [0.3, None, 0.4]
    again = RememberedTimings(CPU, (3, 2), path)
    assert [again.find(plan_of(batch_size=n)) for n in (1, 2, 3)] == found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_file_that_is_no_use_is_written_again(path, text):
    path.parent.mkdir()
    path.write_text(text)
    timings = RememberedTimings(CPU, (3, 2), path)
    assert timings.find(plan_of()) is None
    timings.keep(plan_of(), timing_of())
    assert RememberedTimings(CPU, (3, 2), path).find(plan_of()) == timing_of()


def test_where_nothing_can_be_written_it_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    timings = RememberedTimings(CPU, (3, 2), tmp_path / "file" / "calibration.json")
    timings.keep(plan_of(), timing_of())
    assert timings.find(plan_of()) == timing_of()
