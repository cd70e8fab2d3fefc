"""The table of objects, by hand."""

import csv
import io

import numpy as np
from tests.objects.test_objects import MASK, NAMES, regions

from pixelwise.objects import TABLE_START, find_regions, table_format

IMAGE = np.arange(72, dtype=np.uint16).reshape(6, 6, 2)


def rows_of(found, spacing_um=None, names=NAMES):
    form = table_format(names, 2, spacing_um)
    text = form.start + form.write(found[:1]) + form.write(found[1:]) + form.end
    return list(csv.DictReader(io.StringIO(text)))


def test_by_hand():
    rows = rows_of(find_regions(MASK, IMAGE, has_background=True))
    assert len(rows) == 3
    assert rows[0] == {
        "object": "1", "class": "cell", "area_px": "4", "row_px": "0.5", "column_px": "0.5",
        "top_px": "0", "left_px": "0", "bottom_px": "2", "right_px": "2", "perimeter_px": "4.0",
        "eccentricity": "0.0", "mean_1": "7.0", "mean_2": "8.0",
    }  # fmt: skip
    assert [row["class"] for row in rows] == ["cell", "rim", "cell"]
    assert (rows[2]["row_px"], rows[2]["column_px"]) == ("4.0", "2.0")


def test_in_micrometres():
    (row, *_) = rows_of(find_regions(MASK, IMAGE, has_background=True), (0.5, 0.25))
    assert (row["area_um2"], row["row_um"], row["column_um"]) == ("0.5", "0.25", "0.125")


def test_a_mask_without_objects_has_a_heading():
    form = table_format(NAMES, 2)
    assert form.start.startswith(TABLE_START)
    assert rows_of(regions(np.zeros((4, 4), np.uint8))) == []


def test_a_name_with_a_line_break_stays_one_cell():
    rows = rows_of(regions(), names=("background", "a\rb", "c,d"))
    assert [row["class"] for row in rows] == ["a\rb", "c,d", "a\rb"]
