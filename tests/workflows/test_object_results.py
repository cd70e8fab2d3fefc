"""Files of objects that `predict` writes, whole images and rows of any height alike."""

import csv
import json

import numpy as np
import pytest
import tifffile
from pycocotools.coco import COCO
from tests.io.test_places import GEO
from tests.reading import read_dataset
from tests.workflows.test_predict_parts import EXACT, make_model

import pixelwise as pw
from pixelwise.io import NOWHERE, read_mask_values, read_place
from pixelwise.network import load_model
from pixelwise.task import Task
from pixelwise.workflows.prediction.object_results import OBJECT_SAVES, ObjectResults
from pixelwise.workflows.prediction.rows import Rows

random = np.random.default_rng(0)
IMAGE = random.integers(0, 256, (40, 50, 3), np.uint8)
MASK = random.integers(0, 3, (40, 50), np.uint8)
SAVE = ("mask", *OBJECT_SAVES)


def write(folder, model, heights, fail=False):
    files = {what: folder / "sub" / f"x_{what}" for what in SAVE}
    config = load_model(model).config
    cuts = np.cumsum(heights)
    with ObjectResults(files, config, NOWHERE, folder / "x.png", MASK.shape) as results:
        for image, mask in zip(np.split(IMAGE, cuts), np.split(MASK, cuts), strict=True):
            results.write(Rows(image, mask))
        if fail:
            raise KeyError
    return [files[what].read_text() for what in OBJECT_SAVES]


def test_rows_of_any_height_give_the_same_files(tmp_path, monkeypatch):
    model = make_model(tmp_path)
    whole = write(tmp_path / "whole", model, [])
    assert whole == write(tmp_path / "bands", model, [1, 7, 0, 20])
    monkeypatch.setattr("pixelwise.workflows.prediction.object_results.ROWS_AT_ONCE", 3)
    assert whole == write(tmp_path / "cut", model, [8, 8])
    assert not (tmp_path / "whole/sub/x_mask").exists()


def test_an_error_leaves_no_file(tmp_path):
    model = make_model(tmp_path)
    with pytest.raises(KeyError):
        write(tmp_path / "out", model, [10], fail=True)
    assert list((tmp_path / "out/sub").iterdir()) == []


def test_without_files_of_objects_nothing_is_written(tmp_path):
    config = load_model(make_model(tmp_path)).config
    with ObjectResults({"mask": tmp_path / "a"}, config, NOWHERE, tmp_path, MASK.shape) as results:
        results.write(Rows(IMAGE, MASK))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_predict_saves_them(task, tmp_path):
    model, path, out = make_model(tmp_path, task), tmp_path / "x.tif", tmp_path / "out"
    tifffile.imwrite(path, IMAGE, photometric="rgb", extratags=GEO)
    options = EXACT | {"save": SAVE}
    _, table, polygons, coco = pw.predict(model, path, out, **options)
    names = (table.name, polygons.name, coco.name)
    assert names == ("x_objects.csv", "x_polygons.geojson", "x_coco.json")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    features = json.loads(polygons.read_text())["features"]
    assert len(rows) == len(features) > 0
    assert [row["class"] for row in rows] == [f["properties"]["class"] for f in features]
    assert read_place(path).epsg == 32633
    corner = features[0]["geometry"]["coordinates"]
    while isinstance(corner[0], list):
        corner = corner[0]
    assert corner[0] >= 500000  # of the map
    again = pw.workflows.predict_images(model, path, out, **options)
    assert again.num_kept == 1
    table.write_text("mine,and,not,yours\n")
    with pytest.raises(pw.OutputError, match="is no result that pixelwise wrote"):
        pw.predict(model, path, out, **options)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # raised inside pycocotools
def test_the_coco_file_of_a_prediction_is_its_mask(tmp_path, capsys):
    model, path = make_model(tmp_path), tmp_path / "x.tif"
    tifffile.imwrite(path, IMAGE, photometric="rgb")
    mask, file = pw.predict(model, path, tmp_path / "out", **EXACT, save=("mask", "coco"))
    coco = COCO(file)
    assert coco.loadImgs([1])[0]["file_name"] == "x.tif"
    found = coco.loadAnns(coco.getAnnIds())
    painted = sum(coco.annToMask(one) * one["category_id"] for one in found)
    np.testing.assert_array_equal(painted, read_mask_values(mask))


def test_the_coco_file_of_a_prediction_is_read_as_the_mask_of_its_image(tmp_path):
    model, data = make_model(tmp_path), tmp_path / "data"
    data.mkdir()
    tifffile.imwrite(data / "x.tif", IMAGE, photometric="rgb")
    mask, file = pw.predict(model, data / "x.tif", tmp_path / "out", **EXACT, save=("mask", "coco"))
    file.rename(data / "annotations.json")
    dataset = read_dataset(data)
    (sample,) = [one for split in dataset.splits for one in dataset.samples(split)]
    np.testing.assert_array_equal(sample.mask, read_mask_values(mask))
