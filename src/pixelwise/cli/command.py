"""What every command has: its common options, and errors as one clear message."""

import errno
import functools
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from pixelwise.errors import PixelwiseError, PixelwiseWarning
from pixelwise.text import print_visibly, visible

FAILED = 1  # exit status: the request could not be carried out
DATA_ERRORS = 3  # exit status of `check`: it found errors in the data

DEVICE_HELP = "Where to compute: auto, cpu, cuda or mps."
Device = Annotated[str, typer.Option(help=DEVICE_HELP)]


def _without_types_of_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


class Command(TyperCommand):
    """A command whose help shows no type behind options that take no value."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        """The options and arguments."""
        return _without_types_of_flags(super().get_params(ctx))


class Commands(TyperGroup):
    """All commands, with a help of the same kind."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        """The options and arguments."""
        return _without_types_of_flags(super().get_params(ctx))


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only, no progress.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more, and where errors arise.")
]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is standard output."),
]

SYSTEM_FIXES = {
    errno.EACCES: "Give yourself the right to it, or choose another place.",
    errno.EPERM: "Give yourself the right to it, or choose another place.",
    errno.EROFS: "Choose a place that can be written to.",
    errno.ENOSPC: "Free some space, or choose another disk, and run this again.",
    errno.EDQUOT: "Free some space, or choose another disk, and run this again.",
    errno.ENOENT: "Check the path.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n) and run this again.",
}


def clear_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that whatever fails becomes one message on stderr and exit status 1.

    `--max-pixels`, where a command has it, holds for all that it reads.
    Usage errors (exit status 2) and chosen exit statuses pass through to typer.
    """

    @functools.wraps(command)
    def wrapped(*args: object, **options: object) -> None:
        verbose = bool(options.get("verbose"))
        with warnings.catch_warnings():
            _print_warnings_plainly(verbose)
            try:
                with _pixels_allowed(options.get("max_pixels")):
                    command(*args, **options)
            except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
                raise
            except KeyboardInterrupt:
                fail("Interrupted.")
            except Exception as error:
                if verbose and not isinstance(error, PixelwiseError):
                    tell(traceback.format_exc().rstrip())
                fail(explain(error))

    return wrapped


def _pixels_allowed(count: object) -> AbstractContextManager[None]:
    """While open, files may claim as many pixels as `--max-pixels` says."""
    if not isinstance(count, int):
        return nullcontext()
    from pixelwise.io import allow_pixels

    return allow_pixels(count)


def say(text: str) -> None:
    """Print a line of a result, without what a terminal would obey in the names of files."""
    print_visibly(text, sys.stdout)


def tell(text: str) -> None:
    """Print a line beside the results, on stderr, in the same way."""
    print_visibly(text, sys.stderr)


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print a message on stderr and leave with an exit status."""
    tell(f"pixelwise: {message}")
    raise typer.Exit(status)


def explain(error: Exception) -> str:
    """Return what went wrong and what to do, in words for a person.

    >>> explain(PermissionError(13, "Permission denied", "/run"))
    '/run: Permission denied. Give yourself the right to it, or choose another place.'
    """
    if isinstance(error, PixelwiseError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "Out of memory. Close other programs, or use smaller images or `--device cpu`."
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename else ""
        fix = SYSTEM_FIXES.get(error.errno, "")
        return f"{place}{error.strerror}. {fix}".rstrip()
    reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return f"unexpected error ({reason}). Please report it, with what `-v` prints."


def _print_warnings_plainly(verbose: bool) -> None:
    """Show our own warnings as one line each, and other packages' only where asked for."""

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if verbose or issubclass(category, PixelwiseWarning):
            tell(f"warning: {message}")

    warnings.showwarning = show


def write_json(file: Path | None, content: Any) -> bool:  # noqa: ANN401
    """Write a result where `--json` asks for it; return whether that was standard output."""
    if file is None:
        return False
    if str(file) == "-":
        import json

        print(json.dumps(content, indent=2))
        return True
    from pixelwise.io import write_json as write_file

    write_file(file, content)
    return False


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under a heading: a drawn table on a terminal, plain columns elsewhere.

    >>> print_table(("class", "dice"), [("cell", "0.91"), ("background", "0.99")])
    class       dice
    cell        0.91
    background  0.99
    """
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(*columns)
        for row in rows:
            table.add_row(*(escape(visible(cell)) for cell in row))
        Console().print(table)
        return
    lines = [tuple(columns), *(tuple(map(visible, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values in two aligned columns.

    >>> print_facts({"task": "binary", "classes": "background, cell"})
    task     binary
    classes  background, cell
    """
    width = max(map(len, facts))
    for name, value in facts.items():
        print_visibly(f"{name:<{width}}  {value}", sys.stdout, indent=width + 2)
