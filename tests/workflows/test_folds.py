"""Cross-validation: a model a fold, every image scored by the one that did not see it."""

import csv
import json
import signal

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw
from pixelwise.data import fold_dataset, read_folds, read_split
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.inference import Predictor, evaluate_samples
from pixelwise.io import read_image
from pixelwise.network import load_model
from pixelwise.planning import parse_plan
from pixelwise.training import Watcher
from pixelwise.training.run_folder import FILES
from pixelwise.workflows.crossval.results import CLOSING_SECONDS, describe_excess
from pixelwise.workflows.crossval.run import seconds_for_fold
from pixelwise.workflows.pages import FoldPart


class Noting(Watcher):
    """Remembers what was said, and presses Ctrl-C at a step of a fold."""

    def __init__(self, stop_at=None):
        self.notes, self.closing, self._stop_at = [], [], stop_at
        self.num_trainings = 0

    def note(self, text):
        self.notes.append(text)

    def planned(self, plan):
        self.num_trainings += 1

    def step(self, step, num_steps, loss, seconds_left):
        if (self.num_trainings, step) == self._stop_at:
            signal.raise_signal(signal.SIGINT)

    def finished(self, text):
        self.closing.append(text)


def splits_of(folder):
    with (folder / "split.csv").open() as file:
        return list(csv.DictReader(file))


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def weights(folder):
    return {
        name: t.numpy().tobytes() for name, t in load_model(folder).network.state_dict().items()
    }


@pytest.fixture(scope="module")
def squares(write_squares, tmp_path_factory):
    return write_squares(tmp_path_factory.mktemp("squares"), {"": 14})


@pytest.fixture(scope="module")
def watcher():
    return Noting()


@pytest.fixture(scope="module")
def run(squares, plan, watcher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return pw.train(squares, folder, plan=plan, folds=3, seed=5, watcher=watcher)


def test_the_run_has_a_folder_a_fold_and_what_they_are_together(run):
    fold_files = {*FILES, "checkpoint", "metrics.csv"}
    together = {"model.safetensors", "split.csv", "metrics.json", "metrics.csv", "report.html"}
    assert {path.name for path in run.folder.iterdir()} == {"fold1", "fold2", "fold3", *together}
    for number in (1, 2, 3):
        assert {path.name for path in (run.folder / f"fold{number}").iterdir()} == fold_files


def test_every_image_but_those_of_test_is_scored_once(run):
    with (run.folder / "metrics.csv").open() as file:
        scored = [row["image"] for row in csv.DictReader(file) if row["class"] == "foreground"]
    rows = splits_of(run.folder)
    assert sorted(scored) == sorted(row["name"] for row in rows if row["split"] != "test")
    assert len(set(scored)) == len(scored) == run.scores.num_images
    assert metrics(run.folder)["num_images"] == len(scored)
    assert [row for row in rows if row["split"] == "test" and not row["fold"]]


def test_images_are_scored_by_the_model_that_did_not_see_them(run, squares):
    folds = {row["name"]: row["fold"] for row in splits_of(run.folder)}
    with (run.folder / "metrics.csv").open() as file:
        scored = {r["image"]: r for r in csv.DictReader(file) if r["class"] == "foreground"}
    for number in "123":
        folder = run.folder / f"fold{number}"
        rows = splits_of(folder)
        held_out = {row["name"] for row in rows if row["split"] == "val"}
        assert held_out == {name for name, fold in folds.items() if fold == number}
        predictor = Predictor(load_model(folder))
        name = sorted(held_out)[0]
        mask = read_image(squares / "masks" / f"{name}.png")[..., 0] == 255
        found = predictor.segment(read_image(squares / "images" / f"{name}.png")[..., 0][None]) == 1
        assert int(scored[name]["tp"]) == np.count_nonzero(found & mask)
        assert int(scored[name]["fn"]) == np.count_nonzero(~found & mask)


def test_the_model_is_the_mean_of_the_folds(run, squares):
    image = read_image(next((squares / "images").iterdir()))[..., 0][None]
    members = [
        Predictor(load_model(run.folder / f"fold{n}")).probabilities(image) for n in (1, 2, 3)
    ]
    joined = Predictor(load_model(run.folder)).probabilities(image)
    np.testing.assert_allclose(joined, np.mean(members, axis=0), atol=1e-6)
    assert not np.allclose(members[0], members[1])


def test_the_model_is_used_like_any_other(run, squares, tmp_path):
    image = next((squares / "images").iterdir())
    (written,) = pw.predict(run.folder, image, tmp_path / "masks")
    mask = pw.load(run.folder).segment(image)
    assert np.array_equal(
        pw.predict and np.asarray(read_image(written)).squeeze()[..., :1].shape,
        mask[..., None].shape,
    )
    scores = pw.evaluate(run.folder, squares, out=tmp_path / "scores")
    assert scores.num_images == sum(row["split"] == "test" for row in splits_of(run.folder))


def test_scores_of_the_ensemble_on_val_would_flatter_and_are_refused(run, squares):
    with pytest.raises(pw.PlanError, match="comes from a cross-validation"):
        pw.evaluate(run.folder, squares, split="val")


def test_the_plan_is_made_once_and_each_fold_has_a_seed_of_its_own(run):
    plans = [parse_plan((run.folder / f"fold{n}" / "plan.yaml").read_text()) for n in (1, 2, 3)]
    assert [plan.seed for plan in plans] == [5, 6, 7]
    assert len({plan.model_copy(update={"seed": 0}).to_yaml() for plan in plans}) == 1


def test_the_last_weights_are_scored_not_those_that_score_best(squares, plan, tmp_path):
    # so high a rate that the score falls again
    changes = {"learning_rate": 0.2, "num_steps": 16, "validate_every": 1}
    pw.train(squares, tmp_path / "run", plan=plan.model_copy(update=changes), folds=2)
    for number in (1, 2):
        folder = tmp_path / "run" / f"fold{number}"
        with (folder / "history.csv").open() as file:
            dice = [float(row["val_dice"]) for row in csv.DictReader(file)]
        assert load_model(folder).config.provenance["best_step"] == 16
        assert metrics(folder)["mean"]["dice"]["mean"] == pytest.approx(dice[-1], abs=1e-5)


def test_the_model_says_what_it_is(run):
    config = load_model(run.folder).config
    assert config.num_members == config.provenance["folds"] == 3
    assert config.scores == metrics(run.folder) == run.scores.to_json()
    assert config.provenance["steps"] == run.num_steps == 18
    assert "14 images" in config.provenance["data"]


def test_what_happens_is_said(run, watcher):
    assert "Fold 1 of 3: " in watcher.notes[-6]
    assert watcher.notes[-1].startswith("Fold 3 of 3: Dice ")
    (closing,) = watcher.closing
    assert closing.startswith("Trained 3 models in ")
    assert "\nDice " in closing
    assert "images out of fold, each scored by the model that did not see it.\n" in closing


def test_the_report_has_all_folds(run):
    page = (run.folder / "report.html").read_text()
    assert all(f"Fold {n}" in page for n in (1, 2, 3))
    assert "out of fold" in page
    assert "src=\"http" not in page  # fmt: skip


# --- interruption -----------------------------------------------------------------------------


def test_an_interrupted_cross_validation_goes_on_with_its_fold(run, squares, plan, tmp_path):
    stopping = Noting(stop_at=(2, 4))
    with pytest.raises(pw.TrainingError, match=r"interrupted in fold 2 of 3.*--resume goes on"):
        pw.train(squares, tmp_path / "run", plan=plan, folds=3, seed=5, watcher=stopping)
    with pytest.raises(pw.ModelFileError, match="has no model"):
        pw.load(tmp_path / "run")
    before = (tmp_path / "run" / "fold1" / "model.safetensors").stat().st_mtime_ns
    watcher = Noting()
    resumed = pw.train(squares, tmp_path / "run", resume=True, watcher=watcher)
    assert watcher.num_trainings == 2
    assert "Fold 1 of 3 is done already." in watcher.notes
    assert (tmp_path / "run" / "fold1" / "model.safetensors").stat().st_mtime_ns == before
    assert weights(tmp_path / "run") == weights(run.folder)
    assert resumed.scores == run.scores


def test_a_finished_one_resumes_to_itself(run, squares, tmp_path):
    before = metrics(run.folder)
    watcher = Noting()
    again = pw.train(squares, run.folder, resume=True, folds=3, watcher=watcher)
    assert watcher.num_trainings == 0
    assert metrics(run.folder) == before
    assert again.scores.num_images == before["num_images"]


def test_other_images_than_those_of_the_folds_are_refused(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", {"": 12})
    with pytest.raises(pw.TrainingError):
        pw.train(data, tmp_path / "run", plan=plan, folds=2, watcher=Noting(stop_at=(1, 2)))
    gone = splits_of(tmp_path / "run")[-1]["name"]
    gone = next(row["name"] for row in splits_of(tmp_path / "run") if row["fold"])
    (data / "images" / f"{gone}.png").unlink()
    (data / "masks" / f"{gone}.png").unlink()
    with pytest.raises(pw.DataError, match=rf"other images than the folds in .*{gone} is gone"):
        pw.train(data, tmp_path / "run", resume=True)


def test_another_number_of_folds_is_refused(run, squares, data, plan, tmp_path):
    with pytest.raises(pw.PlanError, match="has 3 folds, so that it cannot go on with 4"):
        pw.train(squares, run.folder, resume=True, folds=4)
    pw.train(data, tmp_path / "run", plan=plan)
    with pytest.raises(pw.PlanError, match="has no folds"):
        pw.train(data, tmp_path / "run", resume=True, folds=4)


# --- replacing --------------------------------------------------------------------------------


def test_a_run_is_not_replaced_by_accident(run, squares, plan):
    with pytest.raises(pw.OutputError, match="already holds a training"):
        pw.train(squares, run.folder, plan=plan)


@pytest.mark.slow
def test_overwrite_takes_away_every_fold_and_nothing_else(squares, plan, tmp_path):
    folder = tmp_path / "run"
    pw.train(squares, folder, plan=plan, folds=3)
    (folder / "fold2" / "notes.txt").write_text("mine")
    (folder / "fold9").mkdir()
    (folder / "fold9" / "metrics.csv").write_text("mine")
    wrong = plan.model_copy(update={"loss": "custom"})
    before = sorted(folder.rglob("*"))
    with pytest.raises(pw.PlanError):
        pw.train(squares, folder, plan=wrong, folds=2, overwrite=True)
    assert sorted(folder.rglob("*")) == before
    pw.train(squares, folder, plan=plan, folds=2, overwrite=True)
    assert not (folder / "fold3").exists()
    pw.train(squares, folder, plan=plan, overwrite=True)
    left = {str(path.relative_to(folder)) for path in folder.glob("fold*/*")}
    assert left == {"fold2/notes.txt", "fold9/metrics.csv"}
    assert (folder / "plan.yaml").is_file()


# --- budget, start and refusals ---------------------------------------------------------------


@pytest.mark.slow
def test_the_budget_is_for_all_folds(squares, tmp_path):
    pw.train(squares, tmp_path / "run", folds=2, budget=26)
    plan = parse_plan((tmp_path / "run" / "fold1" / "plan.yaml").read_text())
    without_reading = (26 - CLOSING_SECONDS) / 2
    assert without_reading - 2 < plan.budget_seconds < without_reading
    assert load_model(tmp_path / "run").config.provenance["budget_seconds"] == 26


def test_folds_share_what_the_earlier_ones_left():
    def part(seconds, scoring):
        return FoldPart(seconds, scoring, 1, None, ())

    assert seconds_for_fold(1, 5, 600 + CLOSING_SECONDS, []) == pytest.approx(120)
    one = part(100, 0)  # left 20 seconds more for the four others
    assert seconds_for_fold(2, 5, 600 + CLOSING_SECONDS, [one]) == pytest.approx(125)
    two = part(130, 5)  # 5 of them to score its images
    assert seconds_for_fold(3, 5, 600 + CLOSING_SECONDS, [one, two]) == pytest.approx(370 / 3)
    assert seconds_for_fold(2, 2, 60, [part(59, 0)]) == 10  # less would teach nothing


def test_a_budget_that_was_passed_is_said():
    parts = [FoldPart(100, 40, 1, None, ()), FoldPart(109, 45, 1, None, ())]
    (said,) = describe_excess(parts, 120)
    assert "budget of 120 s was passed: all folds took 209 s, 85 of them to score" in said
    assert describe_excess(parts, 200) == describe_excess(parts, None) == []


def test_a_budget_too_short_for_the_folds_is_refused(squares, tmp_path):
    with pytest.raises(pw.PlanError, match="too short for 4 folds; give at least 40 seconds"):
        pw.train(squares, tmp_path / "run", folds=4, budget="30s")


def test_folds_start_from_an_earlier_model_each(run, squares, plan, tmp_path):
    frozen = plan.model_copy(update={"num_steps": 1, "learning_rate": 1e-12})
    start = run.folder / "fold1"
    pw.train(squares, tmp_path / "run", plan=frozen, folds=2, start=start)
    first = load_model(start).network.state_dict()["bottleneck.conv1.weight"]
    for number in (1, 2):
        model = load_model(tmp_path / "run" / f"fold{number}")
        found = model.network.state_dict()["bottleneck.conv1.weight"]
        assert float((found - first).abs().max()) < 1e-6
        assert model.config.provenance["start"] == str(start)


def test_no_training_starts_from_an_ensemble(run, squares, plan, tmp_path):
    with pytest.raises(pw.ModelFileError, match=r"3 networks of a cross-validation.*fold1"):
        pw.train(squares, tmp_path / "run", plan=plan, start=run.folder)
    with pytest.raises(pw.ModelFileError, match="ensemble of 3 networks"):
        pw.load(run.folder).fit(np.zeros((2, 16, 16, 1), np.uint8), np.zeros((2, 16, 16), np.uint8))


@pytest.mark.parametrize(("folds", "said"), [(1, "2 or more"), (20, "only 13 images")])
def test_numbers_of_folds_that_cannot_be(folds, said, squares, plan, tmp_path):
    with pytest.raises(pw.PixelwiseError, match=said):
        pw.train(squares, tmp_path / "run", plan=plan, folds=folds)


def test_classes_of_one_fold_are_said(write_squares, plan, tmp_path):
    data = write_squares(tmp_path / "data", {"": 9}, values=(0, 1))
    for path in sorted((data / "masks").iterdir()):
        mask = np.array(Image.open(path))
        mask[0, :4] = 2 if path.stem == "0" else mask[0, :4]
        Image.fromarray(mask).save(path)
    watcher = Noting()
    run = pw.train(data, tmp_path / "run", plan=plan, folds=2, watcher=watcher)
    assert any(text.startswith("Found in one fold alone: ") for text in watcher.notes)
    assert run.warnings[0] in watcher.notes


def test_scoring_again_gives_the_same(run, squares):
    split = read_split(run.folder / "split.csv")
    dataset = examine_dataset(squares, ReadOptions(split=split)).dataset
    one = fold_dataset(dataset, read_folds(run.folder / "split.csv"), 2)
    scores = evaluate_samples(Predictor(load_model(run.folder / "fold2")), one.samples("val"))
    assert scores.to_csv() == (run.folder / "fold2" / "metrics.csv").read_text()
