"""INT8: what is lost is measured on held-out images, and too much of it is refused.

The masks are what the model itself finds, so that its Dice in float32 is 1 and what INT8 loses is
what it answers otherwise.
"""

import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from scipy.ndimage import gaussian_filter
from tests.export.models import KINDS, make_model

from pixelwise.data import Sample
from pixelwise.errors import ExportError, LayoutError, MissingExtraError
from pixelwise.export import int8
from pixelwise.export.int8 import Loss, count_layers, equal_share, export_int8
from pixelwise.export.onnx import build_onnx, onnx_runner
from pixelwise.export.openvino import openvino_runner
from pixelwise.export.verify import exact_predictor

pytest.importorskip("nncf")


def make_samples(model, number, seed=0):
    """Smooth pictures of 48 x 40 with the masks that the model finds."""
    random, predictor = np.random.default_rng(seed), exact_predictor(model)
    samples = []
    for index in range(number):
        image = gaussian_filter(random.normal(110, 250, (2, 48, 40)), (0, 3, 3)).astype(np.float32)
        samples.append(Sample(f"{index}", image, predictor.segment(image), None))
    return samples


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model of 3 classes, its file in INT8, what that lost, and the held-out images."""
    model = make_model(**KINDS["3 classes"], widths=(8, 16))
    path, held_out = tmp_path_factory.mktemp("int8") / "m.onnx", make_samples(model, 6, seed=1)
    loss = export_int8(model, path, "onnx", make_samples(model, 8), held_out, allow_loss=0.05)
    return model, path, loss, held_out


def test_convolutions_are_in_int8_and_the_figures_are_those_of_the_file(made):
    model, path, loss, held_out = made
    proto = onnx.load(path)
    assert count_layers(proto) == (loss.num_layers, loss.num_layers_int8)
    assert 0 < loss.num_layers_int8 <= loss.num_layers
    assert count_layers(build_onnx(model)) == (loss.num_layers, 0)
    assert (loss.num_calibrated, loss.num_held_out, loss.dice) == (8, 6, pytest.approx(1))
    run = onnx_runner(path.read_bytes())
    assert equal_share(run, held_out, model) == loss.equal_share
    assert 0.9 < loss.equal_share < 1
    assert loss.loss == pytest.approx(1 - int8.dice_of(run, held_out, model.config))
    assert loss.loss <= 0.05


def test_the_loss_is_printed_and_kept_in_the_file(made):
    _, path, loss, _ = made
    kept = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(kept["agreement"]) == pytest.approx(loss.to_json())
    assert f"Dice {loss.dice_int8:.4f} in place of 1.0000 on 6 held-out images" in loss.describe()


def test_openvino_runs_it_too(made, tmp_path):
    model, _, _, held_out = made
    path = tmp_path / "m.xml"
    export_int8(model, path, "openvino", make_samples(model, 8), held_out, allow_loss=0.05)
    assert equal_share(openvino_runner(path), held_out, model) > 0.9


def test_too_much_loss_is_refused_and_nothing_is_written(made, tmp_path, monkeypatch):
    model, _, _, held_out = made
    monkeypatch.setattr(int8, "quantize", lambda proto, *_: onnx.load(made[1]))
    with pytest.raises(ExportError, match=r"More than 1e-06 Dice is lost.*--allow-loss 0\.\d"):
        export_int8(model, tmp_path / "m.onnx", "onnx", held_out, held_out, allow_loss=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_int8_is_refused(made, tmp_path, monkeypatch):
    model, _, _, held_out = made
    monkeypatch.setattr(int8, "quantize", lambda proto, *_: proto)
    with pytest.raises(ExportError, match="no layer of this network can be in INT8"):
        export_int8(model, tmp_path / "m.onnx", "onnx", held_out, held_out, allow_loss=0.1)


def test_held_out_images_without_anything_to_find_are_no_measure(made, tmp_path, monkeypatch):
    model = made[0]
    empty = [Sample("a", np.zeros((2, 16, 16), np.float32), np.zeros((16, 16), np.uint8), None)]
    monkeypatch.setattr(int8, "dice_of", lambda *_: float("nan"))
    with pytest.raises(LayoutError, match="No held-out image has anything to find"):
        export_int8(model, tmp_path / "m.onnx", "onnx", empty, empty, allow_loss=0.1)


def test_a_model_that_finds_nothing_has_nothing_to_lose(made, tmp_path):
    model, _, _, held_out = made
    wrong = [replace(sample, mask=(sample.mask + 1) % 3) for sample in held_out]  # never right
    with pytest.raises(ExportError, match=r"Dice 0 in float32.*no loss of INT8 can be seen"):
        export_int8(model, tmp_path / "m.onnx", "onnx", held_out, wrong, allow_loss=0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_message_with_the_extra(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pixelwise\[int8\]"'):
        export_int8(made[0], tmp_path / "m.onnx", "onnx", [], [], allow_loss=0.1)


def test_what_is_lost_may_be_a_gain():
    found = Loss(8, 6, 0.9, 0.91, 0.99, 100, 30, 5, 4)
    assert found.loss == pytest.approx(-0.01)
    assert "loss -0.0100" in found.describe()
    assert "30% of the size in float32" in found.describe()
