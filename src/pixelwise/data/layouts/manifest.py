"""A manifest: a CSV file that lists image and mask of every sample, and split and group if wanted.

image,mask,split,group
scans/a.png,drawn/a.png,train,patient 1
scans/b.png,,test,patient 2
"""

import csv
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from pixelwise.data.findings import Finding
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import SPLIT_FOLDERS, stem_of
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError
from pixelwise.io import decode_text, find_listed, read_bytes, read_rows
from pixelwise.text import plain_cell

MANIFEST_FILE = "manifest.csv"
NUM_SHOWN = 3


def find_manifest(root: Path, options: LayoutOptions) -> Layout | None:
    """Read the manifest of a folder (manifest.csv), or the one given; None where there is none.

    Raises:
        LayoutError: a column is missing, a split is unknown, or no image of it exists.
    """
    path = root if root.is_file() else root / MANIFEST_FILE
    if options.masks is not None or not path.is_file():
        return None
    columns, rows = _read_table(path)
    if not {"image", "mask"} <= set(columns):
        raise LayoutError(
            f"{path} has the columns {', '.join(columns) or 'none'}. It needs image and mask, and "
            "may have split and group."
        )
    missing: dict[Path, str] = {}
    moved: dict[Path, str] = {}
    samples = []
    for number, row in rows:
        cells = dict(zip(columns, (plain_cell(cell.strip()) for cell in row), strict=False))
        if cells.get("image"):
            sample = _to_sample(path, number, cells, missing, moved)
            if sample is not None:
                samples.append(sample)
    if not samples:
        place, listed = next(iter(missing.items()), (path.parent, ""))
        example = f": {listed} was looked for as {place}" if listed else ""
        raise LayoutError(
            f"{path} lists no image that exists{example}. Paths in it are relative to "
            f"{path.parent}; correct them, or move the manifest."
        )
    samples.sort(key=lambda sample: (sample.split or "", sample.name))
    findings = (*_describe_missing(path, missing), *_describe_moved(path, moved))
    return Layout(path.name, tuple(samples), findings=findings)


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Columns in lower case, and the line number and cells of each row; LayoutError if damaged."""
    text = decode_text(read_bytes(path), path)
    try:
        rows = list(read_rows(text))
    except csv.Error as error:
        raise LayoutError(f"{path} is not a table ({error}). Save it as CSV in UTF-8.") from error
    columns = [name.strip().lower() for name in rows[0][1]] if rows else []
    return columns, rows[1:]


def _to_sample(
    path: Path,
    number: int,
    cells: dict[str, str],
    missing: dict[Path, str],
    moved: dict[Path, str],
) -> FoundSample | None:
    """The sample of one line; None where its image does not exist.

    Files that are missing, or found elsewhere than listed, are noted with what the line calls them.
    """
    split = cells.get("split", "").lower()
    if split and split not in SPLIT_FOLDERS:
        raise LayoutError(
            f"{path}, line {number}: {cells['split']!r} is not a split. The splits are train, val "
            "and test."
        )
    files = {
        key: find_listed(path.parent, cells[key]) for key in ("mask", "image") if cells.get(key)
    }
    absent = {key for key, file in files.items() if not file.exists()}
    missing |= {files[key]: cells[key] for key in files if key in absent}
    moved |= {
        files[k]: cells[k] for k in files if k not in absent and _is_moved(files[k], cells[k])
    }
    image, mask = files["image"], files.get("mask")
    if image == mask:
        raise LayoutError(
            f"{path}, line {number}: {cells['image']} and {cells['mask']} are one file, {image}. "
            "Give the image and its mask."
        )
    if "image" in absent:
        return None
    source = MaskFile(mask) if mask and "mask" not in absent else None
    name = (_as_listed(path.parent, image, cells["image"]).parent / stem_of(image)).as_posix()
    return FoundSample(name, (image,), source, SPLIT_FOLDERS.get(split), cells.get("group") or None)


def _as_listed(folder: Path, image: Path, text: str) -> Path:
    """The path that names an image: as it is listed, or where it was found."""
    if _is_moved(image, text) and image.is_relative_to(folder):
        return image.relative_to(folder)
    return Path(text if image == folder / text else PureWindowsPath(text).as_posix())


def _is_moved(file: Path, text: str) -> bool:
    """Whether a file was found elsewhere than a list says, but for the signs between folders."""
    return not file.as_posix().endswith(PureWindowsPath(text).as_posix().removeprefix("./"))


def _describe_missing(path: Path, missing: Mapping[Path, str]) -> tuple[Finding, ...]:
    if not missing:
        return ()
    place, listed = next(iter(missing.items()))
    return (
        Finding(
            "missing-file",
            "warning",
            tuple(missing),
            f"{len(missing)} files that {path.name} lists do not exist ({listed} was looked for as "
            f"{place}).",
            "Correct their paths, which are relative to the folder of the manifest.",
        ),
    )


def _describe_moved(path: Path, moved: Mapping[Path, str]) -> tuple[Finding, ...]:
    if not moved:
        return ()
    shown = [f"{listed} is {file}" for file, listed in list(moved.items())[:NUM_SHOWN]]
    return (
        Finding(
            "near-name",
            "note",
            tuple(moved),
            f"{len(moved)} files were found elsewhere than {path.name} says ({'; '.join(shown)}).",
            "Check that each is the file meant.",
        ),
    )
