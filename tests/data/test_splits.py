"""Splits: shares, seeds, folders first, and what holds when images are added."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.data.splits import assign_splits, hash_position, hash_split

NAMES = [f"image_{number:03}" for number in range(100)]
SOME_NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=40, unique=True)


def split_of(names, given=None, seed=0, **others):
    return assign_splits(dict.fromkeys(names), given, seed, **others)


def test_a_hash_gives_about_70_15_15():
    counts = Counter(hash_split(f"{number}", seed=0) for number in range(10_000))
    assert counts["test"] == pytest.approx(1500, abs=110)  # three standard deviations
    assert counts["val"] == pytest.approx(1500, abs=110)


def test_the_hash_is_the_same_everywhere():
    # int(sha256("0:image_000").hexdigest()[:12], 16) / 16**12, worked out beside the code
    assert hash_position("image_000", seed=0) == pytest.approx(0.964740491043, abs=1e-12)
    assert hash_position("cafe\u0301", 0) == hash_position("caf\u00e9", 0)  # two forms of one name


@pytest.mark.parametrize("number", [2, 3, 5, 9, 10, 12, 20, 50, 200])
@pytest.mark.parametrize("seed", range(5))
def test_val_and_test_are_neither_empty_nor_large(number, seed):
    counts = Counter(split_of([f"{i}" for i in range(number)], seed=seed).values())
    held_out = ["val", "test"] if number >= 10 else ["val"]
    assert ("test" in counts) == (number >= 10)
    least = max(1, int(0.08 * number), min(3, number // 8))
    for split in held_out:
        assert least <= counts[split] <= max(1, 0.25 * number)


@pytest.mark.parametrize("seed", range(30))
def test_of_few_images_three_validate_also_where_they_come_in_groups(seed):
    """Groups of two: the fourth image is there for the sake of the third."""
    names = [f"{patient:02}_{eye}" for patient in range(12) for eye in "lr"]
    groups = {name: name[:2] for name in names}
    splits = split_of(names, seed=seed, groups=groups)
    counts = Counter(splits.values())
    assert 4 <= counts["val"] <= 6
    assert 4 <= counts["test"] <= 6
    assert all(splits[f"{patient:02}_l"] == splits[f"{patient:02}_r"] for patient in range(12))


def test_one_image_trains_and_none_is_no_error():
    assert all(split_of(["a"], seed=seed) == {"a": "train"} for seed in range(20))
    assert split_of([]) == {}


@given(names=SOME_NAMES, seed=st.integers())
@settings(max_examples=30, deadline=None)
def test_a_split_depends_on_seed_and_names_alone(names, seed):
    split = split_of(names, seed=seed)
    assert split_of(list(reversed(names)), seed=seed) == split
    assert set(split) == set(names)
    assert len(names) == 1 or {"train", "val"} <= set(split.values())


def test_another_seed_gives_another_split():
    assert split_of(NAMES, seed=0) != split_of(NAMES, seed=1)


# --- images are added -------------------------------------------------------------------------


@given(old=SOME_NAMES, new=SOME_NAMES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_with_an_earlier_split_no_image_ever_moves(old, new, data):
    everything = sorted({*old, *new})
    some_group = st.sampled_from(["p", "q", "r", "s"])
    groups = data.draw(st.dictionaries(st.sampled_from(everything), some_group))
    classes = data.draw(
        st.dictionaries(st.sampled_from(everything), st.sets(st.integers(0, 3), max_size=3))
    )
    before = split_of(old, groups=groups, classes=classes)
    after = split_of(everything, given=before, groups=groups, classes=classes)
    assert {name: after[name] for name in old} == before
    for name in set(new) - set(old):  # new ones of an old group follow it
        partners = {before[o] for o in old if name in groups and groups.get(o) == groups[name]}
        assert not partners or after[name] in partners


@given(old=SOME_NAMES, new=SOME_NAMES)
@settings(max_examples=60, deadline=None)
def test_without_an_earlier_split_only_what_balancing_moved_may_change(old, new):
    before, after = split_of(old), split_of({*old, *new})
    hashed_before = {name: hash_split(name, 0, with_test=len(old) >= 10) for name in old}
    hashed_after = {name: hash_split(name, 0, with_test=len(after) >= 10) for name in after}
    still = {
        name
        for name in old
        if before[name] == hashed_before[name] and after[name] == hashed_after[name]
    }
    became_test = (len(old) < 10) != (len(after) < 10)
    for name in still:
        assert after[name] == before[name] or (became_test and after[name] == "test")


@pytest.mark.parametrize("seed", range(5))
def test_in_larger_sets_the_hash_alone_decides(seed):
    names = [f"image_{number:05}" for number in range(1100)]
    before, after = split_of(names[:1000], seed=seed), split_of(names, seed=seed)
    assert {name: after[name] for name in before} == before
    assert after == {name: hash_split(name, seed) for name in names}


def test_the_first_test_images_come_from_the_new_ones():
    before = split_of(NAMES[:9])
    after = split_of(NAMES[:12], given=before)
    assert "test" not in before.values()
    assert {name: after[name] for name in before} == before
    assert "test" in {after[name] for name in NAMES[9:12]}


def test_an_image_that_had_no_mask_is_new():
    before = dict.fromkeys(NAMES[:20], "train") | {"image_050": "unlabelled"}
    after = split_of(["image_050", *NAMES[:20]], given=before)
    assert after["image_050"] in ("val", "test")  # both are still empty


def test_another_unicode_form_is_the_same_name():
    before = dict.fromkeys(NAMES[:12], "train") | {"cafe\u0301": "test", "caf\u00ea": "val"}
    after = split_of([*NAMES[:12], "caf\u00e9", "caf\u00ea"], given=before)
    assert (after["caf\u00e9"], after["caf\u00ea"]) == ("test", "val")
    both = {"cafe\u0301": "test", "caf\u00e9": "val"}
    assert split_of(both, given=both) == both  # each its own, where both are there


def test_a_new_copy_of_an_old_image_follows_it():
    given_split = dict.fromkeys(NAMES[:10], "train") | dict.fromkeys(NAMES[10:13], "test")
    twins = {"copy": "image_011", "image_011": "image_011", "other": "image_003"}
    split = split_of([*NAMES[:13], "copy", "other"], given=given_split, twins=twins)
    assert split["copy"] == "test"
    assert split["other"] == "train"


# --- groups and classes -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_groups_and_copies_stay_together_also_in_a_chain(seed):
    groups = {name: f"patient {number // 5}" for number, name in enumerate(NAMES)}
    twins = {"image_004": "image_004", "image_005": "image_004"}  # of patients 0 and 1
    split = split_of(NAMES, seed=seed, groups=groups, twins=twins)
    assert all(len({split[name] for name in NAMES[i : i + 5]}) == 1 for i in range(0, 100, 5))
    assert split["image_000"] == split["image_009"]
    assert len(set(split.values())) == 3


def test_a_group_of_most_images_trains():
    groups = dict.fromkeys(NAMES[:80], "large")
    for seed in range(20):
        split = split_of(NAMES, seed=seed, groups=groups)
        assert split["image_000"] == "train"
        assert {"val", "test"} <= set(split.values())


def test_one_group_alone_trains_and_two_make_val():
    assert set(split_of(NAMES, groups=dict.fromkeys(NAMES, "one")).values()) == {"train"}
    two = {name: f"{number % 2}" for number, name in enumerate(NAMES)}
    assert Counter(split_of(NAMES, groups=two).values()) == {"train": 50, "val": 50}


@pytest.mark.parametrize("seed", range(10))
def test_every_class_of_three_images_is_in_every_split(seed):
    classes = {name: {0} for name in NAMES}
    classes |= {name: {0, 1} for name in NAMES[:3]} | {name: {0, 2} for name in NAMES[10:14]}
    split = split_of(NAMES, seed=seed, classes=classes)
    for rare in (1, 2):
        assert {split[name] for name in NAMES if rare in classes[name]} == {"train", "val", "test"}
    moved = [name for name in NAMES if split[name] != hash_split(name, seed)]
    assert len(moved) <= 4 + 4  # at most two for each class; some for the shares


def test_a_class_of_one_group_cannot_be_spread():
    classes = {name: {0, 1} for name in NAMES[:10]}
    groups = dict.fromkeys(NAMES[:10], "one")
    split = split_of(NAMES, classes=classes, groups=groups)
    assert len({split[name] for name in NAMES[:10]}) == 1


def test_balancing_moves_new_images_only():
    before = dict.fromkeys(NAMES[:14], "train") | dict.fromkeys(NAMES[14:17], "val")
    before |= dict.fromkeys(NAMES[17:20], "test")
    classes = {name: {0, 1} for name in [*NAMES[:6], *NAMES[20:26]]}
    after = split_of(NAMES[:26], given=before, classes=classes)
    assert {name: after[name] for name in before} == before
    assert {after[name] for name in NAMES[20:26]} >= {"val", "test"}


# --- folders ----------------------------------------------------------------------------------


def test_folders_win_over_the_mapping():
    folders = {"a": "train", "aa": "train", "b": "val", "c": "test"}
    given_split = {"a": "test", "aa": "val", "b": "test", "c": "train"}
    assert assign_splits(folders, given_split, seed=0) == folders


def test_val_is_taken_from_train_where_it_has_no_folder():
    folders = dict.fromkeys(NAMES[:80], "train") | dict.fromkeys(NAMES[80:], "test")
    split = assign_splits(folders, None, seed=0)
    assert all(split[name] == "test" for name in NAMES[80:])
    for name in NAMES[:80]:
        assert split[name] == hash_split(name, 0, with_test=False)


def test_a_folder_of_test_images_alone_stays_test():
    assert assign_splits({"a": "test", "b": "test"}, None, 0) == {"a": "test", "b": "test"}


def test_folders_of_some_images_hold_and_the_others_are_split():
    folders = dict.fromkeys(NAMES) | {"image_000": "test", "image_001": "val"}
    split = assign_splits(folders, None, seed=0)
    assert (split["image_000"], split["image_001"]) == ("test", "val")
    assert all(split[name] == hash_split(name, 0) for name in NAMES[2:])


def test_the_mapping_decides_and_other_names_in_it_do_not_matter():
    split = split_of("abc", given={"a": "test", "b": "val", "c": "train", "x": "val"})
    assert split == {"a": "test", "b": "val", "c": "train"}


def test_the_mapping_also_gives_val_within_a_train_folder():
    folders = {"a": "train", "b": "train", "c": "test"}
    assert assign_splits(folders, {"a": "val", "c": "train"}, 0) == {
        "a": "val",
        "b": "train",
        "c": "test",
    }


# --- in general -------------------------------------------------------------------------------


@given(names=SOME_NAMES, seed=st.integers(0, 9), data=st.data())
@settings(max_examples=100, deadline=None)
def test_groups_and_copies_are_never_torn(names, seed, data):
    names_of_set = st.sampled_from(names)
    groups = data.draw(st.dictionaries(names_of_set, st.sampled_from("pqrstuvw")))
    twins = data.draw(st.dictionaries(names_of_set, names_of_set))
    classes = data.draw(st.dictionaries(names_of_set, st.sets(st.integers(0, 3), max_size=3)))
    split = split_of(names, seed=seed, groups=groups, twins=twins, classes=classes)
    assert set(split) == set(names)
    for name, twin in twins.items():
        assert split[name] == split[twin]
    for group in set(groups.values()):
        assert len({split[name] for name in groups if groups[name] == group}) == 1


@pytest.mark.parametrize("seed", range(40))
def test_rare_classes_come_into_every_split_also_by_exchange(seed):
    random = np.random.default_rng(seed)
    names = NAMES[:40]
    classes = {name: {0} for name in names}
    for index in (1, 2, 3):
        for name in random.choice(names, random.integers(3, 7), replace=False):
            classes[name].add(index)
    split = split_of(names, seed=seed, classes=classes)
    for index in range(4):
        found = {split[name] for name in names if index in classes[name]}
        assert found == {"train", "val", "test"}
    counts = Counter(split.values())
    assert all(0.08 * 40 - 1 <= counts[held_out] <= 0.25 * 40 for held_out in ("val", "test"))


def test_an_exchange_takes_the_place_of_an_image_that_has_nothing_rare():
    """Val is full (a quarter of 12), so that the class of the last three must be exchanged in."""
    by_place = sorted(NAMES, key=lambda name: hash_position(name, 0))
    held_out = [name for name in by_place if hash_split(name, 0) == "val"][:3]
    tested = [name for name in by_place if hash_split(name, 0) == "test"][:2]
    trained = [name for name in by_place if hash_split(name, 0) == "train"][:7]
    names = [*held_out, *tested, *trained]
    classes = {name: {0} for name in names} | {name: {0, 1} for name in trained[:4]}
    classes |= {name: {0, 2} for name in (held_out[0], tested[0], trained[6])}
    split = split_of(names, classes=classes)
    assert Counter(split.values()) == {"train": 6, "val": 3, "test": 3}
    assert split[held_out[0]] == "val"  # the only one of class 2 there
    assert len({split[name] for name in held_out[1:]} - {"val"}) == 1
    for index in (0, 1, 2):
        assert {split[name] for name in names if index in classes[name]} == {"train", "val", "test"}


def test_large_sets_are_balanced_as_small_ones_are():
    names = [f"image_{number:06}" for number in range(30_000)]
    classes = {name: {0, number % 10} for number, name in enumerate(names)}
    earlier = dict.fromkeys(names[:27_000], "train")  # val and test are to be filled, one by one
    counts = Counter(split_of(names, given=earlier, classes=classes).values())
    assert min(counts["val"], counts["test"]) >= 300
