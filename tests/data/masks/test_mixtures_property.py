"""Data sets whose masks are stored in several ways are read as they were drawn, or refused.

Every set is drawn as class indices first: areas, defects of 20 pixels, cracks one pixel wide. Then
each mask is written in a way of its own, with damage of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.sources import MaskFile
from pixelwise.doctor.examine import Examination, examine_dataset
from pixelwise.task import IGNORE_INDEX

Mask = NDArray[np.uint8]
SIZE = (48, 64)
COLORS = np.array(
    [[0, 0, 0], [0, 0, 200], [0, 160, 60], [128, 64, 128], [220, 20, 60], [250, 240, 40]], np.uint8
)
SPACED = np.array([0, 40, 90, 140, 190, 240], np.uint8)
some = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def save(path: Path, values: NDArray[Any]) -> None:
    if values.dtype == np.uint16:
        tifffile.imwrite(path.with_suffix(".tif"), values, photometric="minisblack")
        path.with_suffix(".tif").rename(path)
    else:
        Image.fromarray(values).save(path)


def save_palette(path: Path, mask: Mask) -> None:
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette(COLORS.ravel().tolist())
    picture.save(path)


def save_planes(path: Path, mask: Mask) -> None:
    planes = np.stack([mask == value for value in range(len(COLORS))]).astype(np.uint8)
    tifffile.imwrite(
        path.with_suffix(".tif"), planes, photometric="minisblack", metadata={"axes": "CYX"}
    )
    path.with_suffix(".tif").rename(path)


Write = Callable[[Path, Mask], None]
# ways to store two classes that are usual, each of one reading in any mixture
TWO: dict[str, Write] = {
    "1 bit": lambda p, m: save(p, m.astype(bool)),
    "0/1": lambda p, m: save(p, m),
    "0/255": lambda p, m: save(p, m * np.uint8(255)),
    "0/65535": lambda p, m: save(p, m * np.uint16(65535)),
    "palette": save_palette,
    "RGB": lambda p, m: save(p, np.dstack([m * np.uint8(255)] * 3)),
    "RGBA": lambda p, m: save(p, np.dstack([m * np.uint8(255)] * 3 + [np.full_like(m, 255)])),
    "transparent": lambda p, m: save(p, np.dstack([m * np.uint8(255)] * 4)),
}
OF_ONE = ("1 bit", "0/1", "palette")  # the first class as 1; where 255 is ignored it means that
# and those that are unusual: as a minority the same classes
ODD: dict[str, Write] = {
    "0/128": lambda p, m: save(p, m * np.uint8(128)),
    "0/200": lambda p, m: save(p, m * np.uint8(200)),
    "red": lambda p, m: save(p, m[..., None] * np.array([255, 0, 0], np.uint8)),
}
MANY: dict[str, Write] = {
    "index": lambda p, m: save(p, m),
    "spaced": lambda p, m: save(p, np.where(m == 255, 255, SPACED[np.minimum(m, 5)])),
    "palette": save_palette,
    "colours": lambda p, m: save(p, COLORS[m]),
    "grey as RGB": lambda p, m: save(p, np.dstack([m] * 3)),
    "uint16": lambda p, m: save(p, m.astype(np.uint16)),
    "planes": save_planes,
}


@dataclass
class Scenes:
    """Class indices of every mask, and what lies in them."""

    masks: list[Mask]
    seed: int

    @property
    def random(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


def paint(mask: Mask, value: int, shape: str, random: np.random.Generator) -> None:
    height, width = {
        "area": random.integers(8, 24, 2),
        "defect": (4, 5),
        "crack": random.permutation([1, 30]),
    }[shape]
    row = random.integers(1, SIZE[0] - height)
    column = random.integers(1, SIZE[1] - width)
    mask[row : row + height, column : column + width] = value


@st.composite
def scenes(draw: st.DrawFn, low: int = 2, high: int = 6, most: int = 24) -> Scenes:
    """Masks of K classes; each class is in several of them, where there are several."""
    num_classes = draw(st.integers(low, high))
    num_masks = draw(st.integers(2, most))
    seed = draw(st.integers(0, 2**32 - 1))
    shapes = [draw(st.sampled_from(["area", "defect", "crack"])) for _ in range(num_classes - 1)]
    shapes[draw(st.integers(0, num_classes - 2))] = "area"  # one class at least is no rare one
    random = np.random.default_rng(seed)
    masks = [np.zeros(SIZE, np.uint8) for _ in range(num_masks)]
    share = draw(st.sampled_from([0.3, 0.6, 1.0]))
    for value, shape in enumerate(shapes, start=1):
        chosen = random.random(num_masks) < share
        chosen[random.permutation(num_masks)[:2]] = True
        for number in np.flatnonzero(chosen):
            paint(masks[number], value, shape, random)
    return Scenes(masks, seed)


def read(folder: Path, count: int, **options: Any) -> tuple[Examination, list[Mask] | None]:
    """What is found in the masks, and their class indices; None where they are refused."""
    image = np.random.default_rng(0).integers(0, 255, SIZE, dtype=np.uint8)
    pairs = [
        (np.roll(image, number), str(folder / f"{number}.png"), {"name": f"{number}"})
        for number in range(count)
    ]
    found = examine_dataset(pairs)
    if found.errors or found.encoding is None:
        event("refused: " + ", ".join(sorted({error.code for error in found.errors})))
        return found, None
    event("read")
    paths = [folder / f"{number}.png" for number in range(count)]
    return found, [
        found.encoding.decode(read_stored_mask(MaskFile(path), None), path) for path in paths
    ]


def assert_read_as(decoded: list[Mask] | None, masks: list[Mask]) -> None:
    """The masks, or none at all."""
    for one, mask in zip(decoded or [], masks, strict=decoded is not None):
        np.testing.assert_array_equal(one, mask)


def all_there(masks: list[Mask], num_classes: int) -> bool:
    """Whether no class was painted over everywhere."""
    return set(np.unique(masks).tolist()) - {255} == set(range(num_classes))


def two_squares() -> Scenes:
    """Two masks with one area each."""
    masks = [np.zeros(SIZE, np.uint8) for _ in "ab"]
    masks[0][8:20, 8:20], masks[1][20:40, 30:50] = 1, 1
    return Scenes(masks, 0)


@some
@example(scene=two_squares(), ways=["palette"], odd="red")
@given(
    scene=scenes(high=2),
    ways=st.lists(st.sampled_from(sorted(TWO)), min_size=1, max_size=3),
    odd=st.sampled_from([None, *sorted(ODD)]),
)
def test_two_tones_in_any_mixture(scene, ways, odd, tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("masks"), scene.random
    for number, mask in enumerate(scene.masks):
        TWO[ways[random.integers(len(ways))]](folder / f"{number}.png", mask)
    if odd:
        ODD[odd](folder / "0.png", scene.masks[0])
    found, decoded = read(folder, len(scene.masks))
    assert_read_as(decoded, scene.masks)
    if not odd and all((mask == 1).sum() > 16 for mask in scene.masks):
        assert decoded is not None, found.errors  # one reading: never refused


def soften(mask: Mask, tone: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Two tones whose edges, to the left and right, are greys of the nearer tone."""
    values = mask * np.uint8(tone)
    differs = np.zeros(mask.shape, bool)
    differs[:, 1:] = mask[:, 1:] != mask[:, :-1]
    share = np.where(
        mask == 1, random.uniform(0.55, 1, mask.shape), random.uniform(0, 0.45, mask.shape)
    )
    values[differs] = np.rint(share * tone)[differs]
    return values


def add_specks(values: NDArray[np.uint8], mask: Mask, random: np.random.Generator) -> None:
    """A patch of dark values on the background."""
    row, column = random.integers(0, SIZE[0] - 3), random.integers(0, SIZE[1] - 5)
    patch = (slice(row, row + 3), slice(column, column + 5))
    dark = random.integers(5, 31, (3, 5))
    values[patch] = np.where(mask[patch] == 0, dark, values[patch])


@some
@example(scene=two_squares(), damage=["soft"], other=None)  # each grey looked like an object id
@given(
    scene=scenes(high=2),
    damage=st.lists(st.sampled_from(["none", "soft", "specks", "both"]), min_size=1, max_size=3),
    other=st.sampled_from([None, "0/1", "1 bit", "0/128", "0/65535", "soft 128"]),
)
def test_two_tones_with_soft_edges_and_specks(scene, damage, other, tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("masks"), scene.random
    for number, mask in enumerate(scene.masks):
        how = damage[random.integers(len(damage))]
        soft = how in ("soft", "both")
        values = soften(mask, 255, random) if soft else mask * np.uint8(255)
        if how in ("specks", "both"):
            add_specks(values, mask, random)
        save(folder / f"{number}.png", values)
    if other == "soft 128":
        save(folder / "0.png", soften(scene.masks[0], 128, random))
    elif other:
        (TWO | ODD)[other](folder / "0.png", scene.masks[0])
    _, decoded = read(folder, len(scene.masks))
    assert_read_as(decoded, scene.masks)


def thin_greys() -> Scenes:
    """Two classes are areas, three are cracks, whose greys lie between those of the areas.

    The first mask has cracks alone, and is the one in colours.
    """
    cracks = [(3, 4), (1, 3), (3, 4), (1, 4), (1, 4)]
    areas = [(), (2,), (2, 5), (), (5,)]
    masks = [np.zeros(SIZE, np.uint8) for _ in cracks]
    for mask, lines, fields in zip(masks, cracks, areas, strict=True):
        for value in lines:
            mask[2 + 3 * value, 5:35] = value
        for value in fields:
            mask[20:30, 10 * value : 10 * value + 12] = value
    return Scenes(masks, 0)


@some
@example(scene=thin_greys(), way="spaced", other="colours", ignore=False)  # cracks were edges
@given(
    scene=scenes(low=3),
    way=st.sampled_from(sorted(MANY)),
    other=st.sampled_from([None, *sorted(MANY), *sorted(TWO)]),
    ignore=st.booleans(),
)
def test_classes_in_one_way_or_two(scene, way, other, ignore, tmp_path_factory):
    folder, masks = tmp_path_factory.mktemp("masks"), scene.masks
    num_classes = max(int(mask.max()) for mask in masks) + 1
    if ignore and way in ("index", "uint16", "grey as RGB"):
        for mask in masks:
            mask[-6:] = IGNORE_INDEX
    if not all_there(masks, num_classes):  # a class that nobody drew leaves no trace but a gap
        return
    for number, mask in enumerate(masks):
        MANY[way](folder / f"{number}.png", mask)
    if other in MANY and not ignore:
        MANY[other](folder / "0.png", masks[0])
    elif other in TWO and (other in OF_ONE or not ignore):  # a mask of the first class only
        masks[0] = (masks[0] == 1).astype(np.uint8)
        if not all_there(masks, num_classes):
            return
        TWO[other](folder / "0.png", masks[0])
    _, decoded = read(folder, len(masks))
    assert_read_as(decoded, masks)
