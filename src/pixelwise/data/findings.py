"""What can be found in a data set: the table of all kinds, and a `Finding` for each that was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelwise.errors import DataError, FileError, LayoutError, MaskError
from pixelwise.text import count_of

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding.

    Attributes:
        severity: "error" (training would be wrong), "warning" (look at it) or "note" (what was
            understood).
        what: in one line.
        repair: what `--fix` does about it, "" where it takes a person.
        also: the severity that it has in other cases, as `what` says.
        can_accept: whether training is possible in spite of the error, where a person knows of it.
    """

    severity: Severity
    what: str
    repair: str = ""
    also: Severity | None = None
    can_accept: bool = False


# Every code, what matters most first: findings of one severity are shown in this order.
KINDS: dict[str, FindingKind] = {
    "layout": FindingKind("error", "no images, no masks, or no pairs in the folder"),
    "class-file": FindingKind("error", "the file that names the classes is not understood"),
    "unreadable": FindingKind("error", "files that are empty, truncated or damaged", "left out"),
    "not-an-image": FindingKind(
        "error", "files with the name of a picture that hold something else", "left out"
    ),
    "mixed-channels": FindingKind("error", "numbers of channels that do not go together"),
    "mask-values": FindingKind(
        "error", "masks whose values have no clear meaning", "masks that hold no classes left out"
    ),
    "no-foreground": FindingKind("error", "no mask holds anything but background"),
    "no-training-images": FindingKind("error", "only images to validate on or to test"),
    "unknown-value": FindingKind("error", "values that are none of the classes", "left out"),
    "size-mismatch": FindingKind(
        "error",
        "masks of another size than their images, and whether a turn would correct it",
        "turned like their images where EXIF says so, other pairs left out",
    ),
    "non-finite": FindingKind("error", "images with NaN or infinite pixels", "left out"),
    "split-leak": FindingKind(
        "error",
        "the same image in two splits (warning: images that look the same)",
        "copies dropped from val and test",
        also="warning",
        can_accept=True,
    ),
    "broken-shape": FindingKind(
        "warning",
        "shapes that are not areas (error: most of them, or run lengths that are damaged)",
        also="error",
    ),
    "inverted-mask": FindingKind(
        "warning", "masks whose foreground looks like the background of the others, or of all"
    ),
    "shifted-mask": FindingKind(
        "warning", "masks whose outlines lie beside the edges of their images"
    ),
    "turned-mask": FindingKind(
        "warning", "masks that would lie on the edges of their images if they were turned"
    ),
    "group-leak": FindingKind(
        "warning", "one patient, plate or scene in two splits", "groups moved to train"
    ),
    "near-miss-name": FindingKind(
        "warning", "names that would pair but for case, spaces or Unicode", "paired and renamed"
    ),
    "missing-file": FindingKind("warning", "files that a manifest lists and that are not there"),
    "stray-file": FindingKind("warning", "files that belong to no image; left out"),
    "lost-shapes": FindingKind(
        "warning",
        "shapes of images that the file does not list (error: most shapes, or all of a class)",
        also="error",
    ),
    "boxes-only": FindingKind(
        "warning", "objects with a box and no outline; left out (error: most)", also="error"
    ),
    "not-an-area": FindingKind(
        "warning", "points and lines among the shapes; left out (error: most)", also="error"
    ),
    "duplicate-entry": FindingKind("warning", "an image that its annotation file lists twice"),
    "missing-mask": FindingKind("warning", "images without a mask; left out", "left out"),
    "missing-image": FindingKind(
        "warning",
        "masks without an image; left out (error: most images of an annotation file)",
        "left out",
        also="error",
    ),
    "absent-class": FindingKind(
        "warning",
        "classes that never appear, or not in every split (error: though they have shapes)",
        also="error",
    ),
    "empty-mask": FindingKind(
        "note", "masks that hold only background (warning: more than half)", also="warning"
    ),
    "intensity-range": FindingKind(
        "warning", "images, or a split, of other brightness than the rest"
    ),
    "alpha-data": FindingKind("warning", "alpha channels that differ from pixel to pixel"),
    "mixed-depth": FindingKind("warning", "images of different number types"),
    "mixed-spacing": FindingKind(
        "warning",
        "images whose pixels have different physical sizes (note: by less than a quarter)",
        also="note",
    ),
    "constant-image": FindingKind("warning", "images with one value in every pixel"),
    "duplicate": FindingKind("warning", "the same image twice in one split", "copies dropped"),
    "class-imbalance": FindingKind("warning", "classes of very few pixels"),
    "tiny-objects": FindingKind("warning", "objects of a few pixels"),
    "snapped-values": FindingKind(
        "warning", "two-tone masks with grey edges or JPEG damage", "written as class indices"
    ),
    "out-of-bounds": FindingKind(
        "warning", "shapes that reach beyond their image", "cut at the edge of the image"
    ),
    "few-images": FindingKind("warning", "fewer than 10 images with masks"),
    "saturated": FindingKind("note", "images with half of their pixels at the highest value"),
    "near-duplicate": FindingKind(
        "note", "images of one split that look the same, also resized, brighter or cut by up to 3 %"
    ),
    "overlapping-objects": FindingKind(
        "note", "pixels that several objects claim", "written as class indices"
    ),
    "ignored-values": FindingKind(
        "note",
        'values that were taken to mean "leave out" (warning: where they may be a class)',
        "written as class indices",
        also="warning",
    ),
    "mixed-tones": FindingKind(
        "note",
        "masks of two tones that are stored in another way (warning: where they may be a class)",
        "written as class indices",
        also="warning",
    ),
    "mapped-values": FindingKind("note", "how mask values were taken", "written as class indices"),
    "object-ids-or-classes": FindingKind(
        "note",
        "classes that could be object ids (warning: where much speaks for it)",
        also="warning",
    ),
    "multilabel": FindingKind("note", "classes that overlap, so that a pixel may have several"),
    "object-ids": FindingKind("note", "numbers that were taken for object ids"),
    "one-hot": FindingKind("note", "planes that were taken for one class each"),
    "name-groups": FindingKind(
        "note", "patients, plates or scenes that the file names tell, each kept in one split"
    ),
    "left-aside": FindingKind("note", "annotations beside masks in pixels, which were taken"),
    "near-name": FindingKind("note", "names in an annotation file that differ from the files"),
    "exif-turned": FindingKind("note", "images turned by their EXIF data", "written upright"),
    "assumed-axes": FindingKind("note", "files whose axes had no names"),
    "mixed-sizes": FindingKind(
        "note", "images of several sizes (warning: pictures and volumes)", also="warning"
    ),
}

ERROR_CLASSES: dict[str, type[DataError]] = {
    "layout": LayoutError,
    "unreadable": FileError,
    "not-an-image": FileError,
    "mask-values": MaskError,
    "no-foreground": MaskError,
    "no-training-images": LayoutError,
    "class-file": MaskError,
    "unknown-value": MaskError,
    "size-mismatch": MaskError,
}


# messages speak of several files; of one they say
SINGULAR = {
    "have": "has", "hold": "holds", "are": "is", "were": "was", "do": "does", "look": "looks",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem and the files that have it.

    Attributes:
        code: stable name, a key of KINDS, listed in docs/data.md.
        severity: "error" (training would be wrong), "warning" (look at it) or "note" (what was
            understood).
        files: every file concerned; none where it is the data set as a whole.
        message: what was found.
        fix: what to do.
    """

    code: str
    severity: Severity
    files: tuple[Path, ...]
    message: str
    fix: str

    @property
    def count(self) -> int:
        """Number of files concerned."""
        return len(self.files)

    def to_error(self) -> DataError:
        """The exception for this finding."""
        return ERROR_CLASSES.get(self.code, DataError)(f"{self.message} {self.fix}")


def make_finding(
    code: str, files: Iterable[Path], message: str, fix: str, severity: Severity | None = None
) -> list[Finding]:
    """One finding about files, or none where there are no files.

    Args:
        code: a key of KINDS.
        files: concerned; each counts once.
        message: "{files}" in it becomes "a.png and 3 more files"; a verb after it becomes singular
            where there is one file.
        fix: what to do.
        severity: that of the kind by default.
    """
    unique = tuple(dict.fromkeys(files))
    if not unique:
        return []
    if len(unique) == 1:
        for many, one in SINGULAR.items():
            message = message.replace(f"{{files}} {many} ", f"{{files}} {one} ")
    message = message.replace("{files}", name_files(unique))
    return [Finding(code, severity or KINDS[code].severity, unique, message, fix)]


def make_general_finding(
    code: str, message: str, fix: str, severity: Severity | None = None
) -> Finding:
    """A finding about the data set as a whole."""
    return Finding(code, severity or KINDS[code].severity, (), message, fix)


def finding_of_error(code: str, files: Sequence[Path], error: Exception) -> Finding:
    """An error finding from an exception, whose last sentence is the fix by our convention."""
    what, _, advice = str(error).rpartition(". ")
    others = len(files) - 1
    more = f" The same is wrong with {count_of(others, 'more file')}." if others > 0 else ""
    return Finding(code, "error", tuple(files), f"{what}.{more}", advice)


def name_files(files: Sequence[Path]) -> str:
    """Name the first file and count the others."""
    others = len(files) - 1
    return str(files[0]) if not others else f"{files[0]} and {count_of(others, 'more file')}"
