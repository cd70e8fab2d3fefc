"""Trainings that are logged: what `log` writes is what history.csv has."""

import csv
import sys

import pytest

import pixelwise as pw
from pixelwise.workflows import train as train_function


@pytest.fixture
def logged(monkeypatch):
    """Rows that a stand-in for MLflow got, a list for each run."""
    runs = []

    class Mlflow:
        __name__ = "mlflow"
        active_run = staticmethod(lambda: None)
        start_run = staticmethod(lambda **options: runs.append([]))
        log_params = staticmethod(lambda params: None)
        log_metrics = staticmethod(lambda values, step: runs[-1].append((step, values)))
        end_run = staticmethod(lambda status: runs[-1].append(status))

    monkeypatch.setitem(sys.modules, "mlflow", Mlflow)
    return runs


def history(folder):
    with (folder / "history.csv").open() as file:
        return [(int(r["step"]), float(r["val_dice"])) for r in csv.DictReader(file)]


def test_every_row_of_the_history_is_logged(data, plan, logged, tmp_path):
    run = pw.train(data, tmp_path / "run", plan=plan, log=["mlflow"])
    (rows,) = logged
    assert rows.pop() == "FINISHED"
    found = [(step, pytest.approx(values["val_dice"], abs=1e-5)) for step, values in rows]
    assert history(run.folder) == found
    pw.train(data, tmp_path / "run", resume=True, epochs=5, log=["mlflow"])
    steps = [row[0] for row in logged[1][:-1]]
    assert steps == [step for step, _ in history(run.folder)] == [3, 6, 9, 10]


def test_each_fold_is_a_run_of_its_own(data, plan, logged, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan, folds=2, log=["mlflow"])
    assert [[row[0] for row in rows[:-1]] for rows in logged] == [[3, 6], [3, 6]]


def test_a_log_that_cannot_be_is_refused_before_anything_is_done(data, plan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(pw.MissingExtraError, match="pip install wandb"):
        pw.train(data, tmp_path / "run", plan=plan, log=["wandb"])
    with pytest.raises(pw.PlanError, match="no log"):
        pw.train(data, tmp_path / "run", plan=plan, log=["paper"])
    assert not (tmp_path / "run").exists()


def test_tensorboard_survives_overwriting(data, plan, tmp_path):
    pytest.importorskip("tensorboard")
    for _ in range(2):
        train_function(data, tmp_path / "run", plan=plan, log=["tensorboard"], overwrite=True)
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
