"""The tutorial runs as written, and prints what Keras users expect to read."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parents[1] / "examples" / "tutorial.py"
MAX_SECONDS = 60  # 10 on a free machine; others may be at work on this one


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(TUTORIAL)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert time.monotonic() - started < MAX_SECONDS
    return done.stdout.splitlines()


def test_the_summary_shows_the_network_of_the_tutorial(lines):
    assert any("117,985" in line for line in lines)
    assert sum("skip" in line for line in lines) >= 2


@pytest.mark.parametrize("epoch", [1, 2])
def test_each_epoch_has_a_progress_line_as_keras_prints_it(lines, epoch):
    """Ten images in batches of two are five steps; the masks are noise, so nothing is learnt."""
    (line,) = [line for line in lines if line.startswith("Epoch ") and f"Epoch {epoch}/2" in line]
    pattern = r"Epoch \d/2  5/5  .*s .*ms/step - loss: (\d\.\d{4}) - accuracy: (\d\.\d{4})"
    found = re.fullmatch(pattern, line)
    assert found, line
    loss, accuracy = map(float, found.groups())
    assert 0.65 < loss < 0.75  # ln 2 = 0.693
    assert 0.45 < accuracy < 0.55


def test_predictions_have_the_shape_of_the_images(lines):
    assert "Predictions shape: (2, 128, 128, 1)" in lines


def test_a_probability_of_noise_is_near_a_half(lines):
    (line,) = [line for line in lines if line.startswith("Probability")]
    assert 0.4 < float(line.rpartition(" ")[2]) < 0.6
