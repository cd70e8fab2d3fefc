"""`export`: a model file and a name in, a proven file out; what cannot be is said first."""

import numpy as np
import pytest
from tests.export.models import make_model
from typer.testing import CliRunner

from pixelwise.cli import app
from pixelwise.errors import DataError, ModelFileError, OutputError, PlanError
from pixelwise.network import save_model
from pixelwise.task import Task
from pixelwise.workflows import export


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, make_model(task=Task.BINARY))
    return path


def test_a_model_is_written_and_compared_on_pictures_that_are_given(model, save, tmp_path):
    rng = np.random.default_rng(0)
    for name, height in (("a", 20), ("b", 31)):
        save(f"pictures/{name}.tif", rng.integers(0, 256, (height, 40, 2), np.uint8))
    result = export(model, "onnx", tmp_path / "m.onnx", check_on=tmp_path / "pictures")
    assert result.files == (tmp_path / "m.onnx",)
    assert result.agreement.num_given == 2
    assert result.describe().startswith(f"{tmp_path / 'm.onnx'} (0.0")
    assert result.describe().endswith("classes equal in 100 % of pixels.")


def test_the_command_prints_the_files_and_the_figures(model, tmp_path):
    out = str(tmp_path / "m.xml")
    result = CliRunner().invoke(app, ["export", str(model), "--to", "openvino", "--out", out])
    assert result.exit_code == 0, result.output
    assert f"{out} (" in result.stdout
    assert "m.bin (" in result.stdout
    assert "classes equal in 100 % of pixels" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("to", "out", "error", "message"),
    [
        ("tflite", "m.tflite", PlanError, "'tflite' is no format of exports. Choose onnx, openv"),
        ("onnx", "m.xml", PlanError, "m.xml is no name for onnx, which ends in .onnx"),
        ("openvino", "m.onnx", PlanError, "which ends in .xml"),
        ("torch", "m.pt", PlanError, "m.pt is no name for torch, which ends in .pt2"),
        ("onnx", "none/m.onnx", OutputError, "give a file in a folder that exists"),
    ],
)
def test_wrong_requests_are_refused_before_anything_is_done(
    model, tmp_path, to, out, error, message
):
    with pytest.raises(error, match=message):
        export(model, to, tmp_path / out)


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("torch", {"calibrate": "data"}, "INT8 is for onnx and openvino, but torch was asked for"),
        ("onnx", {"authors": ["Ada"]}, "Authors and a licence are for bioimageio, but onnx"),
        ("onnx", {"license": "MIT"}, "Authors and a licence are for bioimageio, but onnx"),
        ("onnx", {"allow_loss": 0.01}, "Only INT8 may lose Dice"),
        ("onnx", {"calibrate": "data", "allow_loss": float("nan")}, "nan Dice cannot be allowed"),
        ("onnx", {"calibrate": "data", "allow_loss": -0.1}, "-0.1 Dice cannot be allowed"),
        ("onnx", {"calibrate": "data", "allow_loss": 1.5}, "Give 0 to 1"),
        ("onnx", {"calibrate": "data", "check_on": "a.png"}, "Leave out the pictures to check on"),
    ],
)
def test_options_that_would_be_left_out_are_refused(model, tmp_path, to, options, message):
    suffix = {"torch": ".pt2", "onnx": ".onnx"}[to]
    with pytest.raises(PlanError, match=message):
        export(model, to, tmp_path / f"m{suffix}", **options)


def test_int8_and_its_data_belong_together(model, tmp_path):
    words = ["export", str(model), "--to", "onnx", "--out", str(tmp_path / "m.onnx"), "--int8"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "give both" in result.output


def test_a_data_folder_sets_the_ranges_and_says_what_is_lost(model, save, tmp_path):
    pytest.importorskip("nncf")
    rng = np.random.default_rng(0)
    for number in range(12):
        split = "val" if number % 3 == 0 else "train"
        image = rng.integers(0, 256, (40, 40, 2), np.uint8)
        save(f"data/{split}/images/{number}.tif", image)
        save(f"data/{split}/masks/{number}.png", (image[..., 0] > 128).astype(np.uint8) * 255)
    out = str(tmp_path / "m.onnx")
    words = ["--int8", "--calibrate", str(tmp_path / "data"), "--allow-loss", "0.2"]
    result = CliRunner().invoke(app, ["export", str(model), "--to", "onnx", "--out", out, *words])
    assert result.exit_code == 0, result.output
    assert "on 4 held-out images" in result.stdout
    assert "calibrated on 8 images" in result.stdout


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        export(tmp_path / "none", "onnx", tmp_path / "m.onnx")


def test_a_picture_that_is_none_for_the_model_is_named(model, save, tmp_path):
    path = save("a.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.png"):
        export(model, "onnx", tmp_path / "m.onnx", check_on=[path])
    assert not (tmp_path / "m.onnx").exists()
