"""Choose the split of every sample surveyed; what the file names tell of patients or plates counts.

patient_03_slice_12.png and its like tell groups where nobody named any. The split is made by them,
unless it would be no split any more; either way a finding says so.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pixelwise.data.findings import Finding, make_general_finding
from pixelwise.data.groups import find_groups, name_of_groups
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.splits import LEAST_SHARE, MIN_IMAGES_FOR_TEST, Split, assign_splits, to_split
from pixelwise.data.survey.duplicates import find_twins
from pixelwise.data.survey.sample_facts import SampleFacts, readable_masks
from pixelwise.text import shorten

SPLIT_BY_IMAGE = "Use `--split-by none` to split by image."
LEAST_TRAIN_SHARE = 0.5  # of the samples that are split: below it groups are too few or too unlike
LARGEST_HELD_OUT_SHARE = 0.34  # of them in val or test, likewise
MIN_IMAGES_OF_CLASS = 3  # a class in fewer says nothing about groups

Splits = dict[str, Split]


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """The splits, and the groups that they were made by.

    Attributes:
        surveyed: the facts, with the groups of the names where these count.
        splits: splits of every name; images without masks are "unlabelled".
        findings: what a person should know about it.
        name_groups: groups that the names tell, used or not; none where others are known.
    """

    surveyed: list[SampleFacts]
    splits: Splits
    findings: list[Finding] = field(default_factory=list)
    name_groups: Mapping[str, str] = field(default_factory=dict)


def choose_splits(
    surveyed: Sequence[SampleFacts],
    encoding: MaskEncoding | None,
    given: Mapping[str, str] | None,
    seed: int,
    twins: Mapping[str, str],
    *,
    by_names: bool = True,
) -> SplitChoice:
    """Choose the split of every sample, by groups where they are known or the names tell them.

    Args:
        surveyed: facts of every sample.
        encoding: what the masks mean; None where that is not clear.
        given: an earlier split of names.
        seed: seed of the hash that decides.
        twins: twins of all that was surveyed, as `find_twins` gives them.
        by_names: whether groups are looked for in the names, where no sample has one.
    """
    labelled = [facts for facts in surveyed if facts.found.mask is not None]
    unlabelled: Splits = {f.found.name: "unlabelled" for f in surveyed if f.found.mask is None}
    classes = classes_in(labelled, encoding) if encoding else {}
    groups = {facts.found.name: facts.found.group for facts in labelled if facts.found.group}
    told = find_groups([f.found.name for f in labelled]) if by_names and not groups else {}

    folders: dict[str, Split | None] = {
        f.found.name: None if f.found.split is None else to_split(f.found.split) for f in labelled
    }
    if unlabelled:
        twins = find_twins(labelled)
    splits = assign_splits(folders, given, seed, twins, groups, classes)
    choice = SplitChoice(list(surveyed), splits | unlabelled, name_groups=told)
    open_names = _open_names(folders)
    if not told:
        return choice
    if not open_names:  # folders or a table decide; intervals and folds go by the groups
        return choice if are_the_classes(told, classes) else _grouped(choice, told)
    grouped = assign_splits(folders, given, seed, twins, told, classes)
    made = {name: grouped[name] for name in open_names}
    held_out = [] if given else _held_out(folders)
    reason = _why_torn(told, made) or _why_not(told, made, held_out, classes)
    if reason:
        return replace(choice, findings=[_describe_unused(told, reason)])
    choice = replace(choice, splits=grouped | unlabelled, findings=[_describe_used(told)])
    return _grouped(choice, told)


def _grouped(choice: SplitChoice, told: Mapping[str, str]) -> SplitChoice:
    """The same choice, with the groups that the names tell in the facts."""
    surveyed = [
        replace(facts, found=replace(facts.found, group=told.get(facts.found.name)))
        for facts in choice.surveyed
    ]
    return replace(choice, surveyed=surveyed)


def classes_in(surveyed: Sequence[SampleFacts], encoding: MaskEncoding) -> dict[str, set[int]]:
    """Indices of the classes that occur in each mask that could be read."""
    known = set(range(len(encoding.classes)))
    return {
        facts.found.name: known.intersection(encoding.index_of(mask.values).tolist())
        for facts, _, mask in readable_masks(surveyed)
    }


def are_the_classes(groups: Mapping[str, str], classes: Mapping[str, Collection[int]]) -> bool:
    """Whether groups stand for classes: more than half of these are in one group alone."""
    groups_of: dict[int, set[str]] = {}
    counts = Counter[int]()
    for name, group in groups.items():
        for index in set(classes.get(name, ())) - {0}:
            groups_of.setdefault(index, set()).add(group)
            counts[index] += 1
    known = [index for index, number in counts.items() if number >= MIN_IMAGES_OF_CLASS]
    alone = sum(len(groups_of[index]) == 1 for index in known)
    return len(known) > 1 and alone > len(known) / 2


def _open_names(folders: Mapping[str, Split | None]) -> list[str]:
    """The names whose split is made here: those without one, or those of train to take val from."""
    if None in folders.values():
        return [name for name, split in folders.items() if split is None]
    has_val = "val" in folders.values()
    return [] if has_val else [name for name, split in folders.items() if split == "train"]


def _held_out(folders: Mapping[str, Split | None]) -> list[Split]:
    """The splits that are made here; none where folders or split.csv decided a part."""
    if None not in folders.values():
        return ["val"]
    if any(folders.values()):
        return []
    return ["val", "test"] if len(folders) >= MIN_IMAGES_FOR_TEST else ["val"]


def _why_torn(groups: Mapping[str, str], splits: Mapping[str, Split]) -> str:
    """In words, that an earlier split did not go by the groups; "" where it did."""
    pairs = {(groups.get(name, name), split) for name, split in splits.items()}
    is_torn = len({group for group, _ in pairs}) < len(pairs)
    return "the earlier split has some of them in two splits" if is_torn else ""


def _why_not(
    groups: Mapping[str, str],
    splits: Mapping[str, Split],
    held_out: Sequence[Split],
    classes: Mapping[str, Collection[int]],
) -> str:
    """Why a split by groups would be none, in words; "" where it is one."""
    if not held_out:
        return ""
    counts, total = Counter(splits.values()), len(splits)
    low, high = max(1, int(LEAST_SHARE * total)), LARGEST_HELD_OUT_SHARE * total
    are_held_out = all(low <= counts[split] <= high for split in held_out)
    if not are_held_out or counts["train"] < LEAST_TRAIN_SHARE * total:
        shown = ", ".join(f"{counts[split]} {split}" for split in ("train", *held_out))
        return f"these are too few or too unlike in size (it would be {shown})"
    if are_the_classes(groups, classes):
        return "most classes are found in one of them alone"
    return ""


def _describe_used(groups: Mapping[str, str]) -> Finding:
    return make_general_finding(
        "name-groups",
        f"{count_groups(groups)}; the images of each are in one split.",
        SPLIT_BY_IMAGE,
    )


def _describe_unused(groups: Mapping[str, str], reason: str) -> Finding:
    return make_general_finding(
        "name-groups",
        f"{count_groups(groups)}, but {reason}: the split is by image, so that scores may be too "
        "good for new ones.",
        "Split them yourself: with folders train/, val/ and test/, or a column split in "
        "manifest.csv.",
    )


def count_groups(groups: Mapping[str, str]) -> str:
    """For example "patients from file names: 8 (patient_01, patient_02, patient_03, ...)"."""
    names = sorted(set(groups.values()))
    return f"{name_of_groups(names)} from file names: {len(names)} ({shorten(names, what='')})"
