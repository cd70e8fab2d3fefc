"""What was found in data: a `Dataset` that can be trained on, or the errors that forbid it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from pixelwise.data import (
    KINDS,
    SEQUENCE,
    SEVERITIES,
    SPLITS,
    Dataset,
    Finding,
    MaskEncoding,
    Split,
)
from pixelwise.data.layouts import Layout
from pixelwise.data.survey import SampleFacts
from pixelwise.errors import DataError
from pixelwise.text import count_of, html_table

FINDING_COLUMNS = ("", "code", "files", "what is wrong", "what to do")


@dataclass(frozen=True, slots=True)
class Examination:
    """Data with everything found in them.

    Attributes:
        root: the data folder; `SEQUENCE` where a sequence was given.
        findings: errors first, then warnings, then notes.
        layout: what the names told; its description is "" where they told nothing.
        surveyed: the facts of every sample.
        encoding: what the values of the masks mean; None where that is not clear, which is an
            error among the findings.
        splits: split of every name.
        name_groups: groups that the file names tell, where nothing else names groups; they are
            used for the folds of a cross-validation also where they do not make the split.
        usable: the data set; None where there are errors, which `dataset` raises.
    """

    root: Path
    findings: tuple[Finding, ...]
    layout: Layout = field(default=Layout("", ()))
    surveyed: tuple[SampleFacts, ...] = ()
    encoding: MaskEncoding | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)
    name_groups: Mapping[str, str] = field(default_factory=dict)
    usable: Dataset | None = None

    def __repr__(self) -> str:
        """Where the data are, and what was found."""
        severities = Counter(finding.severity for finding in self.findings)
        found = [count_of(severities[name], name) for name in ("error", "warning", "note")]
        counts = Counter(self.splits.values())
        parts = [f"{counts[name]} {name}" for name in SPLITS if counts[name]]
        images = count_of(len(self.surveyed), "image") + f" ({', '.join(parts)})" * bool(parts)
        return f"Examination({self.root}: {images}; {', '.join(found)})"

    def _repr_html_(self) -> str:
        """What was found, as notebooks show it."""
        rows = [(one.severity, one.code, count_of(one.count, "file"), one.message, one.fix)
                for one in self.findings]  # fmt: skip
        found = html_table(FINDING_COLUMNS, rows) if rows else "<p>No problems found.</p>"
        return f"<p>{escape(repr(self))}</p>{found}"

    @property
    def errors(self) -> list[Finding]:
        """The findings that forbid training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def dataset(self) -> Dataset:
        """The data set that can be trained on.

        Raises:
            DataError: there are errors: the first in full, the others by their codes, and what
                repairs them.
        """
        if self.usable is None:
            raise self._error()
        return self.usable

    def _error(self) -> DataError:
        first, *others = self.errors
        error, is_folder = first.to_error(), self.root != SEQUENCE
        text = str(error)
        if others:
            shows = f"`pixelwise check {self.root}` shows" if is_folder else "pixelwise.check has"
            text += f" Also wrong: {', '.join(map(_brief, others))} ({shows} all)."
        kinds = {one.code: KINDS[one.code] for one in self.errors if one.code in KINDS}
        if is_folder and any(kind.repair for kind in kinds.values()):
            text += f" `pixelwise check {self.root} --fix OUT` writes a repaired copy."
        codes = list(dict.fromkeys(one.code for one in self.errors))
        if all(code in kinds and kinds[code].can_accept for code in codes):
            text += f" Where it is known and meant to be so: --accept {','.join(codes)}."
        return type(error)(text)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; within these in the order of KINDS."""
    order = {code: place for place, code in enumerate(KINDS)}
    return sorted(
        findings,
        key=lambda one: (SEVERITIES.index(one.severity), order.get(one.code, len(order))),
    )


def _brief(finding: Finding) -> str:
    return f"{finding.code} ({finding.count} files)" if finding.count > 1 else finding.code
