"""The commands on real files: a small data set, one epoch, and what strangers do wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pixelwise.cli import app
from pixelwise.data.synthetic import write_cells

SIZE = (64, 80)
RUN_FILES = (
    *("model.safetensors", "plan.yaml", "split.csv"),
    *("history.csv", "metrics.json", "report.html"),
)
NOT_MODELS = (b"", b"not a model", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")


def run(*arguments: object):
    line = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, line, prog_name="pixelwise")


def refused(result, *words: str, status: int = 1) -> None:
    """One clear message on stderr that holds the words, and the exit status."""
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("pixelwise: ")
    assert "unexpected error" not in last
    for word in words:
        assert word in result.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_cells(tmp_path_factory.mktemp("data"), num_images=9, size=SIZE)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The run folder of one epoch, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, run("train", data, "--out", folder, "--epochs", 1, "--device", "cpu")


@pytest.fixture(scope="module")
def model(trained) -> Path:
    return trained[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what goes right --------------------------------------------------------------------------


def test_train_leaves_the_run_folder_of_the_design(trained):
    folder, result = trained
    assert result.exit_code == 0, result.output
    for name in [
        "model.safetensors",
        "plan.yaml",
        "split.csv",
        "history.csv",
        "metrics.json",
        "report.html",
    ]:
        assert (folder / name).stat().st_size > 0
    assert (folder / "checkpoint").is_dir()
    assert str(folder) in result.stdout  # the closing line says where
    assert "9 images" in result.stderr  # what was understood of the data
    assert "val Dice" in result.stderr


def test_info_says_what_the_model_is(model):
    result = run("info", model)
    assert result.exit_code == 0, result.output
    facts = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert "binary" in facts["task"]
    assert "background" in facts["classes"]
    assert "mean Dice" in facts["validation"]
    assert "{" not in result.stdout  # what is for programs is in --json


def test_info_json_is_the_configuration_of_the_model(model):
    config = json.loads(run("info", model, "--json", "-").stdout)
    assert config["format_version"] == 1
    assert config["network"]["in_channels"] == 1


def test_info_verbose_adds_the_layers(model):
    assert len(run("info", model, "-v").stdout) > len(run("info", model).stdout)


def test_predict_writes_a_mask_of_the_size_of_each_image(model, data, tmp_path):
    images = data / "test" / "images"
    result = run("predict", model, images, "--out", tmp_path / "masks")
    assert result.exit_code == 0, result.output
    names = {path.stem for path in images.iterdir()}
    written = sorted((tmp_path / "masks").rglob("*.png"))
    assert {path.stem for path in written} == names
    for path in written:
        with Image.open(path) as picture:
            assert picture.mode == "P"
            assert np.array(picture).shape == SIZE


def test_predict_json_lists_what_was_written(model, data, tmp_path):
    image = next((data / "test" / "images").iterdir())
    out = tmp_path / "masks"
    result = run("predict", model, image, "--out", out, "--save", "mask,overlay", "--json", "-")
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)["written"]
    assert len(written) == 2
    assert all(Path(path).is_file() for path in written)


def test_quiet_predict_prints_its_result_alone(model, data, tmp_path):
    result = run("predict", model, data / "test" / "images", "--out", tmp_path / "masks", "-q")
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


def test_evaluate_scores_a_model_and_its_written_masks_the_same(model, data, tmp_path):
    by_model = run("evaluate", model, data, "--json", "-", "--out", tmp_path / "scores")
    assert by_model.exit_code == 0, by_model.output
    scores = json.loads(by_model.stdout)
    assert scores["num_images"] == 2
    assert 0 <= scores["mean"]["dice"]["mean"] <= 1
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text()) == scores
    assert (tmp_path / "scores" / "metrics.csv").is_file()
    assert (tmp_path / "scores" / "report.html").is_file()

    run("predict", model, data / "test" / "images", "--out", tmp_path / "masks")
    by_masks = run("evaluate", "--predictions", tmp_path / "masks", data, "--json", "-")
    assert by_masks.exit_code == 0, by_masks.output
    again = json.loads(by_masks.stdout)
    assert again["mean"]["dice"]["mean"] == pytest.approx(scores["mean"]["dice"]["mean"], abs=1e-9)


def test_evaluate_prints_a_table_and_says_what_the_scores_mean(model, data):
    result = run("evaluate", model, data, "--split", "val")
    assert result.exit_code == 0, result.output
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["class", "dice", "iou", "precision", "recall", "images"]
    assert any(row.startswith("mean ") for row in rows)
    assert "bootstrap" in rows[-1]


def test_check_says_what_was_understood(data):
    result = run("check", data)
    assert result.exit_code == 0, result.output
    facts = dict(line.split("  ", 1) for line in result.stdout.splitlines() if "  " in line)
    assert "9 images" in facts["data"]
    assert facts["masks"].strip() == "one value a class: 0 = background, 255 = foreground"
    assert facts["task"].strip() == "binary"


def test_check_json_has_the_fields_that_programs_rely_on(data):
    content = json.loads(run("check", data, "--json", "-").stdout)
    assert list(content) == [
        *("layout", "num_images", "num_pairs", "splits", "mask_encoding", "task", "ignore"),
        *("classes", "findings"),
    ]
    assert content["num_images"] == content["num_pairs"] == 9
    assert sum(content["splits"].values()) == 9
    assert (content["task"], content["ignore"]) == ("binary", None)
    assert content["classes"] == [
        {"index": 0, "name": "background", "source": 0},
        {"index": 1, "name": "foreground", "source": 255},
    ]
    for finding in content["findings"]:
        assert list(finding) == ["code", "severity", "count", "files", "message", "fix"]


def test_check_says_the_classes_also_where_there_are_errors(data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    sorted((bad / "train" / "images").iterdir())[0].write_bytes(b"")
    result = run("check", bad, "--json", "-")
    assert result.exit_code == 3
    content = json.loads(result.stdout)
    assert content["num_images"] == 9
    assert [entry["source"] for entry in content["classes"]] == [0, 255]


def test_what_a_person_says_about_the_data_counts(data):
    result = run("check", data, "--foreground", 0)
    assert result.exit_code == 0, result.output
    assert "255 = background, 0 = foreground" in result.stdout


def test_check_finds_errors_with_their_fix_and_exits_with_3(data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    image = sorted((bad / "train" / "images").iterdir())[0]
    image.write_bytes(image.read_bytes()[:100])
    before = contents(bad)
    result = run("check", bad)
    assert result.exit_code == 3, result.output
    assert image.name in result.stdout
    stored = run("check", bad, "--json", tmp_path / "findings.json")
    assert stored.exit_code == 3
    findings = json.loads((tmp_path / "findings.json").read_text())["findings"]
    (error,) = [finding for finding in findings if finding["severity"] == "error"]
    assert error["files"] == [str(image)]
    assert error["fix"]
    assert contents(bad) == before


def test_fix_writes_a_copy_that_check_accepts(data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    image = sorted((bad / "train" / "images").iterdir())[0]
    image.write_bytes(image.read_bytes()[:100])
    before = contents(bad)
    assert "--fix OUT repairs: unreadable" in run("check", bad).stdout
    result = run("check", bad, "--fix", tmp_path / "fixed")
    assert result.exit_code == 3  # of the original
    assert "Wrote 8 images with masks" in result.stdout
    assert contents(bad) == before
    assert run("check", tmp_path / "fixed").exit_code == 0


def test_fix_refuses_to_write_into_the_data(data):
    before = contents(data)
    refused(run("check", data, "--fix", data / "fixed"), "never changed")
    assert contents(data) == before


def test_train_names_the_repair(data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    for folder in ("images", "masks"):
        path = sorted((bad / "train" / folder).iterdir())[0]
        path.write_bytes(path.read_bytes()[:100])
    path = sorted((bad / "train" / "masks").iterdir())[1]
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    result = run("train", bad, "--out", tmp_path / "run", "--epochs", 1)
    refused(result, "damaged", "size-mismatch", f"pixelwise check {bad} --fix OUT")
    assert not (tmp_path / "run").exists()


def test_check_html_shows_images_and_masks(data, tmp_path):
    page = tmp_path / "check.html"
    result = run("check", data, "--html", page)
    assert str(page) in result.stdout
    text = page.read_text()
    assert text.count("<img") == 18
    assert "http" not in text.replace("http-equiv", "")


# --- what goes wrong --------------------------------------------------------------------------


def test_a_missing_folder(tmp_path, model):
    missing = tmp_path / "missing"
    refused(run("train", missing, "--out", tmp_path / "run"), str(missing))
    refused(run("evaluate", model, missing), str(missing))
    refused(run("predict", model, missing, "--out", tmp_path / "masks"), str(missing))


def test_a_missing_folder_is_said_by_check(tmp_path):
    result = run("check", tmp_path / "missing")
    refused(result, "missing does not exist")


def test_an_empty_folder_and_one_without_pairs(tmp_path, data):
    (tmp_path / "empty").mkdir()
    refused(run("train", tmp_path / "empty", "--out", tmp_path / "run"), "empty")
    shutil.copytree(data / "train" / "images", tmp_path / "alone" / "images")
    refused(run("train", tmp_path / "alone", "--out", tmp_path / "run"), "mask")


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_image_is_named(damage, data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    image = sorted((bad / "train" / "images").iterdir())[0]
    damaged = {"truncated": image.read_bytes()[:200], "empty": b"", "text": b"not an image"}
    image.write_bytes(damaged[damage])
    refused(run("train", bad, "--out", tmp_path / "run"), image.name)


def test_a_mask_of_another_size_is_named(data, tmp_path):
    bad = Path(shutil.copytree(data, tmp_path / "bad"))
    mask = sorted((bad / "train" / "masks").iterdir())[0]
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(mask)
    refused(run("train", bad, "--out", tmp_path / "run"), mask.name)


def test_an_output_folder_that_cannot_be_made(data, model, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused(run("train", data, "--out", tmp_path / "file" / "run"), "file")
    refused(
        run("predict", model, data / "test" / "images", "--out", tmp_path / "file" / "masks"),
        "file",
    )
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_output_folder(data, model, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(run("train", data, "--out", locked / "run"), "locked")
    refused(run("predict", model, data / "test", "--out", locked / "masks"), "locked")


def test_an_existing_run_is_refused_and_stays_as_it_was(data, model):
    before = contents(model)
    refused(run("train", data, "--out", model, "--epochs", 1), "--resume", "--overwrite")
    assert contents(model) == before


def test_a_folder_of_other_things_is_never_overwritten(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    result = run("train", data, "--out", tmp_path, "--epochs", 1, "--overwrite", "--device", "cpu")
    assert "Traceback" not in result.output
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_file_that_is_not_a_model(content, data, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    refused(run("info", file), str(file))
    refused(run("predict", file, data / "test" / "images", "--out", tmp_path / "masks"), str(file))
    refused(run("evaluate", file, data), str(file))


def test_a_budget_that_is_not_a_time(data, tmp_path):
    refused(run("train", data, "--out", tmp_path / "run", "--budget", "soon"), "soon")


def test_an_unknown_device(data, tmp_path):
    refused(run("train", data, "--out", tmp_path / "run", "--device", "abacus"), "abacus")


def test_a_split_that_is_not_there(data, model):
    refused(run("evaluate", model, data, "--split", "exam"), "exam")


# --- interruption -----------------------------------------------------------------------------


@pytest.mark.slow
def test_ctrl_c_ends_training_with_the_best_model_saved(data, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "pixelwise", "train", data, "--out", out, "--epochs", 100]
    with subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        said = iter(process.stderr.readline, "")
        assert any(line.startswith("step ") for line in said)  # it trains
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert "interrupted" in stdout
    assert str(out) in stdout
    assert run("info", out).exit_code == 0
