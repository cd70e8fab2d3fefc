"""Text from strangers: harmless on a terminal and in a spreadsheet, and read back as it was."""

import csv
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelwise
from pixelwise.text import (
    break_lines,
    count_of,
    format_csv,
    html_table,
    plain_cell,
    print_visibly,
    show_number,
    visible,
)


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


# --- lines of a terminal -----------------------------------------------------------------------


@given(st.text("ab -,\n", max_size=80), st.integers(0, 30), st.integers(0, 40))
def test_broken_lines_hold_the_same_words(text, width, indent):
    """In order, unbroken, in no more columns than there are, but for words that are longer."""
    broken = break_lines(text, width, indent)
    assert broken.split() == text.split()
    if width == 0:
        assert broken == text
        return
    for line in broken.split("\n"):
        words = line.split()
        assert len(line.rstrip()) <= width or len(words) == 1, line


def test_what_follows_stands_under_the_first_word_of_its_column():
    assert break_lines("data  48 images, 2 classes", 16, 6) == "data  48 images,\n      2 classes"
    assert break_lines("a near-duplicate", 8) == "a\nnear-duplicate"  # a code stays whole
    assert break_lines("    a b c d", 8) == "    a b\n    c d"
    assert break_lines("name  a value", 8, 30) == "name  a\n    value"  # half of it at most


@pytest.mark.parametrize(("columns", "is_terminal", "is_broken"), [
    ("20", True, True), ("20", False, False), ("0", True, False), ("80", True, False),
])  # fmt: skip
def test_lines_are_broken_on_a_terminal_alone(monkeypatch, columns, is_terminal, is_broken):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("COLUMNS", columns)
    if columns == "0":  # and the terminal does not say how wide it is
        monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((0, 0)))
    print_visibly("the model was not found\x1b[2J", stream)
    said = stream.getvalue()
    assert said.replace("\n", " ") == "the model was not found\\x1b[2J "
    assert (said.count("\n") > 1) == is_broken


def test_columns_of_words_stand_to_the_left():
    table = html_table(("class", "dice", "files"), [("cell", "0.91 [0.8, 1.0]", "3 files")])
    assert table.count(' style="text-align:left"') == 2  # the head and the cell of the first
    assert '<td style="text-align:left">cell</td><td>0.91 [0.8, 1.0]</td>' in table
    assert "<th>a</th><th>b</th>" in html_table(("a", "b"), [])


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


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.0123, "0.012"), (9.99, "10"), (99.6, "100"), (498.2, "498"), (1e6, "1,000,000")],
)
def test_numbers_of_two_digits_have_no_exponent(number, shown):
    assert show_number(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(99.94, "99.9"), (999.6, "1,000"), (-5000, "-5,000")]
)
def test_nor_have_those_of_three(number, shown):
    assert show_number(number, 3) == shown
