"""Examples in docstrings run in a folder with `data`: ten images of squares, and their masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _example_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number in range(10):
        mask = np.zeros((32, 32), np.uint8)
        row, column = rng.integers(0, 20, 2)
        mask[row : row + 10, column : column + 10] = 1
        image = (mask * 120 + rng.integers(0, 60, mask.shape)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "data" / "images" / f"{number}.png")
        Image.fromarray(mask * 255).save(tmp_path / "data" / "masks" / f"{number}.png")
