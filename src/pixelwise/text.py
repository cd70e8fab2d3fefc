"""Text from files and from strangers, as terminals and spreadsheets may have it."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

KEPT_CONTROLS = "\n\t"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets compute, or look behind
QUOTE = "'"  # before such a cell; spreadsheets then show it as text
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?inf|nan")


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


def format_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
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
