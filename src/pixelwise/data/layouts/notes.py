"""What is noticed while annotations are read, and what was lost: one guard for all their layouts.

an entry that cannot be used                      a warning that names the first ones
more than half of the images, or of the shapes    an error that shows what the file says and what is
every shape of a class                            an error: the class could never be learned
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pixelwise.data.findings import Finding, Severity
from pixelwise.data.layouts.annotations import below
from pixelwise.data.layouts.found import FoundSample, Layout
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.sources import MaskShapes
from pixelwise.text import shorten

MAX_LOST = 0.5  # share of the images or shapes of a file: beyond it the file is misunderstood

Loss = Literal["images", "shapes"]


@dataclass(frozen=True, slots=True)
class NoteKind:
    """A kind of thing that is noticed.

    Attributes:
        code: a key of `findings.KINDS`.
        severity: where no more than half is lost.
        message: with {path} and {names}.
        fix: what to do.
        loses: what each case loses; None where nothing is lost.
    """

    code: str
    severity: Severity
    message: str
    fix: str
    loses: Loss | None = None


NOT_AN_AREA = NoteKind(
    "not-an-area",
    "warning",
    "{path} has points or lines, which cover no pixels: {names}.",
    "Draw them as areas, or remove them; they are left out.",
    "shapes",
)
UNKNOWN_SHAPE = NoteKind(
    "broken-shape",
    "warning",
    "{path} has shapes of types that are not known: {names}.",
    "Draw them as polygons, or remove them; they are left out.",
    "shapes",
)
BROKEN_SHAPE = NoteKind(
    "broken-shape",
    "warning",
    "{path} has shapes with fewer than three corners or corners that are not numbers: {names}.",
    "Draw them again, or remove them; they are left out.",
    "shapes",
)
MISSING_IMAGE = NoteKind(
    "missing-image",
    "warning",
    "{path} lists images that are not there: {names}.",
    "Add them, or remove their entries; they are left out.",
    "images",
)
OTHER_NAME = NoteKind(
    "near-name",
    "note",
    "{path} calls images by names that differ from those on disk: {names}.",
    "Check that each is the image meant; they were matched by the name without ending.",
)


@dataclass(slots=True)
class Notes:
    """What is noticed in one annotation file, or in a folder of files of one image each.

    Attributes:
        path: path of the file or folder.
        noted: name and file of every case of a kind.
        totals: how many images and shapes the file speaks of.
        lost: how many of these cannot be used.
        there: names of what they should be found in, for the message.
        lost_values: names of the shapes that could not be drawn, by the value of their class.
    """

    path: Path
    noted: dict[NoteKind, list[tuple[str, Path]]] = field(default_factory=dict)
    totals: Counter[Loss] = field(default_factory=Counter)
    lost: Counter[Loss] = field(default_factory=Counter)
    there: dict[Loss, str] = field(default_factory=dict)
    lost_values: dict[int, list[str]] = field(default_factory=dict)

    def add(
        self,
        kind: NoteKind,
        name: str,
        file: Path | None = None,
        *,
        value: int | None = None,
        is_part: bool = False,
    ) -> None:
        """Note one case.

        Args:
            kind: kind of what is noticed.
            name: name of the case.
            file: that has it, where `path` is the folder of many.
            value: value of the class of a shape that is lost.
            is_part: only a part of a shape is lost.
        """
        self.noted.setdefault(kind, []).append((name, file or self.path))
        if kind.loses and not is_part:
            self.lost[kind.loses] += 1
            if value is not None:
                self.lost_values.setdefault(value, []).append(name)

    def expect(self, what: Loss, number: int, there: Sequence[str] = ()) -> None:
        """Say how many images or shapes there are, and what they should be found in."""
        self.totals[what] += number
        if there:
            self.there[what] = shorten(there)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each kind, with the first names."""
        return tuple(self._to_finding(kind, cases) for kind, cases in self.noted.items())

    def _to_finding(self, kind: NoteKind, cases: Sequence[tuple[str, Path]]) -> Finding:
        names = shorten([name for name, _ in cases])
        message, severity = kind.message.format(path=self.path, names=names), kind.severity
        what = kind.loses
        if what and self.lost[what] > MAX_LOST * self.totals[what] > 0:
            severity = "error"
            there = f"; there are {self.there[what]}" if what in self.there else ""
            message += f" In all {self.lost[what]} of {self.totals[what]} {what} are lost{there}."
        files = tuple(dict.fromkeys(file for _, file in cases))
        return Finding(kind.code, severity, files, message, kind.fix)


def make_layout(
    description: str,
    samples: Iterable[FoundSample],
    declaration: ClassDeclaration,
    notes: Sequence[Notes],
) -> Layout:
    """The layout of annotation files, with what was noticed in them and what was lost."""
    samples = tuple(samples)
    findings = [finding for one in notes for finding in one.findings()]
    findings += _find_lost_classes(notes, samples, declaration)
    return Layout(description, samples, declaration=declaration, findings=tuple(findings))


def name_places(paths: Iterable[Path], root: Path) -> str:
    """Annotation files below the data folder, for the description of a layout."""
    return ", ".join(below(path, root) for path in paths)


def _find_lost_classes(
    notes: Sequence[Notes], samples: Iterable[FoundSample], declaration: ClassDeclaration
) -> list[Finding]:
    """An error for each class that has shapes in the files, but none that can be drawn."""
    drawn = {
        shape.value
        for sample in samples
        if isinstance(sample.mask, MaskShapes)
        for shape in sample.mask.shapes
    }
    lost: dict[int, list[str]] = {}
    for one in notes:
        for value, names in one.lost_values.items():
            lost.setdefault(value, []).extend(names)
    names_of_values = {entry.value: entry.name for entry in declaration.classes if entry.value}
    return [
        _say_lost(notes[0].path, names_of_values[value], names)
        for value, names in sorted(lost.items())
        if value in names_of_values and value not in drawn
    ]


def _say_lost(path: Path, class_name: str, names: Sequence[str]) -> Finding:
    return Finding(
        "lost-shapes",
        "error",
        (path,),
        f"{path} has {len(names)} shapes of {class_name}, none of which can be drawn: "
        f"{shorten(names)}.",
        "Export them as polygons or run lengths, or remove them with their class.",
    )
