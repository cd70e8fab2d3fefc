"""Read annotation files, JSON and CSV, so that whatever is wrong with one is said with its name."""

import csv
import json
from pathlib import Path

from pixelwise.errors import FileError
from pixelwise.io import decode_text, read_bytes, read_rows, to_utf8

MAX_TABLE_BYTES = 2**31  # 2 GiB; the largest public annotation file (COCO, LVIS) has 1 GiB

MAX_CELL = 2**30  # characters; run lengths of one large image pass Python's own limit of 131,072


def read_table(path: Path) -> bytes:
    """Content of an annotation file, UTF-16 turned to UTF-8.

    Raises:
        FileError: it is missing, empty or absurdly large.
    """
    try:
        num_bytes = path.stat().st_size
    except OSError:
        num_bytes = 0  # reading it says what is wrong
    if num_bytes > MAX_TABLE_BYTES:
        raise FileError(
            f"{path} has {num_bytes} bytes, above the limit of {MAX_TABLE_BYTES} for annotation "
            "files. Split it into several files."
        )
    return to_utf8(read_bytes(path))


def read_json(path: Path) -> object:
    """Content of a JSON file; FileError names the line and column where it is damaged."""
    return parse_json(read_table(path), path)


def parse_json(data: bytes, path: Path) -> object:
    """Parse the bytes of a JSON file in any encoding; see `read_json`."""
    try:
        return json.loads(decode_text(data, path))
    except json.JSONDecodeError as error:
        raise FileError(
            f"{path} is not valid JSON: {error.msg.rstrip(':')} in line {error.lineno}, column "
            f"{error.colno}. Export it again; it may be cut off."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise FileError(f"{path} is not valid JSON ({error}). Export it again.") from error


def read_text(path: Path) -> str:
    """Content of a text file in any encoding; FileError where it is not text."""
    return decode_text(read_table(path), path)


def read_names(path: Path) -> list[str]:
    """The lines of a text file that are not blank, stripped, in their order."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a CSV file, separated by commas, semicolons or tabs.

    Raises:
        FileError: the file is not text, or a row has another number of cells than the first.
    """
    text = read_text(path)
    limit = csv.field_size_limit(MAX_CELL)
    try:
        rows = [row for _, row in read_rows(text)]
    except csv.Error as error:
        raise FileError(f"{path} is not valid CSV ({error}). Export it again.") from error
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise FileError(f"{path} is blank. Export it again.")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise FileError(
                f"{path} has {len(row)} cells in row {number}, but {len(header)} columns. Export "
                "it again; it may be cut off."
            )
    return header, rows[1:]
