"""Tiny data folders, and a plan that trains in a blink."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.network import IntensityScaling
from pixelwise.planning import Plan
from pixelwise.training import Watcher

PLAN = Plan(
    scaling=IntensityScaling(scheme="statistics", mean=(60.0,), std=(50.0,)),
    patch_size=(16, 16),
    batch_size=2,
    widths=(4, 8),
    normalization="batch",
    loss="cross_entropy_dice",
    foreground_share=0.5,
    learning_rate=1e-2,
    num_steps=6,
    validate_every=3,
)
SPLITS = {"train": 4, "val": 2, "test": 2}


class Noting(Watcher):
    """Remembers what was said, and the plan."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def planned(self, plan):
        self.plan = plan


@pytest.fixture(scope="session")
def make_noting() -> type[Noting]:
    """Return a maker of watchers that remember."""
    return Noting


@pytest.fixture(scope="session")
def plan() -> Plan:
    return PLAN


@pytest.fixture(scope="session")
def write_squares():
    """Write images of a bright square, and masks with `values[1]` in it on `values[0]`."""

    def write(
        root: Path,
        splits: Mapping[str, int] = SPLITS,
        size: tuple[int, int] = (24, 32),
        values: tuple[int, int] = (0, 255),
    ) -> Path:
        random = np.random.default_rng(0)
        for split, count in splits.items():
            for index in range(count):
                row, column = random.integers(0, 12), random.integers(0, 20)
                is_square = np.zeros(size, bool)
                is_square[row : row + 12, column : column + 12] = True
                image = is_square * 120 + random.integers(0, 60, size)
                mask = np.where(is_square, values[1], values[0])
                for kind, pixels in (("images", image), ("masks", mask)):
                    path = root / split / kind / f"{split}{index}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels.astype(np.uint8)).save(path)
        return root

    return write


@pytest.fixture(scope="session")
def data(write_squares, tmp_path_factory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares"))
