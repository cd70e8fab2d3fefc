"""Check a data folder."""

import os
from pathlib import Path

from pixelwise.data import Examination, examine_dataset


def check(data: str | os.PathLike[str]) -> Examination:
    """Find what is wrong in a data folder; the data are only read.

    Args:
        data: folder of images and masks.

    Returns:
        The data set as it was understood (None where there are errors) and the findings: errors
        first, then warnings, then notes.
    """
    return examine_dataset(Path(data))
