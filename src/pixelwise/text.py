"""Text for people: sizes and lists in messages, cells of tables, and names made harmless."""

import csv
import io
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import TextIO

KEPT_CONTROLS = "\n\t"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets compute, or look behind
QUOTE = "'"  # before such a cell; spreadsheets then show it as text
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?inf|nan")


def show_size(size: Iterable[int]) -> str:
    """A size or shape as messages show it.

    >>> show_size((512, 640))
    '512x640'
    """
    return "x".join(str(length) for length in size)


def count_of(number: int, what: str, several: str = "") -> str:
    """A number and what it counts: "1 image", "2 images", "2 classes" (`several` of "class")."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def show_number(number: float, digits: int = 2) -> str:
    """A few digits of a small number, the whole ones of a larger one; no exponent above 1.

    >>> show_number(0.123), show_number(4.56), show_number(498.2), show_number(12_345.6)
    ('0.12', '4.6', '498', '12,346')
    """
    is_small = abs(number) < 10 ** (digits - 1)
    return f"{number:.{digits}g}" if is_small else f"{number:,.0f}"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small HTML table, as notebooks show it: numbers to the right, words to the left."""
    shown = [[visible(str(cell)) for cell in row] for row in rows]
    styles = [
        ' style="text-align:left"' if any(cell[:1].isalpha() for cell in column) else ""
        for column in zip(*shown, strict=True)
    ] or [""] * len(columns)

    def line(tag: str, cells: Sequence[str]) -> str:
        pairs = zip(styles, cells, strict=True)
        return "".join(f"<{tag}{style}>{escape(cell)}</{tag}>" for style, cell in pairs)

    head, body = line("th", columns), "".join(f"<tr>{line('td', row)}</tr>" for row in shown)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def shorten(items: Sequence[object], limit: int = 3, what: str = "in all") -> str:
    """Join the first items with commas, and count them where there are more.

    >>> shorten(["a", "b", "c", "d"]), shorten([0, 85, 170], 2, "values")
    ('a, b, c, ... (4 in all)', '0, 85, ... (3 values)')

    Args:
        items: names or numbers.
        limit: how many are shown.
        what: the number counts; "" leaves it out, where the sentence has it already.
    """
    shown = ", ".join(str(item) for item in items[:limit])
    if len(items) <= limit:
        return shown
    return f"{shown}, ... ({len(items)} {what})" if what else f"{shown}, ..."


def print_visibly(text: str, stream: TextIO, indent: int = 0) -> None:
    """Print what a terminal does not obey, at once: the next line may be minutes away.

    On a terminal lines are broken between words; files and other programs get them as they are.

    Args:
        text: of one line or more.
        stream: where to.
        indent: columns that a broken line is indented by from its second part on; 0: as its first.
    """
    text = visible(text)
    if stream.isatty():
        text = break_lines(text, shutil.get_terminal_size((0, 0)).columns, indent)
    print(text, file=stream, flush=True)


def break_lines(text: str, width: int, indent: int = 0) -> str:
    """Break lines between words, where they are longer than `width`; 0: nowhere.

    >>> print(break_lines("classes  background, cell", 20, 9))
    classes  background,
             cell
    """
    lines = []
    for line in text.split("\n"):
        own = len(line) - len(line.lstrip())
        if 0 < width < len(line):
            lines += textwrap.wrap(
                line,
                width,
                subsequent_indent=" " * min(indent or own, width // 2),
                break_long_words=False,
                break_on_hyphens=False,
                replace_whitespace=False,
                expand_tabs=False,
            )
        else:
            lines.append(line)
    return "\n".join(lines)


def visible(text: str) -> str:
    r"""Return text without what a terminal would obey: control characters are written out.

    Escape codes in the name of a file could otherwise move the cursor, hide lines or change the
    title; marks that turn the direction of writing could show another name.

    >>> print(visible("a\x1b[2J.png"))
    a\x1b[2J.png
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(character) for character in text)


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    is_obeyed = unicodedata.category(character) in ("Cc", "Cs") or (
        unicodedata.bidirectional(character)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    )
    if not is_obeyed or character in KEPT_CONTROLS:
        return character
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def format_csv(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV that no spreadsheet takes for formulas; `plain_cell` reads cells back.

    Args:
        columns: names.
        rows: cells: numbers, texts, or None for an empty one.
    """
    table = [columns, *rows]
    cells = [["" if cell is None else _harmless(str(cell)) for cell in row] for row in table]
    has_return = any("\r" in cell for row in cells for cell in row)
    text = io.StringIO(newline="")
    writer = csv.writer(  # which would leave a \r alone without quotes
        text, lineterminator="\n", quoting=csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    )
    writer.writerows(cells)
    return text.getvalue()


def plain_cell(cell: str) -> str:
    """Return what a cell of `format_csv` stands for.

    >>> plain_cell("'=1+1"), plain_cell("-0.5"), plain_cell("'tis")
    ('=1+1', '-0.5', "'tis")
    """
    is_quoted = cell[:1] == QUOTE and cell[1:2] in (*FORMULA_STARTS, QUOTE) and len(cell) > 1
    return cell[1:] if is_quoted else cell


def _harmless(cell: str) -> str:
    looks_quoted = cell[:1] == QUOTE and cell != plain_cell(cell)
    is_formula = cell.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(cell)
    return QUOTE + cell if is_formula or looks_quoted else cell
