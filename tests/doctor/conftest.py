"""A clean data set in which nothing is found, and a way to plant a fault in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from tests.reading import check_dataset

SIZE = (72, 96)
SPLITS = ("train",) * 8 + ("val",) * 4 + ("test",) * 4


def draw_pair(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Three bright discs on a dark cloudy ground with some noise, and their mask of 0 and 255."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    mask = np.zeros(SIZE, dtype=bool)
    for _ in range(3):
        row, column = random.uniform(12, SIZE[0] - 12), random.uniform(12, SIZE[1] - 12)
        mask |= (rows - row) ** 2 + (columns - column) ** 2 < random.uniform(6, 11) ** 2
    clouds = gaussian_filter(random.normal(size=SIZE), 6) * 6 * 15
    light = 70 + clouds + 80 * mask + random.normal(0, 6, SIZE)
    return np.clip(light, 0, 255).astype(np.uint8), mask.astype(np.uint8) * np.uint8(255)


@dataclass
class PlantedSet:
    """A folder train|val|test / images|masks / 00.png ... 15.png whose files can be spoilt."""

    root: Path

    def image(self, number: int) -> Path:
        """Path of the image of that number."""
        return self.root / SPLITS[number] / "images" / f"{number:02}.png"

    def mask(self, number: int) -> Path:
        """Path of the mask of that number."""
        return self.root / SPLITS[number] / "masks" / f"{number:02}.png"

    def read(self, path: Path) -> NDArray[Any]:
        """Values of a file."""
        return np.array(Image.open(path))

    def write(self, path: Path, values: NDArray[Any], **options: Any) -> None:
        """Write an array in the place of a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(values)).save(path, **options)

    def change_masks(
        self, change: Callable[[NDArray[Any]], NDArray[Any]], numbers: range = range(16)
    ) -> None:
        """Replace masks by what a function makes of them."""
        for number in numbers:
            self.write(self.mask(number), change(self.read(self.mask(number))))

    def found(self) -> dict[str, tuple[str, list[str]]]:
        """Severity and file names of every finding, by code."""
        return {f.code: (f.severity, [p.name for p in f.files]) for f in check_dataset(self.root)}

    def messages(self) -> dict[str, str]:
        """Message of every finding, by code."""
        return {f.code: f.message for f in check_dataset(self.root)}


@pytest.fixture(scope="session")
def pairs() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Sixteen images with their masks."""
    return [draw_pair(seed) for seed in range(16)]


@pytest.fixture
def planted(tmp_path: Path, pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> PlantedSet:
    """Sixteen pairs in three splits, on which nothing is found."""
    planted = PlantedSet(tmp_path / "set")
    for number, (image, mask) in enumerate(pairs):
        planted.write(planted.image(number), image)
        planted.write(planted.mask(number), mask)
    return planted
