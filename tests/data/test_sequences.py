"""Sequences of (image, mask): the same as a folder of the same pixels, or refused with the fix."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from tests.reading import read_dataset

import pixelwise as pw
from pixelwise.data import is_named_by_place
from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.sequences import find_pairs
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import DataError, FileError, LayoutError, MaskError


def noise(number, shape=(32, 32)):
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def pairs(disc):
    return [(noise(number), disc * 255) for number in range(12)]


class Lazy(Sequence):
    """Makes its items when asked, and counts how many were asked for, and how many at once."""

    def __init__(self, items):
        self.items, self.asked, self.at_work, self.most = items, 0, 0, 0

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        self.asked += 1
        item = self.items[index]
        self.at_work -= 1
        return item


# --- what is understood -----------------------------------------------------------------------


def test_arrays_are_read_as_files_of_the_same_pixels_are(save_pairs, disc, tmp_path):
    root = save_pairs([disc * 255] * 12)
    folder = read_dataset(root)
    arrays = read_dataset(
        [
            (folder_sample.image[0], folder_sample.mask * 255, {"name": folder_sample.name})
            for split in ("train", "val", "test")
            for folder_sample in folder.samples(split)
        ]
    )
    assert arrays.describe() == folder.describe()
    assert arrays.encoding == folder.encoding
    assert arrays.fingerprint == folder.fingerprint
    assert {f.name: f.split for f in arrays.files} == {f.name: f.split for f in folder.files}
    by_name = {sample.name: sample for sample in folder.samples("train")}
    for sample in arrays.samples("train"):
        np.testing.assert_array_equal(sample.image, by_name[sample.name].image)
        np.testing.assert_array_equal(sample.mask, by_name[sample.name].mask)
        assert sample.path is None


def test_paths_are_read_as_the_folder_that_holds_them(save_pairs, disc, tmp_path):
    root = save_pairs([disc * 255] * 12)
    pairs = [
        (path, str(root / "masks" / path.name)) for path in sorted((root / "images").iterdir())
    ]
    dataset = read_dataset(pairs)
    assert dataset.files[0].name == (root / "images" / "000").as_posix()
    assert dataset.files[0].image == root / "images" / "000.png"
    assert dataset.samples("train")[0].path.parent == root / "images"
    named = [(*pair, {"name": f"{number:03}"}) for number, pair in enumerate(pairs)]
    assert read_dataset(named).fingerprint == read_dataset(root).fingerprint


def test_arrays_are_named_by_their_place(pairs):
    dataset = read_dataset(pairs)
    assert dataset.layout == "a sequence of 12 items"
    assert [entry.name for entry in dataset.files] == [f"array {n}" for n in range(12)]
    assert dataset.describe().startswith("12 images (")
    assert is_named_by_place(entry.name for entry in dataset.files)
    assert not is_named_by_place(["array", "a/array 1", "scan 3"])


def test_adding_arrays_at_the_end_keeps_the_names(pairs):
    assert [s.name for s in find_pairs(pairs[:5]).samples] == [
        s.name for s in find_pairs(pairs).samples
    ][:5]


def test_paths_and_arrays_colours_and_images_without_mask_together(save, disc):
    color = noise(0, (32, 32, 3))
    path = save("a.png", noise(1, (32, 32, 3)))
    mask = save("m.png", disc)
    dataset = read_dataset(
        [(path, disc), (color, mask), [noise(2, (32, 32, 3)), disc[..., np.newaxis]], (color, None)]
    )
    assert dataset.in_channels == 3
    assert dataset.splits["unlabelled"] == 1
    samples = [*dataset.samples("train"), *dataset.samples("val")]
    assert {s.name for s in samples} == {path.with_suffix("").as_posix(), "array 1", "array 2"}
    assert all(s.image.shape == (3, 32, 32) and s.mask.sum() == disc.sum() for s in samples)


def test_split_group_and_name_are_taken(pairs):
    given = [
        (*pair, {"name": f"scan {n}", "split": split, "group": f"patient {n // 2}"})
        for n, (pair, split) in enumerate(
            zip(pairs, ["train", "Training", "val", "test"] * 3, strict=True)
        )
    ]
    dataset = read_dataset(given)
    assert dataset.splits == {"train": 6, "val": 3, "test": 3}
    assert dataset.groups == tuple(f"patient {n}" for n in range(6))
    files = {entry.name: entry for entry in dataset.files}
    assert (files["scan 3"].split, files["scan 3"].group) == ("test", "patient 1")


def test_masks_of_any_kind_and_type_are_understood(disc):
    for mask, task in (
        (disc.astype(bool), "binary"),
        (disc.astype(np.float64), "binary"),
        (disc.astype(np.int64) * 2 - 1, None),  # -1 beside 1
        (np.dstack([disc * 255, disc * 0, 255 - disc * 255]), "multiclass"),  # red on blue
    ):
        examination = examine_dataset([(noise(n), mask) for n in range(4)])
        assert (None if examination.errors else examination.dataset.task) == task


def test_images_of_any_number_type_come_as_they_are(disc):
    for dtype in (np.uint16, np.float32, np.int32, ">u2"):
        images = [noise(n).astype(dtype) for n in range(3)]
        sample = read_dataset([(image, disc) for image in images]).samples("train")[0]
        assert sample.image.dtype == np.dtype(dtype).newbyteorder("=")
        assert any(np.array_equal(sample.image[0], image) for image in images)


def test_grey_arrays_are_not_copied(pairs):
    sample = read_dataset(pairs).samples("train")[0]
    assert np.shares_memory(sample.image, pairs[int(sample.name.split()[1])][0])


def test_nothing_is_written_and_arrays_beyond_the_limit_are_made_again(
    pairs, tmp_path, monkeypatch
):
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "cache"))
    samples = read_dataset(pairs).samples("train", memory_limit=0)
    for _ in range(2):
        assert all(sample.mask.sum() == pairs[0][1].sum() // 255 for sample in samples)
    assert not (tmp_path / "cache").exists()


# --- lazy sequences ---------------------------------------------------------------------------


def test_a_lazy_sequence_is_asked_once_a_sample_and_by_one_thread_at_a_time(pairs):
    lazy = Lazy(pairs)
    layout = find_pairs(lazy)
    assert lazy.asked == 1  # to see what it holds
    assert len(layout.samples) == 12
    lazy.asked = 0
    dataset = read_dataset(lazy)
    assert lazy.asked <= 1 + 12  # image and mask are of one call
    assert dataset.fingerprint == read_dataset(pairs).fingerprint
    assert lazy.most == 1


def test_a_lazy_sequence_of_paths_or_with_details_is_looked_through(save_pairs, disc, pairs):
    root = save_pairs([disc * 255] * 3)
    paths = [(str(root / f"images/{n:03}.png"), str(root / f"masks/{n:03}.png")) for n in range(3)]
    assert read_dataset(Lazy(paths)).files[2].image.name == "002.png"
    named = Lazy([(*pair, {"name": f"n{n}"}) for n, pair in enumerate(pairs)])
    assert [s.name for s in find_pairs(named).samples][:2] == ["n0", "n1"]


def test_a_sequence_by_its_methods_alone_will_do(pairs):
    class Plain:
        def __len__(self):
            return len(pairs)

        def __getitem__(self, index):
            return pairs[index]

    assert read_dataset(Plain()).fingerprint == read_dataset(pairs).fingerprint


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (ValueError("disk gone"), r"item 3 of the data cannot be had \(ValueError: disk gone\)"),
        (("a.png", "b.png"), "array 3 is a path, though the first item"),
        ((noise(0),), "item 3 of the data has 1 entries"),
        (noise(0), r"item 3 of the data is a ndarray of shape \(32, 32\)"),
        ((noise(0), [[1], [1, 2]]), "mask of array 3 is not an array"),
    ],
)
def test_what_a_lazy_sequence_gives_later_is_named(pairs, item, message):
    class Faulty(Lazy):
        def __getitem__(self, index):
            if index == 3 and isinstance(item, Exception):
                raise item
            return item if index == 3 else pairs[index]

    (error,) = examine_dataset(Faulty(pairs)).errors
    assert error.code == "unreadable"
    assert error.files[0].name in ("array 3", "mask of array 3")
    with pytest.raises(FileError, match=message):
        read_dataset(Faulty(pairs))


def test_many_threads_get_their_own_items(pairs):
    samples = read_dataset(Lazy(pairs)).samples("train", memory_limit=0)
    right = {
        name: image
        for name, (image, _) in zip((f"array {n}" for n in range(12)), pairs, strict=True)
    }
    wrong = []

    def work():
        wrong.extend(s.name for s in samples if not np.array_equal(s.image[0], right[s.name]))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- what is refused --------------------------------------------------------------------------

STACK = np.zeros((4, 8, 8), np.uint8)
MASK = (noise(0) > 128).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((STACK, STACK), r"list\(zip\(images, masks, strict=True\)\)"),
        ([list(STACK), list(STACK[:3])], r"list\(zip\(images, masks, strict=True\)\)"),
        ((STACK[0], STACK[0]), r"item 0 of the data is a ndarray of shape \(8, 8\)"),
        (STACK, r"list\(zip\(images, masks, strict=True\)\)"),
        (zip(STACK, STACK, strict=True), r"a zip was given .*list\(\.\.\.\) of it"),
        ((pair for pair in zip(STACK, STACK, strict=True)), "a generator was given"),
        ({"images": STACK, "masks": STACK}, "a dict was given"),
        (7, "an? int was given .*path of a folder"),
        (None, "a NoneType was given"),
        ([], "has no items"),
        ([(STACK[0], STACK[0], STACK[0], 1)], "item 0 of the data has 4 entries"),
        (["a.png", "b.png"], "item 0 of the data is a str"),
        ([(STACK[0], STACK[0], "train")], "third entry of item 0 is a str"),
        ([(STACK[0], STACK[0], {"fold": "1"})], "item 0 of the data says 'fold': '1'"),
        ([(STACK[0], STACK[0], {"group": 3})], "item 0 of the data says 'group': 3"),
        ([(STACK[0], STACK[0], {"split": "dev"})], "split 'dev'. The splits are train, val"),
        ([("a.png", None), ("a.jpg", None)], "two items of the data have the name 'a'"),
    ],
)
def test_what_is_no_sequence_of_pairs_is_refused_with_the_fix(data, message):
    with pytest.raises(LayoutError, match=message) as raised:
        read_dataset(data)
    assert str(raised.value).endswith(".")
    (finding,) = pw.check(data).findings
    assert finding.code == "layout"


@pytest.mark.parametrize(
    ("image", "mask", "kind", "message"),
    [
        (noise(0), MASK[:16], MaskError, "mask of array 3 is 16x32 but array 3 is 32x32"),
        (
            noise(0, (3, 32, 32)),
            noise(0),
            FileError,
            r"channels come first.*moveaxis\(array, 0, -1",
        ),
        (noise(0, (1, 32, 32, 1)), MASK, FileError, r"array 3 has shape \(1, 32, 32, 1\)"),
        (noise(0, (0, 32)), MASK, FileError, r"array 3 has shape \(0, 32\)"),
        (noise(0) * 1j, MASK, FileError, "array 3 has dtype complex128"),
        (noise(0) > 9, MASK, FileError, "array 3 has dtype bool, as masks have"),
        (np.array("text"), MASK, FileError, "array 3 has dtype <U4"),
        (noise(0) * np.nan, MASK, DataError, "array 3 .*NaN"),
        ("gone.png", MASK, FileError, r"gone\.png does not exist"),
        (noise(0), MASK / 3, MaskError, "mask of array 3 holds fractions"),
    ],
)
def test_bad_arrays_are_named_as_files_are(disc, image, mask, kind, message):
    pairs = [(noise(n), disc) for n in range(3)] + [(image, mask)]
    with pytest.raises(kind, match=message):
        read_dataset(pairs)


def test_findings_name_arrays(pairs):
    pairs[5] = (pairs[4][0], pairs[5][1])
    examination = pw.check(pairs)
    (found,) = [finding for finding in examination.findings if finding.code == "duplicate"]
    assert [file.name for file in found.files] == ["array 4", "array 5"]
    assert examination.splits["array 4"] == examination.splits["array 5"]


def test_a_layout_is_of_folders(pairs):
    options = ReadOptions(layout=LayoutOptions(layout="coco"))
    with pytest.raises(LayoutError, match=r"no folders to choose from\. Leave out the layout"):
        _ = examine_dataset(pairs, options).dataset
