"""Help and usage: every command of the design is there, documented, and quick to ask."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pixelwise import __version__
from pixelwise.cli import app
from pixelwise.cli.data_options import LAYOUTS
from pixelwise.data.layouts.find import LAYOUT_NAMES

COMMANDS = ("demo", "check", "train", "predict", "evaluate", "export", "serve", "info")
WITH_JSON = ("check", "predict", "evaluate", "info")
DATA_OPTIONS = ["--images", "--masks", "--layout", "--foreground", "--ignore", "--split-by"]
OPTIONS = {
    "demo": ["--out", "--budget"],
    "check": ["--fix", "--html", *DATA_OPTIONS],
    "train": [
        "--out",
        "--budget",
        "--epochs",
        "--plan",
        "--resume",
        "--overwrite",
        "--folds",
        "--from",
        "--encoder",
        "--encoder-weights",
        "--log",
        "--seed",
        "--device",
        *DATA_OPTIONS,
    ],
    "predict": ["--out", "--save", "--min-area", "--tta", "--no-recursive", "--all", "--device"],
    "evaluate": ["--predictions", "--values", "--split", "--out", "--device", *DATA_OPTIONS],
    "export": ["--to", "--out", "--check-on"],
    "serve": ["--host", "--port"],
    "info": [],
}
WRONG_USAGE = (
    "train",  # no data
    "train data --out run --epochs 0",
    "train data --out run --epochs many",
    "train data --out run --budget 10min --epochs 3",
    "train data --out run --resume --overwrite",
    "train data --out run --folds 1",
    "train data --out run --log paper",
    "predict model --out masks",  # no input
    "predict model image.png --out masks --save mask,picture",
    "evaluate data",  # neither a model nor predictions
    "evaluate model data other",
    "evaluate --predictions masks model data",
    "export model --out x --to tensorflow",
    "serve model --port 99999",
    "check data --strict",
    "segment data",
)


def run(*arguments: str):
    wide = {"COLUMNS": "200", "NO_COLOR": "1"}
    return CliRunner().invoke(app, arguments, env=wide, prog_name="pixelwise")


def test_help_lists_every_command_with_a_line():
    result = run("--help")
    assert result.exit_code == 0
    lines = [line.strip("│ ") for line in result.stdout.splitlines()]
    assert "serve" not in result.stdout  # until it works
    assert "--install-completion" in result.stdout
    assert "<bool>" not in result.stdout
    for command in set(COMMANDS) - {"serve"}:
        (line,) = [line for line in lines if line.startswith(f"{command} ")]
        assert len(line.removeprefix(command).strip()) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example_and_its_options(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: pixelwise {command} " in result.stdout
    for option in [*OPTIONS[command], "--quiet", "--verbose", "-q", "-v"]:
        assert option in result.stdout
    assert ("--json" in result.stdout) == (command in WITH_JSON)
    assert "<bool>" not in result.stdout  # flags take no value


def test_the_layouts_that_help_names_are_those_that_are_read():
    assert LAYOUTS.split(", ") == list(LAYOUT_NAMES)


def test_version_is_that_of_the_package():
    assert run("--version").stdout == run("-V").stdout == f"pixelwise {__version__}\n"


@pytest.mark.parametrize("line", WRONG_USAGE)
def test_wrong_usage_is_exit_status_2_with_a_reason(line):
    result = run(*line.split())
    assert result.exit_code == 2
    assert "Usage: pixelwise" in result.stderr
    assert "Error" in result.stderr
    assert "Traceback" not in result.output


def test_no_command_shows_the_help_and_is_wrong_usage():
    result = run()
    assert result.exit_code == 2
    assert "evaluate" in result.output


def test_what_comes_later_says_so_in_one_sentence():
    result = run("serve", "run")
    assert result.exit_code == 1
    assert "comes in a later version" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy_and_so_answers_at_once(arguments):
    code = (
        "import sys; from typer.testing import CliRunner; from pixelwise.cli import app;"
        f"CliRunner().invoke(app, {arguments});"
        "print([m for m in ('torch', 'numpy', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
