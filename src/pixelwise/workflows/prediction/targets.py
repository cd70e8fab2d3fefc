"""Which files a prediction writes, and which of them an earlier run has finished.

DIR/.predictions.json   by which model and how the masks in DIR were made
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pixelwise.data import FoundImages
from pixelwise.errors import DataError, OutputError
from pixelwise.io import (
    NOWHERE,
    is_result,
    open_windows,
    read_place,
    read_start,
    write_json,
)
from pixelwise.network import Model
from pixelwise.objects import TABLE_START
from pixelwise.workflows.prediction.outcome import ERRORS_FILE, is_errors_file
from pixelwise.workflows.result_names import ENDS, name_results

SAVES = tuple(ENDS)
SUFFIXES = {
    "probability": ".tif",
    "uncertainty": ".tif",
    "table": ".csv",
    "polygons": ".geojson",
    "coco": ".json",
}
RECORD_FILE = ".predictions.json"
MaskFormat = Literal["auto", "png", "tif", "zarr"]
ENDINGS: Mapping[MaskFormat, str] = {"png": ".png", "tif": ".tif", "zarr": ".ome.zarr"}


class Record:
    """By which model and how the masks of a folder were made, as it stands beside them.

    Masks that are older than it were made before, in another way.
    """

    def __init__(self, folder: Path, model: Model, settings: Mapping[str, object]) -> None:
        self._path = folder / RECORD_FILE
        config = hashlib.sha256(model.config.model_dump_json().encode()).hexdigest()[:12]
        self._content = {"model": f"{model.fingerprint} {config}", **settings}

    @property
    def since(self) -> int | None:
        """Time from which on masks were made in this way; None where they never were."""
        try:
            is_same = json.loads(self._path.read_text()) == self._content
            return self._path.stat().st_mtime_ns if is_same else None
        except (OSError, ValueError):
            return None

    def write(self) -> None:
        """From now on masks are made in this way."""
        write_json(self._path, self._content)


def is_done(path: Path, files: Mapping[str, Path], since: int | None) -> bool:
    """Whether all files of an image were made since a time, and after the image was changed."""
    if since is None:
        return False
    try:
        changed = max(since, path.stat().st_mtime_ns)
        return all(is_own(f) and f.stat().st_mtime_ns >= changed for f in files.values())
    except OSError:
        return False


def is_own(path: Path) -> bool:
    """Whether a file is a result that pixelwise wrote, a table of objects among them."""
    return _begins_with(path, TABLE_START) if path.suffix == ".csv" else is_result(path)


def _begins_with(path: Path, text: str) -> bool:
    """Whether a file begins with a text in plain letters; False where it cannot be read."""
    try:
        return read_start(path, len(text)) == text.encode()
    except DataError:
        return False


def plan_targets(
    found: FoundImages, folder: Path, model: Model, save: Sequence[str], format: MaskFormat
) -> dict[Path, dict[str, Path]]:
    """Every file to be written, by its image and by what it saves.

    Raises:
        OutputError: one would replace, or lie among, files that are no results.
    """
    names = name_results(list(found.places.values()))
    can_overlap = model.config.task.can_overlap
    targets = {}
    for path, name in zip(found.places, names, strict=True):
        endings = {
            what: _ending(what, path, format, can_overlap=can_overlap)
            for what in SAVES
            if what in save
        }
        targets[path] = {what: folder / f"{name}{ENDS[what]}{end}" for what, end in endings.items()}
    _refuse_to_mix(targets)
    _refuse_overwriting([file for files in targets.values() for file in files.values()])
    errors = folder / ERRORS_FILE
    if errors.exists() and not is_errors_file(errors):
        raise OutputError(
            f"{errors} is there already and is no list of errors that pixelwise wrote. Choose "
            "another output folder, or move the file away."
        )
    return targets


def _ending(what: str, path: Path, asked: MaskFormat, *, can_overlap: bool) -> str:
    """Ending of a file of an image; the image is opened where it hangs on it."""
    if what == "overlay":
        return ".tif" if _is_large(path) else ".png"
    if what != "mask":
        return SUFFIXES[what]
    ending = ENDINGS.get(asked) or _own_ending(path)
    return ".tif" if can_overlap and ending in (".png", ".nii.gz") else ending


def _own_ending(path: Path) -> str:
    """Zarr of Zarr, NIfTI of NIfTI; TIFF of stacks, of what knows its place or is large."""
    if path.is_dir():
        return ".ome.zarr"
    try:
        place = read_place(path)
    except DataError:
        place = NOWHERE  # it cannot be read, which is said when its turn comes
    if place.nifti_header:
        return ".nii.gz"
    return ".tif" if place or place.num_planes > 1 or _is_large(path) else ".png"


def _is_large(path: Path) -> bool:
    """Whether an image is read in parts; one that cannot be read is not."""
    try:
        return open_windows(path) is not None
    except DataError:
        return False


def _refuse_to_mix(targets: Mapping[Path, Mapping[str, Path]]) -> None:
    """Keep results and images apart: no folder gets results that holds images."""
    folders = {file.parent.resolve() for files in targets.values() for file in files.values()}
    same = next((path for path in targets if path.resolve().parent in folders), None)
    if same is not None:
        raise OutputError(
            f"{same.parent} holds the image {same.name}; its mask would replace it or be taken for "
            "an image. Choose another output folder."
        )


def _refuse_overwriting(targets: Sequence[Path]) -> None:
    """Replace earlier results, but no image and no mask that somebody else made."""
    folders = {folder for target in targets for folder in target.parents}
    for target in targets:
        if target in folders or (target.exists() and not is_own(target)):
            raise OutputError(
                f"{target} is there already and is no result that pixelwise wrote: it may be a "
                "mask that a person drew. Choose another output folder, or move the file away."
            )
