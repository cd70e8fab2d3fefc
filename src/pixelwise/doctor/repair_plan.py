"""Decide what a repaired copy of a data folder holds: which samples, under which names and splits.

Nothing is written here; `fix` carries it out.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pixelwise.data import MaskEncoding, Split, read_mask
from pixelwise.data.layouts import FoundSample
from pixelwise.data.masks import MaskFacts, MaskFile, MaskSource, SizeError, foreign_values
from pixelwise.data.survey import (
    ImageFacts,
    SampleFacts,
    find_twins,
    group_twins,
    readable_images,
    survey_samples,
)
from pixelwise.doctor.examination import Examination
from pixelwise.errors import DataError
from pixelwise.text import show_size

Item = TypeVar("Item")
Key = TypeVar("Key")

SPLIT_ORDER = ("train", "val", "test", "unlabelled")  # copies stay in the first of these


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the original and the copy.

    Attributes:
        file: in the original.
        code: code of the finding that it answers; "" where there was none.
        what: was done.
    """

    file: Path
    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A sample of the copy.

    Attributes:
        name: unique, of letters, digits, "-", "_", "." and "/".
        found: its files in the original.
        image: facts of the image.
        mask: where the mask comes from.
        turns_mask: whether the mask lacks the EXIF turn of the image.
        split: split of the copy.
        has_split: whether folders or a manifest gave the split, which is then written down.
    """

    name: str
    found: FoundSample
    image: ImageFacts
    mask: MaskSource
    turns_mask: bool
    split: str
    has_split: bool


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """The samples of the copy, and what was changed by choosing them."""

    kept: tuple[Kept, ...]
    changes: tuple[Change, ...]


def plan_repair(examination: Examination, encoding: MaskEncoding) -> RepairPlan:
    """Choose the samples of a repaired copy.

    Args:
        examination: examination of the original.
        encoding: what its mask values mean.
    """
    changes: list[Change] = []
    samples = _pair_near_misses(examination, changes)
    samples = _leave_out(samples, examination, encoding, changes)
    samples = _drop_copies(samples, examination.splits, encoding, changes)
    splits = _choose_splits(samples, examination, changes)
    return RepairPlan(_name_safely(samples, splits, changes), tuple(changes))


def why_left_out(sample: SampleFacts, encoding: MaskEncoding) -> tuple[str, str] | None:
    """Code and reason for which a sample cannot be in the copy; None where it can."""
    image, mask = sample.image, sample.mask
    if not isinstance(image, ImageFacts):
        return "unreadable", "the image cannot be read"
    if sample.found.mask is None:
        return "missing-mask", "the image has no mask"
    if not isinstance(mask, MaskFacts):
        kind = "unreadable" if type(mask).__name__ == "FileError" else "mask-values"
        kind = "size-mismatch" if isinstance(mask, SizeError) else kind
        return kind, f"the mask cannot be used ({mask})"
    if not image.is_finite:
        return "non-finite", "the image holds NaN or infinite pixels"
    if mask.size != image.size and not may_turn(image, mask):
        return (
            "size-mismatch",
            f"the mask is {show_size(mask.size)}, the image {show_size(image.size)}",
        )
    if foreign_values(mask, encoding).size:
        return "unknown-value", "the mask holds values that are none of the classes"
    return None


def may_turn(image: ImageFacts, mask: MaskFacts) -> bool:
    """Whether the EXIF turn of the image is what the mask lacks."""
    return image.turned and image.size != mask.size and mask.size == image.size[::-1]


def safe_name(name: str) -> str:
    """A name that every system and shell takes: composed letters, no spaces or signs.

    >>> safe_name("Plate 3/cell (1)")
    'Plate_3/cell_1'
    """
    composed = unicodedata.normalize("NFC", name)
    parts = [re.sub(r"[^\w.-]+", "_", part).strip("_.") for part in composed.split("/")]
    return "/".join(part for part in parts if part) or "image"


def name_key(name: str) -> str:
    """What near-miss names have in common: no case, spaces, signs or Unicode forms.

    >>> name_key("Cell 01") == name_key("cell_01")
    True
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def _pair_near_misses(examination: Examination, changes: list[Change]) -> list[SampleFacts]:
    """Give images without masks the lone masks whose names differ in case, spaces or form only."""
    lone = _unique(examination.layout.lone_masks, _place_and_key)
    bare = _unique(
        [sample for sample in examination.surveyed if sample.found.mask is None],
        lambda sample: _place_and_key(sample.found.image),
    )
    keys = sorted(lone.keys() & bare.keys())
    found = [replace(bare[key].found, mask=MaskFile(lone[key])) for key in keys]
    paired = {sample.found.name: sample for sample in survey_samples(found)}
    for key in keys:
        what = f"taken for the mask of {bare[key].found.image.name}"
        changes.append(Change(lone[key], "near-miss-name", what))
    taken = {lone[key] for key in keys}
    changes += [
        Change(path, "missing-image", "left out: the mask has no image")
        for path in examination.layout.lone_masks
        if path not in taken
    ]
    return [paired.get(sample.found.name, sample) for sample in examination.surveyed]


def _place_and_key(path: Path) -> tuple[Path, str]:
    """What an image and its mask share: the folder above theirs, and the name but for its form."""
    return path.parent.parent, name_key(path.stem)


def _unique(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, Item]:
    """Items by their key, without those that share one."""
    by_key: dict[Key, list[Item]] = {}
    for item in items:
        by_key.setdefault(key(item), []).append(item)
    return {key: found[0] for key, found in by_key.items() if len(found) == 1}


def _leave_out(
    samples: Sequence[SampleFacts],
    examination: Examination,
    encoding: MaskEncoding,
    changes: list[Change],
) -> list[SampleFacts]:
    errors = {(path, f.code) for f in examination.errors for path in f.files}
    usable = []
    for sample in samples:
        reason = why_left_out(sample, encoding)
        if reason is None:
            usable.append(sample)
            continue
        image, (code, why) = sample.found.image, reason
        if code == "unreadable" and (image, "not-an-image") in errors:
            code = "not-an-image"
        changes.append(Change(image, code, f"left out: {why}"))
    return usable


def _drop_copies(
    samples: Sequence[SampleFacts],
    splits: Mapping[str, Split],
    encoding: MaskEncoding,
    changes: list[Change],
) -> list[SampleFacts]:
    """Keep one of equal images, in train if it is there, and none where their masks differ.

    Of images that only look the same, those outside the first of their splits are dropped.
    """
    for is_near in (False, True):
        by_name = {sample.found.name: sample for sample in samples}
        dropped: set[str] = set()
        for names in group_twins(find_twins(samples, near=is_near)):
            group = [by_name[name] for name in names]
            group.sort(key=lambda s: SPLIT_ORDER.index(splits[s.found.name]))
            drop = _drop_near(group, splits) if is_near else _drop_equal(group, splits, encoding)
            dropped |= {sample.found.name for sample in drop.samples}
            changes += [Change(s.found.image, drop.code, drop.what) for s in drop.samples]
        samples = [sample for sample in samples if sample.found.name not in dropped]
    return list(samples)


@dataclass(frozen=True, slots=True)
class _Drop:
    """Samples to leave out, and why."""

    samples: Sequence[SampleFacts]
    code: str
    what: str


def _drop_equal(
    group: Sequence[SampleFacts], splits: Mapping[str, Split], encoding: MaskEncoding
) -> _Drop:
    """Of equal images leave out all but the first, or all where their masks differ."""
    in_splits = {splits[sample.found.name] for sample in group}
    code = "split-leak" if len(in_splits) > 1 else "duplicate"
    if not _have_equal_masks(group, encoding):
        return _Drop(group, code, "left out: the same image occurs with other masks")
    return _Drop(group[1:], code, f"dropped: the same image as {group[0].found.image}")


def _drop_near(group: Sequence[SampleFacts], splits: Mapping[str, Split]) -> _Drop:
    """Of images that look the same leave out those outside the split of the first."""
    first = splits[group[0].found.name]
    others = [sample for sample in group if splits[sample.found.name] != first]
    what = f"dropped: looks the same as {group[0].found.image} in {first}"
    return _Drop(others, "split-leak", what)


def _have_equal_masks(group: Sequence[SampleFacts], encoding: MaskEncoding) -> bool:
    try:
        masks = [read_mask(mask, image.size, encoding) for _, image, mask in _pairs(group)]
    except DataError:
        return False
    return all(mask.tobytes() == masks[0].tobytes() for mask in masks)


def _pairs(
    samples: Iterable[SampleFacts],
) -> list[tuple[SampleFacts, ImageFacts, MaskSource]]:
    """The samples that have an image which can be read, and a mask, with both."""
    return [
        (sample, image, sample.found.mask)
        for sample, image in readable_images(samples)
        if sample.found.mask is not None
    ]


def _choose_splits(
    samples: Sequence[SampleFacts], examination: Examination, changes: list[Change]
) -> dict[str, str]:
    """Split of each sample; groups in several splits go to train, unless nothing were left."""
    splits: dict[str, str] = {s.found.name: examination.splits[s.found.name] for s in samples}
    for sample in samples:
        if splits[sample.found.name] == "unlabelled":  # until its mask was found
            splits[sample.found.name] = sample.found.split or "train"
    leaked = {p for f in examination.findings if f.code == "group-leak" for p in f.files}
    moved = [s for s in samples if s.found.image in leaked and splits[s.found.name] != "train"]
    after = splits | {sample.found.name: "train" for sample in moved}
    if set(after.values()) != set(splits.values()):
        return splits
    changes += [
        Change(s.found.image, "group-leak", f"moved from {splits[s.found.name]} to train")
        for s in moved
    ]
    return after


def _name_safely(
    samples: Sequence[SampleFacts], splits: dict[str, str], changes: list[Change]
) -> tuple[Kept, ...]:
    kept: list[Kept] = []
    taken: set[str] = set()
    for sample, image, mask in _pairs(samples):
        found = sample.found
        name = base = safe_name(found.name)
        number = 2
        while name.casefold() in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name.casefold())
        if name != found.name:
            changes.append(Change(found.image, "", f"renamed to {name}"))
        turns = isinstance(sample.mask, MaskFacts) and may_turn(image, sample.mask)
        has_split = found.split is not None
        kept.append(
            Kept(
                name=name,
                found=found,
                image=image,
                mask=mask,
                turns_mask=turns,
                split=splits[found.name],
                has_split=has_split,
            )
        )
    return tuple(kept)
