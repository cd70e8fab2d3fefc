"""Class tables that other tools write: names, colours or values, one class a line.

name,r,g,b          CamVid and Kaggle (label_class_dict.csv)        Sky,128,128,128
name,color          Sky,#808080
value,name          2,crack
r g b name          CamVid (label_colors.txt)                       128 128 128  Sky
name: r,g,b         Sky: 128,128,128
name:r,g,b:...:...  CVAT (labelmap.txt)                             Sky:128,128,128::
pixel value,class   Roboflow (_classes.csv)                         2, crack
name                LabelMe and others (labels.txt, class_names.txt)
"""

import csv
import re
from pathlib import Path
from typing import Any

from pixelwise.errors import MaskError
from pixelwise.io import DELIMITERS, decode_text, read_bytes

SPLIT_TABLE = "_classes.csv"  # Roboflow puts a copy into every split folder
TABLE_FILES = (
    "classes.csv",
    "class_dict.csv",
    "label_class_dict.csv",
    "label_colors.txt",
    "class_names.txt",
    "classes.txt",
    "labels.txt",
    "labelmap.txt",
    SPLIT_TABLE,
)
COLUMNS = {
    "name": ("name", "class", "label", "class_name", "label_name"),
    "red": ("r", "red"),
    "green": ("g", "green"),
    "blue": ("b", "blue"),
    "color": ("color", "colour", "hex"),
    "value": ("value", "id", "index", "label_id", "class_id", "pixel value"),
}
HIDDEN_NAMES = ("__ignore__", "__ignored__")  # LabelMe: stands for -1, which masks hold as 255
NUMBER = r"\s*(\d{1,3})\s*"
COLOR_FIRST = re.compile(rf"^{NUMBER}[\s,]{NUMBER}[\s,]{NUMBER}[\s,](.*\S)\s*$")
NAME_FIRST = re.compile(rf"^\s*(.+?)\s*[:=\t]\s*[\[(]?{NUMBER},{NUMBER},{NUMBER}[\])]?\s*(?::.*)?$")


def read_class_table(path: Path) -> dict[str, Any]:
    """Read a table of classes as the content that classes.json would have.

    Args:
        path: a .csv file with a header, or a .txt file of one class a line.

    Raises:
        MaskError: the file is not such a table. FileError: it cannot be read.
    """
    text = decode_text(read_bytes(path), path)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    entries = _read_csv(lines, path) if path.suffix.lower() == ".csv" else _read_lines(lines, path)
    names = [entry["name"] for entry in entries]
    declaration: dict[str, Any] = {"classes": [e for e in entries if e["name"] not in HIDDEN_NAMES]}
    if any(name in HIDDEN_NAMES for name in names):
        declaration["ignore"] = [255, -1]
    return declaration


def _read_csv(lines: list[str], path: Path) -> list[dict[str, Any]]:
    """Entries of a table whose header names the columns."""
    delimiter = max(DELIMITERS, key=lines[0].count) if lines else ","
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    places = _find_columns(rows[0]) if rows else {}
    if "name" not in places:
        raise MaskError(
            f"{path} has no column of names in its header ({lines[0] if lines else 'empty'}). The "
            "first line should read name,r,g,b or name,color or value,name."
        )
    try:
        return [_entry_of({key: row[i].strip() for key, i in places.items()}) for row in rows[1:]]
    except (IndexError, ValueError) as error:
        raise MaskError(
            f"{path} is not understood ({error}). Every line should have the columns of the "
            f"header: {lines[0]}."
        ) from error


def _find_columns(header: list[str]) -> dict[str, int]:
    """Place of each column that is known, by what people call it."""
    titles = [title.strip().lower() for title in header]
    return {
        key: titles.index(title)
        for key, known in COLUMNS.items()
        for title in known
        if title in titles
    }


def _entry_of(row: dict[str, str]) -> dict[str, Any]:
    """One class; ValueError for numbers that are none."""
    entry: dict[str, Any] = {"name": row["name"]}
    if {"red", "green", "blue"} <= row.keys():
        entry["color"] = _hex([row["red"], row["green"], row["blue"]])
    elif "color" in row:
        entry["color"] = row["color"] if row["color"].startswith("#") else f"#{row['color']}"
    if "value" in row and "color" not in entry:
        entry["value"] = int(row["value"])
    return entry


def _read_lines(lines: list[str], path: Path) -> list[dict[str, Any]]:
    """Entries of names alone, or of names with colours before or behind."""
    entries: list[dict[str, Any]] = []
    for line in lines:
        before, behind = COLOR_FIRST.match(line), NAME_FIRST.match(line)
        try:
            if before:
                entries.append(
                    {"name": before[4].strip(), "color": _hex([before[1], before[2], before[3]])}
                )
            elif behind:
                entries.append(
                    {"name": behind[1], "color": _hex([behind[2], behind[3], behind[4]])}
                )
            else:
                entries.append({"name": line.strip()})
        except ValueError as error:
            raise MaskError(
                f"{path} is not understood ({error}). Each line should be a name, or r g b name."
            ) from error
    return entries


def _hex(parts: list[str]) -> str:
    numbers = [int(part) for part in parts]
    if not all(0 <= number <= 255 for number in numbers):
        raise ValueError(f"{', '.join(parts)} is not a colour of 0..255")
    return "#" + "".join(f"{number:02x}" for number in numbers)
