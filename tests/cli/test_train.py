"""`pixelwise train` on a small data set: the options beside a time and a folder."""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pixelwise.cli import app
from pixelwise.data.synthetic import write_cells


def run(*arguments: object):
    line = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, line, prog_name="pixelwise")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_cells(tmp_path_factory.mktemp("data"), num_images=9, size=(48, 64))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    result = run("train", data, "--out", folder, "--epochs", 1, "--device", "cpu")
    assert result.exit_code == 0, result.output
    return folder


def test_from_starts_from_an_earlier_model_and_says_so(data, trained, tmp_path):
    options = ("--out", tmp_path / "run", "--epochs", 1, "--device", "cpu", "--from", trained)
    result = run("train", data, *options)
    assert result.exit_code == 0, result.output
    assert f"Training starts from the weights of {trained}." in result.stderr
    assert str(trained) in run("info", tmp_path / "run").stdout
    again = run("train", data, *options, "--resume")
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    ("budget", "said"),
    [("10", "10 has no unit"), ("8s", "8s is too short"), ("ten", "'ten' is not a time")],
)
def test_a_budget_is_refused_with_what_to_write(budget, said, data, tmp_path):
    result = run("train", data, "--out", tmp_path / "run", "--budget", budget)
    assert result.exit_code == 1
    assert said in result.stderr
    assert re.search(r"\b10s\b|\b90s\b", result.stderr)
    assert not (tmp_path / "run").exists()


def test_from_what_is_no_model_is_one_message(data, tmp_path):
    result = run("train", data, "--out", tmp_path / "run", "--from", tmp_path / "none")
    assert result.exit_code == 1
    assert f"pixelwise: {tmp_path / 'none'} does not exist" in result.stderr


def test_an_encoder_that_is_none_is_one_message(data, tmp_path, timm):
    result = run("train", data, "--out", tmp_path / "run", "--encoder", "resnet35")
    assert result.exit_code == 1
    assert "pixelwise: timm has no network called resnet35" in result.stderr
    weights = run("train", data, "--out", tmp_path / "run", "--encoder-weights", "a.pth")
    assert weights.exit_code == 1
    assert "a.pth was given as weights of an encoder, but no encoder" in weights.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_folds_are_one_model_for_every_command(data, tmp_path):
    folder = tmp_path / "run"
    result = run("train", data, "--out", folder, "--epochs", 1, "--device", "cpu", "--folds", 2)
    assert result.exit_code == 0, result.output
    assert "Fold 2 of 2: " in result.stderr
    assert result.stdout.count("Trained 2 models") == 1  # the one result, below what is broken
    facts = run("info", folder).stdout
    assert "mean of the probabilities of 2 networks: U-Net, widths" in facts
    images = data / "test" / "images"
    assert run("predict", folder, images, "--out", tmp_path / "masks").exit_code == 0
    assert run("evaluate", folder, data).exit_code == 0
    refused = run("evaluate", folder, data, "--split", "val")
    assert refused.exit_code == 1
    assert "cross-validation" in refused.stderr


def test_more_folds_than_images_is_one_message(data, tmp_path):
    result = run("train", data, "--out", tmp_path / "run", "--epochs", 1, "--folds", 99)
    assert result.exit_code == 1
    assert "99 folds were asked for, but there are only" in result.stderr


def test_a_log_without_its_package_is_one_message(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    result = run("train", data, "--out", tmp_path / "run", "--epochs", 1, "--log", "wandb")
    assert result.exit_code == 1
    assert "Logging to wandb needs its package" in result.stderr
    assert not (tmp_path / "run").exists()
