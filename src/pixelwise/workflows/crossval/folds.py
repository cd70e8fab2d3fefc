"""Which images are in which fold of a cross-validation, by what was found in the data."""

from collections import Counter
from collections.abc import Mapping

from pixelwise.data import SPLIT_BY_IMAGE, are_the_classes, assign_folds, classes_in, count_groups
from pixelwise.data.survey import find_twins
from pixelwise.doctor import Examination

LARGEST_FOLD = 2  # times the mean: a group of names beyond it leaves no even folds


def find_folds(examination: Examination, num_folds: int, seed: int) -> dict[str, int]:
    """Spread the samples of train and val over folds.

    Args:
        examination: examination of data that can be trained on.
        num_folds: 2 or more.
        seed: seed of the order in which groups of one kind are dealt.

    Returns:
        Fold, from 1, of every sample of train and val.

    Raises:
        DataError: there are fewer groups than folds.
    """
    dataset = examination.dataset
    files = [entry for entry in dataset.files if entry.split in ("train", "val")]
    names = {entry.name for entry in files}
    surveyed = [facts for facts in examination.surveyed if facts.found.name in names]
    groups, _ = _groups_told(examination, num_folds)
    if not examination.name_groups:  # a person or a table named them
        groups = {entry.name: entry.group for entry in files if entry.group is not None}
    return assign_folds(
        sorted(names),
        num_folds,
        seed,
        groups=groups,
        twins=find_twins(surveyed),
        classes=classes_in(surveyed, dataset.encoding),
    )


def describe_groups(examination: Examination, num_folds: int) -> str:
    """What file names tell of groups and how the folds go by it, in a line; "" where they do not.

    Also "" where the split went by groups already, which a finding says.
    """
    groups, told = _groups_told(examination, num_folds)
    is_said = any(f.code == "name-groups" for f in examination.findings)
    if not told or (groups and is_said):
        return ""
    if groups:
        return f"{count_groups(told)}; the images of each are in one fold. {SPLIT_BY_IMAGE}"
    return f"{count_groups(told)}, too few or too unlike for {num_folds} folds by them."


def _groups_told(
    examination: Examination, num_folds: int
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Groups that file names tell, as they are used for folds, and as they are told."""
    dataset = examination.dataset
    names = [e.name for e in dataset.files if e.split in ("train", "val")]
    told = {n: examination.name_groups[n] for n in names if n in examination.name_groups}
    sizes = Counter(told.get(name, name) for name in names)
    is_even = max(sizes.values(), default=0) * num_folds <= LARGEST_FOLD * len(names)
    classes = classes_in(examination.surveyed, dataset.encoding)
    is_used = len(sizes) >= num_folds and is_even and not are_the_classes(told, classes)
    return told if is_used else {}, told


def rare_classes(examination: Examination, folds: Mapping[str, int]) -> list[str]:
    """Names of the classes that occur in one fold alone, so that its model never saw them."""
    encoding = examination.dataset.encoding
    present = classes_in(examination.surveyed, encoding)
    found: dict[int, set[int]] = {}
    for name, fold in folds.items():
        for index in present.get(name, ()):
            found.setdefault(index, set()).add(fold)
    return [encoding.class_names[i] for i in sorted(found) if len(found[i]) == 1]
