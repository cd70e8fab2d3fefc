"""What a Segmenter says of its training: history and plan."""

import numpy as np
import pytest

import pixelwise as pw
from pixelwise.segmenter.epochs import read_history

X = np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
Y = (X[..., 0] > 0.5).astype(np.uint8)


@pytest.fixture
def model():
    return pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")


def test_before_any_training_there_is_none(model):
    assert model.history.history == {}
    assert model.plan is None


def test_of_the_last_fit(model):
    first = model.fit(X, Y, epochs=2, batch_size=2, verbose=0)
    assert model.history is first
    second = model.fit(X, Y, epochs=1, batch_size=4, verbose=0)
    assert model.history is second
    assert (model.plan.batch_size, model.plan.num_steps) == (4, 1)


def test_of_a_run_folder(tmp_path, model):
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "history.csv").write_text(
        "step,train_loss,val_loss,val_dice\n10,0.9,0.8,0.5\n20,0.7,,0.6\n"
    )
    history = pw.load(tmp_path).history
    assert history.history["loss"] == [0.9, 0.7]
    assert history.history["val_dice"] == [0.5, 0.6]
    assert np.isnan(history.history["val_loss"][1])
    assert history.epoch == [0, 1]
    assert pw.load(tmp_path).plan is None


def test_the_plan_of_a_run_folder(tmp_path, model, small_plan_text):
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "plan.yaml").write_text(small_plan_text)
    assert pw.load(tmp_path).plan.batch_size == 3


@pytest.fixture
def small_plan_text():
    from tests.plans import small_plan

    return small_plan(batch_size=3).to_yaml()


def test_a_file_without_rows(tmp_path):
    path = tmp_path / "history.csv"
    assert read_history(path).history == {}
    path.write_text("step,train_loss\n")
    assert read_history(path).history == {}


def test_a_model_file_alone_says_nothing(tmp_path, model):
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "history.csv").write_text("step,train_loss\n1,2\n")
    assert pw.load(tmp_path / "model.safetensors").history.history == {}


def test_weights_of_a_wrapped_network_are_loaded_into_it(tmp_path):
    from torch import nn

    model = pw.wrap(nn.Conv2d(1, 2, 3, padding=1), (8, 8, 1), num_classes=2)
    model.save_weights(tmp_path / "w.safetensors")
    other = pw.wrap(nn.Conv2d(1, 2, 3, padding=1), (8, 8, 1), num_classes=2)
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)
