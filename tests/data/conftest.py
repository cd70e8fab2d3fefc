"""Small files to read: a picture or a mask is written from an array in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """save("images/a.png", values): write a file below tmp_path, in the format of its suffix."""

    def write(name: str, values: NDArray[Any], **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".tif", ".tiff"):
            tifffile.imwrite(path, values, **options)
        else:
            Image.fromarray(values).save(path, **options)
        return path

    return write


@pytest.fixture
def save_pairs(save: Save, tmp_path: Path) -> Callable[..., Path]:
    """save_pairs(masks): images/ of random grey pixels and masks/ with the arrays given."""

    def write(
        masks: list[NDArray[Any]], folder: str = "", suffix: str = ".png", start: int = 0
    ) -> Path:
        random = np.random.default_rng(start)
        for number, mask in enumerate(masks, start):
            pixels = random.integers(0, 256, mask.shape[:2], dtype=np.uint8)
            save(f"{folder}/images/{number:03}.png".lstrip("/"), pixels)
            save(f"{folder}/masks/{number:03}{suffix}".lstrip("/"), mask)
        return tmp_path

    return write


@pytest.fixture
def disc() -> NDArray[np.uint8]:
    """A filled disc of ones, 32 x 32, on zeros."""
    rows, columns = np.mgrid[:32, :32]
    return ((rows - 16) ** 2 + (columns - 16) ** 2 < 100).astype(np.uint8)
