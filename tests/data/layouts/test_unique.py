"""No two samples have one name, whatever the layout; splits of folders are those of the folders."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixelwise.data import read_split, write_folds, write_split
from pixelwise.data.layouts.found import FoundSample, Layout
from pixelwise.data.layouts.unique import check_names, with_unique_names
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import LayoutError
from pixelwise.workflows.crossval.folds import find_folds

SPLITS = {"train": 9, "val": 4, "test": 5}


def sample(path, split=None, name=None):
    path = Path("data") / path
    return FoundSample(name or path.stem, (path,), None, split)


def names(*samples):
    layout = with_unique_names(Layout("", samples), Path("data"))
    return [sample.name for sample in layout.samples]


def test_names_that_differ_stay():
    assert names(sample("b.png"), sample("a.png"), sample("c.png", "test")) == ["a", "b", "c"]


def test_the_split_then_the_ending_then_the_whole_path_tells_apart():
    assert names(sample("x/a.png", "train"), sample("y/a.png", "test")) == ["test/a", "train/a"]
    assert names(sample("a.png", "val"), sample("a.tif", "val"), sample("b.png")) == [
        "b.png", "val/a.png", "val/a.tif",
    ]  # fmt: skip
    assert names(sample("x/a.png"), sample("y/a.png")) == ["x/a.png", "y/a.png"]


def test_one_image_in_two_samples_is_refused():
    with pytest.raises(LayoutError, match=r"'a\.png' \(data/a\.png and data/a\.png\)"):
        names(sample("a.png"), sample("a.png"))
    with pytest.raises(LayoutError, match="two samples have the name 'k'"):
        check_names([sample("a.png", name="k"), sample("b.png", name="k")])


PATHS = st.tuples(st.sampled_from("xyz"), st.sampled_from("ab"), st.sampled_from(["png", "tif"]))


@given(st.dictionaries(PATHS, st.sampled_from([None, "train", "val", "test"]), max_size=12))
def test_whatever_files_there_are_each_has_a_name_of_its_own(files):
    found = [sample(f"{d}/{stem}.{end}", split) for (d, stem, end), split in files.items()]
    assert len(set(names(*found))) == len(files)


def picture(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def masks_of(number):
    """Two objects in the mask of a picture, at places of its own."""
    first, second = np.zeros((24, 24), np.uint8), np.zeros((24, 24), np.uint8)
    first[2 : 8 + number % 3, 2:8] = second[14:20, 12 : 18 + number % 4] = 255
    return first, second


LAYOUTS = {
    "one folder an image, one file an object": ("{0:02}/images/{0:02}", "{0:02}/masks/{1}"),
    "images/ + masks/, one file an object": ("images/{0:02}", "masks/{0:02}_{1}"),
    "images/ + masks/CLASS/, one file a class": ("images/{0:02}", "masks/class{1}/{0:02}"),
    "images/ + masks/, one file a class": ("images/{0:02}", "masks/{0:02}_{2}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_are_those_of_the_folders_though_their_names_start_again(tmp_path, layout):
    data, (image, mask) = tmp_path / "data", LAYOUTS[layout]
    random = np.random.default_rng(0)
    for split, number in SPLITS.items():
        for i in range(number):
            masks = masks_of(i)
            noise = random.integers(0, 90, (24, 24))
            picture(data / split / f"{image.format(i)}.png", noise + masks[0] // 3 + masks[1] // 4)
            for k, name in enumerate(("cell", "dirt")):
                picture(data / split / f"{mask.format(i, k, name)}.png", masks[k])
    examination = examine_dataset(data)
    dataset = examination.dataset
    assert examination.layout.description == layout
    assert dataset.splits == SPLITS
    for file in dataset.files:
        assert file.split == file.image.relative_to(data).parts[0]
        assert file.name.startswith(f"{file.split}/")

    write_split(tmp_path / "split.csv", dataset)  # what keeps names apart is kept in files too
    assert Counter(read_split(tmp_path / "split.csv").values()) == SPLITS
    folds = find_folds(examination, 3, 0)
    assert len(folds) == 13
    assert Counter(folds.values()) in ({1: 5, 2: 4, 3: 4}, {1: 4, 2: 5, 3: 4}, {1: 4, 2: 4, 3: 5})
    write_folds(tmp_path / "split.csv", dataset, folds)
    assert len(read_split(tmp_path / "split.csv")) == 18


def test_two_folders_of_images_in_one_split(tmp_path):
    for part in ("left", "right"):
        for i in range(6):
            first, second = masks_of(i)
            picture(tmp_path / f"images_{part}/{i}.png", first // 2 + (part == "left"))
            picture(tmp_path / f"masks_{part}/{i}_1.png", first)
            picture(tmp_path / f"masks_{part}/{i}_2.png", second)
    examination = examine_dataset(tmp_path, ReadOptions())
    found = [sample.name for sample in examination.layout.samples]
    assert len(set(found)) == 12 and found[0] == "images_left/0.png"


def test_arrays_of_one_name_are_refused():
    pair = np.zeros((8, 8), np.uint8), np.eye(8, dtype=np.uint8)
    data = [(*pair, {"name": "a", "split": "train"}), (*pair, {"name": "a", "split": "test"})]
    (finding,) = examine_dataset(data).findings
    assert finding.severity == "error" and "'a'" in finding.message
