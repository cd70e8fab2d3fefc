"""What `pixelwise check` prints: on a terminal of 80 columns, and in a pipe."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> Path:
    """Twelve pairs: two images that are no pictures, and a mask that is missing."""
    root = tmp_path_factory.mktemp("faulty") / "cells"
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(0, 255, (32, 32), np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 8:24] = 255
        for kind, values in (("images", pixels), ("masks", mask)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(root / kind / f"{number:02}.png")
    for number in (3, 5):
        (root / "images" / f"{number:02}.png").write_text("no picture")
    (root / "masks" / "07.png").unlink()
    return root


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "pixelwise", "check", *map(str, args)]


def on_terminal(*args: object) -> str:
    """What a person sees, at 80 columns, without colours."""
    outside, inside = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command(*args), stdout=inside, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(inside)
    seen = b""
    try:
        while part := os.read(outside, 4096):
            seen += part
    except OSError:  # how a terminal says that the other end is gone
        pass
    os.close(outside)
    process.wait()
    return seen.decode().replace("\r\n", "\n")


def test_a_pipe_gets_one_line_a_finding_and_then_its_files(faulty):
    done = subprocess.run(command(faulty), capture_output=True, text=True)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("error"))
    assert lines[start : start + 4] == [
        "error [not-an-image]: images/03.png is not a picture. The same is wrong with 1 more file. "
        "Remove it, or save it as PNG or TIFF.",
        "    images/03.png",
        "    images/05.png",
        "warning [missing-mask]: images/07.png has no mask: left out of training and scores. Add a "
        "mask with the name of each image; an all-background mask where there is nothing in it.",
    ]
    assert lines[start + 4].startswith("1 error, 1 warning, 0 notes.")
    assert "reading: 12 of 12 images" in done.stderr


def test_a_terminal_gets_a_table_that_fits(faulty):
    seen = on_terminal(faulty)
    lines = [line.rstrip() for line in seen.splitlines()]
    assert "layout  images/ + masks/" in lines
    head, rest = lines.index("  finding        what it is, and what to do"), lines.index("")
    table = lines[head : next(i for i, line in enumerate(lines) if line.startswith("1 error"))]
    assert rest < head
    assert max(map(len, table)) <= 80
    assert [line.split()[0] for line in table if line[2:9].strip() in ("error", "warning")] == [
        "error",
        "warning",
    ]
    assert sum("2 files" in line for line in table) == 1
    assert sum("images/07.png" in line for line in table) == 1
    assert str(faulty) not in "".join(table)


@pytest.mark.slow
def test_json_goes_alone_to_standard_output(faulty, tmp_path):
    import json

    done = subprocess.run(command(faulty, "--json", "-"), capture_output=True, text=True)
    assert [f["code"] for f in json.loads(done.stdout)["findings"]] == [
        "not-an-image",
        "missing-mask",
    ]
    done = subprocess.run(command(tmp_path, "--json", "-", "-q"), capture_output=True, text=True)
    assert done.returncode == 3
    content = json.loads(done.stdout)
    assert content["layout"] is None
    assert [f["code"] for f in content["findings"]] == ["layout"]


@pytest.mark.slow
def test_nothing_there_is_no_finding(tmp_path):
    done = subprocess.run(command(tmp_path / "none"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not exist" in done.stderr
