"""Folds of a cross-validation: which sample is scored by which model.

    fold      1    2    3
    model 1   val  train train        every sample of train and val is scored once, by the one
    model 2   train val  train        model that was not trained on it; test stays out of it
    model 3   train train val

Samples of one group, and copies of each other, are in one fold.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.data.dataset import Dataset
from pixelwise.data.groups import join_samples
from pixelwise.data.split_file import write_table
from pixelwise.data.splits import hash_position
from pixelwise.errors import DataError
from pixelwise.io import decode_text, read_bytes, read_rows
from pixelwise.text import plain_cell

FOLD_COLUMN = "fold"


def assign_folds(
    names: Sequence[str],
    num_folds: int,
    seed: int,
    *,
    groups: Mapping[str, str],
    twins: Mapping[str, str],
    classes: Mapping[str, Collection[int]],
) -> dict[str, int]:
    """Deal groups to folds so that each has about as many samples, of every class too.

    The rarest class is dealt first: its groups, the largest first, each to the fold that has the
    fewest samples of the class, then the fewest at all.

    Source: Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, ECML 2011.

    Args:
        names: names of the samples.
        num_folds: 2 or more.
        seed: seed of the order in which groups of one size are dealt.
        groups: group of those names that have one.
        twins: for names of copies, one name that stands for all.
        classes: class indices that occur in each sample.

    Returns:
        Fold, from 1, of every name.

    Raises:
        DataError: there are fewer groups than folds.
    """
    units = join_samples(names, groups, twins)
    _check_number(num_folds, len(units), len(names))
    units.sort(key=lambda unit: (-len(unit[1]), hash_position(unit[0], seed)))
    holders: dict[int, list[tuple[str, list[str]]]] = defaultdict(list)
    for unit in units:
        for present in {index for name in unit[1] for index in classes.get(name, ())}:
            holders[present].append(unit)
    counts = Counter(index for name in names for index in classes.get(name, ()))
    order = sorted(counts, key=lambda index: (counts[index], index))
    samples, of_class = Counter[int](), Counter[tuple[int, int]]()
    folds: dict[str, int] = {}
    for index in (*order, None):
        for _, members in units if index is None else holders[index]:
            if members[0] in folds:
                continue
            fold = min(
                range(1, num_folds + 1),
                key=lambda n, i=index: (of_class[n, i], samples[n]),  # type: ignore[misc]
            )
            folds |= dict.fromkeys(members, fold)
            samples[fold] += len(members)
            of_class.update((fold, i) for name in members for i in classes.get(name, ()))
    return folds


def _check_number(num_folds: int, num_units: int, num_images: int) -> None:
    if num_folds <= num_units:
        return
    kind = "images" if num_units == num_images else f"groups of images ({num_images} images)"
    advice = (
        f"Use {num_units} folds or fewer, or label more images."
        + " `--split-by none` leaves groups out of it." * (num_units != num_images)
        if num_units > 1
        else "Train without folds, or label more images."
    )
    raise DataError(
        f"{num_folds} folds were asked for, but there are only {num_units} {kind} in train and "
        f"val; images of one group and copies stay together, and test stays out. {advice}"
    )


def fold_dataset(dataset: Dataset, folds: Mapping[str, int], fold: int) -> Dataset:
    """The same data as one model of the cross-validation gets them: val is its own fold."""
    return replace(
        dataset,
        files=tuple(
            replace(entry, split="val" if folds[entry.name] == fold else "train")
            if entry.name in folds
            else entry
            for entry in dataset.files
        ),
    )


def write_folds(path: Path, dataset: Dataset, folds: Mapping[str, int]) -> None:
    """Write split.csv with a column for the folds; what they hold is all train to the ensemble."""
    files = [
        replace(entry, split="train") if entry.name in folds else entry for entry in dataset.files
    ]
    write_table(path, files, {FOLD_COLUMN: {name: str(fold) for name, fold in folds.items()}})


def read_folds(path: Path) -> dict[str, int]:
    """Read the folds from split.csv; empty where it has none.

    Raises:
        DataError: it cannot be read, or a fold is not a number.
    """
    text = decode_text(read_bytes(path), path, is_raw=True)
    _, header = next(rows := read_rows(text), (0, []))
    folds = {}
    for _, cells in rows:
        row = dict(zip(header, cells, strict=False))
        fold = row.get(FOLD_COLUMN)
        if fold and not fold.isdecimal():
            raise DataError(f"{path}: {fold!r} is not a fold. Train again with --overwrite.")
        if fold:
            folds[plain_cell(row["name"])] = int(fold)
    return folds
