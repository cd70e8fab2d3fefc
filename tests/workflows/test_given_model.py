"""One grammar: a Segmenter, a run, a run folder or a model file, wherever a model is wanted."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from tests.inference.test_predictor import model_for

import pixelwise as pw
from pixelwise.errors import LayoutError, ModelFileError, PlanError
from pixelwise.network import save_model
from pixelwise.workflows.export import export
from pixelwise.workflows.given_model import take_model


@pytest.fixture(scope="module")
def run(data, plan, tmp_path_factory):
    return pw.train(data, tmp_path_factory.mktemp("runs") / "run", plan=plan)


def test_every_way_to_give_a_model_scores_alike(run, data):
    expected = pw.evaluate(run.folder, data)
    assert pw.evaluate(str(run.folder), data) == expected
    assert pw.evaluate(run, data) == expected
    assert pw.evaluate(run.folder / "model.safetensors", data) == expected
    assert pw.evaluate(pw.load(run.folder), data) == expected
    assert pw.evaluate(model=pw.load(run.folder), data=data) == expected


def test_the_split_of_the_run_is_known_to_its_segmenter(data, tmp_path):
    """Data without split folders: which images are new is written in the run folder."""
    flat = tmp_path / "flat"
    for kind in ("images", "masks"):
        (flat / kind).mkdir(parents=True)
        for path in data.glob(f"*/{kind}/*"):
            (flat / kind / path.name).write_bytes(path.read_bytes())
    run = pw.train(flat, tmp_path / "run", epochs=1, budget=None)
    held = pw.evaluate(pw.load(run.folder), flat, split="val")
    assert held.names == run.scores.names


def test_every_way_predicts_the_same_file(run, data, tmp_path):
    (image,) = sorted((data / "test" / "images").iterdir())[:1]
    masks = [
        pw.predict(model, image, tmp_path / str(number))[0].read_bytes()
        for number, model in enumerate((run, run.folder, pw.load(run.folder)))
    ]
    assert masks[0] == masks[1] == masks[2]


def test_a_segmenter_that_was_never_saved_predicts_and_exports(tmp_path):
    model = pw.unet((32, 32, 1), widths=(4, 8), seed=0)
    Image.fromarray(np.eye(32, dtype=np.uint8) * 255).save(tmp_path / "x.png")
    before = copy.deepcopy(model.model.network.state_dict())
    (mask,) = pw.predict(model, tmp_path / "x.png", tmp_path / "masks")
    assert mask.exists()
    after = model.model.network.state_dict()  # predictors change networks, but not this one
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(after[name].stride() == before[name].stride() for name in before)
    written = export(model, "onnx", tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match=r"m\.onnx is an export"):
        export(written.files[0], "onnx", tmp_path / "again.onnx")


def test_a_segmenter_forgets_its_run_when_it_is_trained_on(run):
    model = pw.load(run.folder, device="cpu")
    assert take_model(model).path == run.folder
    model.fit(np.zeros((1, 16, 16, 1), np.float32), np.zeros((1, 16, 16, 1)), verbose=False)
    assert model.path is None
    assert take_model(model).name == "This model"


@pytest.mark.parametrize("wrong", [None, 3, np.zeros((4, 4)), object()])
def test_what_is_no_model_is_said(wrong, tmp_path):
    with pytest.raises(PlanError, match=f"A {type(wrong).__name__} is no model"):
        pw.predict(wrong, tmp_path, tmp_path / "out")


def test_missing_data_are_said(run):
    with pytest.raises(PlanError, match=r"Data are missing: evaluate\(model, data\)"):
        pw.evaluate(run)
    with pytest.raises(PlanError, match="either a model or a folder of predictions"):
        pw.evaluate(data="somewhere")


def test_models_of_volumes_are_for_arrays(tmp_path):
    save_model(tmp_path / "v.safetensors", model_for(dims=3))
    for given in (tmp_path / "v.safetensors", pw.load(tmp_path / "v.safetensors")):
        with pytest.raises(ModelFileError, match=r"v\.safetensors is a model for volumes"):
            pw.predict(given, tmp_path, tmp_path / "out")


def test_swapped_arguments_are_recognised(run, data, tmp_path):
    words = f"{run.folder} is a model, and .* is none. The model comes first"
    with pytest.raises(PlanError, match=words):
        pw.evaluate(data, run.folder)
    with pytest.raises(PlanError, match=words):
        pw.predict(data / "test" / "images", run.folder, tmp_path / "out")
    with pytest.raises(ModelFileError, match=r"no model\.safetensors"):  # neither is one
        pw.evaluate(data, data)


def test_missing_data_are_said_before_an_earlier_run(run, tmp_path):
    with pytest.raises(LayoutError, match=r"nowhere does not exist"):
        pw.train(tmp_path / "nowhere", run.folder)
