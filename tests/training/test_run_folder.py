"""The run folder: what is where, and that no training is lost by accident."""

import csv
import json
import os

import numpy as np
import pytest

from pixelwise.errors import OutputError
from pixelwise.metrics import summarize
from pixelwise.network import load_model
from pixelwise.planning import parse_plan
from pixelwise.training import FILES, Checkpoint, RunFolder, read_checkpoint
from pixelwise.training.run_folder import format_history

HISTORY = [{"step": 5, "val_loss": 0.5}, {"step": 10, "val_loss": 0.25, "val_dice": 0.75}]
CHECKPOINT = Checkpoint({"step": 10}, {}, {}, {}, {})


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "runs" / "first")
    run.prepare(resume=False, overwrite=False)
    return run


@pytest.fixture
def scores():
    counts = np.array([[[9, 0, 0], [3, 1, 0]]])
    return summarize(counts, ["a"], ("background", "square"), background=True)


def write(folder, make_model, scores):
    folder.write_progress(make_model(), scores, HISTORY, CHECKPOINT)


class TestFiles:
    def test_each_has_its_place(self, tmp_path):
        run = RunFolder(tmp_path)
        places = [run.model, run.plan, run.split, run.history, run.metrics, run.report]
        assert [path.name for path in places] == list(FILES)
        assert all(path.parent == tmp_path for path in places)
        assert run.checkpoint == tmp_path / "checkpoint"

    def test_what_a_validation_writes_can_be_read(self, folder, make_model, scores):
        write(folder, make_model, scores)
        assert load_model(folder.path).config == make_model().config
        assert json.loads(folder.metrics.read_text()) == scores.to_json()
        assert read_checkpoint(folder.checkpoint).facts == {"step": 10}
        with folder.history.open(newline="") as file:
            assert list(csv.DictReader(file)) == [
                {"step": "5", "val_loss": "0.5", "val_dice": ""},
                {"step": "10", "val_loss": "0.25", "val_dice": "0.75"},
            ]

    def test_a_model_that_is_no_better_leaves_model_and_metrics(self, folder, make_model, scores):
        write(folder, make_model, scores)
        before = folder.model.read_bytes(), folder.metrics.read_text()
        folder.write_progress(None, None, HISTORY[:1], CHECKPOINT)
        assert (folder.model.read_bytes(), folder.metrics.read_text()) == before
        assert len(folder.history.read_text().splitlines()) == 2

    def test_a_model_without_scores_has_no_metrics(self, folder, make_model):
        write(folder, make_model, None)
        assert folder.model.exists()
        assert not folder.metrics.exists()

    def test_the_plan_comes_back(self, folder, make_small_plan):
        folder.write_plan(make_small_plan())
        assert parse_plan(folder.plan.read_text()) == make_small_plan()


class TestPrepare:
    def test_a_new_folder_is_made_and_empty(self, folder):
        assert list(folder.path.iterdir()) == []
        folder.prepare(resume=False, overwrite=False)

    def test_an_earlier_training_is_not_lost_by_accident(self, folder, make_model, scores):
        write(folder, make_model, scores)
        before = folder.model.read_bytes()
        with pytest.raises(
            OutputError, match=r"already holds a training \(model.safetensors\). Use --resume"
        ):
            folder.prepare(resume=False, overwrite=False)
        assert folder.model.read_bytes() == before

    def test_overwrite_removes_what_training_wrote_and_nothing_else(
        self, folder, make_model, scores
    ):
        write(folder, make_model, scores)
        (folder.path / "notes.txt").write_text("mine")
        folder.prepare(resume=False, overwrite=True)
        assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]

    def test_resume_keeps_everything(self, folder, make_model, scores):
        write(folder, make_model, scores)
        before = sorted(path.name for path in folder.contents)
        folder.prepare(resume=True, overwrite=False)
        assert sorted(path.name for path in folder.contents) == before

    def test_nothing_to_resume_from(self, folder):
        with pytest.raises(OutputError, match=r"holds no training to resume. Train without"):
            folder.prepare(resume=True, overwrite=False)

    def test_a_training_that_was_killed_before_its_first_checkpoint(self, folder, make_small_plan):
        folder.write_plan(make_small_plan())
        folder.prepare(resume=True, overwrite=False)
        assert not folder.has_checkpoint

    def test_a_file_of_that_name(self, tmp_path):
        (tmp_path / "run").write_text("a file")
        with pytest.raises(OutputError, match="run is a file"):
            RunFolder(tmp_path / "run").prepare(resume=False, overwrite=True)
        assert (tmp_path / "run").read_text() == "a file"

    @pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
    def test_a_read_only_folder_is_said_before_training(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(OutputError):
            RunFolder(tmp_path).prepare(resume=False, overwrite=False)


class TestHistory:
    def test_columns_in_the_order_of_their_first_appearance(self):
        rows = [{"step": 1, "b": 2.0}, {"step": 2, "a": 3.0, "b": 1 / 3}]
        assert format_history(rows) == "step,b,a\n1,2,\n2,0.333333,3\n"

    def test_steps_in_full(self):
        assert format_history([{"step": 1_234_567}]) == "step\n1234567\n"

    def test_what_there_is_not_is_left_out(self):
        assert format_history([{"step": 3, "val_dice": float("nan")}]) == "step,val_dice\n3,\n"

    def test_none_yet(self):
        assert format_history([]) == "\n"
