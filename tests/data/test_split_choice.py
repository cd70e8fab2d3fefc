"""The split goes by patients that the file names tell, unless it would be no split, and says so."""

from collections import Counter, defaultdict
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.doctor.conftest import draw_pair

from pixelwise.data import read_split, write_split
from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.split_choice import are_the_classes, choose_splits
from pixelwise.data.survey.sample_facts import SampleFacts
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import FileError
from pixelwise.workflows.crossval.folds import describe_groups, find_folds


def slices(sizes, word="patient"):
    """Names of so many slices for each patient."""
    return [f"{word}_{p:02}_slice_{s:02}" for p, size in enumerate(sizes) for s in range(size)]


@pytest.fixture
def make(save, tmp_path):
    """Write pairs of these names; no two pictures are alike."""

    seeds = count()

    def write(names, folder="", classes=None):
        for number, name in enumerate(names):
            image, mask = draw_pair(next(seeds))
            if classes:
                mask = mask // 255 * np.uint8(classes[number])
            save(f"{folder}images/{name}.png", image)
            save(f"{folder}masks/{name}.png", mask)
        return tmp_path

    return write


def splits_of_groups(examination):
    found = defaultdict(set)
    for name, split in examination.splits.items():
        found[name.rpartition("_slice")[0]].add(split)
    return found


def notes(examination):
    return [f"{f.message} {f.fix}" for f in examination.findings if f.code == "name-groups"]


def test_patients_are_kept_in_one_split_and_it_is_said(make):
    root = make(slices([4] * 8))
    examination = examine_dataset(root)
    assert all(len(splits) == 1 for splits in splits_of_groups(examination).values())
    assert set(examination.splits.values()) == {"train", "val", "test"}
    assert notes(examination) == [
        "patients from file names: 8 (patient_00, patient_01, patient_02, ...); the images of each "
        "are in one split. Use `--split-by none` to split by image."
    ]
    assert examination.dataset.groups[0] == "patient_00"
    assert examination.dataset.describe().startswith("32 images in 8 groups (")
    assert examine_dataset(root).splits == examination.splits  # the same seed, the same split
    assert notes(examination)[0] in examination.dataset.notes  # which training prints


def test_none_splits_by_image_and_a_pattern_has_the_word(make):
    root = make(slices([4] * 8))
    by_image = examine_dataset(root, ReadOptions(split_by="none"))
    assert any(len(splits) > 1 for splits in splits_of_groups(by_image).values())
    assert by_image.dataset.groups == () and notes(by_image) == []
    by_slice = examine_dataset(root, ReadOptions(split_by=r"slice_\d+"))
    assert by_slice.dataset.groups == ("slice_00", "slice_01", "slice_02", "slice_03")
    assert notes(by_slice) == []


def test_none_sets_the_groups_of_a_manifest_aside(make):
    names = slices([4] * 8, "x")
    rows = [f"images/{n}.png,masks/{n}.png,{n[:4]}" for n in names]
    root = make(names)
    (root / "manifest.csv").write_text("\n".join(["image,mask,group", *rows]))
    assert len(examine_dataset(root).dataset.groups) == 8
    assert examine_dataset(root, ReadOptions(split_by="none")).dataset.groups == ()


@pytest.mark.parametrize(
    "sizes",
    [[10, 10], [8, 8, 8], [40, 1, 1, 1]],
    ids=["two patients", "three patients", "one patient has nearly all"],
)
def test_groups_that_leave_no_split_are_not_used_and_it_is_said(make, sizes):
    examination = examine_dataset(make(slices(sizes)))
    (note,) = notes(examination)
    assert note.startswith(f"patients from file names: {len(sizes)} (patient_00, patient_01")
    assert "but these are too few or too unlike in size" in note and "is by image" in note
    assert examination.dataset.groups == ()
    assert max(len(splits) for splits in splits_of_groups(examination).values()) > 1


def test_four_patients_of_one_size_are_enough(make):
    examination = examine_dataset(make(slices([5] * 4)))
    assert examination.dataset.splits == {"train": 10, "val": 5, "test": 5}


def test_groups_that_are_the_classes_are_not_used(make):
    names = slices([6] * 5, "scene")
    examination = examine_dataset(make(names, classes=[1 + n // 6 for n in range(30)]))
    (note,) = notes(examination)
    assert "scenes from file names: 5" in note and "most classes are found in one of them" in note
    assert examination.dataset.groups == ()


def test_when_groups_are_the_classes_by_hand():
    groups = {f"{g}{n}": g for g in "abc" for n in range(3)}
    apart = {name: {0, 1 + "abc".index(group)} for name, group in groups.items()}
    assert are_the_classes(groups, apart)
    shared = {name: {0, 1, 2} for name in groups}
    assert not are_the_classes(groups, shared)
    assert not are_the_classes(groups, {"a0": {0, 1}, "b0": {0, 2}})  # too seldom to tell
    assert not are_the_classes(groups, {name: {0, 1} for name in ("a0", "a1", "a2")})  # one class


def test_images_without_a_pattern_have_no_note(make):
    examination = examine_dataset(make([f"image_{n:03}" for n in range(12)]))
    assert notes(examination) == [] and examination.name_groups == {}


def test_the_folders_decide_where_they_give_all_splits(make):
    for split, part in (("train", slice(0, 12)), ("val", slice(12, 16)), ("test", slice(16, 20))):
        root = make(slices([5] * 4)[part], f"{split}/")
    examination = examine_dataset(root)
    assert examination.dataset.splits == {"train": 12, "val": 4, "test": 4}
    assert notes(examination) == [] and len(examination.dataset.groups) == 4  # for intervals
    assert "group-leak" in {finding.code for finding in examination.findings}


def test_val_is_taken_from_train_by_patients(make):
    make(slices([4] * 6), "train/")
    root = make([f"patient_{p}_slice_{s}" for p in (8, 9) for s in range(4)], "test/")
    examination = examine_dataset(root)
    assert examination.dataset.splits == {"train": 20, "val": 4, "test": 8}
    assert all(len(splits) == 1 for splits in splits_of_groups(examination).values())
    assert "patients from file names: 8" in notes(examination)[0]


def test_an_earlier_split_by_image_stays(make, tmp_path):
    root = make(slices([4] * 8))
    before = examine_dataset(root, ReadOptions(split_by="none"))
    again = examine_dataset(root, ReadOptions(split=before.splits))
    assert again.splits == before.splits
    assert "the earlier split has some of them in two splits" in notes(again)[0]
    write_split(root / "split.csv", before.dataset)
    assert examine_dataset(root).splits == before.splits


def test_an_earlier_split_by_patients_stays_and_new_images_follow_their_patient(make, tmp_path):
    before = examine_dataset(make(slices([4] * 8)))
    write_split(tmp_path / "split.csv", before.dataset)
    root = make([f"patient_{p:02}_slice_04" for p in range(8)])
    after = examine_dataset(root, ReadOptions(split=read_split(tmp_path / "split.csv")))
    assert len(after.splits) == 40 and before.splits.items() <= after.splits.items()
    assert splits_of_groups(after) == splits_of_groups(before)
    assert len(after.dataset.groups) == 8


def test_folds_go_by_patients(make):
    examination = examine_dataset(make(slices([4] * 10)))
    folds = find_folds(examination, 4, seed=0)
    fold_of = {(name.rpartition("_slice")[0], fold) for name, fold in folds.items()}
    assert len(fold_of) == len({patient for patient, _ in fold_of})
    assert describe_groups(examination, 4) == ""  # said with the split already


def test_folds_of_folders_go_by_patients_that_the_names_tell(make):
    for split, part in (("train", slice(0, 12)), ("val", slice(12, 16)), ("test", slice(16, 20))):
        root = make(slices([2] * 10)[part], f"{split}/")
    examination = examine_dataset(root)
    folds = find_folds(examination, 4, seed=0)
    fold_of = {(name.rpartition("_slice")[0], fold) for name, fold in folds.items()}
    assert len(folds) == 16 and len(fold_of) == 8
    assert "patients from file names: 8" in describe_groups(examination, 4)
    assert "too few" in describe_groups(examination, 9)
    assert len(set(find_folds(examination, 9, seed=0).values())) == 9  # by image


def facts_of(name):
    """A sample of which nothing but its name is known."""
    error = FileError("not looked at")
    found = FoundSample(name, (Path(f"{name}.png"),), MaskFile(Path(f"m/{name}.png")))
    return SampleFacts(found, error, error)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=15), st.integers(0, 3))
@settings(deadline=None)
def test_either_no_patient_is_torn_or_it_is_said(sizes, seed):
    names = slices(sizes)
    choice = choose_splits([facts_of(name) for name in names], None, None, seed, {})
    pairs = {(name.rpartition("_slice")[0], split) for name, split in choice.splits.items()}
    assert set(choice.splits) == set(names)
    is_torn = len(pairs) > len(sizes)
    counts = Counter(choice.splits.values())
    if choice.surveyed[0].found.group is not None:
        assert not is_torn and "in one split" in choice.findings[0].message
        assert counts["train"] >= len(names) / 2 and counts["val"] >= max(1, int(0.08 * len(names)))
        assert len(names) < 10 or counts["test"] >= 1
    elif max(sizes) > 1:
        assert "the split is by image" in choice.findings[0].message
