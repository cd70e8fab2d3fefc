"""`--memory` is kept: the process is watched from outside while it predicts a large image."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.workflows.test_predict_parts import make_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells of memory"),
]
SIDE, MEGABYTES, TILE = 6_000, 700, 512  # the libraries alone take some 350 MB


def write_image(path, height):
    """RGB of `height` rows and 6,000 columns, made tile by tile."""
    tile = np.random.default_rng(0).integers(0, 256, (TILE, TILE, 3), np.uint8) // 64 * 64
    number = -(-height // TILE) * -(-SIDE // TILE)
    tifffile.imwrite(
        path, (tile for _ in range(number)), shape=(height, SIDE, 3), dtype=np.uint8,
        tile=(TILE, TILE), photometric="rgb", compression="zlib",
    )  # fmt: skip


def predict_watched(*words):
    """Run `pixelwise predict` with words; its most memory in MB, its exit status, what it said."""
    command = [sys.executable, "-m", "pixelwise", "predict", *map(str, words), "--device", "cpu"]
    most = 0.0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            lines = [line for line in status.read_text().splitlines() if "VmHWM" in line]
            most = max([most, *(int(line.split()[1]) / 1000 for line in lines)])
            time.sleep(0.02)
        return most, process.returncode, process.stderr.read()


def test_the_promise_is_kept_and_the_height_of_the_image_does_not_count(tmp_path):
    model, peaks = make_model(tmp_path), []
    for height in (SIDE // 4, SIDE):
        image = tmp_path / f"{height}.tif"
        write_image(image, height)
        asked = "--out", tmp_path / "out", "--memory", f"{MEGABYTES}MB"
        peak, status, said = predict_watched(model, image, *asked)
        assert status == 0, said
        with tifffile.TiffFile(tmp_path / "out" / image.name) as mask:
            assert mask.series[0].shape == (height, SIDE)
        peaks.append(peak)
    assert max(peaks) < MEGABYTES
    assert peaks[1] - peaks[0] < 0.1 * SIDE**2 * 3 / 1e6  # of the 81 MB that the image has more
