"""metrics.csv read back: the pixel counts of every image and class."""

import csv
import io

import numpy as np

from pixelwise.errors import DataError
from pixelwise.metrics.counts import Counts
from pixelwise.text import plain_cell


def read_counts(text: str, num_classes: int) -> tuple[list[str], Counts]:
    """Read what `Scores.to_csv` gave: image names (N) and counts (N, K, 3) of tp, fp, fn.

    Raises:
        DataError: it is no such table, or one of another number of classes.
    """
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    try:
        numbers = [[int(row[name]) for name in ("tp", "fp", "fn")] for row in rows]
        names = [plain_cell(row["image"]) for row in rows][::num_classes]
        return names, np.array(numbers, np.int64).reshape(len(names), num_classes, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"This is no table of the scores of {num_classes} classes ({error}). Evaluate again to "
            "get one."
        ) from error
