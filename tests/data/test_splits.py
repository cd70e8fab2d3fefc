"""Splits: shares, seeds, folders first, and split.csv."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.data import read_dataset, read_split, write_split
from pixelwise.data.splits import assign_splits, make_split
from pixelwise.errors import DataError, FileError

NAMES = [f"image_{number:03}" for number in range(100)]


def test_shares_are_70_15_15():
    assert Counter(make_split(NAMES, seed=0).values()) == {"train": 70, "val": 15, "test": 15}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "val": 1}),
        (9, {"train": 8, "val": 1}),
        (10, {"train": 6, "val": 2, "test": 2}),
    ],
)
def test_small_sets(number, expected):
    assert Counter(make_split(NAMES[:number], seed=0).values()) == expected


def test_nothing_to_split():
    assert make_split([], seed=0) == {}


@given(
    names=st.lists(st.text(min_size=1), min_size=2, max_size=40, unique=True), seed=st.integers()
)
def test_a_split_depends_on_seed_and_names_alone(names, seed):
    split = make_split(names, seed)
    assert make_split(list(reversed(names)), seed) == split
    assert set(split) == set(names)
    assert {"train", "val"} <= set(split.values())


def test_another_seed_gives_another_split():
    assert make_split(NAMES, seed=0) != make_split(NAMES, seed=1)


def test_folders_win_over_the_mapping():
    folders = {"a": "train", "aa": "train", "b": "val", "c": "test"}
    given_split = {"a": "test", "aa": "val", "b": "test", "c": "train"}
    assert assign_splits(folders, given_split, seed=0) == folders


def test_val_is_taken_from_train_where_it_has_no_folder():
    folders = dict.fromkeys(NAMES[:80], "train") | dict.fromkeys(NAMES[80:], "test")
    split = assign_splits(folders, None, seed=0)
    assert Counter(split.values()) == {"train": 68, "val": 12, "test": 20}
    assert all(split[name] == "test" for name in NAMES[80:])


def test_a_folder_of_test_images_alone_stays_test():
    assert assign_splits({"a": "test", "b": "test"}, None, 0) == {"a": "test", "b": "test"}


def test_the_mapping_decides_and_new_names_go_to_train():
    split = assign_splits(dict.fromkeys("abc"), {"a": "test", "b": "val", "x": "val"}, seed=0)
    assert split == {"a": "test", "b": "val", "c": "train"}


def test_the_mapping_also_gives_val_within_a_train_folder():
    folders = {"a": "train", "b": "train", "c": "test"}
    assert assign_splits(folders, {"a": "val", "c": "train"}, 0) == {
        "a": "val",
        "b": "train",
        "c": "test",
    }


def test_copies_of_an_image_go_to_one_split():
    twins = {name: NAMES[number // 5 * 5] for number, name in enumerate(NAMES)}
    split = assign_splits(dict.fromkeys(NAMES), None, 0, twins)
    assert all(split[name] == split[twins[name]] for name in NAMES)
    assert len(set(split.values())) == 3


def test_split_file_round_trip(save_pairs, disc, tmp_path):
    dataset = read_dataset(save_pairs([disc] * 12))
    path = tmp_path / "split.csv"
    write_split(path, dataset)
    assert path.read_text().splitlines()[0] == "name,split"
    again = read_split(path)
    assert again == {files.name: files.split for files in dataset.files}
    moved = again | {"000": "val", "001": "test"}
    files = read_dataset(tmp_path, split=moved).files
    assert {entry.name: entry.split for entry in files} == moved


def test_bad_split_files(tmp_path):
    path = tmp_path / "split.csv"
    with pytest.raises(FileError, match="does not exist"):
        read_split(path)
    path.write_text("image,part\na,train\n")
    with pytest.raises(DataError, match="has the columns image, part"):
        read_split(path)
    path.write_text("name,split\na,train\nb,dev\n")
    with pytest.raises(DataError, match="line 3: 'dev' is not a split"):
        read_split(path)
