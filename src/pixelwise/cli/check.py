"""`pixelwise check`: every problem in a data folder."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.door import DATA_ERRORS, Json, Quiet, Verbose, clear_errors, fail, write_json

if TYPE_CHECKING:
    from pixelwise.data import Finding

NUM_FILES_SHOWN = 3


@clear_errors
def check(
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.", show_default=False)],
    fix: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a repaired copy (comes later).")
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find every problem in a data folder.

    Example: [bold]pixelwise check data --json findings.json[/bold]

    Exit status 0: usable; 3: errors that training stops at.
    """
    if fix is not None:
        fail("`check --fix` comes in a later version; the original data were not touched.")
    from pixelwise import folders

    result = folders.check(data)
    summary = None if result.dataset is None else result.dataset.describe()
    content = {"summary": summary, "findings": [_to_json(f) for f in result.findings]}
    if not write_json(json, content):
        if summary and not quiet:
            print(summary)
        _print_findings(result.findings, num_files=sys.maxsize if verbose else NUM_FILES_SHOWN)
    if any(finding.severity == "error" for finding in result.findings):
        raise typer.Exit(DATA_ERRORS)


def _to_json(finding: "Finding") -> dict[str, object]:
    return asdict(finding) | {"files": [str(file) for file in finding.files]}


def _print_findings(findings: "Sequence[Finding]", num_files: int) -> None:
    for finding in findings:
        print(f"{finding.severity}: {finding.message} {finding.fix}".rstrip())
        for file in finding.files[:num_files]:
            print(f"    {file}")
        if len(finding.files) > num_files:
            print(f"    and {len(finding.files) - num_files} more (-v shows all)")
    errors = sum(finding.severity == "error" for finding in findings)
    others = len(findings) - errors
    print(f"{errors} errors, {others} warnings and notes" if findings else "No problems found.")
