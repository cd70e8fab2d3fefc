"""Text from strangers: harmless on a terminal and in a spreadsheet, and read back as it was."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelwise
from pixelwise.text import count_of, format_csv, plain_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("größe 細胞 µm.png", "größe 細胞 µm.png"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("x\x1b]0;TITLE\x07", r"x\x1b]0;TITLE\x07"),
        ("back\b\b\r", r"back\x08\x08\x0d"),
        ("\x9b2J \x7f", r"\x9b2J \x7f"),  # the one-byte form of ESC [
        ("gnp.\u202exe", r"gnp.\u202exe"),  # shown from right to left
        ("not UTF-8: \udcff", r"not UTF-8: \xff"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_what_is_shown_can_be_printed_and_obeys_nothing(text):
    shown = visible(text)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert visible(shown) == shown


def test_the_command_line_prints_text_through_one_filter():
    """Whoever prints in cli/ says `visible`, `say` or `tell`; numbers and JSON are harmless."""
    allowed = (
        "visible(", "json.dumps(", "__version__", "{done} of {total}", "str.ljust", "print(table)",
    )  # fmt: skip
    for path in (Path(pixelwise.__file__).parent / "cli").glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r"\b(print|write|echo)\(", line) and "def " not in line:
                assert any(word in line for word in allowed), f"{path.name}: {line.strip()}"


# --- CSV --------------------------------------------------------------------------------------


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def test_cells_that_a_spreadsheet_would_compute_get_a_quote():
    rows = [
        ["=HYPERLINK(1)", "+1+1"], ["-a", "@SUM(A1)"], ["\tx", "\ry"], ["-0.5", "+3"],
        [-0.5, None], ["-1e-05", "nan"], ["'=1", "'a"], ["-inf", "a=b"],
    ]  # fmt: skip
    assert rows_of(format_csv(["=name", "b"], rows)) == [
        ["'=name", "b"], ["'=HYPERLINK(1)", "'+1+1"], ["'-a", "'@SUM(A1)"], ["'\tx", "'\ry"],
        ["-0.5", "+3"], ["-0.5", ""], ["-1e-05", "nan"], ["''=1", "'a"], ["-inf", "a=b"],
    ]  # fmt: skip


def test_numbers_and_plain_names_are_as_they_were():
    assert format_csv(["step", "loss"], [["1", "-0.25"], ["2", "3e-05"]]) == (
        "step,loss\n1,-0.25\n2,3e-05\n"
    )


CELLS = st.one_of(st.text(), st.text(alphabet="=+-@'\t\r\n\"1.5e,;a"))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_cells_are_read_back_as_they_were(rows):
    found = rows_of(format_csv(["a", "b"], rows))[1:]
    assert [tuple(map(plain_cell, row)) for row in found] == rows
    for row in found:
        for cell in row:
            assert cell[:1] not in ("=", "@", "\t", "\r")
            if cell[:1] in ("+", "-"):
                float(cell)


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (1200, ("more file",), "1,200 more files"),
        (1, ("class", "classes"), "1 class"),
        (3, ("class", "classes"), "3 classes"),
    ],
)
def test_one_thing_has_no_plural(number, words, expected):
    assert count_of(number, *words) == expected
