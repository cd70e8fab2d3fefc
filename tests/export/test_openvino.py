"""Exports for OpenVINO compute what the model computes, and say what they are."""

import json
import sys

import numpy as np
import openvino
import pytest
from tests.export.models import KINDS, make_model

from pixelwise.errors import ExportError, MissingExtraError
from pixelwise.export import openvino as openvino_export
from pixelwise.export.openvino import export_openvino
from pixelwise.export.verify import exact_predictor

OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "3 classes"]
ODD_SIZES = [(1, 1), (1, 50), (31, 1), (79, 130)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported("binary"): the model, its .xml and how well they agree; each kind is made once."""
    made = {}

    def make(kind):
        if kind not in made:
            model, path = make_model(**KINDS[kind]), tmp_path_factory.mktemp("export") / "m.xml"
            made[kind] = model, path, export_openvino(model, path)
        return made[kind]

    return make


@pytest.mark.parametrize("kind", ["3 classes", *OTHERS])
def test_every_kind_of_model_agrees_at_sizes_it_never_saw(exported, kind):
    model, path, agreement = exported(kind)
    assert agreement.max_difference < 1e-4
    assert agreement.equal_share == 1
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    predictor = exact_predictor(model)
    for number, size in enumerate(ODD_SIZES):
        images = np.random.default_rng(number).integers(0, 256, (2, 2, *size)).astype(np.float32)
        expected = np.stack([predictor.probabilities(image) for image in images])
        np.testing.assert_allclose(compiled(images)[0], expected, atol=1e-4)


def test_two_files_are_written_that_say_what_the_numbers_mean(exported):
    model, path, agreement = exported("3 classes")
    assert sorted(file.name for file in path.parent.iterdir()) == ["m.bin", "m.xml"]
    graph = openvino.Core().read_model(path)

    def about(name):
        return graph.get_rt_info(["pixelwise", name]).value

    assert json.loads(about("classes")) == list(model.config.class_names)
    assert about("task") == "multiclass"
    assert json.loads(about("agreement")) == agreement.to_json()
    assert graph.input("image").partial_shape.to_string() == "[?,2,?,?]"


def test_weights_are_stored_in_full(exported):
    model, path, _ = exported("3 classes")
    assert path.with_suffix(".bin").stat().st_size > 3.5 * model.network.num_parameters  # folded


def test_files_that_do_not_agree_are_not_written(monkeypatch, tmp_path):
    original = openvino_export.openvino_runner
    monkeypatch.setattr(
        openvino_export, "openvino_runner", lambda path: lambda batch: 1 - original(path)(batch)
    )
    with pytest.raises(ExportError, match=r"m\.xml was not written, since it does not compute"):
        export_openvino(make_model(), tmp_path / "m.xml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["openvino", "onnxscript"])
def test_a_missing_package_is_one_message_with_the_extra(monkeypatch, tmp_path, module):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'are written.* with {module}, .*pip install "pixelwise\[(onnx|openvino)\]"'
    with pytest.raises(MissingExtraError, match=message):
        export_openvino(make_model(), tmp_path / "m.xml")
