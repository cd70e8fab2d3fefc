"""Classes that overlap, and objects told apart by ids: from a folder to scores."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

import pixelwise as pw
from pixelwise.errors import ModelFileError, OutputError
from pixelwise.io import read_image
from pixelwise.io.planes import read_planes

SIZE = (24, 32)


def save_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).integers(0, 20, pixels.shape)
    Image.fromarray((pixels + noise).astype(np.uint8)).save(path)


def assert_alike(scores, others):
    """The same scores, whatever the order of the images."""
    assert scores.num_images == others.num_images
    for name, expected in others.classes.items():
        assert scores.classes[name].dice.mean == pytest.approx(expected.dice.mean)
        assert scores.classes[name].recall.mean == pytest.approx(expected.recall.mean)


def overlapping(index):
    """(2, 24, 32): two rectangles that share a strip."""
    mask = np.zeros((2, *SIZE), bool)
    mask[0, 2 + index % 5 : 16, 2:18] = True
    mask[1, 8:22, 12 : 30 - index % 4] = True
    return mask


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    """A data folder of 10 images; a TIFF of two planes a mask."""
    root = tmp_path_factory.mktemp("planes")
    for index in range(10):
        mask = overlapping(index)
        save_image(root / f"images/{index}.png", 30 + mask[0] * 60 + mask[1] * 110)
        (root / "masks").mkdir(exist_ok=True)
        values = mask.astype(np.uint8)
        tifffile.imwrite(root / f"masks/{index}.tif", values, metadata={"axes": "CYX"})
    (root / "classes.json").write_text('{"classes": ["cell", "halo"]}')
    return root


@pytest.fixture(scope="module")
def run(planes, tmp_path_factory):
    """A run trained on it: sure of itself, whatever the seed (sums of 1.4 to 1.8 inside)."""
    out = tmp_path_factory.mktemp("run") / "run"
    pw.train(planes, out=out, epochs=90, device="cpu")
    return out


@pytest.mark.slow
def test_overlap_is_found_and_a_class_has_its_own_probability(planes, run):
    examination = pw.check(planes)
    assert examination.dataset.task == "multilabel"
    assert "overlapping-objects" not in [finding.code for finding in examination.findings]
    segmenter = pw.load(run)
    assert segmenter.model.config.task == "multilabel"
    assert segmenter.model.config.class_names == ("cell", "halo")
    image = read_image(planes / "images/0.png")
    probabilities = segmenter.predict(image[np.newaxis].astype(np.float32))
    assert probabilities.shape == (1, *SIZE, 2)
    inside = overlapping(0).all(axis=0)
    assert probabilities[0, inside].sum(axis=-1).mean() > 1.05  # a softmax would give 1


def test_masks_have_a_plane_a_class_and_are_scored_like_the_model(planes, run, tmp_path):
    written = pw.predict(run, planes / "images", tmp_path, save=("mask", "overlay"))
    assert sorted(path.name for path in written)[:2] == ["0.tif", "0_overlay.png"]
    expected = pw.load(run).segment(read_image(planes / "images/3.png"))
    np.testing.assert_array_equal(np.moveaxis(read_planes(tmp_path / "3.tif", 2), 0, -1), expected)
    by_model = pw.evaluate(run, planes, split="all", out=tmp_path / "scores")
    by_files = pw.evaluate(data=planes, predictions=tmp_path, split="all")
    assert_alike(by_files, by_model)
    metrics = json.loads((tmp_path / "scores/metrics.json").read_text())
    assert set(metrics["classes"]) == {"cell", "halo"}
    assert metrics["num_images"] == 10


def test_scores_of_overlapping_classes_by_hand(planes, tmp_path):
    """Perfect masks but for one class in one image, which is missing: its Dice there is 0."""
    for index in range(10):
        mask = overlapping(index)
        mask[1] &= index != 4
        values = mask.astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{index}.tif", values, metadata={"axes": "CYX"})
    scores = pw.evaluate(data=planes, predictions=tmp_path, split="all")
    assert scores.classes["cell"].dice.mean == 1
    assert scores.classes["halo"].dice.mean == pytest.approx(0.9)


def test_predictions_replace_earlier_ones_and_no_others(planes, run, tmp_path):
    pw.predict(run, planes / "images/0.png", tmp_path)
    pw.predict(run, planes / "images/0.png", tmp_path)
    tifffile.imwrite(tmp_path / "1.tif", np.full(SIZE, 7, np.uint8))
    with pytest.raises(OutputError, match=r"1\.tif is there already"):
        pw.predict(run, planes / "images", tmp_path)
    assert (tifffile.imread(tmp_path / "1.tif") == 7).all()


@pytest.mark.slow
def test_object_ids_are_kept_and_learnt_as_foreground(tmp_path):
    for index in range(10):
        ids = np.zeros(SIZE, np.uint16)
        places = [(r, c) for r in range(1, 20, 6) for c in range(1, 28, 6)][: 12 + index]
        for number, (row, column) in enumerate(places, 1):
            ids[row : row + 4, column : column + 4] = number
        save_image(tmp_path / f"data/images/{index}.png", 40 + 150 * (ids > 0))
        (tmp_path / "data/masks").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / f"data/masks/{index}.tif", ids)
    dataset = pw.check(tmp_path / "data").dataset
    assert dataset.task == "instances"
    samples = dataset.samples("train")
    number = int(samples[0].name)
    assert samples[0].mask.max() == 1
    assert sorted(np.unique(samples.instances(0))) == list(range(13 + number))
    pw.train(tmp_path / "data", out=tmp_path / "run", epochs=4, device="cpu")
    assert pw.load(tmp_path / "run").model.config.task == "binary"
    scores = pw.evaluate(tmp_path / "run", tmp_path / "data", split="all")
    assert set(scores.classes) == {"background", "object"}
    pw.predict(tmp_path / "run", tmp_path / "data/images", tmp_path / "out")
    by_files = pw.evaluate(data=tmp_path / "data", predictions=tmp_path / "out", split="all")
    assert_alike(by_files, scores)


def test_models_for_other_kinds_of_classes_are_refused(planes, data, tmp_path):
    with pytest.raises(ModelFileError, match=r"one class a pixel, but .* classes that overlap"):
        pw.evaluate(with_two_layers(tmp_path), data)
    pw.unet((8, 8, 1), num_classes=2, widths=(4, 8)).save(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"classes that overlap, but .* one class a pixel"):
        pw.evaluate(tmp_path / "model.safetensors", planes)


def with_two_layers(folder):
    path = folder / "overlapping.safetensors"
    pw.unet((8, 8, 1), num_classes=2, multilabel=True, widths=(4, 8)).save(path)
    return path
