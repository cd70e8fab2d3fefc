"""Write a repaired copy of a data folder; the original is only read.

OUT/images/NAME.*     as they were, byte for byte, where nothing was wrong with them
OUT/masks/NAME.png    class indices, 255 where ignored; TIFF for volumes
                      (OUT/train/images/..., OUT/train/masks/... where splits were given)
OUT/classes.json      names, values and colours of the classes
OUT/manifest.csv      image, mask, split, group
OUT/fixes.csv         file, code, change: everything that was done
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data import KINDS, Finding, MaskEncoding
from pixelwise.data.layouts import suffix_of
from pixelwise.doctor.examination import Examination
from pixelwise.doctor.repair_masks import (
    decode_for_copy,
    has_ignored,
    is_index_file,
    turn_upright,
    write_class_file,
    write_class_mask,
)
from pixelwise.doctor.repair_plan import Change, Kept, plan_repair
from pixelwise.errors import DataError, OutputError
from pixelwise.io import (
    exif_orientation,
    make_folder,
    read_bytes,
    read_images,
    write_bytes,
    write_pixels,
    write_text,
)
from pixelwise.parallel import Progress, map_in_threads
from pixelwise.text import format_csv

MANIFEST = "manifest.csv"
FIXES = "fixes.csv"
# what is gone in any copy: each mask is written as class indices under the name of its image
ALWAYS_GONE = frozenset(
    {
        *("near-miss-name", "missing-mask", "missing-image", "snapped-values", "mapped-values"),
        *("ignored-values", "mixed-tones", "out-of-bounds", "overlapping-objects"),
    }
)


@dataclass(frozen=True, slots=True)
class Repair:
    """A repaired copy.

    Attributes:
        folder: where it is.
        num_samples: images with masks in it.
        changes: everything that differs from the original, as in fixes.csv.
        open: findings that were not repaired: they need a person.
    """

    folder: Path
    num_samples: int
    changes: tuple[Change, ...]
    open: tuple[Finding, ...]

    @property
    def num_left_out(self) -> int:
        """Images and masks of the original that are not in the copy."""
        return sum(change.what.startswith(("left out", "dropped")) for change in self.changes)


@dataclass(frozen=True, slots=True)
class _Written:
    """What became of one sample: its row in the manifest, and the changes."""

    row: tuple[str, str, str, str] | None
    changes: tuple[Change, ...]
    has_ignored: bool = False


def fix(
    data: str | os.PathLike[str],
    examination: Examination,
    out: str | os.PathLike[str],
    progress: Progress | None = None,
) -> Repair:
    """Write a copy of a data folder in which everything is repaired that safely can be.

    Args:
        data: the folder that was examined.
        examination: as `check` gives it.
        out: a new or empty folder, outside `data`.
        progress: called with (done, total).

    Raises:
        DataError: nothing would be left: no images with masks, or masks without a clear meaning.
        OutputError: `out` is in use, is inside `data`, or cannot be written.
    """
    folder = _check_place(Path(data), Path(out))
    encoding = examination.encoding
    if encoding is None:
        first = examination.errors[0]
        raise DataError(f"{data} cannot be repaired before this is: {first.message} {first.fix}")
    plan = plan_repair(examination, encoding)
    if not plan.kept:
        raise DataError(
            f"{data} holds no image with a mask that can be used. Repair the files by hand first."
        )
    in_splits = all(kept.has_split for kept in plan.kept)
    writer = _Writer(folder, encoding, _alpha_is_idle(plan.kept), in_splits)
    written = map_in_threads(writer.write, plan.kept, progress=progress)
    changes = (*plan.changes, *(change for entry in written for change in entry.changes))
    rows = [entry.row for entry in written if entry.row is not None]
    write_class_file(folder, encoding, any(entry.has_ignored for entry in written))
    write_text(folder / MANIFEST, format_csv(("image", "mask", "split", "group"), rows))
    done = ((str(change.file), change.code, change.what) for change in changes)
    write_text(folder / FIXES, format_csv(("file", "code", "change"), done))
    return Repair(folder, len(rows), changes, open_findings(examination, changes))


def fixable_codes(examination: Examination) -> list[str]:
    """Codes of the errors and warnings that --fix does something about, in their order."""
    codes = [
        finding.code
        for finding in examination.findings
        if finding.severity != "note" and finding.code in KINDS and KINDS[finding.code].repair
    ]
    return list(dict.fromkeys(codes))


def open_findings(examination: Examination, changes: Iterable[Change] = ()) -> tuple[Finding, ...]:
    """Errors and warnings about which nothing was done: they need a person.

    Args:
        examination: examination of the original.
        changes: that were made.
    """
    done = {change.code for change in changes} | ALWAYS_GONE
    return tuple(
        finding
        for finding in examination.findings
        if finding.severity != "note" and finding.code not in done
    )


def _check_place(data: Path, out: Path) -> Path:
    """Refuse a folder in use, or one inside the original; OutputError."""
    root, folder = data.resolve(), out.resolve()
    if folder == root or root in folder.parents:
        raise OutputError(
            f"{out} is inside {data}, which is never changed. Choose a folder outside of it."
        )
    make_folder(out)
    if any(out.iterdir()):
        raise OutputError(f"{out} is not empty. Choose a new folder for the repaired copy.")
    return out


def _alpha_is_idle(samples: Sequence[Kept]) -> bool:
    """Whether no image has an alpha channel that varies, so that constant ones can go."""
    return not any(
        kept.image.channels in (2, 4) and not kept.image.has_constant_alpha for kept in samples
    )


@dataclass(frozen=True)
class _Writer:
    """Writes one sample after the other, from any number of threads."""

    folder: Path
    encoding: MaskEncoding
    drops_alpha: bool
    in_splits: bool  # every sample has a split of its own: they become folders

    def write(self, kept: Kept) -> _Written:
        """Write one sample; one whose files changed since they were examined is left out."""
        try:
            return self._write(kept)
        except DataError as error:
            left_out = Change(kept.found.image, "unreadable", f"left out: {error}")
            return _Written(None, (left_out,))

    def _write(self, kept: Kept) -> _Written:
        found = kept.found
        mask = decode_for_copy(kept.mask, kept.image.size, self.encoding)
        changes = []
        if kept.turns_mask:
            mask = turn_upright(mask, exif_orientation(found.image))
            what = f"turned like its image {found.image.name}"
            changes.append(Change(kept.mask.path, "size-mismatch", what))
        masks = write_class_mask(self._place("masks", kept), mask, self.encoding)
        if not is_index_file(kept.mask, self.encoding):
            changes.append(Change(kept.mask.path, "", f"written as {masks.name}"))
        image, what = self._write_image(kept)
        if what:
            changes.append(Change(found.image, "exif-turned" * kept.image.turned, what))
        return _Written(
            (
                image.relative_to(self.folder).as_posix(),
                masks.relative_to(self.folder).as_posix(),
                kept.split if kept.has_split else "",
                found.group or "",
            ),
            tuple(changes),
            has_ignored(mask, self.encoding),
        )

    def _place(self, kind: str, kept: Kept) -> Path:
        """Where the image or mask of a sample goes, without its ending."""
        return self.folder / (kept.split if self.in_splits else "") / kind / kept.name

    def _write_image(self, kept: Kept) -> tuple[Path, str]:
        """Copy the image, or write it again; return where it is and what was done."""
        paths, facts = kept.found.image_paths, kept.image
        place = self._place("images", kept)
        make_folder(place.parent)
        drops_alpha = facts.has_constant_alpha and self.drops_alpha
        if len(paths) == 1 and not facts.turned and not drops_alpha:
            place = place.with_name(f"{place.name}{suffix_of(paths[0]).lower()}")
            copy_image(paths[0], place)
            return place, ""
        values = read_images(paths)
        done = [
            *["written upright"] * facts.turned,
            *["constant alpha dropped"] * drops_alpha,
            *[f"{len(paths)} channel files joined"] * (len(paths) > 1),
        ]
        values = values[..., :-1] if drops_alpha else values
        return write_pixels(place, values, facts.spacing_um), ", ".join(done)


def copy_image(source: Path, place: Path) -> None:
    """Copy a file byte for byte, or the folder that an OME-Zarr image is."""
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        write_bytes(place, read_bytes(source))
