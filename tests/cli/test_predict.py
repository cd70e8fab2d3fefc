"""`pixelwise predict`: what is taken, left out and failed is said, and a program can read it."""

import json

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.io import read_mask_values
from pixelwise.objects import clean_mask


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    pw.unet(input_shape=(16, 16, 3), widths=(4, 8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two pictures, one that looks like a mask, one in a folder."""
    for index, name in enumerate(("slide", "slide_label", "day1/q")):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 255, (9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def run(*arguments) -> Result:
    line = ["predict", *map(str, arguments)]
    return CliRunner().invoke(app, line, prog_name="pixelwise")


def names(paths):
    return [str(path).replace("\\", "/").rpartition("/")[2] for path in paths]


@pytest.mark.filterwarnings("always::pixelwise.PixelwiseWarning")
def test_what_is_left_out_is_said_and_can_be_taken(model, folder, tmp_path):
    result = run(model, folder, "--out", tmp_path / "o", "-q", "--json", tmp_path / "j.json")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"2 files written to {tmp_path / 'o'}; 0.00014 megapixels in ")
    assert "left out a picture that looks like masks or earlier results" in result.stderr
    assert "slide_label.png (the mask of slide.png by its name)" in result.stderr
    content = json.loads((tmp_path / "j.json").read_text())
    assert names(content["written"]) == ["slide.png", "q.png"]
    assert names(entry["file"] for entry in content["left_out"]) == ["slide_label.png"]
    assert content["failed"] == []
    everything = run(model, folder, "--out", tmp_path / "all", "-q", "--all")
    assert (everything.stdout[:1], everything.stderr) == ("3", "")
    flat = run(model, folder, "--out", tmp_path / "flat", "-q", "--no-recursive", "--all")
    assert flat.stdout[:1] == "2"


def test_failures_are_listed_with_v_and_as_json(model, folder, tmp_path):
    for index in range(8):
        (folder / f"bad{index}.png").write_bytes(b"xx")
    arguments = (model, folder, "--out", tmp_path / "o", "--all", "-q")
    brief = run(*arguments)
    assert brief.exit_code == 1
    assert [f"bad{index}.png" in brief.stderr for index in range(8)] == [True] * 3 + [False] * 5
    assert "8 of 11 images could not be predicted" in brief.stderr
    assert f"And 5 more in {tmp_path / 'o' / 'errors.csv'}" in brief.stderr
    full = run(*arguments, "-v", "--json", tmp_path / "j.json")
    assert full.exit_code == 1
    assert all(f"bad{index}.png" in full.stderr for index in range(8))
    content = json.loads((tmp_path / "j.json").read_text())
    assert len(content["written"]) == 3
    assert names(entry["file"] for entry in content["failed"]) == [f"bad{i}.png" for i in range(8)]
    assert all("is not a picture" in entry["message"] for entry in content["failed"])


def test_min_area_cleans_the_mask(model, folder, tmp_path):
    plain, cleaned = tmp_path / "plain", tmp_path / "cleaned"
    assert run(model, folder / "slide.png", "--out", plain).exit_code == 0
    result = run(model, folder / "slide.png", "--out", cleaned, "--min-area", 5)
    assert result.exit_code == 0
    expected = clean_mask(read_mask_values(plain / "slide.png"), 5)
    np.testing.assert_array_equal(read_mask_values(cleaned / "slide.png"), expected)
    assert run(model, folder / "slide.png", "--out", cleaned, "--min-area", 0).exit_code == 2
