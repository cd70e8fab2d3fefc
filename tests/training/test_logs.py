"""Logs of other tools: they get every row, and never end a training that has begun."""

import math
import sys
from types import ModuleType, SimpleNamespace

import pytest

from pixelwise.errors import MissingExtraError, PlanError
from pixelwise.training import Watcher, check_logs, logging_to
from pixelwise.training.run_folder import RunFolder

ROWS = [
    {"step": 5, "seconds": 10.0, "train_loss": 0.5, "val_dice": math.nan},
    {"step": 10, "seconds": 20.0, "train_loss": 0.25, "val_dice": 0.75},
]
WRITTEN = [(5, {"train_loss": 0.5}), (10, {"train_loss": 0.25, "val_dice": 0.75})]


class FakeMlflow(ModuleType):
    """As much of the API of mlflow as is used."""

    def __init__(self, active=None):
        super().__init__("mlflow")
        self.calls, self._active, self.is_broken = [], active, False

    def active_run(self):
        return self._active

    def start_run(self, *, run_name, nested):
        self.calls.append(("start", run_name, nested))

    def log_params(self, params):
        self.calls.append(("params", params))

    def log_metrics(self, metrics, *, step):
        if self.is_broken:
            raise ConnectionError("no server\nat all")
        self.calls.append((step, metrics))

    def end_run(self, status):
        self.calls.append(("end", status))


class FakeWandb(ModuleType):
    """As much of the API of wandb as is used."""

    def __init__(self):
        super().__init__("wandb")
        self.calls = []

    def init(self, *, project, name, dir, config):
        self.calls.append(("init", project, name, dir, config))
        return SimpleNamespace(
            log=lambda values, *, step: self.calls.append((step, values)),
            finish=lambda *, exit_code: self.calls.append(("finish", exit_code)),
        )


@pytest.fixture
def mlflow(monkeypatch):
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return fake


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


class Told(Watcher):
    def __init__(self):
        self.told = []

    def note(self, text):
        self.told.append(text)

    def planned(self, plan):
        self.told.append("plan")

    def step(self, step, num_steps, loss, seconds_left):
        self.told.append(step)

    def validated(self, row):
        self.told.append(row)

    def resumed(self, history):
        self.told.append(list(history))

    def finished(self, text):
        self.told.append(text)


def watch(names, folder, plan, outer=None, rows=ROWS):
    with logging_to(names, folder, outer or Watcher()) as watcher:
        watcher.planned(plan)
        for row in rows:
            watcher.validated(row)


# --- what is asked for ------------------------------------------------------------------------


def test_a_log_that_does_not_exist_is_refused():
    with pytest.raises(PlanError, match=r"'paper' is no log\. Choose from tensorboard, mlflow"):
        check_logs(["paper"])


@pytest.mark.parametrize(
    ("name", "module", "fix"),
    [
        ("tensorboard", "torch.utils.tensorboard", r"pixelwise\[watch\]"),
        ("mlflow", "mlflow", "pip install mlflow"),
        ("wandb", "wandb", "pip install wandb"),
    ],
)
def test_a_missing_package_is_one_message_with_its_fix(name, module, fix, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"Logging to {name} needs its package.*{fix}"):
        check_logs([name])


def test_a_name_counts_once(mlflow):
    assert check_logs(["mlflow", "mlflow"]) == ("mlflow",)


def test_python_logging_has_all_that_is_said(tmp_path, make_small_plan, caplog, capsys):
    """Where a program asks for it; else nothing is printed by it."""
    plan, rows = make_small_plan(num_steps=40), [{"step": 20, "seconds": 3.0, "val_dice": 0.81234}]
    with logging_to((), tmp_path, Watcher()) as watcher:
        watcher.note("The loss became nan.")
        watcher.finished("Done in 2 s.")
    watch((), tmp_path, plan, rows=rows)
    assert not caplog.records
    assert capsys.readouterr() == ("", "")
    with caplog.at_level("INFO", logger="pixelwise"):
        watch((), tmp_path, plan, rows=rows)
        with logging_to((), tmp_path, Watcher()) as watcher:
            watcher.note("100 % of the images are alike.")
            watcher.finished("Done in 3 s.")
    assert [record.getMessage() for record in caplog.records] == [
        "Planned: 40 steps",
        "Step 20: seconds 3, val_dice 0.8123",
        "100 % of the images are alike.",
        "Done in 3 s.",
    ]


# --- what is written --------------------------------------------------------------------------


def test_mlflow_gets_plan_and_rows(mlflow, tmp_path, make_small_plan):
    watch(["mlflow"], tmp_path / "run7", make_small_plan())
    start, params, *rows, end = mlflow.calls
    assert start == ("start", "run7", False)
    assert params[1]["batch size"] == "4"
    assert rows == WRITTEN
    assert end == ("end", "FINISHED")


def test_inside_a_run_of_mlflow_is_a_run_within_it(monkeypatch, tmp_path, make_small_plan):
    fake = FakeMlflow(active="outer")
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    watch(["mlflow"], tmp_path, make_small_plan())
    assert fake.calls[0][2] is True


def test_wandb_gets_plan_and_rows(wandb, tmp_path, make_small_plan):
    watch(["wandb"], tmp_path / "run7", make_small_plan())
    init, *rows, finish = wandb.calls
    assert init[:4] == ("init", "pixelwise", "run7", str(tmp_path / "run7"))
    assert init[4]["batch size"] == "4"
    assert rows == WRITTEN
    assert finish == ("finish", 0)


def test_several_logs_get_the_same(mlflow, wandb, tmp_path, make_small_plan):
    watch(["mlflow", "wandb"], tmp_path, make_small_plan())
    assert mlflow.calls[2:-1] == wandb.calls[1:-1] == WRITTEN


def test_long_decisions_are_cut(mlflow, tmp_path, make_small_plan):
    watch(["mlflow"], tmp_path, make_small_plan(class_weights=(0.123456,) * 100))
    assert len(mlflow.calls[1][1]["class weights"]) == 250


def test_a_resumed_training_is_logged_from_its_beginning(mlflow, tmp_path, make_small_plan):
    with logging_to(["mlflow"], tmp_path, Watcher()) as watcher:
        watcher.planned(make_small_plan())
        watcher.resumed(ROWS[:1])
        watcher.validated(ROWS[1])
    assert mlflow.calls[2:-1] == WRITTEN


def test_everything_is_passed_on(mlflow, tmp_path, make_small_plan):
    outer = Told()
    with logging_to(["mlflow"], tmp_path, outer) as watcher:
        watcher.note("a")
        watcher.planned(make_small_plan())
        watcher.resumed(ROWS[:1])
        watcher.step(1, 2, 0.5, 3.0)
        watcher.validated(ROWS[1])
        watcher.finished("z")
    assert outer.told == ["a", "plan", ROWS[:1], 1, ROWS[1], "z"]


# --- what goes wrong --------------------------------------------------------------------------


def test_an_error_in_training_ends_the_logs_as_failed(mlflow, wandb, tmp_path, make_small_plan):
    with (
        pytest.raises(ValueError, match="lost"),
        logging_to(["mlflow", "wandb"], tmp_path, Watcher()) as watcher,
    ):
        watcher.planned(make_small_plan())
        raise ValueError("lost")
    assert mlflow.calls[-1] == ("end", "FAILED")
    assert wandb.calls[-1] == ("finish", 1)


def test_a_log_that_fails_is_said_once_and_left(mlflow, wandb, tmp_path, make_small_plan):
    outer, mlflow.is_broken = Told(), True
    watch(["mlflow", "wandb"], tmp_path, make_small_plan(), outer)
    (said,) = [text for text in outer.told if isinstance(text, str) and "failed" in text]
    assert said.startswith("Logging to mlflow failed (ConnectionError: no server). Training")
    assert wandb.calls[1:-1] == WRITTEN


def test_a_log_that_does_not_open_is_refused_and_closes_the_others(
    mlflow, wandb, tmp_path, make_small_plan
):
    def refuse(**options):
        raise PermissionError("no key")

    wandb.init = refuse
    with pytest.raises(PlanError, match=r"wandb cannot begin \(PermissionError: no key\)"):
        watch(["mlflow", "wandb"], tmp_path, make_small_plan())
    assert mlflow.calls[-1] == ("end", "FAILED")


# --- the real TensorBoard ---------------------------------------------------------------------


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events


def test_tensorboard_reads_what_was_written(tmp_path, make_small_plan):
    pytest.importorskip("tensorboard")
    watch(["tensorboard"], tmp_path, make_small_plan())
    events = read_events(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars("train_loss")] == [(5, 0.5), (10, 0.25)]
    assert [(e.step, e.value) for e in events.Scalars("val_dice")] == [(10, 0.75)]
    first, second = events.Scalars("train_loss")
    assert second.wall_time - first.wall_time == pytest.approx(10)  # seconds of training
    (plan,) = events.Tensors("plan/text_summary")
    assert b"batch size: 4" in plan.tensor_proto.string_val[0]


def test_a_resumed_training_replaces_its_event_files(tmp_path, make_small_plan):
    pytest.importorskip("tensorboard")
    for _ in range(2):
        watch(["tensorboard"], tmp_path, make_small_plan())
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    assert len(read_events(tmp_path).Scalars("train_loss")) == 2


def test_event_files_belong_to_the_run(tmp_path):
    (tmp_path / "tensorboard").mkdir()
    RunFolder(tmp_path).prepare(resume=False, overwrite=True)
    assert not (tmp_path / "tensorboard").exists()
