"""Whatever goes wrong ends as one message on stderr and an exit status."""

import errno
import json
import sys
import warnings

import pytest
import typer

from pixelwise.cli.command import clear_errors, explain, fail, print_facts, print_table, write_json
from pixelwise.errors import (
    LayoutError,
    MissingExtraError,
    OutputError,
    PixelwiseError,
    PixelwiseWarning,
)


def run(error=None, **options):
    """Call a command that raises; return its exit status."""

    @clear_errors
    def command(verbose: bool = False) -> None:
        if error is not None:
            raise error

    try:
        command(**options)
    except typer.Exit as exit_:
        return exit_.exit_code
    return 0


def test_nothing_wrong_is_status_0(capsys):
    assert run() == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [PixelwiseError, LayoutError, OutputError, MissingExtraError])
@pytest.mark.parametrize("verbose", [False, True])
def test_our_errors_are_their_message_alone(kind, verbose, capsys):
    assert run(kind("No images in data. Put them in data/images."), verbose=verbose) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "pixelwise: No images in data. Put them in data/images.\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/runs/a"),
            "/runs/a: Permission denied. Give yourself the right to it, or choose another place.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device. Free some space, or choose another disk, and run this again.",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "x"),
            "x: Read-only file system. Choose a place that can be written to.",
        ),
        (OSError(errno.EIO, "Input/output error", "x"), "x: Input/output error."),
        (
            MemoryError(),
            "Out of memory. Close other programs, or use smaller images or `--device cpu`.",
        ),
        (
            ZeroDivisionError("division by zero\nand more"),
            "unexpected error (ZeroDivisionError: division by zero). "
            "Please report it, with what `-v` prints.",
        ),
        (
            KeyError(),
            "unexpected error (KeyError:). Please report it, with what `-v` prints.",
        ),
    ],
)
def test_other_errors_are_explained_in_a_line(error, message, capsys):
    assert explain(error) == message
    assert run(error) == 1
    assert capsys.readouterr().err == f"pixelwise: {message}\n"


def test_verbose_shows_where_an_unexpected_error_arose(capsys):
    assert run(ZeroDivisionError("division by zero"), verbose=True) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "test_command.py" in err
    assert "unexpected error (ZeroDivisionError" in err.splitlines()[-1]


def test_interrupt_is_status_1_with_a_message(capsys):
    assert run(KeyboardInterrupt()) == 1
    assert capsys.readouterr().err == "pixelwise: Interrupted.\n"


def test_usage_errors_and_chosen_statuses_pass_through():
    with pytest.raises(typer.BadParameter):
        run(typer.BadParameter("not that"))
    assert run(typer.Exit(3)) == 3


def test_a_closed_pipe_is_left_to_typer():
    with pytest.raises(BrokenPipeError):
        run(BrokenPipeError(errno.EPIPE, "Broken pipe"))


def test_warnings_are_a_line_and_other_packages_are_silent(capsys):
    @clear_errors
    def command(verbose: bool = False) -> None:
        warnings.simplefilter("always")
        warnings.warn("3 masks are empty.", PixelwiseWarning, stacklevel=1)
        warnings.warn("old name", DeprecationWarning, stacklevel=1)

    command()
    assert capsys.readouterr().err == "warning: 3 masks are empty.\n"
    command(verbose=True)
    assert capsys.readouterr().err == "warning: 3 masks are empty.\nwarning: old name\n"


def test_fail_takes_a_status():
    with pytest.raises(typer.Exit) as caught:
        fail("no", status=3)
    assert caught.value.exit_code == 3


def test_json_goes_to_a_file_or_to_standard_output(tmp_path, capsys):
    content = {"dice": 0.9, "class": "Zelle ü"}
    assert write_json(None, content) is False
    assert write_json(tmp_path / "scores.json", content) is False
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8")) == content
    assert write_json(type(tmp_path)("-"), content) is True
    assert json.loads(capsys.readouterr().out) == content


def test_json_into_a_missing_folder_is_our_error(tmp_path):
    with pytest.raises(OutputError, match="missing"):
        write_json(tmp_path / "missing" / "scores.json", {})


def test_a_table_is_drawn_on_a_terminal_and_markup_in_names_is_kept(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    print_table(("class", "dice"), [("[red]cell", "0.91")])
    out = capsys.readouterr().out
    assert "[red]cell" in out
    assert "━" in out or "─" in out or "-" in out


def test_long_facts_are_broken_on_a_terminal_and_stay_in_their_column(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "24")
    print_facts({"task": "binary", "data": "48 images, 2 classes"})
    assert capsys.readouterr().out == "task  binary\ndata  48 images, 2\n      classes\n"


def test_facts_are_aligned(capsys):
    print_facts({"task": "binary", "image channels": "1"})
    assert capsys.readouterr().out == "task            binary\nimage channels  1\n"
