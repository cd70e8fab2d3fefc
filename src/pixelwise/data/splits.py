"""Which sample is in which split: train, val or test."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pixelwise.data.files.image_files import read_bytes
from pixelwise.data.files.writers import write_text
from pixelwise.errors import DataError

if TYPE_CHECKING:
    from pixelwise.data.dataset import Dataset

Split = Literal["train", "val", "test", "unlabelled"]
SPLITS: tuple[Split, ...] = ("train", "val", "test", "unlabelled")
VAL_SHARE = 0.15
TEST_SHARE = 0.15
MIN_IMAGES_FOR_TEST = 10


def make_split(names: Sequence[str], seed: int, test: bool = True) -> dict[str, Split]:
    """Split names 70/15/15 in an order drawn from the hash of seed and name.

    Args:
        names: of the samples.
        seed: another seed gives another split.
        test: also make a test split, where there are at least 10 names.

    Returns:
        Split of every name. At least one is val where there are two or more names.
    """
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    num_val = min(max(1, round(VAL_SHARE * len(order))), len(order) - 1)
    num_test = round(TEST_SHARE * len(order)) if test and len(order) >= MIN_IMAGES_FOR_TEST else 0
    split: dict[str, Split] = dict.fromkeys(order, "train")
    split.update(dict.fromkeys(order[:num_test], "test"))
    split.update(dict.fromkeys(order[num_test : num_test + num_val], "val"))
    return split


def assign_splits(
    folders: Mapping[str, Split | None],
    given: Mapping[str, str] | None,
    seed: int,
    twins: Mapping[str, str] | None = None,
) -> dict[str, Split]:
    """Decide the split of every sample: by folders, else by the mapping given, else by the seed.

    Args:
        folders: the split folder of each sample, None without split folders.
        given: split of each name, as `read_split` gives it; names it lacks go to train.
        seed: of the split that is made where nothing else decides.
        twins: for names of identical images, one name that stands for all: they go to one split.

    Returns:
        Split of every name. Where split folders leave out val, it is taken from train.
    """
    if any(split is None for split in folders.values()):
        return _split(folders, given, seed, twins or {})
    decided = {name: split for name, split in folders.items() if split is not None}
    train = [name for name, split in decided.items() if split == "train"]
    if not train or "val" in decided.values():
        return decided
    taken = _split(train, given, seed, twins or {}, test=False)
    return decided | {name: "val" if split == "val" else "train" for name, split in taken.items()}


def _split(
    names: Iterable[str],
    given: Mapping[str, str] | None,
    seed: int,
    twins: Mapping[str, str],
    test: bool = True,
) -> dict[str, Split]:
    """Split of each name as given, else by the seed; twins stay together."""
    if given is not None:
        return {name: to_split(given.get(name, "train")) for name in names}
    stand_ins = {name: twins.get(name, name) for name in names}
    made = make_split(sorted(set(stand_ins.values())), seed, test)
    return {name: made[stand_in] for name, stand_in in stand_ins.items()}


def read_split(path: Path) -> dict[str, Split]:
    """Read split.csv (columns name, split); DataError where it is something else."""
    text = read_bytes(path).decode("utf-8-sig", errors="replace")
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and not {"name", "split"} <= set(rows[0]):
        raise DataError(f"{path} has the columns {', '.join(rows[0])}; it needs name and split.")
    split: dict[str, Split] = {}
    for number, row in enumerate(rows, start=2):
        try:
            split[row["name"]] = to_split(row["split"])
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
    return split


def write_split(path: Path, dataset: "Dataset") -> None:
    """Write the splits of a data set as split.csv: columns name and split."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "split"))
    writer.writerows((files.name, files.split) for files in dataset.files)
    write_text(path, text.getvalue())


def to_split(text: str) -> Split:
    """The split of that name; DataError where there is none."""
    for split in SPLITS:
        if text == split:
            return split
    raise DataError(f"{text!r} is not a split. The splits are {', '.join(SPLITS)}.")
