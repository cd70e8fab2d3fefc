"""Which sample is in which split: train, val or test.

A hash decides, and balancing mends what the hash left wrong:

    position of a group or name   0 ...... 0.15 ...... 0.30 .................... 1
    split                            test        val              train

The position depends on the seed and the name of the group alone, so that images that are added
later move no earlier one; with the split.csv of an earlier training they move none at all.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pixelwise.data.groups import join_samples
from pixelwise.errors import DataError

Split = Literal["train", "val", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "unlabelled")
INTERVALS: dict[Split, tuple[float, float]] = {  # of positions
    "test": (0.0, 0.15),
    "val": (0.15, 0.30),
    "train": (0.30, 1.0),
}
LEAST_SHARE = 0.08  # of the samples, in val and in test; rounded down, but one at least
LARGEST_SHARE = 0.25  # of the samples, in val and in test
MIN_IMAGES_FOR_TEST = 10
MIN_UNITS_OF_CLASS = 3  # a class that fewer groups have cannot be in every split


@dataclass
class _Unit:
    """Samples that share a split."""

    names: list[str]
    position: float  # in [0, 1)
    split: Split
    classes: set[int]
    is_fixed: bool  # an earlier split or the folders decided

    def distance(self, split: Split) -> float:
        """How far the position is from where the hash gives that split."""
        low, high = INTERVALS[split]
        return max(low - self.position, self.position - high, 0.0)


def assign_splits(
    folders: Mapping[str, Split | None],
    given: Mapping[str, str] | None,
    seed: int,
    twins: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
    classes: Mapping[str, Collection[int]] | None = None,
) -> dict[str, Split]:
    """Decide the split of every sample: by folders, by an earlier split, else by hash and balance.

    Samples of one group and copies of each other go to one split; a new one follows the earlier
    ones (train before val before test). For the others a hash of seed and group, or name, decides:
    15 % test, 15 % val, 70 % train. No test is made below 10 samples. Then, and only among samples
    that neither folders nor an earlier split decided, groups move

    1. out of val or test where that holds more than 25 % of the samples;
    2. into val or test where that holds less than 8 %, or nothing;
    3. so that a class found in three groups or more is in every split, where the above allows it.

    Args:
        folders: the split folder of each sample, None without one.
        given: an earlier split of names, as `read_split` gives it; folders win over it.
        seed: of the hash.
        twins: for names of copies, one name that stands for all.
        groups: group of those names that have one.
        classes: class indices that occur in each sample.

    Returns:
        Split of every name. Where split folders leave out val, it is taken from train.
    """
    known = {name: split for name, split in folders.items() if split is not None}
    if len(known) < len(folders):
        open_names, with_test = list(folders), True
        fixed = _earlier_splits(folders, given or {}) | known
    elif "val" in known.values():
        return known
    else:
        open_names, with_test = [name for name in known if known[name] == "train"], False
        earlier = _earlier_splits(open_names, given or {})
        fixed = {name: "val" if split == "val" else "train" for name, split in earlier.items()}
    joined = join_samples(open_names, groups or {}, twins or {})
    units = _make_units(joined, fixed, seed, classes or {})
    is_enough = len(open_names) >= MIN_IMAGES_FOR_TEST or "test" in fixed.values()
    _balance(units, with_test and is_enough)
    return known | {name: unit.split for unit in units for name in unit.names} | fixed


def _earlier_splits(names: Collection[str], given: Mapping[str, str]) -> dict[str, Split]:
    """Splits of those names that had one when they were labelled already."""
    earlier = {name: to_split(given[name]) for name in names if name in given}
    return {name: split for name, split in earlier.items() if split != "unlabelled"}


def hash_position(key: str, seed: int) -> float:
    """Where a group or name lies between 0 and 1; the same on every machine and in every set."""
    text = unicodedata.normalize("NFC", f"{seed}:{key}")
    return (
        int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:6]) / 2**48
    )


def hash_split(key: str, seed: int, with_test: bool = True) -> Split:
    """The split that the hash gives a group or name, before balancing."""
    position = hash_position(key, seed)
    if position < INTERVALS["test"][1]:
        return "test" if with_test else "train"
    return "val" if position < INTERVALS["val"][1] else "train"


def _make_units(
    joined: Sequence[tuple[str, list[str]]],
    fixed: Mapping[str, Split],
    seed: int,
    classes: Mapping[str, Collection[int]],
) -> list[_Unit]:
    """Units in the order of their positions; those that hold a fixed sample are fixed."""
    units = []
    for key, names in joined:
        decided = {fixed[name] for name in names if name in fixed}
        split = next((split for split in SPLITS if split in decided), hash_split(key, seed))
        present = {index for name in names for index in classes.get(name, ())}
        units.append(_Unit(names, hash_position(key, seed), split, present, bool(decided)))
    return sorted(units, key=lambda unit: (unit.position, unit.names))


def _balance(units: list[_Unit], with_test: bool) -> None:
    """Move units that are not fixed to other splits, as `assign_splits` says, in place."""
    for unit in units:
        if unit.split == "test" and not with_test and not unit.is_fixed:
            unit.split = "train"
    held_out: list[Split] = ["val", "test"] if with_test else ["val"]
    for split in held_out:
        _shrink(units, split)
    for split in ("train", *held_out):
        _fill(units, split)
    counts = Counter(index for unit in units for index in unit.classes)
    common = {index for index, number in counts.items() if number >= MIN_UNITS_OF_CLASS}
    for index in sorted(common, key=lambda index: (counts[index], index)):
        for split in ("train", *held_out):
            _spread(units, index, split, common)


def _shrink(units: Sequence[_Unit], split: Split) -> None:
    """Move units from a split that is too large to train, those nearest to train first."""
    movable = [unit for unit in units if unit.split == split and not unit.is_fixed]
    while movable and _num_samples(units, split) > LARGEST_SHARE * _num_samples(units):
        movable.pop().split = "train"


def _fill(units: Sequence[_Unit], split: Split) -> None:
    """Move units into a split that is too small, from train first, those nearest to it first."""
    total = _num_samples(units)
    least = 1 if split == "train" else max(1, int(LEAST_SHARE * total))
    while (number := _num_samples(units, split)) < least:
        room = (LARGEST_SHARE if split != "train" else 1) * total - number
        movable = [unit for unit in units if _may_leave(unit, split, units)]
        if number:  # nothing, or something that fits
            movable = [unit for unit in movable if len(unit.names) <= room]
        if not movable:
            return
        min(
            movable,
            key=lambda unit: (
                unit.split != "train",
                max(0.0, len(unit.names) - room),
                unit.distance(split),
            ),
        ).split = split


def _may_leave(unit: _Unit, split: Split, units: Sequence[_Unit]) -> bool:
    """Whether a unit may move to another split: it is not fixed, and not the last of its own."""
    if unit.is_fixed or unit.split == split:
        return False
    return any(other.split == unit.split for other in units if other is not unit)


def _spread(units: Sequence[_Unit], index: int, split: Split, common: Collection[int]) -> None:
    """Bring a class into a split that lacks it, where no other class is lost by it."""
    if any(index in unit.classes for unit in units if unit.split == split):
        return
    total = _num_samples(units)
    room = (LARGEST_SHARE if split != "train" else 1) * total - _num_samples(units, split)
    movable = [
        unit
        for unit in units
        if index in unit.classes
        and len(unit.names) <= room
        and _may_leave(unit, split, units)
        and _is_spare(unit, units, common)
    ]
    if movable:
        min(movable, key=lambda unit: unit.distance(split)).split = split


def _is_spare(unit: _Unit, units: Sequence[_Unit], common: Collection[int]) -> bool:
    """Whether the split of a unit stays large enough, and keeps its common classes, without it."""
    others = [other for other in units if other.split == unit.split and other is not unit]
    kept = {index for other in others for index in other.classes}
    least = max(1, int(LEAST_SHARE * _num_samples(units)))
    return (
        sum(len(other.names) for other in others) >= least
        and not (unit.classes & set(common)) - kept
    )


def _num_samples(units: Sequence[_Unit], split: Split | None = None) -> int:
    return sum(len(unit.names) for unit in units if split in (None, unit.split))


def to_split(text: str) -> Split:
    """The split of that name; DataError where there is none."""
    for split in SPLITS:
        if text == split:
            return split
    raise DataError(f"{text!r} is not a split. The splits are {', '.join(SPLITS)}.")
