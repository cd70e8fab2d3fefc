"""Groups: joined by group and copy, taken from names by a pattern, found in names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.data import read_split, write_split
from pixelwise.data.groups import (
    find_group_pattern,
    find_groups,
    join_samples,
    match_groups,
    name_of_groups,
)
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import DataError

SLICES = [f"patient_{patient:02}_slice_{slice_}" for patient in range(4) for slice_ in range(5)]


def test_samples_are_joined_by_group_by_copy_and_by_both_in_turn():
    joined = join_samples("abcdef", {"a": "p", "b": "p", "c": "q"}, {"c": "b", "d": "e"})
    assert joined == [("p", ["a", "b", "c"]), ("d", ["d", "e"]), ("f", ["f"])]


def test_copies_of_a_name_that_is_left_out_are_joined_all_the_same():
    assert join_samples(["b", "c"], {}, {"b": "a", "c": "a"}) == [("b", ["b", "c"])]


def test_a_group_and_a_sample_of_one_name_are_two_things():
    assert join_samples(["a", "b"], {"b": "a"}, {}) == [("a", ["a"]), ("a", ["b"])]


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=20))
@settings(max_examples=40, deadline=None)
def test_joined_sets_are_those_of_a_flood(links):
    names = [f"{number:02}" for number in range(16)]
    twins = {names[a]: names[b] for a, b in links}
    neighbours = {name: {name} for name in names}
    for name, twin in twins.items():
        neighbours[name].add(twin)
        neighbours[twin].add(name)
    expected = set()
    for name in names:
        reached = {name}
        while (more := set().union(*(neighbours[n] for n in reached))) != reached:
            reached = more
        expected.add(tuple(sorted(reached)))
    assert {tuple(members) for _, members in join_samples(names, {}, twins)} == expected


@pytest.mark.parametrize(
    ("pattern", "group"),
    [(r"^(patient_\d+)_", "patient_03"), (r"patient_\d+", "patient_03"), (r"_(\d+)_", "03")],
)
def test_the_first_parenthesis_or_the_whole_match_is_the_group(pattern, group):
    assert match_groups(SLICES, pattern)["patient_03_slice_2"] == group


def test_names_that_do_not_match_are_their_own_group():
    assert match_groups(["p1_a", "p1_b", "p2_a", "other"], r"^p\d") == {
        "p1_a": "p1",
        "p1_b": "p1",
        "p2_a": "p2",
    }


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", r"'\(' is not a regular expression: missing \).* Give one such as"),
        ("mouse", "is found in none of the 20 names .*patient_00_slice_0.* Give"),
        ("^(patient)", "puts all 20 images into one group, 'patient'.* Give"),
        ("x*", "is found in none"),  # it matches, but nothing
    ],
)
def test_bad_patterns_are_refused_with_the_fix(pattern, message):
    with pytest.raises(DataError, match=message):
        match_groups(SLICES, pattern)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (SLICES, {f"patient_{patient:02}" for patient in range(4)}),
        ([f"sub-A{s}_z{z:03}" for s in range(3) for z in range(4)], {"sub-A0", "sub-A1", "sub-A2"}),
        ([f"video{v}/{f:05}" for v in (1, 2) for f in range(9)], {"video1", "video2"}),
        ([f"batch2/plate{p}-B{w:02}" for p in (7, 8) for w in range(9)],
         {"batch2/plate7", "batch2/plate8"}),
        ([f"tumour{s}_tile_{r}_{c}" for s in "ab" for r in range(2) for c in range(3)],
         {"tumoura", "tumourb"}),
        ([f"a{i}_aug{k}" for i in range(3) for k in range(4)], {"a0", "a1", "a2"}),
        ([f"{s}_{f:06}" for s in ("0001TP", "Seq05VD") for f in range(0, 300, 30)],
         {"0001TP", "Seq05VD"}),
    ],
)  # fmt: skip
def test_series_are_found_in_names(names, groups):
    found = match_groups(names, find_group_pattern(names))
    assert set(found) == set(names)
    assert set(found.values()) == groups
    told = find_groups(names)
    assert len(set(told.values())) == len(set(zip(found.values(), told.values(), strict=True)))


@pytest.mark.parametrize(
    "names",
    [
        [],
        [f"image_{number:03}" for number in range(30)],
        [f"ISIC_{number:07}" for number in range(30)],
        [f"{number:064x}" for number in range(30)],
        [f"cat_{number:03}" for number in range(9)] + [f"dog_{number:03}" for number in range(9)],
        [f"2023-05-{day:02}_{n:03}" for day in (1, 2) for n in range(9)],
        [f"{row:04}_{column:04}" for row in range(5) for column in range(5)],
        [f"patient_{number}_slice_1" for number in range(30)],  # one image each
        [f"patient_3_slice_{number}" for number in range(30)],  # one patient
        [*SLICES, *(f"overview{number}" for number in range(4))],
        [f"site{s}/{n:04}" for s in range(4) for n in range(9)],  # folders may be anything
    ],
)
def test_names_that_may_mean_something_else_are_no_groups(names):
    assert find_groups(names) == {}


def test_a_few_odd_names_do_not_hide_the_patients():
    found = find_groups([*SLICES, "overview"])
    assert found.keys() == set(SLICES) and len(set(found.values())) == 4


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("patient_{}_scan_{}_slice_{}", "patient_{}"),  # the widest, so that scans stay together
        ("patient_{}_eye_{}{}", "patient_{}"),
        ("scans/patient_{}/{}_{}", "scans/patient_{}"),
        ("day{1}/mouse{0}_{2}", "mouse{}"),  # one mouse on two days
        ("train/case_{}/{}_{}", "case_{}"),  # the split in front tells names apart, no more
        ("patient_7_scan_{}_slice_{}_{}", "patient_7_scan_{}"),  # all of one patient
    ],
)
def test_the_widest_group_that_leaves_several(name, group):
    names = {name.format(p, s, k): group.format(p) for p in range(3) for s in (1, 2) for k in (3,)}
    assert find_groups(list(names)) == names


@pytest.mark.parametrize(
    ("groups", "called"),
    [({"patient_1", "patient_2"}, "patients"), ({"a/Plate7"}, "plates"), ({"0001TP"}, "groups")],
)
def test_what_groups_are_called(groups, called):
    assert name_of_groups(groups) == called


def test_groups_in_real_names(shared_data):
    streets = [path.stem for path in (shared_data / "streets").glob("*/images/*")]
    nuclei = [path.stem for path in (shared_data / "nuclei").glob("*/images/*")]
    assert set(find_groups(streets).values()) == {
        "0001TP", "0006R0", "0016E5", "Seq05VD",
    }  # fmt: skip
    assert len(nuclei) == 464
    assert find_groups(nuclei) == {}


def test_a_folder_is_split_by_a_pattern(save, disc, tmp_path):
    for number, name in enumerate(SLICES):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
        save(f"images/{name}.png", pixels)
        save(f"masks/{name}.png", disc)
    dataset = examine_dataset(tmp_path, ReadOptions(split_by=r"patient_\d+")).dataset
    assert dataset.groups == ("patient_00", "patient_01", "patient_02", "patient_03")
    assert dataset.describe().startswith("20 images in 4 groups (")
    split_of_group = {(entry.group, entry.split) for entry in dataset.files}
    assert len(split_of_group) == 4
    assert {split for _, split in split_of_group} == {"train", "val", "test"}
    write_split(tmp_path / "split.csv", dataset)
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines[0] == "name,split,group"
    assert lines[1] == f"patient_00_slice_0,{dataset.files[0].split},patient_00"
    assert read_split(tmp_path / "split.csv") == {e.name: e.split for e in dataset.files}


def test_a_bad_pattern_is_a_finding(save_pairs, disc):
    root = save_pairs([disc] * 3)
    (finding,) = examine_dataset(root, ReadOptions(split_by="mouse")).findings
    assert finding.severity == "error"
    assert "found in none of the 3 names" in finding.message
    assert finding.fix.startswith("Give a regular expression")
