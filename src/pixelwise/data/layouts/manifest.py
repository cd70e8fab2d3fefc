"""A manifest: a CSV file that lists image and mask of every sample, and split and group if wanted.

image,mask,split,group
scans/a.png,drawn/a.png,train,patient 1
scans/b.png,,test,patient 2
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.files.image_files import read_bytes
from pixelwise.data.findings import Finding
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import SPLIT_FOLDERS, stem_of
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError
from pixelwise.text import plain_cell

MANIFEST_FILE = "manifest.csv"
DELIMITERS = ",;\t"


def find_manifest(root: Path, options: LayoutOptions) -> Layout | None:
    """Read the manifest of a folder (manifest.csv), or the one given; None where there is none.

    Raises:
        LayoutError: a column is missing, a split is unknown, or no image of it exists.
    """
    path = root if root.is_file() else root / MANIFEST_FILE
    if options.masks is not None or not path.is_file():
        return None
    text = read_bytes(path).decode("utf-8-sig", errors="replace")
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns = [name.strip().lower() for name in next(rows, [])]
    if not {"image", "mask"} <= set(columns):
        raise LayoutError(
            f"{path} has the columns {', '.join(columns) or 'none'}. It needs image and mask, and "
            "may have split and group."
        )
    missing: list[Path] = []
    samples = []
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(columns, (plain_cell(cell.strip()) for cell in row), strict=False))
        if cells.get("image"):
            sample = _to_sample(path, number, cells, missing)
            if sample is not None:
                samples.append(sample)
    if not samples:
        raise LayoutError(
            f"{path} lists no image that exists. Paths in it are relative to {path.parent}."
        )
    samples.sort(key=lambda sample: (sample.split or "", sample.name))
    return Layout(path.name, tuple(_check_names(path, samples)), findings=_describe(path, missing))


def _to_sample(
    path: Path, number: int, cells: dict[str, str], missing: list[Path]
) -> FoundSample | None:
    """The sample of one line; None, and noted as missing, where its image does not exist."""
    image, mask = path.parent / cells["image"], cells.get("mask", "")
    split = cells.get("split", "").lower()
    if split and split not in SPLIT_FOLDERS:
        raise LayoutError(
            f"{path}, line {number}: {cells['split']!r} is not a split. The splits are train, val "
            "and test."
        )
    absent = [file for file in (image, path.parent / mask) if mask and not file.exists()]
    if not image.exists():
        absent = [*absent, image] if image not in absent else absent
    missing += absent
    if image in absent:
        return None
    source = MaskFile(path.parent / mask) if mask and path.parent / mask not in absent else None
    name = (Path(cells["image"]).parent / stem_of(image)).as_posix()
    return FoundSample(name, (image,), source, SPLIT_FOLDERS.get(split), cells.get("group") or None)


def _check_names(path: Path, samples: Sequence[FoundSample]) -> Sequence[FoundSample]:
    """The samples, if each name is there once."""
    seen: dict[str, Path] = {}
    for sample in samples:
        if sample.name in seen:
            raise LayoutError(
                f"{path} lists {seen[sample.name]} and {sample.image} under one name. Rename or "
                "remove one of them."
            )
        seen[sample.name] = sample.image
    return samples


def _describe(path: Path, missing: Sequence[Path]) -> tuple[Finding, ...]:
    if not missing:
        return ()
    return (
        Finding(
            "missing-file",
            "warning",
            tuple(missing),
            f"{len(missing)} files that {path.name} lists do not exist ({missing[0]}).",
            "Correct their paths, which are relative to the folder of the manifest.",
        ),
    )
