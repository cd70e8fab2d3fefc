"""Folds: every sample in one, groups and copies together, classes spread."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pixelwise.data import fold_dataset, read_folds, read_split, write_folds
from pixelwise.data.folds import assign_folds
from pixelwise.doctor import examine_dataset
from pixelwise.doctor.examine import ReadOptions
from pixelwise.errors import DataError
from pixelwise.workflows.crossval.folds import find_folds, rare_classes

NAMES = [f"{letter}{n}" for letter in "abcdef" for n in range(4)]


def deal(names=NAMES, num_folds=3, seed=0, groups=None, twins=None, classes=None):
    return assign_folds(
        names, num_folds, seed, groups=groups or {}, twins=twins or {}, classes=classes or {}
    )


@pytest.mark.parametrize("num_folds", [2, 3, 5, 24])
def test_every_sample_is_in_one_fold_and_folds_are_alike_in_size(num_folds):
    folds = deal(num_folds=num_folds)
    assert folds.keys() == set(NAMES)
    sizes = Counter(folds.values())
    assert set(sizes) == set(range(1, num_folds + 1))
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_groups_stay_together():
    folds = deal(groups={name: name[0] for name in NAMES})
    assert all(len({folds[name] for name in NAMES if name[0] == g}) == 1 for g in "abcdef")
    assert set(Counter(folds.values()).values()) == {8}


def test_copies_stay_together():
    folds = deal(twins={"a0": "a0", "f3": "a0"})
    assert folds["a0"] == folds["f3"]


def test_large_groups_are_dealt_first():
    groups = dict.fromkeys(NAMES[:12], "large") | dict.fromkeys(NAMES[12:18], "half")
    sizes = Counter(deal(num_folds=2, groups=groups).values())
    assert sorted(sizes.values()) == [12, 12]


def test_a_rare_class_is_in_every_fold():
    rare = ("a0", "a1", "b2")
    folds = deal(classes={name: {0, 1} if name in rare else {0} for name in NAMES})
    assert {folds[name] for name in rare} == {1, 2, 3}
    assert set(Counter(folds.values()).values()) == {8}


def test_a_class_goes_where_it_is_missing_though_that_fold_is_larger():
    groups = {"a0": "rarest", "a1": "rarest", "a2": "rarest"}
    classes = {"a0": {1}, "b0": {2}, "b1": {2}, "b2": {2}}
    folds = deal(groups=groups, classes=classes)
    assert {folds[name] for name in ("b0", "b1", "b2")} == {1, 2, 3}


def test_classes_count_by_samples_not_by_groups():
    groups = dict.fromkeys(NAMES[:8], "large")
    folds = deal(num_folds=2, groups=groups, classes={name: {1} for name in NAMES})
    assert sorted(Counter(folds.values()).values()) == [12, 12]


def test_a_seed_deals_again_the_same_and_another_one_differently():
    assert deal(seed=1) == deal(seed=1) != deal(seed=2)


def test_the_order_of_the_names_does_not_matter():
    assert deal(NAMES[::-1]) == deal()


class Counted(dict):
    """Classes of names that count how often they are asked for."""

    num_asked = 0

    def get(self, *args):
        self.num_asked += 1
        return super().get(*args)


@pytest.mark.parametrize("num_classes", [2, 80])
def test_the_time_does_not_grow_with_images_times_classes(num_classes):
    names = [f"{number:04}" for number in range(400)]
    classes = Counted({name: {int(name) % num_classes} for name in names})
    folds = deal(names, num_folds=5, classes=classes)
    assert classes.num_asked <= 4 * len(names)
    of_class = Counter((int(name) % num_classes, fold) for name, fold in folds.items())
    assert set(of_class.values()) == {400 // num_classes // 5}


def test_fewer_images_than_folds_are_refused():
    with pytest.raises(DataError, match=r"5 folds .* only 4 images in train.*Use 4 folds or fewer"):
        deal(NAMES[:4], num_folds=5)


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(
        DataError, match=r"only 2 groups of images \(8 images\).*2 folds.*--split-by none"
    ):
        deal(NAMES[:8], num_folds=3, groups={name: name[0] for name in NAMES})
    with pytest.raises(DataError, match="Train without folds"):
        deal(NAMES[:4], num_folds=3, groups={name: name[0] for name in NAMES})


# --- data sets --------------------------------------------------------------------------------


def write(root, names, copies=(), rare=()):
    random = np.random.default_rng(0)
    first = None
    for name in names:
        image = random.integers(0, 255, (32, 32)).astype(np.uint8)
        first = image if first is None else first
        image = first if name in copies else image
        mask = np.zeros((32, 32), np.uint8)
        mask[4:8] = 1
        mask[20:22] = 2 if name in rare else 0
        for kind, pixels in (("images", image), ("masks", mask)):
            path = root / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture(scope="module")
def examination(tmp_path_factory):
    root = write(tmp_path_factory.mktemp("data"), NAMES, copies=("a0", "d2"), rare=("b1", "e3"))
    return examine_dataset(root, ReadOptions(split_by="^([a-f])[01]"))


def test_train_and_val_are_dealt_and_test_stays_out(examination):
    folds = find_folds(examination, 3, seed=0)
    splits = {entry.name: entry.split for entry in examination.dataset.files}
    assert "test" in splits.values()
    assert folds.keys() == {name for name, split in splits.items() if split in ("train", "val")}


def test_groups_and_copies_of_the_files_stay_together(examination):
    folds = find_folds(examination, 3, seed=0)
    for names in [("a0", "d2"), *((f"{g}0", f"{g}1") for g in "abcdef")]:
        assert len({folds.get(name) for name in names}) == 1, names


def test_each_model_gets_its_own_fold_as_val(examination):
    dataset, folds = examination.dataset, find_folds(examination, 3, seed=0)
    held_out = []
    for number in (1, 2, 3):
        one = fold_dataset(dataset, folds, number)
        val = [entry.name for entry in one.files if entry.split == "val"]
        assert val == [name for name in (e.name for e in one.files) if folds.get(name) == number]
        assert one.splits["test"] == dataset.splits["test"]
        held_out += val
    assert sorted(held_out) == sorted(folds)


def test_folds_come_back_from_split_csv(examination, tmp_path):
    folds = find_folds(examination, 3, seed=0)
    write_folds(tmp_path / "split.csv", examination.dataset, folds)
    assert read_folds(tmp_path / "split.csv") == folds
    assert (tmp_path / "split.csv").read_text().startswith("name,split,fold,group\n")
    splits = read_split(tmp_path / "split.csv")
    assert {name for name, split in splits.items() if split == "train"} == folds.keys()
    assert set(splits.values()) == {"train", "test"}


def test_a_split_without_folds_has_none_and_a_wrong_one_is_refused(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("name,split\na,train\n")
    assert read_folds(path) == {}
    path.write_text("name,split,fold\na,train,first\n")
    with pytest.raises(DataError, match="'first' is not a fold"):
        read_folds(path)


def test_classes_of_one_fold_alone_are_named(examination):
    folds = find_folds(examination, 3, seed=0)
    assert rare_classes(examination, folds) == []
    together = folds | {"b1": 1, "e3": 1}
    (name,) = rare_classes(examination, together)
    assert name == examination.dataset.encoding.class_names[2]
