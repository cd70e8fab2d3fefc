"""--max-pixels: files that claim more than their size lets one expect are read where it says so."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pixelwise.cli import app
from pixelwise.io import claims


@pytest.fixture
def data(tmp_path):
    """Two pairs, of which one image is a Zarr folder that claims 400 megapixels and holds none."""
    for name in "ab":
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(np.eye(32, dtype=np.uint8)).save(tmp_path / kind / f"{name}.png")
    (tmp_path / "images/a.png").unlink()
    folder = tmp_path / "images/a.zarr"
    folder.mkdir()
    metadata = {"zarr_format": 2, "shape": [20_000, 20_000], "chunks": [10, 10], "dtype": "|u1"}
    metadata |= {"compressor": None, "fill_value": 0, "order": "C", "filters": None}
    (folder / ".zarray").write_text(json.dumps(metadata))
    return tmp_path


def test_check_says_what_is_claimed_and_how_to_let_it_in(data):
    done = CliRunner().invoke(app, ["check", str(data)])
    assert done.exit_code == 3
    assert "claims 20000x20000 pixels (400,000,000 bytes)" in done.output
    assert "--max-pixels 400000000" in done.output


@pytest.mark.parametrize(
    "command",
    [
        ["check", "DATA"],
        ["train", "DATA", "--out", "OUT"],
        ["evaluate", "--predictions", "DATA", "DATA"],
        ["predict", "OUT", "DATA", "--out", "OUT"],
    ],
)
def test_every_command_that_reads_pictures_has_it(data, monkeypatch, command):
    seen = []

    def look(*args, **options):
        seen.append(claims._allowed)
        raise SystemExit(0)

    for name in ("check", "train", "evaluate", "predict_images"):
        monkeypatch.setattr(f"pixelwise.workflows.{name}", look)
    words = [w.replace("DATA", str(data)).replace("OUT", str(data / "out")) for w in command]
    CliRunner().invoke(app, [*words, "--max-pixels", "50"])
    assert seen == [50] and claims._allowed is None
