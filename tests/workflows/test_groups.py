"""Scores of data that know their groups: intervals over patients, in every file that has scores."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw
from pixelwise.doctor import ReadOptions, examine_dataset


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Four patients of three slices in val and in test each, eight in train; by name alone."""
    root, random = tmp_path_factory.mktemp("patients"), np.random.default_rng(0)
    for split, first, number in (("train", 0, 8), ("val", 8, 4), ("test", 12, 4)):
        for patient in range(first, first + number):
            for slice_ in range(3):
                is_square = np.zeros((24, 32), bool)
                row, column = random.integers(0, 12), random.integers(0, 20)
                is_square[row : row + 12, column : column + 12] = True
                image = is_square * 120 + random.integers(0, 60, (24, 32))
                for kind, pixels in (("images", image), ("masks", is_square * 255)):
                    path = root / split / kind / f"patient_{patient:02}_slice_{slice_}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def run(patients, plan, tmp_path_factory):
    return pw.train(patients, tmp_path_factory.mktemp("runs") / "run", plan=plan, progress=False)


def test_samples_know_their_group(patients):
    dataset = examine_dataset(patients).dataset
    assert dataset.samples("test")[0].group == "patient_12"
    assert len(dataset.groups) == 16


def test_what_a_person_says_of_groups_comes_first(patients):
    by_slice = examine_dataset(patients, ReadOptions(split_by=r"slice_\d")).dataset
    assert {entry.group for entry in by_slice.files} == {"slice_0", "slice_1", "slice_2"}


def test_training_scores_patients(run):
    for scores in (run.scores, run.test_scores):
        assert (scores.num_images, scores.num_groups) == (12, 4)
        assert "over 4 groups of images, such as patient_" in scores.policy
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["num_groups"] == metrics["test"]["num_groups"] == 4
    assert "(95 % over 4 groups)" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_evaluation_scores_patients_for_a_model_and_for_masks(run, patients, tmp_path):
    by_model = pw.evaluate(run.folder, patients, out=tmp_path / "scores", progress=False)
    assert by_model == run.test_scores
    pw.predict(run.folder, patients / "test" / "images", tmp_path / "masks", progress=False)
    assert pw.evaluate(data=patients, predictions=tmp_path / "masks", progress=False) == by_model
    with (tmp_path / "scores" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {f"patient_{n}" for n in range(12, 16)}


def test_folds_score_patients_and_keep_them_together(patients, plan, tmp_path):
    run = pw.train(patients, tmp_path / "run", plan=plan, folds=2, progress=False)
    assert (run.scores.num_images, run.scores.num_groups) == (36, 12)
    again = pw.train(patients, tmp_path / "run", resume=True, progress=False)  # from the tables
    assert again.scores == run.scores
    with (run.folder / "split.csv").open() as file:
        folds = {}
        for row in csv.DictReader(file):
            folds.setdefault(row["name"].rpartition("_slice_")[0], set()).add(row["fold"])
    assert all(len(found) == 1 for found in folds.values())
