"""Bad input at the command line: one message that names the file and the fix, nothing lost."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pixelwise.cli import app
from pixelwise.data.synthetic import write_cells
from pixelwise.network import IntensityScaling, load_model
from pixelwise.planning import Plan

PLAN = Plan(
    scaling=IntensityScaling(scheme="percentiles"),
    patch_size=(16, 16),
    batch_size=2,
    widths=(4, 8),
    normalization="batch",
    loss="cross_entropy_dice",
    learning_rate=1e-2,
    num_steps=4,
    validate_every=2,
)


def run(*arguments):
    line = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, line, prog_name="pixelwise")


def refuses(*arguments, words, status=1, lines=1):
    """Run quietly: all of stderr is one message, which holds the words; stdout is empty."""
    result = run(*arguments, "-q")
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    message = result.stderr
    assert message.startswith("pixelwise: ")
    assert message.count("\n") == lines, message
    assert message.count("pixelwise: ") == 1, message
    assert message.rstrip().endswith((".", "`")), message
    for word in ("Traceback", "unexpected error", "Errno"):
        assert word not in message
    for word in words:
        assert str(word) in message, message


def contents(*folders):
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def unchanged(*folders):
    """Nothing in the folders may change, appear or go."""
    before = contents(*folders)
    yield
    after = contents(*folders)
    assert [name for name in before | after if before.get(name) != after.get(name)] == []


@contextmanager
def files_up_to(num_bytes):
    """Let the system refuse to write more than this into any file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("data"), num_images=6, size=(32, 40))


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(PLAN.to_yaml())
    return path


@pytest.fixture(scope="module")
def model(data, plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", data, "--out", folder, "--plan", plan).exit_code == 0
    return folder


@pytest.fixture
def copy(data, tmp_path):
    """A copy of the data to spoil."""
    return Path(shutil.copytree(data, tmp_path / "copy"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# --- data -------------------------------------------------------------------------------------


def test_a_missing_folder(model, plan, tmp_path, out):
    missing = tmp_path / "missing"
    refuses("train", missing, "--out", out, "--plan", plan, words=[missing])
    refuses("evaluate", model, missing, words=[missing])
    refuses("evaluate", "--predictions", missing, missing, words=[missing])
    refuses("predict", model, missing, "--out", out, words=[missing])


def test_an_empty_folder(model, plan, tmp_path, out):
    empty = tmp_path / "empty"
    empty.mkdir()
    refuses("train", empty, "--out", out, "--plan", plan, words=[empty, "images"])
    refuses("evaluate", model, empty, words=[empty, "images"])
    refuses("predict", model, empty, "--out", out, words=[empty, "images"])


def test_a_file_where_the_data_should_be(model, plan, file, out):
    refuses("train", file, "--out", out, "--plan", plan, words=[file])
    refuses("evaluate", model, file, words=[file])


def test_images_without_masks(copy, plan, out):
    for masks in copy.rglob("masks"):
        shutil.rmtree(masks)
    refuses("train", copy, "--out", out, "--plan", plan, words=["mask"])


def test_images_and_masks_of_other_names(copy, plan, out):
    for number, mask in enumerate(sorted(copy.rglob("masks/*.png"))):
        mask.rename(mask.with_name(f"drawn_{number}.png"))
    refuses("train", copy, "--out", out, "--plan", plan, words=["mask"])


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_truncated_png(kind, copy, model, plan, out):
    for split in ("train", "test"):
        path = sorted((copy / split / kind).iterdir())[0]
        path.write_bytes(path.read_bytes()[:-60])
    with unchanged(copy):
        refuses("train", copy, "--out", out, "--plan", plan, words=[path.name])
        refuses("evaluate", model, copy, words=[path.name])


def test_a_mask_of_another_size(copy, model, plan, out):
    for split in ("train", "test"):
        path = sorted((copy / split / "masks").iterdir())[0]
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(path)
    words = [path.name, "8x9", "32x40", "height x width", "pixel for pixel"]
    refuses("train", copy, "--out", out, "--plan", plan, words=words)
    refuses("evaluate", model, copy, words=words)


def test_masks_of_a_class_that_the_model_does_not_know(copy, model):
    path = sorted((copy / "test" / "masks").iterdir())[0]
    mask = np.array(Image.open(path))
    mask[:2] = 7
    Image.fromarray(mask).save(path)
    refuses("evaluate", model, copy, words=["7"])


def test_one_broken_image_among_others(copy, model, out):
    broken = copy / "test" / "images" / "a_broken.png"
    broken.write_bytes(b"not an image")
    with unchanged(copy, model):
        refuses("predict", model, copy / "test" / "images", "--out", out, words=[broken, "1 of 2"])
    assert len(list(out.glob("*.png"))) == 1


def test_missing_predictions(data, tmp_path):
    refuses("evaluate", "--predictions", tmp_path, data, words=[tmp_path, "1 of 1 images"])


def test_a_colour_image_for_a_grey_model(model, tmp_path, out):
    path = tmp_path / "colour.png"
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    refuses("predict", model, path, "--out", out, words=[path, "grey"])


# --- models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"text", b"\x08\0\0\0\0\0\0\0{}      ", None])
def test_a_file_that_is_no_model(content, data, model, tmp_path, out):
    path = tmp_path / "model.safetensors"
    whole = (model / "model.safetensors").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    refuses("predict", path, data / "test" / "images", "--out", out, words=[path])
    refuses("evaluate", path, data, words=[path])
    refuses("info", path, words=[path])
    assert not out.exists()


def test_a_folder_that_is_no_run(data, tmp_path, out):
    images = data / "test" / "images"
    refuses("predict", tmp_path, images, "--out", out, words=[tmp_path, "pixelwise train"])
    refuses("info", tmp_path / "none", words=[tmp_path / "none", "does not exist"])


def test_a_wrong_split(data, model):
    refuses("evaluate", model, data, "--split", "exam", words=["exam", "train, val, test or all"])


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", ["soon", "10 parsecs", "-5min", "", "1s"])
def test_a_bad_budget(budget, data, out):
    refuses("train", data, "--out", out, "--budget", budget, words=[budget, "10"])
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "words", "lines"),
    [
        ("decisions: [", ["not valid YAML", "line 1"], 5),  # with the place drawn
        ("", ["empty"], 1),
        ("widths: 3", ["not a plan"], 1),
        ("decisions: {}", ["scaling", "required"], 1),
        (PLAN.to_yaml().replace("learning_rate", "lerning_rate"), ["learning_rate"], 1),
        (PLAN.to_yaml().replace("value: 0.01", "value: -1"), ["learning_rate", "-1"], 1),
        ("\0", ["not valid YAML", "#x0000"], 2),
    ],
)
def test_a_bad_plan(text, words, lines, data, tmp_path, out):
    (tmp_path / "plan.yaml").write_text(text)
    command = ("train", data, "--out", out, "--plan", tmp_path / "plan.yaml")
    refuses(*command, words=[tmp_path / "plan.yaml", *words], lines=lines)
    assert not out.exists()


def test_a_missing_plan(data, tmp_path, out):
    missing = tmp_path / "none.yaml"
    refuses("train", data, "--out", out, "--plan", missing, words=[missing])


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("train", "data", "--out", "run", "--epochs", "0"),
        ("train", "data", "--out", "run", "--epochs", "2", "--budget", "1min"),
        ("train", "data", "--out", "run", "--resume", "--overwrite"),
        ("predict", "run", "images", "--out", "masks", "--save", "everything"),
        ("evaluate", "data"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_has_a_status_of_its_own(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.stderr


# --- places that cannot be written ------------------------------------------------------------


def test_an_existing_run_is_kept_unless_asked(data, model, plan):
    with unchanged(model, data):
        refuses(
            *("train", data, "--out", model, "--plan", plan),
            words=[model, "--resume", "--overwrite", "another folder"],
        )
        missing = data / "missing"
        refuses("train", missing, "--out", model, "--overwrite", "--plan", plan, words=[missing])
        refuses("train", data, "--out", model, "--overwrite", "--plan", missing, words=[missing])
        refuses("train", missing, "--out", model, "--resume", words=[missing])


def test_nothing_to_resume(data, out):
    refuses("train", data, "--out", out, "--resume", words=[out, "without --resume"])


def test_an_output_path_that_is_a_file(data, model, plan, file):
    images = data / "test" / "images"
    for place in (file, file / "below"):
        refuses("train", data, "--out", place, "--plan", plan, words=[place])
        refuses("predict", model, images, "--out", place, words=[place])
        refuses("evaluate", model, data, "--out", place, words=[place])
    assert file.read_text() == "mine"


def test_a_place_where_nobody_may_write(data, model, plan):
    place = Path("/proc/pixelwise")  # refused even to root
    refuses("train", data, "--out", place, "--plan", plan, words=[place])
    refuses("predict", model, data / "test", "--out", place, words=[place])
    refuses("evaluate", model, data, "--out", place, words=[place])


def test_a_json_file_that_cannot_be_written(data, model, file, out):
    images = data / "test" / "images"
    for target in (file / "result.json", out.parent):
        for command in (
            ("check", data),
            ("evaluate", model, data),
            ("predict", model, images, "--out", out),
            ("info", model),
        ):
            result = run(*command, "--json", target)
            assert result.exit_code == 1, result.output
            last = result.stderr.splitlines()[-1]
            assert last.startswith(f"pixelwise: {target} cannot be written")
            assert "Traceback" not in result.output
    assert file.read_text() == "mine"


def test_predictions_never_replace_masks_or_images(data, model):
    images = data / "test" / "images"
    with unchanged(data):
        refuses("predict", model, images, "--out", images, words=["Choose another output folder"])
        masks = data / "test" / "masks"
        refuses("predict", model, images, "--out", masks, words=["Choose another output folder"])


@pytest.mark.parametrize("num_bytes", [0, 1_000, 4_000, 12_000])
def test_a_disk_that_fills_up_in_training(num_bytes, data, plan, out):
    """The first, the second ... file fails; what was there stays whole, no half file is left."""
    with files_up_to(num_bytes):
        refuses("train", data, "--out", out, "--plan", plan, words=[out, "cannot be written"])
    assert not [path for path in out.rglob("*") if path.suffix in (".part", ".tmp")]
    if (out / "model.safetensors").exists():
        assert load_model(out).config.task == "binary"


def test_a_disk_that_fills_up_in_prediction(data, model, out):
    images = data / "test" / "images"
    assert run("predict", model, images, "--out", out).exit_code == 0
    with unchanged(out, data, model), files_up_to(20):
        again = ("predict", model, images, "--out", out, "--overwrite")
        refuses(*again, words=[out, "cannot be written"])


def test_a_disk_that_fills_up_while_resuming(data, plan, out):
    run("train", data, "--out", out, "--plan", plan)
    before = load_model(out).config
    with files_up_to(10_000):
        refuses("train", data, "--out", out, "--resume", "--epochs", 9, words=[out])
    assert load_model(out).config == before
    assert run("train", data, "--out", out, "--resume", "--epochs", 9).exit_code == 0


# --- Ctrl-C -----------------------------------------------------------------------------------


@contextmanager
def started(*arguments, until):
    """The real command, as soon as a line of stderr starts with `until`."""
    command = [sys.executable, "-m", "pixelwise", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            assert any(line.startswith(until) for line in iter(process.stderr.readline, ""))
            yield process
        finally:
            process.kill()


def test_ctrl_c_in_training_leaves_a_model_that_can_be_used_and_resumed(data, plan, out):
    command = ("train", data, "--out", out, "--plan", plan, "--epochs", 100_000)
    with started(*command, until="step 2 ") as process:  # a validation is done
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert "keeping the best model" in stderr
    assert "interrupted" in stdout and str(out) in stdout
    assert load_model(out).config.scores["num_images"] == 1
    assert run("predict", out, data / "test" / "images", "--out", out / "masks").exit_code == 0
    steps = len((out / "history.csv").read_text().splitlines())
    result = run("train", data, "--out", out, "--resume", "--epochs", 1, "-q")
    assert result.exit_code == 0, result.output
    assert len((out / "history.csv").read_text().splitlines()) >= steps


INTERRUPTED_WHILE_MEASURING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background
from pixelwise.cli import main
from pixelwise.workflows.calibration import TrainingMachine
measure = TrainingMachine.time_steps
def interrupted(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return measure(*args, **options)
TrainingMachine.time_steps = interrupted
sys.argv = ["pixelwise", *sys.argv[1:]]
main()
"""


def test_ctrl_c_before_training_changes_nothing(model, tmp_path):
    """While speeds are measured: the old run is still there."""
    cells = write_cells(tmp_path / "cells", num_images=6, size=(64, 64))
    command = ("train", cells, "--out", model, "--overwrite", "--epochs", 1)
    with unchanged(model, cells):
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_WHILE_MEASURING, *map(str, command)],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            timeout=300,
        )
    stderr = done.stderr
    assert done.returncode == 1
    assert done.stdout == ""
    assert stderr.strip().splitlines()[-1] == "pixelwise: Interrupted."
    assert "Traceback" not in stderr
