"""What is kept of a mask: which values it stores, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import GREY, pack_colors
from pixelwise.data.masks.read import TWO_TONE_RANGE
from pixelwise.data.masks.sources import MaskSource
from pixelwise.data.masks.stored import StoredForm, StoredMask

MAX_KEPT_VALUES = 256  # of one mask: ids and damaged colours may be thousands
REACH = 2  # pixels: a soft edge has both of its tones so near
BAND_VALUES = 2**20  # counted at a time
MANY_VALUES = 32  # masks of more values hold object ids, are damaged, or are photographs


Counts = NDArray[np.int64] | NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """What is kept of a mask.

    Attributes:
        size: (height, width), or (depth, height, width).
        values: stored values that occur, in order: numbers, 0xRRGGBB, or layers from 1 with 0 where
            none is set. No more than MAX_KEPT_VALUES, those of the most pixels.
        counts: pixels of each.
        interior: pixels of each that are not at an edge: all four neighbours have the same value;
            all of them where there are no more than two values.
        largest: pixels of the largest connected region of each; all of them where regions were not
            counted, and for 0.
        between: pixels of each with a lower and a higher value within two pixels, as soft edges
            have; a single 0 where there can be no grey edges.
        is_jpeg: the file is a JPEG file.
        num_bytes: number of bytes of the files.
        form: what `values` are.
        num_values: distinct values, also of those that are not kept.
        num_regions: connected regions of one value, 0 left out; 0 where it was not counted.
        num_instances: objects, where the source has objects; else the values that are not 0.
        num_overlap: pixels that several objects or layers claim.
        num_outside: objects that reach beyond the image.
        num_undrawn: shapes that cover no pixel.
        palette: colour 0xRRGGBB of each of `values`, where the file has a palette.
        note: note of the reader, what it assumed.
    """

    size: tuple[int, ...]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    interior: Counts
    largest: Counts
    between: NDArray[np.int64] | int
    is_jpeg: bool
    num_bytes: int
    form: StoredForm = "numbers"
    num_values: int = 0
    num_regions: int = 0
    num_instances: int = 0
    num_overlap: int = 0
    num_outside: int = 0
    num_undrawn: int = 0
    palette: NDArray[np.int64] | None = None
    note: str = ""


def describe_mask(mask: StoredMask, source: MaskSource) -> MaskFacts:
    """Count the values of a mask that was read."""
    values, counts = _count_layers(mask) if mask.form == "layers" else count_values(mask.values)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_KEPT_VALUES])
    num_values = len(values)
    values, counts = values[kept], counts[kept]
    num_regions, largest = _describe_regions(mask, values, counts, num_values)
    can_be_soft = _can_be_soft(mask, values)
    is_mixed = len(values) > 2 and mask.form != "layers" and mask.instances is None
    return MaskFacts(
        size=mask.size,
        values=values,
        counts=counts,
        interior=_small(_count_interior(mask.values, values)) if is_mixed else counts,
        largest=largest,
        between=_count_between(mask.values, values) if can_be_soft else 0,
        is_jpeg=source.path.suffix.lower() in (".jpg", ".jpeg"),
        num_bytes=mask.num_bytes,
        form=mask.form,
        num_values=num_values,
        num_regions=num_regions,
        num_instances=_count_instances(mask, num_values - (0 in values)),
        num_overlap=mask.num_overlap,
        num_outside=mask.num_outside,
        num_undrawn=mask.num_undrawn,
        palette=_palette_of(mask, values),
        note=mask.note,
    )


def _small(counts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Pixel counts in half the memory: facts are kept of every mask of a data set."""
    return np.minimum(counts, np.iinfo(np.uint32).max).astype(np.uint32)


def unify_forms(masks: Sequence[MaskFacts]) -> list[MaskFacts]:
    """Where some masks are in colours, take the others, grey or with a palette, as colours too."""
    if not any(mask.form == "colors" for mask in masks):
        return list(masks)
    return [_to_colors(mask) if mask.form == "numbers" else mask for mask in masks]


def _to_colors(mask: MaskFacts) -> MaskFacts:
    """The same mask in colours; as it is where its numbers are none."""
    if mask.palette is None and (mask.values[0] < 0 or mask.values[-1] > 255):
        return mask
    values = mask.values * GREY if mask.palette is None else mask.palette
    values, places = np.unique(values, return_inverse=True)
    counts, interior, between, largest = (np.zeros(len(values), dtype=np.int64) for _ in range(4))
    np.add.at(counts, places, mask.counts)
    np.add.at(interior, places, mask.interior)
    np.add.at(between, places, mask.between)
    np.maximum.at(largest, places, mask.largest)
    return replace(
        mask,
        values=values,
        counts=counts,
        interior=interior,
        largest=largest,
        between=between,
        form="colors",
        palette=None,
    )


def count_values(stored: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The values that occur, in order, and how often each does; counted band by band."""
    flat = stored.reshape(-1)
    parts = [_count_band(flat[:BAND_VALUES])]
    for start in range(BAND_VALUES, len(flat), BAND_VALUES):
        parts.append(_count_band(flat[start : start + BAND_VALUES]))
        if sum(len(values) for values, _ in parts[1:]) > BAND_VALUES + len(parts[0][0]):
            parts = [_join_counts(parts)]
    values, counts = _join_counts(parts)
    return values.astype(np.int64), counts.astype(np.int64)


def _count_band(band: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if band.dtype.kind == "u" and band.dtype.itemsize <= 2:
        found = np.bincount(band)  # which takes eight bytes for each of the band
        values = np.flatnonzero(found)
        return values, found[values]
    return np.unique(band, return_counts=True)


def _join_counts(
    parts: Sequence[tuple[NDArray[Any], NDArray[np.int64]]],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values and counts of several bands together."""
    if len(parts) == 1:
        return parts[0]
    values, places = np.unique(np.concatenate([v for v, _ in parts]), return_inverse=True)
    counts = np.zeros(len(values), dtype=np.int64)
    np.add.at(counts, places, np.concatenate([c for _, c in parts]))
    return values, counts


def _count_layers(mask: StoredMask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of each layer from 1, and under 0 those of none."""
    layers = mask.values.reshape(-1, mask.values.shape[-1])  # (pixels, K)
    counts = np.concatenate([[int((~layers.any(axis=1)).sum())], layers.sum(axis=0)])
    values = np.flatnonzero(counts)
    return values.astype(np.int64), counts[values].astype(np.int64)


def _can_be_soft(mask: StoredMask, values: NDArray[np.int64]) -> bool:
    """Whether some of the values can be grey edges between others, or other damage of them."""
    if mask.form == "layers" or mask.instances is not None:
        return False
    is_spread = len(values) > 2 and values[-1] - values[0] >= TWO_TONE_RANGE
    return bool(is_spread) or len(values) > MANY_VALUES


def _count_interior(stored: NDArray[Any], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of pixels of each value whose four neighbours (in the plane) have the same value."""
    centre = stored[..., 1:-1, 1:-1]
    is_interior = (
        (centre == stored[..., :-2, 1:-1])
        & (centre == stored[..., 2:, 1:-1])
        & (centre == stored[..., 1:-1, :-2])
        & (centre == stored[..., 1:-1, 2:])
    )
    found, counts = count_values(centre[is_interior])
    is_kept = np.isin(found, values)
    interior = np.zeros(len(values), dtype=np.int64)
    interior[np.searchsorted(values, found[is_kept])] = counts[is_kept]
    return interior


def _count_between(stored: NDArray[Any], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of pixels of each value that have a lower and a higher one within two pixels."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = (1,) * (stored.ndim - 2) + (2 * REACH + 1,) * 2
    lowest, highest = minimum_filter(stored, size), maximum_filter(stored, size)
    found, counts = count_values(stored[(lowest < stored) & (stored < highest)])
    is_kept = np.isin(found, values)
    between = np.zeros(len(values), dtype=np.int64)
    between[np.searchsorted(values, found[is_kept])] = counts[is_kept]
    return between


def _describe_regions(
    mask: StoredMask, values: NDArray[np.int64], counts: NDArray[np.int64], num_values: int
) -> tuple[int, Counts]:
    """Number of connected regions of one value, and pixels of the largest of each value.

    They are counted where the values may be object ids, or specks; else 0, and `counts`.
    """
    if mask.form == "layers" or mask.instances is not None or num_values < 2:
        return 0, counts
    from pixelwise.data.masks.regions import measure_regions

    sizes, value_of = measure_regions(mask.values)
    is_kept = np.isin(value_of, values)
    largest = np.where(values == 0, counts, 0)
    np.maximum.at(largest, np.searchsorted(values, value_of[is_kept]), sizes[is_kept])
    return len(sizes) if mask.form == "numbers" else 0, _small(largest)


def _count_instances(mask: StoredMask, num_ids: int) -> int:
    if mask.instances is None:
        return num_ids
    return int(np.count_nonzero(np.unique(mask.instances)))


def _palette_of(mask: StoredMask, values: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Colour of each value; None without a palette that has them all."""
    if mask.palette is None or mask.form != "numbers":
        return None
    if values.size == 0 or values[0] < 0 or values[-1] >= len(mask.palette):
        return None
    return pack_colors(mask.palette[values]).astype(np.int64)
