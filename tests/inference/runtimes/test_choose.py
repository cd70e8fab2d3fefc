"""What computes is chosen before anything is done, and said; what cannot be is one message."""

import re
import sys

import pytest
import torch
from tests.export.models import make_model

from pixelwise.device import has_bfloat16
from pixelwise.errors import MissingExtraError, PlanError
from pixelwise.inference.precision import file_predictor
from pixelwise.inference.runtimes import ExportedModel, choose_runtime

CPU = torch.device("cpu")
FASTEST = "bfloat16" if has_bfloat16(CPU) else "float32"
META = torch.device("meta")  # any that is no CPU
NEW, SCORED = make_model(), make_model(scores={"num_images": 3})
ONNX, OPENVINO = (
    ExportedModel(NEW.config, NEW.network, format, b"") for format in ("onnx", "openvino")
)


@pytest.mark.parametrize(
    ("model", "asked", "chosen"),
    [
        (NEW, {}, ("torch", FASTEST)),
        (SCORED, {}, ("torch", "float32")),  # as it was validated
        (NEW, {"precision": "float32"}, ("torch", "float32")),
        (NEW, {"runtime": "openvino"}, ("openvino", FASTEST)),
        (SCORED, {"runtime": "openvino"}, ("openvino", "float32")),
        (SCORED, {"runtime": "openvino", "precision": "bfloat16"}, ("openvino", FASTEST)),
        (NEW, {"runtime": "onnx"}, ("onnx", "float32")),
        (NEW, {"runtime": "onnx", "precision": "float32"}, ("onnx", "float32")),
        (ONNX, {}, ("onnx", "float32")),
        (ONNX, {"runtime": "openvino"}, ("openvino", FASTEST)),
        (OPENVINO, {}, ("openvino", FASTEST)),
    ],
)
def test_what_is_left_open_is_chosen(model, asked, chosen):
    found = choose_runtime(model, device="cpu", **asked)
    assert (found.name, found.precision) == chosen
    assert found.device == CPU


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        (NEW, {"runtime": "tensorflow"}, "no runtime. Choose auto, torch, openvino or onnx"),
        (NEW, {"runtime": "onnx", "precision": "bfloat16"}, "--precision bfloat16 is not for ONNX"),
        (ONNX, {"precision": "bfloat16"}, "--precision bfloat16 is not for ONNX"),
        (NEW, {"runtime": "openvino", "device": META}, "computes on the CPU, but --device meta"),
        (ONNX, {"device": META}, "--runtime onnx computes on the CPU"),
        (ONNX, {"runtime": "torch"}, "cannot run an exported onnx file. Take onnx or openvino"),
        (OPENVINO, {"runtime": "onnx"}, "cannot run an exported openvino file. Take openvino"),
    ],
)
def test_what_does_not_go_together_is_refused(model, asked, words):
    with pytest.raises(PlanError, match=re.escape(words)):
        choose_runtime(model, **asked)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, runtime):
    monkeypatch.setitem(sys.modules, {"onnx": "onnxruntime"}.get(runtime, runtime), None)
    message = rf'--runtime {runtime} are made with .* pip install "pixelwise\[{runtime}\]"'
    with pytest.raises(MissingExtraError, match=message):
        file_predictor(make_model(), device="cpu", runtime=runtime)
