"""Evaluate models and masks against data folders: the same scores either way, or a clear no."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw


@pytest.fixture(scope="module")
def run(data, tmp_path_factory, request):
    from pixelwise.network import IntensityScaling
    from pixelwise.planning import Plan

    plan = Plan(
        scaling=IntensityScaling(scheme="percentiles"),
        patch_size=(16, 16),
        batch_size=2,
        widths=(4, 8),
        normalization="batch",
        loss="cross_entropy_dice",
        foreground_share=0.5,
        learning_rate=1e-2,
        num_steps=40,
        validate_every=40,
    )
    return pw.train(data, tmp_path_factory.mktemp("runs") / "run", plan=plan)


def test_scores_of_the_model_and_of_its_written_masks_are_the_same(run, data, tmp_path):
    by_model = pw.evaluate(run.folder, data)
    with pytest.warns(pw.PixelwiseWarning, match=r"test0\.png \(in masks/, a folder of masks"):
        pw.predict(run.folder, data / "test", tmp_path / "masks", save=("mask", "overlay"))
    by_masks = pw.evaluate(data=data, predictions=tmp_path / "masks", out=tmp_path / "scores")
    notes = ["The predictions were read as class indices."]
    assert by_model.of == "2 test images that training did not use"
    assert by_masks.to_json() == by_model.to_json() | {"of": "2 test images", "notes": notes}
    assert json.loads((tmp_path / "scores/metrics.json").read_text())["notes"] == notes
    assert notes[0] in (tmp_path / "scores/report.html").read_text()
    assert 0 < by_model.mean_dice <= 1


def test_validation_scores_of_training_are_those_of_evaluate(run, data):
    assert pw.evaluate(run.folder, data, split="val") == run.scores
    assert pw.evaluate(run.folder / "model.safetensors", data, split="val") == run.scores


def test_all_splits_together(run, data):
    steps = []
    scores = pw.evaluate(run.folder, data, split="all", progress=lambda *step: steps.append(step))
    assert scores.num_images == 8
    assert steps[-1] == (8, 8)


@pytest.mark.parametrize("values", [(0, 1), (0, 255)])
def test_perfect_masks_score_1_in_either_writing(values, data, tmp_path):
    """Class indices, or the values of the data's own masks."""
    for path in (data / "test" / "masks").iterdir():
        mask = np.where(np.array(Image.open(path)) > 0, values[1], values[0])
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / path.name)
    scores = pw.evaluate(data=data, predictions=tmp_path)
    assert scores.mean_dice == 1
    assert scores.pooled == {"dice": 1.0, "iou": 1.0}


def test_what_is_written(run, data, tmp_path):
    scores = pw.evaluate(run.folder, data, out=tmp_path / "new" / "scores")
    folder = tmp_path / "new" / "scores"
    assert {path.name for path in folder.iterdir()} == {
        "metrics.json",
        "metrics.csv",
        "report.html",
    }
    assert json.loads((folder / "metrics.json").read_text()) == scores.to_json()
    with (folder / "metrics.csv").open() as file:
        names = {row["image"] for row in csv.DictReader(file)}
    assert names == {"test/test0", "test/test1"} or names == {"test0", "test1"}
    assert "Evaluation" in (folder / "report.html").read_text()


def test_either_a_model_or_predictions(data):
    for options in ({}, {"model": data, "predictions": data}):
        with pytest.raises(pw.PlanError, match="either a model or a folder of predictions"):
            pw.evaluate(data=data, **options)


def test_missing_predictions_are_counted_and_named(run, data, tmp_path):
    pw.predict(run.folder, data / "test" / "images" / "test0.png", tmp_path / "masks")
    said = r"no masks for 1 of 2 images, .*test1\.png\. It holds 1, .*test0\.png"
    with pytest.raises(pw.LayoutError, match=said):
        pw.evaluate(data=data, predictions=tmp_path / "masks")
    with pytest.raises(pw.LayoutError, match="is not a folder"):
        pw.evaluate(data=data, predictions=tmp_path / "none")


def test_a_prediction_of_another_size_is_named(data, tmp_path):
    for index in range(2):
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / f"test{index}.png")
    with pytest.raises(pw.MaskError, match=r"test0\.png is 8x9 but .*test0\.png is 24x32"):
        pw.evaluate(data=data, predictions=tmp_path)


def test_a_prediction_with_unknown_values_is_named(data, tmp_path):
    for index in range(2):
        Image.fromarray(np.full((24, 32), 7, np.uint8)).save(tmp_path / f"test{index}.png")
    with pytest.raises(pw.MaskError, match=r"test0\.png"):
        pw.evaluate(data=data, predictions=tmp_path)


def test_a_split_that_is_none_or_not_there(run, write_squares, data, tmp_path):
    with pytest.raises(pw.PlanError, match="train, val, test or all"):
        pw.evaluate(run.folder, data, split="exam")
    few = write_squares(tmp_path / "few", {"train": 3})
    with pytest.raises(pw.LayoutError, match="no images with masks in its test split, only"):
        pw.evaluate(run.folder, few)


def test_data_of_other_classes_are_refused(run, write_squares, tmp_path):
    """The model stored that 0 is background and 255 is foreground; 7 is neither."""
    other = write_squares(tmp_path / "other")
    path = other / "test" / "masks" / "test1.png"
    mask = np.array(Image.open(path))
    mask[:3] = 7
    Image.fromarray(mask).save(path)
    with pytest.raises(pw.DataError, match="7"):
        pw.evaluate(run.folder, other)


def test_a_model_of_another_number_of_classes_is_refused(data, tmp_path):
    pw.unet((8, 8, 1), 3, widths=(4, 8)).save(tmp_path / "three.safetensors")
    with pytest.raises(pw.ModelFileError, match=r"knows 3 classes .* but .* has 2"):
        pw.evaluate(tmp_path / "three.safetensors", data)


@pytest.mark.parametrize("values", [(0, 1), (0, 7)])
def test_the_same_two_classes_in_other_values_are_the_same_classes(
    values, run, write_squares, data, tmp_path
):
    other = write_squares(tmp_path / "other", values=values)
    assert pw.evaluate(run.folder, other) == pw.evaluate(run.folder, data)


def test_images_to_test_alone_are_scored(run, write_squares, tmp_path):
    data = write_squares(tmp_path / "data", {"test": 2})
    assert [finding.code for finding in pw.check(data).errors] == ["no-training-images"]
    by_model = pw.evaluate(run.folder, data, split="all")
    with pytest.warns(pw.PixelwiseWarning, match="a folder of masks"):
        pw.predict(run.folder, data, tmp_path / "masks")
    by_masks = pw.evaluate(data=data, predictions=tmp_path / "masks")
    assert by_masks.mean_dice == by_model.mean_dice


def test_masks_of_background_alone_are_read_as_the_model_reads_them(run, write_squares, tmp_path):
    """Nothing to find: 255 alone would be class 0 of a folder read without the model."""
    empty = write_squares(tmp_path / "empty", {"test": 2}, values=(255, 255))
    scores = pw.evaluate(run.folder, empty, split="all")
    assert list(scores.classes) == ["background", "foreground"]
    assert scores.classes["foreground"].num_images == 2


# --- several classes, with ignored pixels, as streets have them -------------------------------

CLASSES = ["sky", "road", "car"]
IGNORED = 9


def write_streets(root, splits, present=(0, 1, 2), size=(24, 32)):
    """Sky above road, cars on it, and a frame of ignored pixels."""
    random = np.random.default_rng(0)
    for split, count in splits.items():
        for index in range(count):
            mask = np.zeros(size, np.uint8)
            mask[size[0] // 2 :] = 1
            column = random.integers(4, size[1] - 12)
            mask[size[0] // 2 : size[0] // 2 + 8, column : column + 8] = 2
            mask[~np.isin(mask, present)] = 1
            image = np.stack([mask * 80, 200 - mask * 60, mask * 40], -1)
            image = image + random.integers(0, 30, image.shape)
            mask[:, :2] = IGNORED
            for kind, pixels in (("images", image), ("masks", mask)):
                path = root / split / kind / f"{split}{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    (root / "classes.json").write_text(json.dumps({"classes": CLASSES, "ignore": IGNORED}))
    return root


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streets")
    return write_streets(folder, {"train": 4, "val": 2, "test": 2})


@pytest.fixture(scope="module")
def streets_run(streets, run, tmp_path_factory):
    from pixelwise.planning import parse_plan

    plan = parse_plan((run.folder / "plan.yaml").read_text())
    plan = plan.model_copy(update={"num_steps": 80, "validate_every": 80})
    return pw.train(streets, tmp_path_factory.mktemp("runs") / "streets", plan=plan)


def test_every_class_is_in_the_table_and_counts_in_the_mean(streets_run, streets):
    """No class is background, so class 0 is no exception."""
    scores = pw.evaluate(streets_run.folder, streets)
    assert list(scores.classes) == CLASSES
    dice = [scores.classes[name].dice.mean for name in CLASSES]
    assert scores.mean_dice == pytest.approx(np.mean(dice))
    assert scores.mean_dice > 0.5
    assert [row[0] for row in scores.table_rows][:3] == CLASSES


def test_written_masks_of_several_classes_score_the_same(streets_run, streets, tmp_path):
    written = pw.predict(streets_run.folder, streets / "test" / "images", tmp_path)
    by_model = pw.evaluate(streets_run.folder, streets)
    assert pw.evaluate(data=streets, predictions=tmp_path) == by_model
    colors = pw.load(streets_run.folder).model.config.class_colors
    with Image.open(written[0]) as picture:
        first = bytes(picture.getpalette()[:9]).hex()
    assert first == "".join(color[1:] for color in colors)


def test_ignored_pixels_do_not_count(streets_run, streets, tmp_path):
    """Whatever a mask says where the data are ignored, its scores stay."""
    written = pw.predict(streets_run.folder, streets / "test" / "images", tmp_path)
    before = pw.evaluate(data=streets, predictions=tmp_path)
    for path in written:
        mask = np.array(Image.open(path))
        mask[:, :2] = 2
        Image.fromarray(mask).save(path)
    assert pw.evaluate(data=streets, predictions=tmp_path) == before


def test_test_data_without_a_class_or_a_class_file_use_the_encoding_of_the_model(
    streets_run, tmp_path
):
    """Masks of 0, 1 and 9, with nothing to say that 9 is ignored and 2 a class: the model knows."""
    data = write_streets(tmp_path / "data", {"test": 2}, present=(0, 1))
    (data / "classes.json").unlink()
    scores = pw.evaluate(streets_run.folder, data, split="all")
    assert list(scores.classes) == CLASSES
    shutil.rmtree(data)
    with_file = write_streets(data, {"test": 2}, present=(0, 1))
    assert pw.evaluate(streets_run.folder, with_file, split="all") == scores


def test_images_of_other_sizes_are_evaluated_in_their_own(streets_run, tmp_path):
    data = write_streets(tmp_path / "data", {"test": 2}, size=(50, 41))
    assert pw.evaluate(streets_run.folder, data, split="all").num_images == 2
