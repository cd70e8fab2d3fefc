"""Check data: what they were understood as, and what is wrong in them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.data import DataSource, Finding, MaskClass, MaskEncoding
from pixelwise.doctor import Examination, ReadOptions, check_accepted, examine_dataset
from pixelwise.errors import LayoutError
from pixelwise.workflows.progress import ShowProgress, showing

FORMS = {
    "colors": "one colour a class",
    "layers": "one layer a class",
    "instances": "object ids",
}


def check(
    data: DataSource,
    *,
    read: ReadOptions | None = None,
    accept: Sequence[str] = (),
    progress: ShowProgress = True,
) -> Examination:
    """Find what is wrong in data; they are only read.

    Args:
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path.
        read: what a person says about the data; what is left out is found out.
        accept: codes of errors that are known and meant to be so, such as "split-leak": they
            become warnings.
        progress: True shows it, as the command line does; a function is called with (done, total).

    Returns:
        The findings: errors first, then warnings, then notes; and the data set as it was
        understood, whose `dataset` raises the errors where there are any.

    Example:
        >>> import pixelwise as pw
        >>> found = pw.check("data", progress=False)
        >>> found.dataset.encoding.class_names, found.findings
        (('background', 'foreground'), ())

    Raises:
        LayoutError: there is nothing of that name.
        DataError: an error cannot be accepted.
    """
    if isinstance(data, str | os.PathLike) and not Path(data).exists():
        raise LayoutError(f"{data} does not exist. Check the name of the data folder.")
    with showing(progress, "reading") as count:
        return examine_dataset(data, accepting(read, accept), count)


def accepting(read: ReadOptions | None, accept: Sequence[str]) -> ReadOptions:
    """The options, with more codes of errors that a person accepts.

    Raises:
        DataError: there is no such error, or training is not possible with it.
    """
    read = read or ReadOptions()
    codes = (accept,) if isinstance(accept, str) else accept
    return replace(read, accept=check_accepted([*read.accept, *codes]))


def summarize_check(examination: Examination) -> dict[str, Any]:
    """What `check --json` writes: the layout, the masks as understood, and the findings.

    What could not be found out because of errors is null or empty; docs/data.md has the schema.
    """
    layout, encoding = examination.layout, examination.encoding
    ignore = list(encoding.ignore) if encoding else []
    return {
        "layout": layout.description or None,
        "num_images": len(layout.samples),
        "num_pairs": sum(sample.mask is not None for sample in layout.samples),
        "splits": count_splits(examination),
        "mask_encoding": describe_encoding(encoding) if encoding else None,
        "task": encoding.task if encoding else None,
        "ignore": ignore[0] if len(ignore) == 1 else ignore or None,
        "classes": [
            {"index": entry.index, "name": entry.name, "source": class_source(entry, encoding)}
            for entry in encoding.classes
        ]
        if encoding
        else [],
        "findings": [_finding_to_json(finding) for finding in examination.findings],
    }


def shorten_paths(finding: Finding, data: str | os.PathLike[str]) -> Finding:
    """The same finding with its files, also in its words, by their places in the data folder."""
    root = f"{Path(data)}{os.sep}"
    return replace(
        finding,
        files=tuple(Path(str(file).removeprefix(root)) for file in finding.files),
        message=finding.message.replace(root, ""),
        fix=finding.fix.replace(root, ""),
    )


def count_splits(examination: Examination) -> dict[str, int]:
    """Number of samples of each split that has any."""
    counts: Mapping[str, int] = Counter(examination.splits.values())
    return {name: counts[name] for name in ("train", "val", "test", "unlabelled") if counts[name]}


def describe_encoding(encoding: MaskEncoding) -> str:
    """How masks store classes, in a few words."""
    if encoding.form != "numbers":
        return FORMS[encoding.form]
    if encoding.snap:
        return "two tones, other values moved to the nearer"
    is_index = all(entry.value == entry.index for entry in encoding.classes)
    return "class index" if is_index else "one value a class"


def class_source(entry: MaskClass, encoding: MaskEncoding) -> int | str:
    """What stands for a class in the mask files: a value, a colour, a layer or a category."""
    if entry.source is not None:
        return entry.source
    if encoding.form == "colors":
        return encoding.show_values([entry.value])
    return f"layer {entry.value}" if encoding.form == "layers" else entry.value


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "count": finding.count,
        "files": [str(file) for file in finding.files],
        "message": finding.message,
        "fix": finding.fix,
    }
