"""What is kept of a mask: which values it stores, and how often."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.masks.read import read_stored_mask
from pixelwise.data.masks.sources import MaskSource
from pixelwise.data.masks.stored import StoredForm, StoredMask

TWO_TONE_RANGE = 100  # below this difference of values a mask holds class indices, never two tones


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """What is kept of a mask.

    Attributes:
        size: (height, width), or (depth, height, width).
        values: stored values that occur, in order: numbers, 0xRRGGBB, or layers from 1 with 0 where
            none is set. No more than MAX_KEPT_VALUES, those of the most pixels.
        counts: pixels of each.
        interior: pixels of each that are no edge: all four neighbours have the same value.
        is_jpeg: the file is a JPEG file.
        num_bytes: of the files.
        form: what `values` are.
        num_values: distinct values, also of those that are not kept.
        num_regions: connected regions of one value, 0 left out; 0 where it was not counted.
        num_instances: objects, where the source has objects; else the values that are not 0.
        num_overlap: pixels that several objects or layers claim.
        num_outside: objects that reach beyond the image.
        palette: colour 0xRRGGBB of each of `values`, where the file has a palette.
    """

    size: tuple[int, ...]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    interior: NDArray[np.int64]
    is_jpeg: bool
    num_bytes: int
    form: StoredForm = "numbers"
    num_values: int = 0
    num_regions: int = 0
    num_instances: int = 0
    num_overlap: int = 0
    num_outside: int = 0
    palette: NDArray[np.int64] | None = None


def survey_mask(source: MaskSource, image_size: tuple[int, ...] | None) -> MaskFacts:
    """Read a mask and count its values; FileError or MaskError where it cannot be understood."""
    return describe_mask(read_stored_mask(source, image_size), source)


def describe_mask(mask: StoredMask, source: MaskSource) -> MaskFacts:
    """Count the values of a mask that was read."""
    stored = mask.values
    values, counts = count_values(stored)
    interior = counts.copy()
    if len(values) > 2 and values[-1] - values[0] >= TWO_TONE_RANGE:
        interior = _count_interior(stored, values)
    return MaskFacts(
        size=mask.size,
        values=values,
        counts=counts,
        interior=interior,
        is_jpeg=source.path.suffix.lower() in (".jpg", ".jpeg"),
        num_bytes=mask.num_bytes,
    )


def count_values(stored: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The values that occur, in order, and how often each does."""
    if stored.dtype.kind == "u" and stored.dtype.itemsize <= 2:
        counts = np.bincount(stored.ravel())
        values = np.flatnonzero(counts)
        return values.astype(np.int64), counts[values].astype(np.int64)
    values, counts = np.unique(stored, return_counts=True)
    return values.astype(np.int64), counts.astype(np.int64)


def _count_interior(stored: NDArray[Any], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of pixels of each value whose four neighbours have the same value."""
    centre = stored[1:-1, 1:-1]
    is_interior = (
        (centre == stored[:-2, 1:-1])
        & (centre == stored[2:, 1:-1])
        & (centre == stored[1:-1, :-2])
        & (centre == stored[1:-1, 2:])
    )
    found, counts = count_values(centre[is_interior])
    interior = np.zeros(len(values), dtype=np.int64)
    interior[np.searchsorted(values, found)] = counts
    return interior
