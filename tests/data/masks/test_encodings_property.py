"""Random masks, written to files in every way people store them, come back as they were.

What is understood from the files alone gives the same class indices, or is refused with a message.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from tests.reading import read_dataset, survey_mask

from pixelwise.data import MaskEncoding
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.encoding import instances_of
from pixelwise.data.masks.facts import unify_forms
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskSource
from pixelwise.errors import DataError
from pixelwise.task import IGNORE_INDEX

Mask = NDArray[np.uint8]
BLOCK = 16  # every cell of a random mask is a square of so many pixels
COLORS = np.array([[0, 0, 0], [0, 128, 64], [70, 70, 70], [128, 64, 128], [244, 35, 232]], np.uint8)
GAPS = np.array([0, 3, 40, 90, 200])
few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def index_masks(draw: st.DrawFn, low: int = 2, high: int = 5) -> list[Mask]:
    """Three masks of blocks, which hold every one of K classes together."""
    num_classes = draw(st.integers(low, high))
    shape = (draw(st.integers(3, 5)), draw(st.integers(3, 5)))
    cells = [draw(arrays(np.uint8, shape, elements=st.integers(0, num_classes - 1))) for _ in "abc"]
    cells[0].flat[:num_classes] = np.arange(num_classes)
    return [np.kron(cell, np.ones((BLOCK, BLOCK), np.uint8)) for cell in cells]


def save(path: Path, values: NDArray[Any]) -> MaskFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        axes = "CYX" if values.ndim == 3 and values.shape[0] < values.shape[-1] else None
        metadata = {"axes": axes} if axes else None
        tifffile.imwrite(path, values, photometric="minisblack", metadata=metadata)
    else:
        Image.fromarray(values).save(path)
    return MaskFile(path)


def png(folder: Path, number: int, values: NDArray[Any]) -> MaskSource:
    return save(folder / f"{number}.png", values.astype(np.uint8))


def tif(folder: Path, number: int, values: NDArray[Any]) -> MaskSource:
    return save(folder / f"{number}.tif", values)


def write_palette(folder: Path, number: int, mask: Mask) -> MaskSource:
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette(COLORS.ravel().tolist())
    picture.save(folder / f"{number}.png")
    return MaskFile(folder / f"{number}.png")


def write_bits(bits: int) -> Callable[[Path, int, Mask], MaskSource]:
    def write(folder: Path, number: int, mask: Mask) -> MaskSource:
        picture = Image.fromarray(mask, mode="P")
        picture.putpalette(COLORS.ravel().tolist())
        picture.save(folder / f"{number}.png", bits=bits)
        return MaskFile(folder / f"{number}.png")

    return write


def write_files(folder: Path, number: int, mask: Mask) -> MaskSource:
    """One file for each class but the background; none for classes that are absent."""
    values = [v for v in range(1, 5) if (mask == v).any()] or [1]
    paths = [folder / f"{number}_{v}.png" for v in values]
    for path, value in zip(paths, values, strict=True):
        save(path, (mask == value).astype(np.uint8) * 255)
    return MaskParts(tuple(paths), tuple(values), are_objects=False)


def write_objects(folder: Path, number: int, mask: Mask) -> MaskSource:
    """One file for each cell that is not background."""
    paths, values = [], []
    for row in range(0, mask.shape[0], BLOCK):
        for column in range(0, mask.shape[1], BLOCK):
            value = int(mask[row, column])
            if value or not paths:
                part = np.zeros_like(mask)
                part[row : row + BLOCK, column : column + BLOCK] = 255 * (value > 0)
                paths.append(save(folder / f"{number}_{row}_{column}.png", part).path)
                values.append(max(1, value))
    return MaskParts(tuple(paths), tuple(values))


def planes(mask: Mask, first: int) -> NDArray[np.uint8]:
    """(5 - first, H, W): where the mask has each class from `first`."""
    return np.stack([mask == value for value in range(first, 5)]).astype(np.uint8)


WRITERS: dict[str, Callable[[Path, int, Mask], MaskSource]] = {
    "index": png,
    "gaps": lambda f, n, m: png(f, n, GAPS[m]),
    "palette": write_palette,
    "palette of 4 bits": write_bits(4),
    "grey as RGB": lambda f, n, m: png(f, n, np.dstack([m] * 3)),
    "grey as RGBA": lambda f, n, m: png(f, n, np.dstack([m, m, m, np.full_like(m, 255)])),
    "colours": lambda f, n, m: png(f, n, COLORS[m]),
    "colours on transparent ground": lambda f, n, m: png(
        f, n, np.dstack([COLORS[m], 255 * (m > 0)])
    ),
    "one-hot TIFF with background": lambda f, n, m: tif(f, n, planes(m, 0)),
    "one-hot TIFF, 255": lambda f, n, m: tif(f, n, planes(m, 0) * 255),
    "one-hot TIFF without background": lambda f, n, m: tif(f, n, planes(m, 1).astype(np.float32)),
    "one file a class": write_files,
    "one file an object": write_objects,
    "uint16 TIFF": lambda f, n, m: tif(f, n, m.astype(np.uint16)),
    "int32 TIFF": lambda f, n, m: tif(f, n, m.astype(np.int32)),
    "int64 TIFF": lambda f, n, m: tif(f, n, m.astype(np.int64)),
    "float32 TIFF": lambda f, n, m: tif(f, n, m.astype(np.float32)),
    "gaps above 16 bits": lambda f, n, m: tif(f, n, m.astype(np.int64) * 70000),
}


def understand(
    sources: Sequence[MaskSource], declared: dict[str, Any] | None = None, **options: Any
) -> tuple[MaskEncoding, list[NDArray[Any]]]:
    """The encoding learnt from the files, and every mask decoded with it."""
    declaration = ClassDeclaration.model_validate(declared) if declared else None
    facts = unify_forms([survey_mask(source, None) for source in sources])
    encoding = understand_masks(facts, declaration, **options).encoding
    stored = [read_stored_mask(source, None) for source in sources]
    encoding = MaskEncoding.model_validate_json(encoding.model_dump_json())  # as in a model file
    return encoding, [
        encoding.decode(s, source.path) for s, source in zip(stored, sources, strict=True)
    ]


def assert_equal(decoded: Sequence[NDArray[Any]], masks: Sequence[Mask]) -> None:
    for one, mask in zip(decoded, masks, strict=True):
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, mask)


@pytest.mark.parametrize("how", WRITERS)
@few
@given(masks=index_masks(low=3))
def test_class_indices_come_back(how, masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    sources = [WRITERS[how](folder, number, mask) for number, mask in enumerate(masks)]
    try:
        encoding, decoded = understand(sources)
    except DataError as error:
        assert "colours of 8 bits" in str(error) or "channels" in str(error)  # refused, and said
        return
    assert not encoding.multilabel
    assert_equal(decoded, masks)


TWO_TONES = {
    "0/1": lambda f, n, m: png(f, n, m),
    "0/255": lambda f, n, m: png(f, n, m * 255),
    "0/51": lambda f, n, m: png(f, n, m * 51),
    "1 bit": lambda f, n, m: save(f / f"{n}.png", m.astype(bool)),
    "colours": lambda f, n, m: png(f, n, m[..., None] * np.array([200, 0, 30], np.uint8)),
    "transparent ground": lambda f, n, m: png(f, n, np.dstack([m * 255] * 4)),
    "one file a class": write_files,
    "one file an object": write_objects,
}


@pytest.mark.parametrize("how", TWO_TONES)
@few
@given(masks=index_masks(high=2))
def test_two_classes_come_back(how, masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    sources = [TWO_TONES[how](folder, number, mask) for number, mask in enumerate(masks)]
    encoding, decoded = understand(sources)
    assert encoding.task == "binary"
    assert_equal(decoded, masks)


@few
@given(masks=index_masks(), quality=st.integers(60, 95))
def test_jpeg_of_two_tones_comes_back_and_of_more_is_refused(masks, quality, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    tone = 255 // max(int(mask.max()) for mask in masks)
    for number, mask in enumerate(masks):
        Image.fromarray(mask * np.uint8(tone)).save(folder / f"{number}.jpg", quality=quality)
    sources = [MaskFile(folder / f"{number}.jpg") for number in range(len(masks))]
    try:
        _, decoded = understand(sources)
    except DataError as error:
        assert "PNG" in str(error)  # refused, with the fix
        return
    assert_equal(decoded, masks)
    assert max(mask.max() for mask in masks) == 1


def cells(*rows: str) -> Mask:
    """A mask of blocks: cells("01", "10") has four."""
    return np.kron(
        np.array([list(row) for row in rows], np.uint8), np.ones((BLOCK, BLOCK), np.uint8)
    )


@few
@given(masks=index_masks(high=2), shift=st.integers(1, 3))
@example(
    masks=[cells("011", "000", "000"), cells("111", "111", "111"), cells("000", "111", "000")],
    shift=1,
)
@example(
    masks=[cells("100", "000", "111"), cells("000", "000", "000"), cells("000", "000", "000")],
    shift=1,
)
@example(
    masks=[cells("011", "000", "111"), cells("000", "000", "000"), cells("000", "000", "000")],
    shift=3,
)
def test_soft_edges_of_two_tones_go_to_the_nearest(masks, shift, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    soft = [mask * np.uint8(255) for mask in masks]
    for values, mask in zip(soft, masks, strict=True):
        edge = np.zeros_like(mask, dtype=bool)
        edge[:, 1:] = mask[:, 1:] != mask[:, :-1]
        values[edge] = np.where(mask[edge], 255 - 30 * shift, 30 * shift)
    greys = np.setdiff1d(np.unique(soft), [0, 255])
    try:
        _, decoded = understand([png(folder, n, values) for n, values in enumerate(soft)])
    except DataError as error:  # one grey far from both tones, on many pixels: a class, or edges
        assert (len(greys), "only along edges" in str(error)) == (1, True)
        assert shift > 1
        return
    assert_equal(decoded, masks)


@few
@given(masks=index_masks(low=3))
def test_soft_edges_of_colours_go_to_a_colour_and_the_rest_stays(masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    sources = []
    for number, mask in enumerate(masks):
        big = Image.fromarray(COLORS[np.kron(np.roll(mask, 1, 1), np.ones((3, 3), np.uint8))])
        soft = big.resize(mask.shape[::-1], Image.Resampling.BILINEAR)
        sources.append(png(folder, number, np.asarray(soft)))
    try:
        encoding, decoded = understand(sources)
    except DataError:
        return
    assert encoding.class_colors == tuple(
        "#" + bytes(c).hex() for c in COLORS[: masks[0].max() + 1]
    )
    for one, mask in zip(decoded, masks, strict=True):
        inside = one[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
        np.testing.assert_array_equal(inside, mask[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK])


@pytest.mark.parametrize(
    ("ignored", "dtype"), [(255, np.uint8), (-1, np.int16), (-9999, np.float32)]
)
@few
@given(masks=index_masks(low=3))
def test_ignored_areas_come_back_as_255(ignored, dtype, masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    stored = [mask.astype(dtype) for mask in masks]
    for values, mask in zip(stored, masks, strict=True):
        values[:, -5:], mask[:, -5:] = ignored, IGNORE_INDEX
    sources = [tif(folder, number, values) for number, values in enumerate(stored)]
    encoding, decoded = understand(sources)
    assert encoding.ignore == (ignored,)
    assert_equal(decoded, masks)


@few
@given(masks=index_masks(low=3), declared=st.permutations(["sky", "road", "car", "tree", "void"]))
def test_colours_with_a_table_come_in_its_order(masks, declared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    order = ["sky", "road", "car", "tree", "void"]
    colors = {name: "#" + bytes(color).hex() for name, color in zip(order, COLORS, strict=True)}
    entries = [{"name": name, "color": colors[name]} for name in declared if name != "void"]
    sources = [png(folder, n, COLORS[mask]) for n, mask in enumerate(masks)]
    encoding, decoded = understand(sources, {"classes": entries, "ignore": colors["void"]})
    place = np.array([[*encoding.class_names, "void"].index(name) for name in order], np.uint8)
    place[order.index("void")] = IGNORE_INDEX
    assert_equal(decoded, [place[mask] for mask in masks])


@pytest.mark.parametrize("top", [1, 255])
@few
@given(masks=index_masks(low=3, high=3))
def test_one_hot_rgb_comes_in_the_order_of_its_channels(top, masks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    sources = [
        png(folder, n, np.eye(3, dtype=np.uint8)[mask] * top) for n, mask in enumerate(masks)
    ]
    _, decoded = understand(sources)
    assert_equal(decoded, masks)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
@few
@given(
    ids=st.lists(st.integers(1, 60_000), min_size=40, max_size=49, unique=True),
    holes=st.sets(st.integers(0, 39), max_size=5),
)
def test_object_ids_with_gaps_come_back(dtype, ids, holes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    cells = np.zeros(49, dtype=dtype)
    cells[: len(ids)] = ids
    cells[list(holes)] = 0
    assume(np.count_nonzero(cells) > 32)
    mask = np.kron(cells.reshape(7, 7), np.pad(np.ones((4, 4), dtype), 1))
    source = tif(folder, 0, mask)
    encoding, decoded = understand([source])
    assert encoding.task == "instances"
    np.testing.assert_array_equal(decoded[0], mask > 0)
    instances = instances_of(read_stored_mask(source, None), encoding)
    assert instances is not None
    assert instances.dtype == np.int32
    np.testing.assert_array_equal(instances, mask)


@few
@given(layers=arrays(bool, (3, 4, 4)), other=arrays(bool, (3, 4, 4)), top=st.sampled_from([1, 255]))
def test_planes_that_overlap_come_back_as_planes(layers, other, top, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    layers[:, 0, 0] = True
    grown = [np.kron(each, np.ones((1, 8, 8), bool)) for each in (layers, other)]
    sources = []
    for number, each in enumerate(grown):
        paths = [folder / f"{number}_{k}.png" for k in range(3)]
        for path, layer in zip(paths, each, strict=True):
            save(path, layer.astype(np.uint8) * np.uint8(top))
        sources.append(MaskParts(tuple(paths), (1, 2, 3), are_objects=False))
    encoding, decoded = understand(sources)
    assert encoding.task == "multilabel"
    for one, each in zip(decoded, grown, strict=True):
        assert one.dtype == bool
        np.testing.assert_array_equal(one, each)


@few
@given(seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]))
def test_noise_is_refused_with_a_message(seed, channels, tmp_path_factory):
    noise = np.random.default_rng(seed).integers(0, 256, (3, 24, 24, channels), dtype=np.uint8)
    with pytest.raises(DataError, match=r"photographs|object ids, or no masks"):
        understand([png(tmp_path_factory.mktemp("m"), 0, mask.squeeze()) for mask in noise])


SINGLE_FILES = [how for how in WRITERS if not how.startswith("one file")]


@pytest.mark.parametrize("how", SINGLE_FILES)
def test_a_folder_is_read_from_end_to_end(how, tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "masks").mkdir()
    masks = {}
    for number in range(10):
        cells = random.permutation(np.arange(20, dtype=np.uint8) % 5).reshape(4, 5)
        masks[str(number)] = np.kron(cells, np.ones((BLOCK, BLOCK), np.uint8))
        save(tmp_path / f"images/{number}.png", random.integers(0, 255, (64, 80), np.uint8))
        WRITERS[how](tmp_path / "masks", number, masks[str(number)])
    for sample in read_dataset(tmp_path).samples("train"):
        np.testing.assert_array_equal(sample.mask, masks[sample.name])
