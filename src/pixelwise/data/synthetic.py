"""Generated images that look like cell nuclei under a fluorescence microscope, with their masks.

How a picture comes about follows the light, in photons from 0 to about 1 (NumPy, SciPy):

    nuclei (wobbly ellipses, textured, alone or touching) + debris specks
      -> haze and blur of the optics -> uneven illumination -> photon and camera noise -> 8 bits
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pixelwise.io import make_folder, write_image

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

VAL_SHARE = TEST_SHARE = 1 / 6  # of the images
AREA_PER_CELL = (1200, 3500)  # pixels of picture for each cell: from crowded to sparse
RADIUS = (8.0, 14.0)  # pixels
TOUCHING_SHARE = 0.35  # cells laid against another one
DIM_SHARE = 0.15  # cells of much less light
MAX_OVERLAP = 0.08  # of a cell's area, under another cell
PLACEMENT_TRIES = 8
BLUR_PX = (0.7, 2.0)  # standard deviation: from sharp to out of focus
HAZE_PX = 14.0
PHOTONS = (60.0, 250.0)  # at full brightness: fewer is noisier


@dataclass(frozen=True)
class _Cell:
    """A nucleus: a centre and a radius that changes with the angle."""

    row: float
    column: float
    radius: float  # pixels, of the circle with about its area
    elongation: float  # long axis over short axis
    angle: float  # radians, of the long axis
    wobble: Floats  # (4,) amplitudes of harmonics 2 to 5, share of the radius
    phases: Floats  # (4,) radians

    @property
    def reach(self) -> int:
        """Pixels from the centre within which the whole cell lies."""
        return int(np.ceil(self.radius * np.sqrt(self.elongation) * 1.4)) + 1


def write_cells(
    folder: str | PathLike[str],
    num_images: int = 48,
    size: tuple[int, int] = (192, 256),
    seed: int = 0,
) -> Path:
    """Write a small data set: `train`, `val` and `test`, each with `images/` and `masks/`.

    Args:
        folder: Where to; made if missing.
        num_images: In all splits together; a sixth each for val and test. At least 3.
        size: (height, width) in pixels.
        seed: Same seed, same files.

    Returns:
        The folder.

    Raises:
        ValueError: There are fewer than 3 images, one for each split.
        OutputError: A file cannot be written.
    """
    if num_images < 3:
        raise ValueError(f"{num_images} images cannot fill train, val and test; ask for 3 or more.")
    folder = Path(folder)
    for i, split in enumerate(_splits(num_images)):
        image, mask = generate_cells(np.random.default_rng((seed, i)), size)
        for kind, content in (("images", image), ("masks", mask)):
            path = make_folder(folder / split / kind) / f"cells_{i:03}.png"
            write_image(path, content)
    return folder


def _splits(num_images: int) -> list[str]:
    num_val = max(1, round(num_images * VAL_SHARE))
    num_test = max(1, round(num_images * TEST_SHARE))
    return ["train"] * (num_images - num_val - num_test) + ["val"] * num_val + ["test"] * num_test


def generate_cells(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one image and its mask.

    Args:
        rng: Where the randomness comes from.
        size: (height, width) in pixels.

    Returns:
        Image (H, W) 0 to 255, and mask (H, W) of 0 and 255.
    """
    light, mask = np.zeros(size), np.zeros(size, bool)
    for cell in _place_cells(rng, size, mask):
        _add_light(rng, light, cell)
    _add_debris(rng, light)
    seen = _see_through_optics(rng, light)
    return _record(rng, seen), mask.astype(np.uint8) * np.uint8(255)


# --- the scene --------------------------------------------------------------------------------


def _place_cells(rng: np.random.Generator, size: tuple[int, int], mask: Bools) -> list[_Cell]:
    """Choose cells that hardly overlap, and draw them into `mask`."""
    num_cells = max(1, round(size[0] * size[1] / rng.uniform(*AREA_PER_CELL)))
    scale = rng.uniform(0.85, 1.15)  # of this picture's cells: cell lines differ
    cells: list[_Cell] = []
    for _ in range(num_cells * PLACEMENT_TRIES):
        cell = _random_cell(rng, size, scale, cells)
        place, depth = _depth(cell, size)
        inside = depth > 0
        if not inside.any() or (mask[place] & inside).sum() > MAX_OVERLAP * inside.sum():
            continue
        mask[place] |= inside
        cells.append(cell)
        if len(cells) == num_cells:
            break
    return cells


def _random_cell(
    rng: np.random.Generator, size: tuple[int, int], scale: float, others: list[_Cell]
) -> _Cell:
    radius = scale * rng.uniform(*RADIUS)
    row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    if others and rng.random() < TOUCHING_SHARE:
        other = others[rng.integers(len(others))]
        direction = rng.uniform(0, 2 * np.pi)
        distance = (radius + other.radius) * rng.uniform(0.9, 1.05)
        row = other.row + distance * np.sin(direction)
        column = other.column + distance * np.cos(direction)
    return _Cell(
        row=row,
        column=column,
        radius=radius,
        elongation=rng.uniform(1.0, 1.7),
        angle=rng.uniform(0, np.pi),
        wobble=rng.normal(0, [0.05, 0.04, 0.025, 0.015]),
        phases=rng.uniform(0, 2 * np.pi, 4),
    )


def _depth(cell: _Cell, size: tuple[int, int]) -> tuple[tuple[slice, slice], Floats]:
    """Return the part of the picture around a cell, and how deep inside: 1 centre, 0 outline."""
    top, left = int(cell.row) - cell.reach, int(cell.column) - cell.reach
    rows = np.arange(max(0, top), max(0, min(size[0], top + 2 * cell.reach + 1)))
    columns = np.arange(max(0, left), max(0, min(size[1], left + 2 * cell.reach + 1)))
    down, right = rows[:, None] - cell.row, columns[None, :] - cell.column
    cosine, sine = np.cos(cell.angle), np.sin(cell.angle)
    along = (right * cosine + down * sine) / np.sqrt(cell.elongation)
    across = (down * cosine - right * sine) * np.sqrt(cell.elongation)
    theta = np.arctan2(across, along)[..., None]  # (rows, columns, 1)
    waves = cell.wobble * np.cos(np.arange(2, 6) * theta + cell.phases)
    outline = cell.radius * (1 + waves.sum(axis=-1))
    place = (
        slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0),
        slice(columns[0], columns[-1] + 1) if len(columns) else slice(0, 0),
    )
    return place, 1 - np.hypot(along, across) / outline


def _add_light(rng: np.random.Generator, light: Floats, cell: _Cell) -> None:
    """Add a nucleus: a flat dome with grainy chromatin and a few dark nucleoli."""
    place, depth = _depth(cell, light.shape)
    brightness = rng.uniform(0.4, 1.0)
    if rng.random() < DIM_SHARE:
        brightness = rng.uniform(0.15, 0.28)
    grain = gaussian_filter(rng.normal(size=depth.shape), 1.5) * 0.55
    folds = gaussian_filter(rng.normal(size=depth.shape), 4) * 1.1
    texture = np.clip(1 + grain + folds, 0.4, 1.7)
    for _ in range(rng.integers(0, 4)):
        texture *= 1 - 0.35 * _spot(rng, depth, radius=0.14 * cell.radius)
    dome = np.sqrt(np.clip(depth * 5, 0, 1))  # thinner, so darker, towards the outline
    light[place] += brightness * texture * dome


def _spot(rng: np.random.Generator, depth: Floats, radius: float) -> Floats:
    """A soft round spot somewhere well inside the cell, 0 to 1."""
    inside = np.argwhere(depth > 0.35)
    if len(inside) == 0:
        return np.zeros_like(depth)
    centre = inside[rng.integers(len(inside))]
    rows, columns = np.indices(depth.shape)
    squared = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    return np.asarray(np.exp(-squared / (2 * radius**2)))


def _add_debris(rng: np.random.Generator, light: Floats) -> None:
    """Add specks, bright but too small to be nuclei; they are background."""
    specks = np.zeros_like(light)
    for _ in range(rng.integers(2, 9)):
        row, column = rng.integers(light.shape[0]), rng.integers(light.shape[1])
        specks[row, column] = rng.uniform(4, 14)
    light += gaussian_filter(specks, rng.uniform(0.8, 1.3))


# --- the microscope ---------------------------------------------------------------------------


def _see_through_optics(rng: np.random.Generator, light: Floats) -> Floats:
    """Blur the scene, add haze from above and below the focus, and light it unevenly."""
    sharp = gaussian_filter(light, rng.uniform(*BLUR_PX))
    haze = gaussian_filter(light, HAZE_PX) * rng.uniform(0.08, 0.25)
    medium = rng.uniform(0.02, 0.06) * (1 + gaussian_filter(rng.normal(size=light.shape), 30) * 15)
    return np.clip(sharp + haze + medium, 0, None) * _illumination(rng, light.shape)


def _illumination(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """A lamp off the centre: 1 where it is brightest, down to about a half in a corner."""
    rows = np.linspace(-1, 1, size[0])[:, None] - rng.uniform(-0.6, 0.6)
    columns = np.linspace(-1, 1, size[1])[None, :] - rng.uniform(-0.6, 0.6)
    return np.asarray(np.exp(-rng.uniform(0.1, 0.35) * (rows**2 + columns**2)))


def _record(rng: np.random.Generator, light: Floats) -> NDArray[np.uint8]:
    """Count photons, add the camera's noise, and expose to 8 bits; few pixels saturate."""
    photons = rng.uniform(*PHOTONS)
    counted = rng.poisson(light * photons) / photons
    counted += rng.normal(0, rng.uniform(0.008, 0.02), light.shape)
    exposure = rng.uniform(120, 230) / max(0.3, float(np.percentile(light, 99.5)))
    return np.clip(counted * exposure + 6, 0, 255).astype(np.uint8)
