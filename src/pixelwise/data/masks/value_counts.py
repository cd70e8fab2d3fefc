"""How often each value occurs in all masks together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.facts import MaskFacts

LOW_INDEX = 64  # below it a value beside 255 is a class index, and 255 then "ignore"


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How often each value occurs in all masks together, and how: as `MaskFacts` counts it."""

    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    interior: NDArray[np.int64]
    largest: NDArray[np.int64]
    between: NDArray[np.int64]
    is_jpeg: bool  # some of the masks are JPEG files

    def without(self, ignored: Sequence[int]) -> "ValueCounts":
        """The same without some values."""
        return self.only(~np.isin(self.values, ignored))

    def only(self, keep: NDArray[np.bool_]) -> "ValueCounts":
        """The same of some of the values."""
        return ValueCounts(
            self.values[keep],
            self.counts[keep],
            self.interior[keep],
            self.largest[keep],
            self.between[keep],
            self.is_jpeg,
        )


def add_counts(masks: Sequence[MaskFacts]) -> ValueCounts:
    """Add the counts of all masks."""
    none = np.zeros(0, dtype=np.int64)
    values, places = np.unique(
        np.concatenate([none, *(mask.values for mask in masks)]), return_inverse=True
    )
    counts, interior, between, largest = (np.zeros(len(values), dtype=np.int64) for _ in range(4))
    np.add.at(counts, places, np.concatenate([none, *(mask.counts for mask in masks)]))
    np.add.at(interior, places, np.concatenate([none, *(mask.interior for mask in masks)]))
    np.add.at(
        between,
        places,
        np.concatenate(
            [none, *(np.broadcast_to(mask.between, len(mask.values)) for mask in masks)]
        ),
    )
    np.maximum.at(largest, places, np.concatenate([none, *(mask.largest for mask in masks)]))
    return ValueCounts(
        values, counts, interior, largest, between, any(mask.is_jpeg for mask in masks)
    )


def num_pixels(masks: Sequence[MaskFacts]) -> int:
    """Pixels of all masks together, also of values that were not kept."""
    return sum(int(np.prod(mask.size)) for mask in masks)
