"""The table of findings: every code that is used is in it, and is planted in some test."""

import re
from pathlib import Path

import pytest

from pixelwise.data.findings import (
    KINDS,
    SEVERITIES,
    Finding,
    finding_of_error,
    make_finding,
    make_general_finding,
    name_files,
)
from pixelwise.doctor.examination import sort_findings
from pixelwise.errors import DataError, FileError, MaskError

ROOT = Path(__file__).resolve().parents[2]
USES = re.compile(
    r'(?:Remark|Finding|finding_of_error|make_finding|make_general_finding|_of_errors)\(\s*"([a-z-]+)"'
    r'|NoteKind\(\s*"([a-z-]+)"'
)


def codes_in_source(*rooms: str) -> set[str]:
    """Codes that the files of some rooms give to findings and remarks."""
    files = (path for room in rooms for path in (ROOT / "src/pixelwise" / room).rglob("*.py"))
    return {match[1] or match[2] for path in files for match in USES.finditer(path.read_text())}


def test_every_code_used_is_in_the_table():
    codes = codes_in_source("data", "doctor")
    assert len(codes) > 40
    assert codes - set(KINDS) == set()


@pytest.mark.parametrize("code", sorted(codes_in_source("doctor", "data/masks")))
def test_every_code_is_planted_somewhere(code):
    tests = (path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    assert any(f'"{code}"' in path.read_text() for path in tests)


def test_the_order_of_the_table_goes_by_severity():
    severities = [SEVERITIES.index(kind.severity) for kind in KINDS.values()]
    usual = [s for s, kind in zip(severities, KINDS.values(), strict=True) if kind.also is None]
    assert usual == sorted(usual)


def test_findings_are_sorted_by_severity_then_by_the_table():
    findings = [
        make_general_finding("mixed-sizes", "", ""),
        make_general_finding("few-images", "", ""),
        make_general_finding("missing-mask", "", ""),
        make_general_finding("empty-mask", "", "", "warning"),
        make_general_finding("layout", "", ""),
        Finding("not-in-the-table", "warning", (), "", ""),
    ]
    assert [finding.code for finding in sort_findings(findings)] == [
        "layout", "missing-mask", "empty-mask", "few-images", "not-in-the-table", "mixed-sizes",
    ]  # fmt: skip


def test_files_count_once_and_are_named():
    files = [Path("a.png"), Path("b.png"), Path("a.png"), Path("c.png")]
    (finding,) = make_finding("duplicate", files, "{files} are copies.", "Remove them.")
    assert finding.count == 3
    assert finding.severity == "warning"
    assert finding.message == "a.png and 2 more files are copies."
    assert make_finding("duplicate", [], "", "") == []
    (finding,) = make_finding("missing-mask", files[:1], "{files} have no mask.", "Add it.")
    assert finding.message == "a.png has no mask."
    assert name_files(files[:2]) == "a.png and 1 more file"


def test_findings_become_errors_and_back():
    finding = finding_of_error(
        "unreadable", [Path("a"), Path("b")], FileError("a is bad. Mend it.")
    )
    assert (finding.message, finding.fix) == (
        "a is bad. The same is wrong with 1 more file.", "Mend it.",
    )  # fmt: skip
    assert isinstance(finding.to_error(), FileError)
    assert str(finding.to_error()) == f"{finding.message} {finding.fix}"
    assert isinstance(make_general_finding("mask-values", "", "").to_error(), MaskError)
    assert type(make_general_finding("split-leak", "", "").to_error()) is DataError
