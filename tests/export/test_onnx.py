"""Exports to ONNX compute what the model computes, and say what they are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from tests.export.models import KINDS, make_model

from pixelwise import __version__
from pixelwise.errors import ExportError, MissingExtraError, ModelFileError
from pixelwise.export import onnx as onnx_export
from pixelwise.export.onnx import build_onnx, export_onnx
from pixelwise.export.verify import exact_predictor

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "onnx_only.py"
QUICK = ("binary", "3 classes")  # made once for the tests of this file
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind not in QUICK]
ODD_SIZES = [(1, 1), (1, 50), (31, 1), (3, 5), (79, 130)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported("binary"): the model, its file and how well they agree; each kind is made once."""
    made = {}

    def make(kind):
        if kind not in made:
            model, path = make_model(**KINDS[kind]), tmp_path_factory.mktemp("export") / "m.onnx"
            made[kind] = model, path, export_onnx(model, path)
        return made[kind]

    return make


@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
def test_every_kind_of_model_agrees_at_sizes_it_never_saw(exported, kind):
    model, path, agreement = exported(kind)
    assert agreement.max_difference < 1e-4
    assert agreement.equal_share == 1
    session, predictor = onnxruntime.InferenceSession(path), exact_predictor(model)
    for number, size in enumerate(ODD_SIZES):
        images = np.random.default_rng(number).integers(0, 256, (2, 2, *size)).astype(np.float32)
        (found,) = session.run(None, {"image": images})
        expected = np.stack([predictor.probabilities(image) for image in images])
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_a_ready_made_encoder_is_exported(timm, tmp_path):
    model = make_model(widths=(8, 16, 32), encoder="resnet18", normalization="batch")
    assert export_onnx(model, tmp_path / "m.onnx").max_difference < 1e-4


def test_input_and_output_have_names_and_free_sizes(exported):
    graph = onnx.load(exported("binary")[1]).graph
    for values, name, channels in ((graph.input, "image", 2), (graph.output, "probabilities", 1)):
        (value,) = values
        dims = value.type.tensor_type.shape.dim
        assert value.name == name
        assert [dim.dim_param or dim.dim_value for dim in dims] == [
            "batch",
            channels,
            "height",
            "width",
        ]


def test_the_metadata_say_what_the_numbers_mean(exported):
    model, path, agreement = exported("3 classes")
    file = onnx.load(path)
    onnx.checker.check_model(file)
    about = {entry.key: entry.value for entry in file.metadata_props}
    assert about["task"] == "multiclass"
    assert json.loads(about["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(about["colors"]) == list(model.config.class_colors)
    assert (about["threshold"], about["channels"], about["version"]) == ("0.5", "2", __version__)
    assert json.loads(about["agreement"]) == agreement.to_json()
    assert (file.producer_name, file.opset_import[0].version) == ("pixelwise", 20)


def test_the_file_says_nothing_of_the_machine_it_was_made_on(exported):
    data = exported("3 classes")[1].read_bytes()
    assert b"site-packages" not in data
    assert str(Path(onnx_export.__file__).parent).encode() not in data


@pytest.mark.parametrize("kind", QUICK)
def test_the_example_writes_the_mask_of_the_model_without_pixelwise(exported, kind, tmp_path):
    model, path, _ = exported(kind)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41, 2), np.uint8)
    Image.fromarray(pixels, "LA").save(tmp_path / "a.png")
    files = [str(path), "a.png", "mask.png"]
    code = "import sys; sys.modules['pixelwise'] = sys.modules['torch'] = None; "
    code += f"sys.argv = {['x', *files]}; exec(open({str(EXAMPLE)!r}).read())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "mask.png") as mask:
        found, palette = np.asarray(mask), mask.getpalette()
    expected = exact_predictor(model).segment(pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(found, expected)
    assert palette[:6] == [0, 0, 0, 0, 0, 1]


def test_a_file_that_does_not_agree_is_not_written(monkeypatch, tmp_path):
    def build_wrong(model):
        proto = build_onnx(model)
        weights = max(proto.graph.initializer, key=lambda one: len(one.raw_data))
        values = np.frombuffer(weights.raw_data, np.float32).copy()
        values[0] += 1
        weights.raw_data = values.tobytes()
        return proto

    monkeypatch.setattr(onnx_export, "build_onnx", build_wrong)
    with pytest.raises(ExportError, match=r"m\.onnx was not written, since it does not compute"):
        export_onnx(make_model(), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_cannot_follow_is_one_message(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ExportError, match=r"as ONNX \(RuntimeError: no such operator\)\. Please"):
        export_onnx(make_model(), tmp_path / "m.onnx")


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_one_message_with_the_extra(monkeypatch, tmp_path, module):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'ONNX files are written with {module}, .*pip install "pixelwise\[onnx\]"'
    with pytest.raises(MissingExtraError, match=message):
        export_onnx(make_model(), tmp_path / "m.onnx")


def test_a_model_of_volumes_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="model of volumes"):
        export_onnx(make_model(spatial_dims=3), tmp_path / "m.onnx")
