"""The fingerprint: what the training data are, in the few numbers that a plan depends on."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.network import (
    IntensityFacts,
    average_planes,
    join_facts,
    look_at_intensities,
    resize_images,
    working_size,
)
from pixelwise.task import IGNORE_INDEX

MAX_SAMPLES = 200  # looked at; spread evenly over the set
MAX_AXIS = 512  # pixels per axis looked at; larger images are subsampled
MAX_MEASURED = 512  # pixels per axis in which objects are measured: the middle of larger images
MAX_MEASURED_SAMPLES = 20  # in which objects are measured, which takes longer than counting
MAX_SHRUNK_SAMPLES = 16  # whose masks are made smaller and larger again
NUM_EXCHANGES = 200  # of halves, at random, to see what chance does
MIN_EXCHANGED = 6  # images; fewer cannot tell chance from order
SCALES = (1.0, 0.71, 0.5, 0.35, 0.25, 0.18)  # of images as the network may see them


class Fingerprint(BaseModel):
    """What a plan is made from. Sizes are in pixels, intensities as stored."""

    model_config = ConfigDict(frozen=True)

    num_train: int
    num_val: int
    in_channels: int
    num_classes: int
    median_size: tuple[int, ...]
    min_size: tuple[int, ...]
    max_size: tuple[int, ...]
    mean_pixels: int  # of an image
    class_shares: tuple[float, ...]  # share of labelled pixels, per class; may overlap
    thickness_px: tuple[float, ...] = ()  # per class, median over images; 0 where it never occurs
    diameter_px: tuple[float, ...] = ()  # of a circle as large as the class's region around a pixel
    # for each of SCALES and each class, Dice of the masks made smaller and larger again
    scale_ceilings: tuple[tuple[float, ...], ...] = ()
    intensity_mean: tuple[float, ...]  # per channel, over images of equal weight
    intensity_std: tuple[float, ...]  # per channel, all pixels
    intensities: IntensityFacts | None = None  # type and range; None in plans of older versions
    image_contrast_ratio: float  # 90th / 10th percentile of the images' own standard deviations
    vertical_order: float  # 0: classes lie anywhere; 1: the upper half never looks like the lower
    horizontal_order: float  # the same for left and right


class _Looks(NamedTuple):
    """One sample's part of the fingerprint."""

    size: tuple[int, ...]
    mean: NDArray[np.float64]  # (C,)
    square: NDArray[np.float64]  # (C,) mean of squares
    halves: NDArray[np.float64]  # (2 axes, 2 halves, K + 1) pixels of each class and of none
    intensities: IntensityFacts
    labelled: NDArray[np.float64]  # (K,) pixels that say whether they are of a class


def take_fingerprint(
    train: Sequence[Sample], val: Sequence[Sample], num_classes: int
) -> Fingerprint:
    """Look at the training samples (at most MAX_SAMPLES) and the number of validation samples."""
    chosen = sorted({int(i) for i in np.linspace(0, len(train) - 1, min(len(train), MAX_SAMPLES))})
    with ThreadPoolExecutor() as pool:
        looks = list(pool.map(lambda i: _look_at(train[i], num_classes), chosen))
        every = -(-len(chosen) // MAX_MEASURED_SAMPLES)
        measured = pool.map(lambda i: _measure(train[i], num_classes), chosen[::every])
        extents = median_extents(np.array(list(measured)))
        every = -(-len(chosen) // MAX_SHRUNK_SAMPLES)
        shrunk = np.array(list(pool.map(lambda i: _shrink(train[i], num_classes), chosen[::every])))
    sizes = np.array([look.size for look in looks])
    means = np.array([look.mean for look in looks])
    squares = np.array([look.square for look in looks])
    halves = np.array([look.halves for look in looks])  # (N, 2, 2, K + 1)
    mean = means.mean(0)
    deviations = np.sqrt(np.maximum(squares - means**2, 0)).mean(1)
    vertical, horizontal = (_order(halves[:, axis]) for axis in range(2))
    labelled = np.sum([look.labelled for look in looks], axis=0)
    shares = halves[:, 0].sum((0, 1))[:num_classes] / np.maximum(labelled, 1)
    return Fingerprint(
        num_train=len(train),
        num_val=len(val),
        in_channels=train[0].image.shape[0],
        num_classes=num_classes,
        median_size=tuple(int(v) for v in np.median(sizes, axis=0)),
        min_size=tuple(int(v) for v in sizes.min(0)),
        max_size=tuple(int(v) for v in sizes.max(0)),
        mean_pixels=int(sizes.prod(1).mean()),
        class_shares=_rounded(shares),
        thickness_px=tuple(round(float(v), 1) for v in extents[0]),
        diameter_px=tuple(round(float(v), 1) for v in extents[1]),
        scale_ceilings=mean_ceilings(shrunk),
        intensity_mean=_rounded(mean),
        intensity_std=_rounded(np.sqrt(np.maximum(squares.mean(0) - mean**2, 0))),
        intensities=join_facts([look.intensities for look in looks]),
        image_contrast_ratio=_contrast_ratio(deviations),
        vertical_order=round(vertical, 3),
        horizontal_order=round(horizontal, 3),
    )


def _look_at(sample: Sample, num_classes: int) -> _Looks:
    spatial_dims = sample.image.ndim - 1
    steps = [slice(None, None, -(-length // MAX_AXIS)) for length in sample.image.shape[1:]]
    image = sample.image[(slice(None), *steps)].astype(np.float64)
    axes = tuple(range(1, spatial_dims + 1))
    return _Looks(
        sample.image.shape[1:],
        image.mean(axes),
        (image**2).mean(axes),
        _count_halves(sample.mask, num_classes, spatial_dims),
        look_at_intensities([sample.image]),
        _count_labelled(sample.mask, num_classes, spatial_dims),
    )


def measure_extent(plane: NDArray[np.bool_]) -> tuple[float, float]:
    """Thickness and diameter of what is set in (*spatial), in pixels, as its pixels see them.

    Thickness is four times the mean distance to the edge: w in a band of width w, two thirds of
    the diameter in a disc. The diameter is that of a disc as large as the connected region, median
    over the pixels, so that specks do not count.
    """
    distance = distance_transform_edt(np.pad(plane, 1))
    inside = distance[distance > 0]
    regions = label(plane)[0]
    areas = np.bincount(regions[plane])
    dims = plane.ndim
    size = float(np.median(areas[regions[plane]]))
    ball = {2: math.pi / 4, 3: math.pi / 6}[dims]  # volume of a ball of diameter 1
    # half a pixel: the edge lies between the last pixel inside and the first outside
    return 4 * float(np.maximum(inside - 0.5, 0.25).mean()), (size / ball) ** (1 / dims)


def median_extents(extents: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2, K) of the images -> (2, K) medians; 0 for classes that no image has."""
    found = [[column[~np.isnan(column)] for column in row.T] for row in extents.transpose(1, 0, 2)]
    return np.array([[np.median(v) if len(v) else 0.0 for v in row] for row in found])


def _measure(sample: Sample, num_classes: int) -> NDArray[np.float64]:
    """(2, K) thickness and diameter of each class in the middle of a mask; NaN where absent."""
    mask, spatial_dims = sample.mask, sample.image.ndim - 1
    extents = np.full((2, num_classes), np.nan)
    if mask is None:
        return extents
    part = _middle_of(mask, spatial_dims)
    for index in range(num_classes):
        plane = part[index] == 1 if mask.ndim > spatial_dims else part == index
        if plane.any():
            extents[:, index] = measure_extent(plane)
    return extents


def _middle_of(mask: NDArray[Any], spatial_dims: int) -> NDArray[Any]:
    """The middle of a large mask, in its last axes."""
    middle = [
        slice(max(0, (side - MAX_MEASURED) // 2), (side + MAX_MEASURED) // 2)
        for side in mask.shape[-spatial_dims:]
    ]
    return mask[tuple([slice(None)] * (mask.ndim - spatial_dims) + middle)]


def _shrink(sample: Sample, num_classes: int) -> NDArray[np.float64]:
    """(scales, K) Dice of a mask made smaller and larger again; NaN for classes it lacks.

    What a network without a fault could reach at that scale: fine structures are lost first.
    """
    spatial_dims = sample.image.ndim - 1
    scores = np.full((len(SCALES), num_classes), np.nan)
    if sample.mask is None:
        return scores
    part = _middle_of(sample.mask, spatial_dims)
    is_several = part.ndim > spatial_dims
    planes = _class_planes(part, num_classes, spatial_dims)
    is_there = planes[0].flatten(1).any(1)
    if not is_there.any():
        return scores
    planes = planes[:, is_there]  # of a pixel without a class the others have less than half
    size = planes.shape[2:]
    is_valid = torch.from_numpy(part != IGNORE_INDEX)
    scores[0, is_there.numpy()] = 1  # nothing is lost at full size
    for row, scale in zip(scores[1:], SCALES[1:], strict=True):
        large = resize_images(average_planes(planes, working_size(size, scale)), size)[0]
        found = large >= 0.5 if is_several else large >= large.amax(0).clamp(min=1e-6)
        found = found & is_valid
        both = (found * planes[0]).flatten(1).sum(1)
        total = found.flatten(1).sum(1) + planes[0].flatten(1).sum(1)
        row[is_there.numpy()] = (2 * both / total).numpy()
    return scores


def _class_planes(mask: NDArray[Any], num_classes: int, spatial_dims: int) -> Tensor:
    """(1, K, *S) float32: where each class is."""
    if mask.ndim > spatial_dims:
        return torch.from_numpy((mask == 1).astype(np.float32))[None]
    numbers = np.arange(num_classes).reshape(-1, *[1] * spatial_dims)
    return torch.from_numpy((mask == numbers).astype(np.float32))[None]


def mean_ceilings(scores: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """(N, scales, K) Dice of the images -> rows of the classes' means, 1 for one that is absent."""
    is_there = ~np.isnan(scores)
    sums, counts = np.where(is_there, scores, 0).sum(0), is_there.sum(0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)  # (scales, K)
    return tuple(tuple(round(float(value), 4) for value in row) for row in means)


def _count_halves(
    mask: NDArray[Any] | None, num_classes: int, spatial_dims: int
) -> NDArray[np.float64]:
    """Pixels in the upper and lower, left and right half: (2, 2, K + 1), the last of no class."""
    counts = np.zeros((2, 2, num_classes + 1))
    if mask is None:
        return counts
    for row, axis in enumerate((mask.ndim - 2, mask.ndim - 1)):  # the last two: rows, columns
        middle = mask.shape[axis] // 2
        for column, half in enumerate((slice(None, middle), slice(middle, None))):
            part = mask[(slice(None),) * axis + (half,)]
            if mask.ndim > spatial_dims:  # multi-label (K, *spatial)
                planes = part.reshape(num_classes, -1)
                counts[row, column, :-1] = (planes == 1).sum(1)
                counts[row, column, -1] = (planes == 0).all(0).sum()
            else:
                found = np.bincount(part.ravel(), minlength=IGNORE_INDEX + 1)
                counts[row, column, :-1] = found[:num_classes]
    return counts


def _count_labelled(
    mask: NDArray[Any] | None, num_classes: int, spatial_dims: int
) -> NDArray[np.float64]:
    """Pixels that are not ignored, (K,); the same for every class unless classes overlap."""
    if mask is None:
        return np.zeros(num_classes)
    planes = mask.reshape(num_classes if mask.ndim > spatial_dims else 1, -1)
    return np.broadcast_to((planes != IGNORE_INDEX).sum(1).astype(np.float64), num_classes)


def _order(halves: NDArray[np.float64]) -> float:
    """Total variation distance, 0 to 1, of the classes in the halves (N, 2, K + 1) of N images.

    0 where nothing is labelled in one of the halves, and where chance would often do as much:
    where images whose halves are exchanged at random differ so in one draw of twenty.
    """
    if not halves.sum(0).any(axis=1).all():
        return 0.0
    difference, total = halves[:, 0] - halves[:, 1], halves.sum(1)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (NUM_EXCHANGES, len(halves)))
    found = _distances(np.ones((1, len(halves))), difference, total)[0]
    chance = np.quantile(_distances(signs, difference, total), 0.95)
    return float(found) if found > chance or len(halves) < MIN_EXCHANGED else 0.0


def _distances(
    signs: NDArray[np.float64], difference: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Total variation distances (M,) of the halves for M rows of signs (M, N)."""
    differences, totals = signs @ difference, total.sum(0)
    halves = np.stack((totals + differences, totals - differences))  # (2, M, K + 1)
    shares = halves / np.maximum(halves.sum(-1, keepdims=True), 1)
    distances: NDArray[np.float64] = np.abs(shares[0] - shares[1]).sum(-1) / 2
    return distances


def _contrast_ratio(deviations: NDArray[np.float64]) -> float:
    low, high = np.percentile(deviations, (10, 90))
    return round(float(high / low), 2) if low > 0 else 1e6


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Six significant digits are plenty, and readable in YAML."""
    return tuple(float(f"{value:.6g}") for value in values)
