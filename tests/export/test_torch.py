"""Exports that torch alone runs compute what the model computes, and say what they are."""

import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from tests.export.models import KINDS, make_model

from pixelwise.errors import ExportError, ModelFileError
from pixelwise.export import torch as torch_export
from pixelwise.export.torch import build_torchscript, export_torch
from pixelwise.export.verify import exact_predictor

QUICK = ("binary", "half scale")
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind not in QUICK]
ODD_SIZES = [(1, 1), (1, 50), (31, 1), (3, 5), (79, 130)]
RUN_ALONE = """
import json, sys
sys.modules["pixelwise"] = None
import numpy as np, torch
texts = {"pixelwise.json": ""}
model = torch.export.load("m.pt2", extra_files=texts).module()
image = torch.from_numpy(np.load("image.npy"))[None]
np.save("found.npy", model(image)[0].detach().numpy())
print(json.loads(texts["pixelwise.json"])["task"])
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported("binary"): the model, its .pt2 and how well they agree; each kind is made once."""
    made = {}

    def make(kind):
        if kind not in made:
            model, path = make_model(**KINDS[kind]), tmp_path_factory.mktemp("export") / "m.pt2"
            made[kind] = model, path, export_torch(model, path)
        return made[kind]

    return make


def check_sizes(compute, model):
    predictor = exact_predictor(model)
    for number, size in enumerate(ODD_SIZES):
        images = np.random.default_rng(number).integers(0, 256, (2, 2, *size)).astype(np.float32)
        expected = np.stack([predictor.probabilities(image) for image in images])
        found = compute(torch.from_numpy(images)).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
def test_every_kind_of_model_agrees_at_sizes_it_never_saw(exported, kind):
    model, path, agreement = exported(kind)
    assert agreement.max_difference < 1e-4
    assert agreement.equal_share == 1
    check_sizes(torch.export.load(path).module(), model)


def test_the_file_runs_without_pixelwise_and_says_what_it_is(exported, tmp_path):
    model, path, _ = exported("binary")
    (tmp_path / "m.pt2").write_bytes(path.read_bytes())
    image = np.random.default_rng(0).integers(0, 256, (2, 19, 33)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN_ALONE],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "binary\n"
    expected = exact_predictor(model).probabilities(image)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)


def test_the_texts_are_those_of_the_model_and_the_agreement(exported):
    model, path, agreement = exported("half scale")
    texts = {"pixelwise.json": ""}
    torch.export.load(path, extra_files=texts)
    about = json.loads(texts["pixelwise.json"])
    assert json.loads(about["classes"]) == list(model.config.class_names)
    assert json.loads(about["agreement"]) == agreement.to_json()


def test_the_file_says_nothing_of_the_machine_it_was_made_on(exported):
    data = exported("binary")[1].read_bytes()
    assert b"site-packages" not in data
    assert b"whole_model.py" not in data


@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
def test_torchscript_agrees_at_sizes_it_never_saw(kind):
    model = make_model(**KINDS[kind])
    data, agreement = build_torchscript(model, "weights.pt")
    assert agreement.max_difference < 1e-4
    texts = {"pixelwise.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old
        loaded = torch.jit.load(io.BytesIO(data), _extra_files=texts)
    assert json.loads(json.loads(texts["pixelwise.json"])["agreement"]) == agreement.to_json()
    check_sizes(loaded, model)


@pytest.mark.parametrize("write", [export_torch, build_torchscript])
def test_a_file_that_does_not_agree_is_not_written(monkeypatch, tmp_path, write):
    original = torch_export._runner
    monkeypatch.setattr(
        torch_export, "_runner", lambda compute: lambda batch: 1 - original(compute)(batch)
    )
    with pytest.raises(ExportError, match=r"m\.pt2 was not written, since it does not compute"):
        write(make_model(), tmp_path / "m.pt2")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_cannot_follow_is_one_message(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(torch.export, "export", fail)
    with pytest.raises(ExportError, match=r"network \(RuntimeError: no such operator\)\. Please"):
        export_torch(make_model(), tmp_path / "m.pt2")


@pytest.mark.parametrize("write", [export_torch, build_torchscript])
def test_a_model_of_volumes_is_refused(tmp_path, write):
    with pytest.raises(ModelFileError, match="model of volumes"):
        write(make_model(spatial_dims=3), tmp_path / "m.pt2")
