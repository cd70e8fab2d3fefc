"""What was taken from the values of all masks together: counts go in, a `Reading` comes out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.findings import Severity
from pixelwise.data.masks.encoding import MaskEncoding
from pixelwise.data.masks.facts import MaskFacts

LOW_INDEX = 64  # below it a value beside 255 is a class index, and 255 then "ignore"


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How often each value occurs in all masks together."""

    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    interior: NDArray[np.int64]
    is_jpeg: bool  # some of the masks are JPEG files

    def without(self, ignored: Sequence[int]) -> "ValueCounts":
        """The same without some values."""
        keep = ~np.isin(self.values, ignored)
        return ValueCounts(self.values[keep], self.counts[keep], self.interior[keep], self.is_jpeg)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was assumed.

    Attributes:
        code: of its finding.
        message: what was assumed.
        fix: how to change it.
        severity: of the finding.
        values: where they are the reason; the masks that hold them can be named.
    """

    code: str
    message: str
    fix: str
    severity: Severity = "note"
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning taken, and what was assumed for it."""

    encoding: MaskEncoding
    remarks: tuple[Remark, ...] = ()


def add_counts(masks: Sequence[MaskFacts]) -> ValueCounts:
    """Add the counts of all masks."""
    total: dict[int, NDArray[np.int64]] = {}
    for mask in masks:
        both = np.stack([mask.counts, mask.interior], axis=1)  # (num_values, 2)
        for value, row in zip(mask.values.tolist(), both, strict=True):
            total[value] = total[value] + row if value in total else row
    values = np.array(sorted(total), dtype=np.int64)
    table = np.array([total[value] for value in values.tolist()], dtype=np.int64).reshape(-1, 2)
    return ValueCounts(values, table[:, 0], table[:, 1], any(mask.is_jpeg for mask in masks))


def num_pixels(masks: Sequence[MaskFacts]) -> int:
    """Pixels of all masks together, also of values that were not kept."""
    return sum(int(np.prod(mask.size)) for mask in masks)
