"""All checks of a surveyed data set: of files and pixels first, of masks once they are understood.

files    damaged, missing, of another size          pixels   constant, saturated, of another range
masks    unknown, absent, rare, empty, inverted     objects  tiny, shifted, overlapping
leaks    the same image or group in two splits
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.data.findings import Finding
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.splits import Split
from pixelwise.data.survey.survey import SampleFacts
from pixelwise.doctor import files, leaks, masks, objects, pixels


def check_files(surveyed: Sequence[SampleFacts], lone_masks: Sequence[Path]) -> list[Finding]:
    """Find what is wrong with files, pairs and pixels, before the masks are understood."""
    return [*files.check_files(surveyed, lone_masks), *pixels.check_pixels(surveyed)]


def check_splits(
    surveyed: Sequence[SampleFacts], splits: Mapping[str, Split], twins: Mapping[str, str]
) -> list[Finding]:
    """Find what is wrong with the splits, whatever the masks mean; twins are of `find_twins`."""
    return [
        *leaks.check_leaks(surveyed, splits, twins),
        *pixels.check_split_ranges(surveyed, splits),
    ]


def check_masks(
    surveyed: Sequence[SampleFacts], encoding: MaskEncoding, splits: Mapping[str, Split]
) -> list[Finding]:
    """Find what is wrong with the content, once masks and splits are known."""
    return [
        *masks.check_masks(surveyed, encoding, splits),
        *objects.check_objects(surveyed, encoding),
    ]
