"""Text files that people write: lists, tables, class names, in whatever encoding their program has.

byte-order mark     UTF-8, UTF-16 or UTF-32, as it says ("Unicode text" of spreadsheets)
every other byte 0  UTF-16 without a mark
valid UTF-8         UTF-8
else                Windows-1252, or Latin-1 where that has no such letter
"""

import codecs
import csv
import io
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from pixelwise.errors import FileError

DELIMITERS = ",;\t"  # spreadsheets of some countries write semicolons
MARKS = (  # the longer first: a mark of UTF-32 begins with one of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
NUM_LOOKED_AT = 4096  # bytes, in which UTF-16 shows
MIN_ZEROS = 0.4  # of every other byte: letters of Europe, signs and digits have one in UTF-16
RAW_BYTES = (
    "surrogateescape"  # names of files need not be UTF-8; their bytes come back as they were
)
CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f\x1a"})


def decode_text(data: bytes, path: Path, *, is_raw: bool = False) -> str:
    """Turn the bytes of a text file into text without a byte-order mark.

    Args:
        data: the whole file.
        path: path of the file, for the message.
        is_raw: whether bytes that are no UTF-8 are kept as Python keeps those of file names,
            rather than taken for letters.

    Raises:
        FileError: it is not text in an encoding that is known.
    """
    encoding, mark = _find_unicode(data)
    body = data[len(mark) :]
    try:
        return body.decode(
            encoding, errors=RAW_BYTES if is_raw and encoding == "utf-8" else "strict"
        )
    except UnicodeDecodeError as error:
        if mark or encoding != "utf-8" or body.translate(None, CONTROLS) != body:
            raise FileError(
                f"{path} is not text in UTF-8, UTF-16 or Windows-1252 (byte {error.start}). Save "
                "it as UTF-8."
            ) from error
    return _decode_letters(body)


def to_utf8(data: bytes) -> bytes:
    """The same bytes in UTF-8 where they are UTF-16 or UTF-32, so that words can be looked for.

    Args:
        data: a text file or its first bytes.
    """
    encoding, mark = _find_unicode(data)
    if encoding == "utf-8":
        return data
    return data[len(mark) :].decode(encoding, errors="replace").encode()


def _find_unicode(data: bytes) -> tuple[str, bytes]:
    """The Unicode encoding that the bytes speak for, and the mark at their beginning."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding, mark
    head = data[: NUM_LOOKED_AT - NUM_LOOKED_AT % 2]
    first, second = (head[start::2].count(0) for start in (0, 1))
    least = MIN_ZEROS * len(head) / 2
    if len(data) % 2 == 0 and first >= least and second == 0:
        return "utf-16-be", b""
    if len(data) % 2 == 0 and second >= least and first == 0:
        return "utf-16-le", b""
    return "utf-8", b""


def _decode_letters(data: bytes) -> str:
    """Text in Windows-1252, or in Latin-1 where that has no such letter."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def as_letters(name: str) -> str:
    """A name whose bytes are not UTF-8, kept as they were, with the letters that they may mean."""
    if name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name):
        return name
    return _decode_letters(name.encode("utf-8", RAW_BYTES))


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the rows of a table that are not empty, the header first.

    The delimiter is that of a first line "sep=;", as spreadsheets write it, else the comma,
    semicolon or tab that is most frequent in the header.

    Raises:
        csv.Error: the text is not a table.
    """
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=header.count)
    if header[:4].lower() == "sep=" and len(header.rstrip()) <= 5:
        delimiter = header[4:5] or delimiter
        text = text.replace(header, "", 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def find_listed(folder: Path, text: str) -> Path:
    r"""The file that a list calls `text`: below a folder, or absolute, also as Windows writes it.

    C:\scans\images\a.png, from another machine, is images/a.png where that is below the folder.

    Returns:
        A path that exists, or else where the file should be.
    """
    parts = PureWindowsPath(text).parts  # splits at both signs
    is_absolute = bool(PureWindowsPath(text).anchor)
    relative = text if is_absolute else "/".join(parts)
    forms = (
        text,
        relative,
        *(unicodedata.normalize(form, relative) for form in ("NFC", "NFD")),
        os.fsdecode(relative.encode("cp1252", "replace")),  # names on disk need not be UTF-8
    )
    ends = [
        "/".join(parts[start:])
        for start in (range(1, len(parts)) if is_absolute else ())
        if len(parts) - start > 1 or parts[start - 1].casefold() == folder.name.casefold()
    ]
    places = [folder / form for form in (*forms, *ends)]
    return next((place for place in places if os.path.exists(place)), folder / relative)
