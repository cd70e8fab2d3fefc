"""Train on a folder: what is left in the run folder, repeated by its plan, and resumed."""

import csv
import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise import PlanError
from pixelwise.inference import predictor
from pixelwise.network import load_model
from pixelwise.planning import parse_plan
from pixelwise.training import Watcher, read_checkpoint
from pixelwise.training.run_folder import FILES
from pixelwise.workflows.request import UNVALIDATED_BUDGET, Request, count_reading


def weights(run):
    return load_model(run).network.state_dict()


def assert_same_weights(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def rows(run):
    with (run / "history.csv").open() as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run that planned everything itself, for one epoch."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return pw.train(data, folder, epochs=1, seed=3)


# --- the run folder ---------------------------------------------------------------------------


def test_the_run_folder_has_the_files_of_the_design(run):
    assert {path.name for path in run.folder.iterdir()} == {*FILES, "checkpoint"}
    assert all(path.stat().st_size > 0 for path in run.folder.rglob("*") if path.is_file())


def test_a_plan_of_data_with_other_classes(data, tmp_path, run):
    """What it saw of those is left aside; weights of their classes are refused."""
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    seen = plan.fingerprint.model_copy(update={"class_shares": (0.5, 0.3, 0.2)})
    other = plan.model_copy(update={"fingerprint": seen, "num_steps": 2, "validate_every": 2})
    assert pw.train(data, tmp_path / "run", plan=other).num_steps == 2
    weighed = other.model_copy(update={"class_weights": (1.0, 2.0, 3.0)})
    with pytest.raises(PlanError, match=r"3 class weights, but the data have 2 classes: backgr"):
        pw.train(data, tmp_path / "weighed", plan=weighed)


def test_the_model_knows_how_training_saw_images(run):
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    config = load_model(run.folder).config
    assert config.working_scale == plan.working_scale
    assert config.mirror_axes == plan.augmentation.mirror_axes
    assert config.precision == plan.precision


def test_metrics_have_the_schema_of_the_design_and_are_those_of_the_model(run):
    metrics = json.loads((run.folder / "metrics.json").read_text())
    keys = ["of", "warnings", "num_images", "num_groups", "classes", "mean", "pooled", "policy"]
    assert list(metrics) == [*keys, "test"]
    assert metrics["num_images"] == 2
    assert list(metrics["classes"]) == ["background", "foreground"]
    for score in ("dice", "iou", "precision", "recall"):
        interval = metrics["classes"]["foreground"][score]
        assert list(interval) == ["mean", "low", "high"]
        assert interval["low"] <= interval["mean"] <= interval["high"]
    assert list(metrics["mean"]) == list(metrics["pooled"]) == ["dice", "iou"]
    assert metrics["mean"]["dice"] == metrics["classes"]["foreground"]["dice"]
    assert load_model(run.folder).config.scores == metrics
    assert metrics == run.scores.to_json() | {"test": run.test_scores.to_json()}


def test_scores_say_what_they_are_of(run, data, tmp_path):
    # a plan takes the format that is fastest just now; in bfloat16 roundings hang on the layout
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    plan = plan.model_copy(update={"precision": "float32"})
    run = pw.train(data, tmp_path / "run", plan=plan)
    assert run.scores.of == (
        "2 validation images by which the weights were chosen, so that the scores flatter"
    )
    assert run.test_scores.of == "2 test images that training did not use"
    again = pw.evaluate(run.folder, data)  # convolutions are joined: other roundings
    assert again.num_images == 2
    assert again.pooled["dice"] == pytest.approx(run.test_scores.pooled["dice"], abs=2e-3)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '<p class="note">2 test images that training did not use</p>' in page
    assert run.scores.of in page


def test_the_model_knows_where_it_comes_from(run, data):
    config = load_model(run.folder).config
    provenance = config.provenance
    assert config.class_names == ("background", "foreground")
    assert config.task == "binary"
    assert provenance["data"].startswith("8 images (4 train, 2 val, 2 test)")
    assert provenance["seed"] == 3
    assert provenance["pixelwise"] == pw.__version__
    assert provenance["steps"] == run.num_steps
    assert provenance["encoding"]["classes"][1]["value"] == 255


def test_the_plan_gives_a_reason_for_every_decision(run):
    plan = parse_plan((run.folder / "plan.yaml").read_text())
    assert all(reason for _, _, reason in plan.to_rows())
    assert plan.fingerprint.num_train == 4


def test_history_has_a_row_a_validation(data, plan, tmp_path):
    found = pw.train(data, tmp_path / "run", plan=plan)
    assert [row["step"] for row in rows(found.folder)] == ["3", "6"]
    columns = ["step", "seconds", "train_loss", "val_loss", "val_dice", "learning_rate"]
    columns.append("data_wait")
    assert list(rows(found.folder)[0]) == columns
    assert found.num_steps == 6
    assert found.stopped == "all steps were done"


def test_the_split_is_written_and_names_every_image(run):
    with (run.folder / "split.csv").open() as file:
        splits = [row["split"] for row in csv.DictReader(file)]
    assert {split: splits.count(split) for split in splits} == {"train": 4, "val": 2, "test": 2}


def test_the_report_stands_alone(run):
    page = (run.folder / "report.html").read_text()
    assert "foreground" in page
    assert "src=\"http" not in page and "href=\"http" not in page  # fmt: skip


def test_it_learns(data, plan, tmp_path):
    longer = plan.model_copy(update={"num_steps": 120, "validate_every": 60})
    assert pw.train(data, tmp_path / "run", plan=longer).scores.mean_dice > 0.9


# --- same plan, same weights ------------------------------------------------------------------


def test_a_plan_repeats_to_the_same_bits(run, data, tmp_path):
    again = pw.train(data, tmp_path / "again", plan=run.folder / "plan.yaml")
    assert_same_weights(again.folder, run.folder)
    assert again.scores == run.scores


def test_another_seed_gives_other_weights(data, plan, tmp_path):
    for seed in (0, 1):
        pw.train(data, tmp_path / str(seed), plan=plan, seed=seed)
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "0", tmp_path / "1")


def test_a_plan_repeats_the_split_of_its_seed(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", {"": 12})
    for seed in (5, 6):
        pw.train(data, tmp_path / f"run{seed}", plan=plan, seed=seed)
    splits = {seed: (tmp_path / f"run{seed}" / "split.csv").read_text() for seed in (5, 6)}
    pw.train(data, tmp_path / "again", plan=tmp_path / "run5" / "plan.yaml")
    assert (tmp_path / "again" / "split.csv").read_text() == splits[5] != splits[6]
    assert_same_weights(tmp_path / "again", tmp_path / "run5")


def test_an_edited_plan_is_followed(run, data, tmp_path):
    text = (run.folder / "plan.yaml").read_text()
    start = text.index("  widths:\n    value: [") + len("  widths:\n    value: [")
    edited = tmp_path / "plan.yaml"
    edited.write_text(f"{text[:start]}6, 12{text[text.index(']', start) :]}")
    pw.train(data, tmp_path / "run", plan=edited)
    assert load_model(tmp_path / "run").config.network.widths == (6, 12)


def test_epochs_override_the_steps_of_a_plan(data, plan, tmp_path):
    assert pw.train(data, tmp_path / "run", plan=plan, epochs=2).num_steps == 4  # 4 images by 2


# --- interruption and resumption --------------------------------------------------------------


INTERRUPTED = """
import signal, sys
import pixelwise as pw
from pixelwise.training import Watcher
class Interrupting(Watcher):
    def step(self, step, num_steps, loss, seconds_left):
        if step == 4:
            signal.raise_signal(signal.SIGINT)
    def finished(self, text):
        print(text)
run = pw.train(sys.argv[1], sys.argv[2], plan=sys.argv[3], watcher=Interrupting())
print(run.num_steps, run.stopped)
"""


def test_an_interrupted_training_resumes_to_the_weights_of_one_that_was_not(data, plan, tmp_path):
    """Interrupted in a process of its own: a signal is one to the whole process."""
    whole, part = pw.train(data, tmp_path / "whole", plan=plan), tmp_path / "part"
    (tmp_path / "plan.yaml").write_text(plan.to_yaml())
    command = [sys.executable, "-c", INTERRUPTED, data, part, tmp_path / "plan.yaml"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    closing, said = done.stdout.strip().splitlines()[-2:]
    assert "interrupted" in closing
    assert said == "4 it was interrupted"
    assert load_model(part).config.scores["num_images"] == 2  # usable, and scored
    resumed = pw.train(data, part, resume=True)
    assert resumed.num_steps == 6
    assert [row["step"] for row in rows(resumed.folder)] == ["3", "4", "6"]
    first, second = (read_checkpoint(run.folder / "checkpoint").network for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_finished_training_resumes_with_more_epochs(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    assert pw.train(data, tmp_path / "run", resume=True, epochs=5).num_steps == 10
    assert rows(tmp_path / "run")[-1]["step"] == "10"


def test_a_finished_training_resumes_with_more_time(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    longer = pw.train(data, tmp_path / "run", resume=True, budget=11)
    assert longer.num_steps > 6
    assert longer.stopped == "the budget was used"
    assert longer.seconds < 16


def test_an_interruption_before_training_leaves_an_earlier_run(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    before = contents(tmp_path / "run")

    class Early(Watcher):
        def note(self, text):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pw.train(data, tmp_path / "run", plan=plan, overwrite=True, watcher=Early())
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("wrong", ["data", "plan", "loss", "budget", "device"])
def test_overwrite_removes_nothing_where_the_new_training_cannot_begin(wrong, data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    before = contents(tmp_path / "run")
    options = {"plan": plan, "overwrite": True}
    if wrong == "plan":
        options["plan"] = tmp_path / "none.yaml"
    if wrong == "loss":
        options["plan"] = plan.model_copy(update={"loss": "custom"})
    if wrong == "budget":
        options = {"overwrite": True, "budget": "soon"}
    if wrong == "device":
        options["device"] = "abacus"
    source = tmp_path / "missing" if wrong == "data" else data
    with pytest.raises(pw.PixelwiseError):
        pw.train(source, tmp_path / "run", **options)
    assert contents(tmp_path / "run") == before


def test_overwrite_replaces_the_run_and_nothing_else(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    other = plan.model_copy(update={"widths": (6, 12)})
    pw.train(data, tmp_path / "run", plan=other, overwrite=True)
    assert load_model(tmp_path / "run").config.network.widths == (6, 12)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


class Acting(Watcher):
    """Does something when a step is done; 0 is before the first."""

    def __init__(self, step, act):
        self._step, self._act = step, act

    def planned(self, plan):
        if self._step == 0:
            self._act()

    def step(self, step, num_steps, loss, seconds_left):
        if step == self._step:
            self._act()


def test_an_image_that_is_gone_in_mid_training_is_named_and_training_goes_on_when_it_is_back(
    write_squares, plan, tmp_path, monkeypatch
):
    # of all images: those whose intensities were looked at before training are in memory
    monkeypatch.setattr("pixelwise.workflows.intensities.MAX_SAMPLES", 1)
    data = write_squares(tmp_path / "data")
    lost = data / "train" / "images" / "train2.png"
    content = lost.read_bytes()
    with pytest.raises(pw.DataError, match=r"train2\.png .*Training stopped at step \d.*--resume"):
        pw.train(data, tmp_path / "run", plan=plan, watcher=Acting(0, lost.unlink))
    lost.write_bytes(content)
    resumed = pw.train(data, tmp_path / "run", resume=True)
    whole = pw.train(data, tmp_path / "whole", plan=plan)
    assert_same_weights(resumed.folder, whole.folder)


def test_a_disk_that_is_full_in_mid_training_leaves_a_usable_folder(
    data, plan, tmp_path, monkeypatch
):
    def fill():
        def fail(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(pw.OutputError, match=r"No space left.*at step 6.*the best model so far"):
        pw.train(data, tmp_path / "run", plan=plan, watcher=Acting(4, fill))
    monkeypatch.undo()
    assert load_model(tmp_path / "run").config.scores["num_images"] == 2
    resumed = pw.train(data, tmp_path / "run", resume=True)
    whole = pw.train(data, tmp_path / "whole", plan=plan)
    assert_same_weights(resumed.folder, whole.folder)


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(data, plan, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.yaml").write_text(plan.to_yaml())
    resumed = pw.train(data, tmp_path / "run", resume=True)
    whole = pw.train(data, tmp_path / "whole", plan=plan)
    assert_same_weights(resumed.folder, whole.folder)


def test_resume_without_a_run_says_so(data, tmp_path):
    with pytest.raises(pw.OutputError, match="holds no training to resume"):
        pw.train(data, tmp_path / "run", resume=True)


def test_resume_with_another_network_is_refused_and_loses_nothing(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    before = contents(tmp_path / "run")
    other = plan.model_copy(update={"widths": (6, 12)})
    with pytest.raises(pw.TrainingError, match="does not fit the network"):
        pw.train(data, tmp_path / "run", resume=True, plan=other)
    assert contents(tmp_path / "run") == before


def test_a_damaged_checkpoint_is_named(data, plan, tmp_path):
    pw.train(data, tmp_path / "run", plan=plan)
    state = tmp_path / "run" / "checkpoint" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:50])
    with pytest.raises(pw.TrainingError, match=r"state\.safetensors cannot be read"):
        pw.train(data, tmp_path / "run", resume=True)
    assert load_model(tmp_path / "run").config.task == "binary"


# --- data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"folds": 2}, {"start": "run"}])
def test_everything_is_computed_on_the_device_that_was_asked_for(
    options, run, data, plan, tmp_path, monkeypatch
):
    """Where there is a GPU "auto" would take it, for the report's examples too."""
    asked = []

    def pick(device="auto"):
        asked.append(str(device))
        return torch.device("cpu")

    monkeypatch.setattr(predictor, "pick_device", pick)
    options = {"start": run.folder, "plan": None, "epochs": 1} if "start" in options else options
    pw.train(data, tmp_path / "run", **{"plan": plan, "device": "cpu"} | options)
    assert len(asked) >= 2
    assert set(asked) == {"cpu"}


def test_without_split_folders_a_split_is_made_and_kept(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", {"": 10})
    run = pw.train(data, tmp_path / "run", plan=plan)
    scores = pw.evaluate(run.folder, data, split="val")
    assert scores == run.scores


def test_images_smaller_and_larger_than_a_patch(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", size=(25, 33))
    large = plan.model_copy(update={"patch_size": (32, 32)})
    for name, chosen in (("small", plan), ("large", large)):
        run = pw.train(data, tmp_path / name, plan=chosen)
        assert np.isfinite(run.scores.mean_dice)


def test_data_without_training_images_are_refused(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", {"val": 2, "test": 2})
    with pytest.raises(pw.LayoutError, match="no training images, only val, test"):
        pw.train(data, tmp_path / "run", plan=plan)


@pytest.mark.parametrize(("budget", "counted"), [(60.0, 30.0), (200.0, 45.0), (None, 45.0)])
def test_reading_counts_for_half_of_the_budget_at_most(budget, counted):
    request = Request(budget=budget, device=torch.device("cpu"))
    assert count_reading(request, 45.0).seconds_read == counted
    assert count_reading(request, 1e6).seconds_read == (budget or UNVALIDATED_BUDGET) / 2


def test_the_clock_has_counted_the_reading_of_the_data(data, tmp_path, monkeypatch):
    def counted(request, seconds):
        assert seconds > 0
        return replace(request, seconds_read=5000.0)

    monkeypatch.setattr(sys.modules[pw.train.__module__], "count_reading", counted)
    run = pw.train(data, tmp_path / "run", epochs=1)
    assert 5000 < run.seconds < 6000
    assert float(rows(run.folder)[-1]["seconds"]) > 5000


def test_budget_and_epochs_together_are_refused(data, tmp_path):
    with pytest.raises(pw.PlanError, match="Give one of them"):
        pw.train(data, tmp_path / "run", budget="1min", epochs=2)
    with pytest.raises(pw.PlanError, match="1 or more"):
        pw.train(data, tmp_path / "run", epochs=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("budget", ["8s", 8, "10", "soon"])
@pytest.mark.parametrize("options", [{}, {"folds": 2}, {"resume": True}, {"plan": "none.yaml"}])
def test_a_budget_that_cannot_be_is_refused_before_anything_is_read(budget, options, tmp_path):
    with pytest.raises(pw.PlanError, match=r"Give 10s or more|Write for example"):
        pw.train(tmp_path / "nowhere", tmp_path / "run", budget=budget, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_training_leaves_no_folder_behind(tmp_path):
    with pytest.raises(pw.DataError):
        pw.train(tmp_path / "nowhere", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(pw.DataError):
        pw.train(tmp_path / "nowhere", tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_what_was_used_before_the_call_counts(data, tmp_path, plan):
    run = pw.train(data, tmp_path / "run", plan=plan, began=time.monotonic() - 100)
    assert 100 < run.seconds < 130
