"""split.csv: which sample is in which split. Training writes one; a data folder may hold one.

name,split,group
day1/a,train,patient 1
day1/b,test,
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from pixelwise.data.findings import make_finding
from pixelwise.data.layouts.found import FoundSample, Layout
from pixelwise.data.layouts.names import SPLIT_FOLDERS
from pixelwise.data.splits import Split, match_names, to_split
from pixelwise.errors import DataError
from pixelwise.io import RAW_BYTES, decode_text, read_bytes, read_rows, write_bytes
from pixelwise.text import format_csv, plain_cell

if TYPE_CHECKING:
    from pixelwise.data.dataset import Dataset
    from pixelwise.data.samples import SampleFiles

SPLIT_FILE = "split.csv"


def with_split_file(layout: Layout, root: Path, decided: Mapping[str, str] | None) -> Layout:
    """Give samples the splits that split.csv beside them says, where nothing else says one.

    Args:
        layout: as it was found.
        root: the data folder, or the file in it that stands for it.
        decided: an earlier split, which has the word over the file.

    Raises:
        DataError: the file is not such a table.
    """
    path = (root if root.is_dir() else root.parent) / SPLIT_FILE
    if not path.is_file():
        return layout
    names = [sample.name for sample in layout.samples]
    written = read_split(path)
    listed = match_names(names, written)
    absent = sorted(written.keys() - match_names(written, dict.fromkeys(names, "")).keys())
    findings = make_finding(
        "missing-file",
        [Path(name) for name in absent],
        f"{SPLIT_FILE} has {len(absent)} names that no image has ({{files}}).",
        "Names are those of images without their ending: correct them, or remove their lines.",
    )
    return replace(
        layout,
        description=f"{layout.description}, {SPLIT_FILE}",
        samples=tuple(_with_split(sample, listed, decided or {}) for sample in layout.samples),
        findings=(*layout.findings, *findings),
    )


def _with_split(
    sample: FoundSample, listed: Mapping[str, Split], decided: Mapping[str, str]
) -> FoundSample:
    split = listed.get(sample.name)
    if sample.split is not None or sample.name in decided or split in (None, "unlabelled"):
        return sample
    return replace(sample, split=split)


def read_split(path: Path) -> dict[str, Split]:
    """Read split.csv: the columns name and split; others are left.

    Raises:
        FileError: it cannot be read.
        DataError: it is not such a table, or says two things of one name.
    """
    text = decode_text(read_bytes(path), path, is_raw=True)
    split: dict[str, Split] = {}
    try:
        rows = read_rows(text)
        _, header = next(rows, (0, []))
        columns = [name.strip().lower() for name in header]
        if not {"name", "split"} <= set(columns):
            raise DataError(
                f"{path} has the columns {', '.join(columns) or 'none'}; it needs name and split. "
                "Correct its first line, or rename the file if it is for something else."
            )
        for line, row in rows:
            cells = dict(zip_longest(columns, row[: len(columns)], fillvalue=""))
            _enter(split, cells, f"{path}, line {line}")
    except csv.Error as error:
        raise DataError(
            f"{path} is not a table ({error}). Copy it again from its run folder, or remove it."
        ) from error
    return split


def _enter(split: dict[str, Split], row: Mapping[str, str], where: str) -> None:
    """Take note of one line; DataError where it is none, or denies an earlier one."""
    name, text = plain_cell(row["name"]), row["split"].strip()
    try:
        found = to_split(SPLIT_FOLDERS.get(text.lower(), text))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if split.setdefault(name, found) != found:
        raise DataError(
            f"{where}: {name!r} is in {found} here and in {split[name]} above. Leave one of the "
            "two lines."
        )


def write_split(path: Path, dataset: "Dataset") -> None:
    """Write the splits as split.csv: columns name and split, and group where there are groups."""
    write_table(path, dataset.files)


def write_table(
    path: Path,
    files: Sequence["SampleFiles"],
    columns: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Write a split.csv with further columns, each with what it says of some names."""
    groups = {entry.name: entry.group for entry in files if entry.group is not None}
    further = {**(columns or {}), **({"group": groups} if groups else {})}
    rows = [
        (entry.name, entry.split, *(of.get(entry.name, "") for of in further.values()))
        for entry in files
    ]
    text = format_csv(("name", "split", *further), rows)
    write_bytes(path, text.encode("utf-8", errors=RAW_BYTES))
