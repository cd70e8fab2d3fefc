"""Names of files that would command a terminal or a spreadsheet (`code_names`)."""

import csv
import io

import numpy as np
import pytest
from PIL import Image
from tests.reading import read_dataset
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app, command
from pixelwise.data import read_split, write_split
from pixelwise.metrics.table import read_counts
from pixelwise.workflows import progress

EVIL = "x\x1b]0;TITLE\x07\x1b[31mRED\x1b[2J"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def data(tmp_path):
    """Twelve images with masks, among them an evil name and a formula; one evil without a mask."""
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for name in [*(f"a{i}" for i in range(10)), EVIL, FORMULA, EVIL + "alone"]:
        mask = np.zeros((32, 32), np.uint8)
        row, column = random.integers(0, 16, 2)
        mask[row : row + 12, column : column + 12] = 255
        image = random.integers(0, 90, (32, 32), np.uint8) + mask // 3
        Image.fromarray(image).save(tmp_path / "data" / "images" / f"{name}.png")
        if "alone" not in name:
            Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{name}.png")
    return tmp_path / "data"


def run(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout + done.stderr


@pytest.mark.parametrize("is_terminal", [False, True])
def test_check_writes_escape_codes_out(data, monkeypatch, is_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    _, said = run("check", data, "-v")
    assert "\\x1b]0;TITLE\\x07" in said.replace("\n", "")
    assert "\x1b]0;TITLE" not in said
    assert "\x1b[2J" not in said


def test_errors_warnings_facts_and_tables_do_too(capsys, tmp_path):
    assert run("info", tmp_path / EVIL)[1].count("\\x1b[2J") == 1
    command.print_facts({"classes": EVIL})
    command.print_table(("class",), [(EVIL,)])
    command.tell(EVIL)
    progress.QuietWatcher().finished(EVIL)
    progress.LineWatcher().note(EVIL)
    found = capsys.readouterr()
    assert "\x1b" not in found.out + found.err
    assert (found.out + found.err).count("\\x1b[2J") == 5


def test_bars_do_too(capsys):
    with progress._bar() as bar:
        progress.BarWatcher(bar).note(EVIL)
    assert "\x1b]0;TITLE" not in capsys.readouterr().err


def test_the_pages_are_html_without_markup_from_names(data, tmp_path):
    name = "<script>alert(1)</script>"
    for folder in ("images", "masks"):
        (data / folder / f"{FORMULA}.png").rename(data / folder / f"{name.replace('/', '')}.png")
    run("check", data, "--html", tmp_path / "check.html")
    assert "<script>alert" not in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_tables_hold_no_formulas_and_the_split_is_read_back_to_the_same_names(data, tmp_path):
    (data / "images" / f"{EVIL}alone.png").unlink()
    model = pw.unet((32, 32, 1), widths=(2, 4), seed=0)
    model.save(tmp_path / "model.safetensors")
    write_split(tmp_path / "split.csv", read_dataset(data))
    assert f"\n'{FORMULA}," in (tmp_path / "split.csv").read_text(encoding="utf-8")
    assert {FORMULA, EVIL} <= read_split(tmp_path / "split.csv").keys()
    scores = pw.evaluate(tmp_path / "model.safetensors", data, split="all")
    cells = [cell for row in csv.reader(io.StringIO(scores.to_csv())) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
    assert FORMULA in scores.names
    names, counts = read_counts(scores.to_csv(), 2)
    assert tuple(names) == tuple(scores.names)
    np.testing.assert_array_equal(counts, scores.counts)


def test_a_repaired_copy_is_read_by_its_manifest(data, tmp_path):
    (data / "images" / f"{EVIL}alone.png").unlink()
    run("check", data, "--fix", tmp_path / "fixed")
    with (tmp_path / "fixed" / "fixes.csv").open(newline="", encoding="utf-8") as file:
        assert not [row for row in csv.reader(file) if row[0].startswith("=")]
    assert read_dataset(tmp_path / "fixed").splits
