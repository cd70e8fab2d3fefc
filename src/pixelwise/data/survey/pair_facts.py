"""What is kept of an image and its mask together: regions, the border, brightness, and the fit.

A mask is looked at by the values that it stores: what they mean is only known when all masks have
been seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from pixelwise.data.masks.facts import count_values
from pixelwise.data.masks.stored import StoredMask
from pixelwise.data.survey.edges import Fit, measure_fit
from pixelwise.data.survey.thumbnails import middle_plane, step_for, to_grey

MAX_VALUES = 40  # masks of more values hold object ids, which are not told apart here
MAX_LABELLED_SIDE = 1024  # pixels: regions are counted in the middle part of larger masks
TINY_AREA_PX = 9


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What is kept of an image with its mask; arrays of V hold one entry for each of `values`.

    Attributes:
        values: (V) stored values; [0, 1] (nothing, an object) where the mask holds object ids.
        border: (V) share of the outermost pixels of the mask.
        brightness: (V) mean grey of the image there, in standard deviations from its mean; None
            where the sizes differ.
        num_regions: (V) connected regions, in the middle part of large masks.
        num_tiny: (V) regions of at most TINY_AREA_PX pixels that are not cut by the border.
        tiny_area: (V) pixels of these.
        area: (V) pixels of all regions.
        fit: how the outlines of the mask lie on the edges of the image; None where it cannot be
            measured.
    """

    values: NDArray[np.int64]
    border: NDArray[np.float32]
    brightness: NDArray[np.float32] | None
    num_regions: NDArray[np.int32]
    num_tiny: NDArray[np.int32]
    tiny_area: NDArray[np.int32]
    area: NDArray[np.int32]
    fit: Fit | None


def describe_pair(image: NDArray[Any], stored: StoredMask) -> PairFacts:
    """Measure an image and its mask together.

    Args:
        image: (*S, C) as stored.
        stored: the mask; its size may be another, and then less is measured.
    """
    plane = to_plane(stored)
    objects = None if stored.instances is None else middle_plane(stored.instances)
    values, _ = count_values(plane)
    if len(values) > MAX_VALUES:
        objects = plane
        plane = (plane != 0).astype(np.uint8)
        values, _ = count_values(plane)
    regions = count_regions(plane, values, objects)
    grey = to_grey(middle_plane(image, 1), step_for(image.shape[:-1]))
    brightness = None
    if image.shape[:-1] == stored.size:
        step = step_for(image.shape[:-1])
        small = plane[step // 2 :: step, step // 2 :: step][: grey.shape[0], : grey.shape[1]]
        brightness = _brightness(grey, small, values)
    return PairFacts(
        values=values,
        border=_border_shares(plane, values),
        brightness=brightness,
        num_regions=regions[0],
        num_tiny=regions[1],
        tiny_area=regions[2],
        area=regions[3],
        fit=measure_fit(grey, plane if objects is None else objects),
    )


def to_plane(stored: StoredMask) -> NDArray[Any]:
    """(H, W) integers of a mask: its values; of layers the number of the last that holds a pixel.

    Layer k has the number k + 1, and 0 is where there is none; a volume gives its middle plane.
    """
    if stored.form == "layers":
        layers = middle_plane(stored.values, 1)
        numbers = np.arange(1, layers.shape[-1] + 1, dtype=np.int32)
        return np.asarray((layers * numbers).max(axis=-1))
    return middle_plane(stored.values)


def count_regions(
    plane: NDArray[Any], values: NDArray[np.int64], objects: NDArray[Any] | None = None
) -> NDArray[np.int32]:
    """Count the connected regions of each value, in the middle part of large masks.

    Args:
        plane: (H, W) integers.
        values: that occur in it, in order.
        objects: (H, W) ids: each one is a region of its own, where given.

    Returns:
        (4, V) regions of each value, tiny ones, pixels of the tiny ones, pixels of all.
    """
    middle = tuple(
        slice((side - MAX_LABELLED_SIDE) // 2, (side + MAX_LABELLED_SIDE) // 2)
        if side > MAX_LABELLED_SIDE
        else slice(None)
        for side in plane.shape
    )
    plane = plane[middle]
    index = np.searchsorted(values, plane)
    if objects is None:
        regions: NDArray[Any] = label(index, background=-1, connectivity=2)  # type: ignore[no-untyped-call]
    else:
        regions = np.unique(objects[middle], return_inverse=True)[1].reshape(plane.shape) + 1
    areas = np.bincount(regions.ravel())
    value_of = np.zeros(len(areas), dtype=np.int64)
    value_of[regions.ravel()] = index.ravel()
    is_tiny = areas <= TINY_AREA_PX
    for edge in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        is_tiny[edge] = False
    is_region = areas > 0
    is_tiny &= is_region
    weights = (is_region, is_tiny, areas * is_tiny, areas)
    return np.array(
        [np.bincount(value_of, weights=w, minlength=len(values)) for w in weights]
    ).astype(np.int32)


def _border_shares(plane: NDArray[Any], values: NDArray[np.int64]) -> NDArray[np.float32]:
    border = np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])
    counts = np.bincount(np.searchsorted(values, border), minlength=len(values))
    return (counts / max(1, len(border))).astype(np.float32)


def _brightness(
    grey: NDArray[np.float32], plane: NDArray[Any], values: NDArray[np.int64]
) -> NDArray[np.float32]:
    index = np.searchsorted(values, plane).ravel()
    seen = grey[: plane.shape[0], : plane.shape[1]]
    sums = np.bincount(index, weights=seen.ravel(), minlength=len(values))
    counts = np.maximum(np.bincount(index, minlength=len(values)), 1)
    deviation = max(float(grey.std()), 1e-12)
    return ((sums / counts - float(grey.mean())) / deviation).astype(np.float32)
