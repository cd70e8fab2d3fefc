"""`pixelwise check`: how a data folder is understood, every problem in it, and a repaired copy."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.command import (
    DATA_ERRORS,
    Json,
    Quiet,
    Verbose,
    clear_errors,
    print_facts,
    say,
    write_json,
)
from pixelwise.cli.data_options import (
    Accept,
    Foreground,
    Ignore,
    Images,
    LayoutName,
    Masks,
    MaxPixels,
    SplitBy,
    read_options,
)
from pixelwise.text import count_of, visible

if TYPE_CHECKING:
    from pixelwise.data import Finding
    from pixelwise.doctor import Examination, ReadOptions
    from pixelwise.workflows import Repair

NUM_FILES_SHOWN = 3
COLORS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@clear_errors
def check(
    data: Annotated[Path, typer.Argument(help="Folder of images and masks.", show_default=False)],
    fix: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a repaired copy; the original is never changed."),
    ] = None,
    json: Json = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page of images with masks as understood."),
    ] = None,
    images: Images = None,
    masks: Masks = None,
    layout: LayoutName = None,
    foreground: Foreground = None,
    ignore: Ignore = None,
    split_by: SplitBy = None,
    max_pixels: MaxPixels = None,
    accept: Accept = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find every problem in a data folder, and repair what is safe to repair.

    Example: [bold]pixelwise check data --html check.html[/bold]

    Example: [bold]pixelwise check data --fix repaired[/bold]

    Exit status 0: usable; 3: errors that training stops at.
    """
    read = read_options(images, masks, layout, foreground, ignore, split_by, accept)
    examination = _examine(data, read, quiet=quiet)
    from pixelwise import workflows

    summary = workflows.summarize_check(examination)
    if html is not None:
        workflows.write_sheet(data, examination, html)
    if not write_json(json, summary):
        if not quiet:
            print_facts(_facts(summary, examination))
        findings = [workflows.shorten_paths(finding, data) for finding in examination.findings]
        _print_findings(findings, sys.maxsize if verbose else NUM_FILES_SHOWN)
        say(_closing_line(data, examination, repaired=fix is not None))
        _print_pages(data, html)
    if fix is not None:
        repair = _repair(data, examination, fix, quiet=quiet)
        if str(json) != "-":
            say(_describe_repair(repair))
    if examination.errors:
        raise typer.Exit(DATA_ERRORS)


def _examine(data: Path, read: "ReadOptions", *, quiet: bool) -> "Examination":
    from pixelwise import workflows
    from pixelwise.workflows.progress import count_images

    with count_images("reading", quiet=quiet) as progress:
        return workflows.check(data, read=read, progress=progress)


def _repair(data: Path, examination: "Examination", out: Path, *, quiet: bool) -> "Repair":
    from pixelwise import workflows
    from pixelwise.workflows.progress import count_images

    with count_images("writing", quiet=quiet) as progress:
        return workflows.fix(data, examination, out, progress=progress)


def _describe_repair(repair: "Repair") -> str:
    images = count_of(repair.num_samples, "image")
    lines = [
        f"Wrote {images} with masks to {repair.folder}, and left out "
        f"{repair.num_left_out}; {repair.folder / 'fixes.csv'} lists every change."
    ]
    if repair.open:
        codes = ", ".join(dict.fromkeys(finding.code for finding in repair.open))
        lines.append(f"Not repaired, since it needs a person: {codes}.")
    lines.append(f"Next: pixelwise check {repair.folder}")
    return "\n".join(lines)


def _facts(summary: dict[str, Any], examination: "Examination") -> dict[str, str]:
    """What was understood, by name, for the head of the output."""
    facts = {"layout": str(summary["layout"] or "not understood")}
    if not examination.errors:
        facts["data"] = examination.dataset.describe()
    else:
        counts = ", ".join(f"{number} {name}" for name, number in summary["splits"].items())
        facts["data"] = count_of(summary["num_images"], "image") + (
            f" ({counts})" if counts else ""
        )
    if examination.encoding is not None:
        facts["masks"] = f"{summary['mask_encoding']}: {_class_table(summary)}"
        facts["task"] = str(summary["task"])
    return facts


def _class_table(summary: dict[str, Any]) -> str:
    table = ", ".join(f"{entry['source']} = {entry['name']}" for entry in summary["classes"])
    ignored = summary["ignore"]
    return table if ignored is None else f"{table}; {ignored} = ignored"


def _print_findings(findings: "Sequence[Finding]", num_files: int) -> None:
    if not findings:
        return
    if sys.stdout.isatty():
        _print_rich(findings, num_files)
        return
    for finding in findings:
        say(f"{finding.severity} [{finding.code}]: {finding.message} {finding.fix}".rstrip())
        for line in _file_lines(finding, num_files):
            say(f"    {line}")


def _print_rich(findings: "Sequence[Finding]", num_files: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("finding", "what it is, and what to do", box=box.SIMPLE_HEAD)
    for finding in findings:
        color = COLORS[finding.severity]
        count = f"\n[dim]{finding.count:,} files[/]" if finding.count > 1 else ""
        files = "".join(
            f"\n[dim]{escape(visible(line))}[/]" for line in _file_lines(finding, num_files)
        )
        table.add_row(
            f"[{color}]{finding.severity}[/]\n{finding.code}{count}",
            f"{escape(visible(finding.message))}\n[green]{escape(visible(finding.fix))}[/]{files}",
            end_section=True,
        )
    Console().print(table)


def _file_lines(finding: "Finding", num_files: int) -> list[str]:
    """The first files; none where there is one only, and the message names it."""
    if finding.count == 1 and str(finding.files[0]) in finding.message:
        return []
    lines = [str(file) for file in finding.files[:num_files]]
    others = finding.count - num_files
    return [*lines, f"and {others} more (-v shows all)"] if others > 0 else lines


def _closing_line(data: Path, examination: "Examination", *, repaired: bool) -> str:
    """How many findings there are, and which of them --fix repairs."""
    if not examination.findings:
        return "No problems found."
    counts = [
        (sum(f.severity == severity for f in examination.findings), severity)
        for severity in ("error", "warning", "note")
    ]
    line = ", ".join(count_of(n, name) for n, name in counts) + "."
    from pixelwise import workflows

    codes = workflows.fixable_codes(examination)
    if codes and examination.encoding is not None and not repaired:
        line += f" pixelwise check {data} --fix OUT repairs: {', '.join(codes)}."
    return line


def _print_pages(data: Path, html: Path | None) -> None:
    if html is not None:
        say(f"Images with their masks as understood: {html}")
    elif sys.stdout.isatty():
        say(f"To see the masks as understood: pixelwise check {data} --html check.html")
