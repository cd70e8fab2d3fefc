"""Which sample is in which split: train, val or test.

A hash decides, and balancing corrects what the hash left wrong:

    position of a group or name   0 ...... 0.15 ...... 0.30 .................... 1
    split                            test        val              train

The position depends on the seed and the name of the group alone, so that images that are added
later move no earlier one; with the split.csv of an earlier training they move none at all.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal, TypeVar

from pixelwise.data.groups import join_samples
from pixelwise.errors import DataError
from pixelwise.io import as_letters

Split = Literal["train", "val", "test", "unlabelled"]
Text = TypeVar("Text", bound=str)
SPLITS: tuple[Split, ...] = ("train", "val", "test", "unlabelled")
INTERVALS: dict[Split, tuple[float, float]] = {  # of positions
    "test": (0.0, 0.15),
    "val": (0.15, 0.30),
    "train": (0.30, 1.0),
}
LEAST_SHARE = 0.08  # of the samples, in val and in test; rounded down
LEAST_NUMBER, ONE_IN = 3, 8  # samples there of small sets: fewer where that is more than an eighth
LARGEST_SHARE = 0.25  # of the samples, in val and in test
MIN_IMAGES_FOR_TEST = 10
MAX_SWAPS = 100  # units that are tried on either side
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
    2. into val or test where that holds less than 8 %, or fewer than three of 24 samples and more,
       two of 16, one of any number;
    3. so that a class found in three groups or more is in every split, where the above allows it;
       also in exchange for another group.

    Args:
        folders: the split folder of each sample, None without one.
        given: an earlier split of names, as `read_split` gives it; folders win over it.
        seed: seed of the hash.
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
    found = match_names(names, given)
    earlier = {name: to_split(split) for name, split in found.items()}
    return {name: split for name, split in earlier.items() if split != "unlabelled"}


def match_names(names: Iterable[str], given: Mapping[str, Text]) -> dict[str, Text]:
    """What is given for each name, also where its accents are in another form or encoding."""
    composed = {_composed(name): value for name, value in given.items()}
    keys = ((name, _composed(name)) for name in names)
    return {
        name: given[name] if name in given else composed[key]
        for name, key in keys
        if name in given or key in composed
    }


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", as_letters(name))


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


class _Balance:
    """Units with the number of samples, units and classes in each split, kept while units move."""

    def __init__(self, units: Sequence[_Unit]) -> None:
        self.units = units
        self.total = sum(len(unit.names) for unit in units)
        self.least = max(1, int(LEAST_SHARE * self.total), min(LEAST_NUMBER, self.total // ONE_IN))
        self.num_samples: Counter[Split] = Counter()
        self.num_units: Counter[Split] = Counter()
        self.with_class: Counter[tuple[Split, int]] = Counter()  # units of a split that have it
        for unit in units:
            self._count(unit, 1)
        counts = Counter(index for unit in units for index in unit.classes)
        self.common = sorted(  # the rarest first
            (index for index, number in counts.items() if number >= MIN_UNITS_OF_CLASS),
            key=lambda index: (counts[index], index),
        )
        self.are_common = frozenset(self.common)
        self.holders: dict[int, list[_Unit]] = defaultdict(list)  # the units of a class
        for unit in units:
            for index in unit.classes & self.are_common:
                self.holders[index].append(unit)
        self._nearest_to_train: dict[Split, list[_Unit]] = {}

    def move(self, unit: _Unit, split: Split) -> None:
        """Put a unit into another split."""
        for changed in (unit.split, split):
            self._nearest_to_train.pop(changed, None)
        self._count(unit, -1)
        unit.split = split
        self._count(unit, 1)

    def _count(self, unit: _Unit, sign: int) -> None:
        self.num_samples[unit.split] += sign * len(unit.names)
        self.num_units[unit.split] += sign
        for index in unit.classes:
            self.with_class[unit.split, index] += sign

    def room(self, split: Split) -> float:
        """Samples that a split may still take."""
        share = 1 if split == "train" else LARGEST_SHARE
        return share * self.total - self.num_samples[split]

    def may_move(self, unit: _Unit, split: Split) -> bool:
        """Whether a unit may go there: it is not fixed, and not the last of its own split."""
        return not unit.is_fixed and unit.split != split and self.num_units[unit.split] > 1

    def is_spare(self, unit: _Unit) -> bool:
        """Whether its split stays large enough, and keeps its common classes, without a unit."""
        left = self.num_samples[unit.split] - len(unit.names)
        return left >= self.least and self._is_kept(unit, unit.classes)

    def may_swap(self, one: _Unit, other: _Unit) -> bool:
        """Whether two units may change places: both splits keep their common classes and size."""
        return all(
            self._is_kept(unit, unit.classes - partner.classes)
            and self.room(partner.split) + len(partner.names) >= len(unit.names)
            and self.num_samples[unit.split] - len(unit.names) + len(partner.names) >= self.least
            for unit, partner in ((one, other), (other, one))
        )

    def _is_kept(self, unit: _Unit, classes: set[int]) -> bool:
        """Whether those of these classes that are common stay in the split without the unit."""
        return all(self.with_class[unit.split, index] > 1 for index in classes & self.are_common)

    def nearest_to_train(self, split: Split) -> list[_Unit]:
        """The first units of a split to give back to train, as many as are tried."""
        if split not in self._nearest_to_train:
            inside = (unit for unit in self.units if unit.split == split and not unit.is_fixed)
            self._nearest_to_train[split] = nsmallest(
                MAX_SWAPS, inside, key=lambda unit: unit.distance("train")
            )
        return self._nearest_to_train[split]


def _balance(units: list[_Unit], with_test: bool) -> None:
    """Move units that are not fixed to other splits, as `assign_splits` says, in place."""
    for unit in units:
        if unit.split == "test" and not with_test and not unit.is_fixed:
            unit.split = "train"
    held_out: list[Split] = ["val", "test"] if with_test else ["val"]
    balance = _Balance(units)
    for split in held_out:
        _shrink(balance, split)
    for split in ("train", *held_out):
        _fill(balance, split)
    for index in balance.common:
        for split in ("train", *held_out):
            _spread(balance, index, split)


def _shrink(balance: _Balance, split: Split) -> None:
    """Move units from a split that is too large to train, those nearest to train first."""
    movable = [unit for unit in balance.units if unit.split == split and not unit.is_fixed]
    while movable and balance.num_samples[split] > LARGEST_SHARE * balance.total:
        balance.move(movable.pop(), "train")


def _fill(balance: _Balance, split: Split) -> None:
    """Move units into a split that is too small, from train first, those nearest to it first."""
    least = 1 if split == "train" else balance.least
    movable = [unit for unit in balance.units if balance.may_move(unit, split)]
    movable.sort(key=lambda unit: (unit.split != "train", unit.distance(split)))
    if movable and not balance.num_samples[split]:  # better a unit that is too large than nothing
        room = balance.room(split)
        first = min(
            movable, key=lambda unit: (unit.split != "train", max(0, len(unit.names) - room))
        )
        balance.move(first, split)
    for unit in movable:
        if balance.num_samples[split] >= least:
            return
        if balance.may_move(unit, split) and len(unit.names) <= balance.room(split):
            balance.move(unit, split)


def _spread(balance: _Balance, index: int, split: Split) -> None:
    """Bring a class into a split that lacks it, where no other class is lost by it."""
    if balance.with_class[split, index]:
        return
    movable = [
        unit
        for unit in balance.holders[index]
        if len(unit.names) <= balance.room(split)
        and balance.may_move(unit, split)
        and balance.is_spare(unit)
    ]
    if movable:
        balance.move(min(movable, key=lambda unit: unit.distance(split)), split)
    else:
        _swap(balance, index, split)


def _swap(balance: _Balance, index: int, split: Split) -> None:
    """Bring a class into a split in exchange for a unit of it, where no other class is lost."""
    outside = nsmallest(
        MAX_SWAPS,
        (u for u in balance.holders[index] if u.split != split and not u.is_fixed),
        key=lambda unit: unit.distance(split),
    )
    inside = balance.nearest_to_train(split)
    for unit in outside:
        for other in inside:
            if balance.may_swap(unit, other):
                source = unit.split
                balance.move(unit, split)
                balance.move(other, source)
                return


def to_split(text: str) -> Split:
    """The split of that name; DataError where there is none."""
    for split in SPLITS:
        if text == split:
            return split
    raise DataError(f"{text!r} is not a split. The splits are {', '.join(SPLITS)}.")
