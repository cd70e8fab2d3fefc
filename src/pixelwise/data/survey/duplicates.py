"""Find images that occur twice: pixel for pixel, or saved again, resized, brighter or cropped.

digest       equal for equal pixels
thumbnail    (32, 32), standardised -> 24 lowest cosines ("perceptual hash") -> nearest neighbours
             in a tree -> alike at all -> laid upon each other -> compared in full

Nothing is compared pair by pair but the nearest neighbours: 10,000 images take seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.ndimage import uniform_filter
from scipy.spatial import KDTree

from pixelwise.data.survey.align import align, smooth
from pixelwise.data.survey.image_facts import ImageFacts
from pixelwise.data.survey.sample_facts import SampleFacts, readable_images
from pixelwise.data.survey.thumbnails import THUMBNAIL_UNIT

Floats = NDArray[np.float32]

NUM_COSINES = 24
MAX_HASH_DISTANCE = 0.25  # between hashes of length 1 or less
NUM_NEIGHBOURS = 16  # compared in full
MIN_ROUGH_LIKENESS = 0.2  # of pairs before they are laid upon each other
MIN_LIKENESS = 0.98  # correlation of thumbnails
MIN_DETAIL_LIKENESS = 0.95  # the same, without what is larger than DETAIL_SIDE
DETAIL_SIDE = 5  # pixels of the thumbnail
MAX_LOCAL_DIFFERENCE = 16  # of any 3 x 3 pixels of the thumbnail: half a standard deviation
MAX_STRETCH = 1.1  # between the proportions of an image and of its twin
CHUNK = 512


def find_twins(surveyed: Sequence[SampleFacts], near: bool = True) -> dict[str, str]:
    """For every image the name of the first image that is the same.

    Args:
        surveyed: all samples; those whose image cannot be read are left out.
        near: images that look the same count too, not only those that are the same in every pixel.

    Returns:
        Name of each image -> name that stands for all its twins, its own where it has none. The
        same name stands for images that are twins of twins.
    """
    images = readable_images(surveyed)
    first: dict[bytes, str] = {}
    twins = {f.found.name: first.setdefault(image.digest, f.found.name) for f, image in images}
    if near:
        single = [
            (f.found.name, image) for f, image in images if twins[f.found.name] == f.found.name
        ]
        links = _Links(name for name, _ in single)
        for one, other in find_near_pairs(single):
            links.join(one, other)
        twins = {name: links.first(stand_in) for name, stand_in in twins.items()}
    return twins


def group_twins(twins: Mapping[str, str]) -> list[list[str]]:
    """Names of images that are the same, together; only where there are two or more."""
    groups: dict[str, list[str]] = {}
    for name, stand_in in twins.items():
        groups.setdefault(stand_in, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def find_near_pairs(images: Sequence[tuple[str, ImageFacts]]) -> Iterator[tuple[str, str]]:
    """Pairs of names whose images look the same."""
    seen = [(name, image) for name, image in images if image.thumbnail is not None]
    if len(seen) < 2:
        return
    thumbnails = np.stack([image.thumbnail for _, image in seen if image.thumbnail is not None])
    shapes = np.log([image.size[-1] / image.size[-2] for _, image in seen])
    hashes = np.concatenate([hash_thumbnails(part) for part in _chunks(thumbnails)])
    one, other = _nearest(hashes)
    is_shape = np.abs(shapes[one] - shapes[other]) < np.log(MAX_STRETCH)
    one, other = one[is_shape], other[is_shape]
    one, other = _roughly_alike(thumbnails, one, other)
    for start in range(0, len(one), CHUNK):
        pair = one[start : start + CHUNK], other[start : start + CHUNK]
        same = look_the_same(thumbnails[pair[0]], thumbnails[pair[1]])
        for i, j in zip(pair[0][same], pair[1][same], strict=True):
            yield seen[i][0], seen[j][0]


def _roughly_alike(
    thumbnails: NDArray[np.int8], one: NDArray[np.intp], other: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs that correlate somewhat as they are: aligning takes hundreds of times as long.

    Noise has next to nothing in its lowest cosines, so that the hashes of any two are near.
    """
    keeps = np.zeros(len(one), dtype=np.bool_)
    for start in range(0, len(one), CHUNK):
        part = slice(start, start + CHUNK)
        pair = (thumbnails[index[part]].astype(np.float32) for index in (one, other))
        keeps[part] = _correlate(*(smooth(images) for images in pair)) >= MIN_ROUGH_LIKENESS
    return one[keeps], other[keeps]


def hash_thumbnails(thumbnails: NDArray[np.int8]) -> Floats:
    """(N, 32, 32) thumbnails -> (N, 24) perceptual hashes, of length 1 or less."""
    cosines = dctn(thumbnails.astype(np.float32), axes=(1, 2), norm="ortho")
    order = np.add.outer(np.arange(8), np.arange(8)).ravel().argsort(kind="stable")
    lowest = order[1 : NUM_COSINES + 1]  # without the mean
    length = np.linalg.norm(cosines.reshape(len(cosines), -1), axis=1)
    chosen = cosines[:, :8, :8].reshape(-1, 64)[:, lowest]
    return np.asarray(chosen / length[:, np.newaxis], dtype=np.float32)


def look_the_same(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Whether (N, 32, 32) thumbnails show the same, pair by pair, as a whole and in detail.

    Images of one kind, such as eyes or chests, are alike as a whole; their details differ. Frames
    of one scene are alike in most places; where something moved they differ.
    """
    if not len(one):
        return np.zeros(0, dtype=np.bool_)
    aligned = align(one.astype(np.float32), other.astype(np.float32))
    first, second = (_standardize(thumbnails) for thumbnails in aligned)
    is_like = _correlate(first, second) >= MIN_LIKENESS
    is_alike_inside = _correlate(_detail(first), _detail(second)) >= MIN_DETAIL_LIKENESS
    local = np.abs(uniform_filter(first - second, 3, axes=(1, 2))).max(axis=(1, 2))
    return np.asarray(is_like & is_alike_inside & (local <= MAX_LOCAL_DIFFERENCE))


def _standardize(thumbnails: Floats) -> Floats:
    centred = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    deviation = np.maximum(centred.std(axis=(1, 2), keepdims=True), 1e-6)
    return np.asarray(centred * (THUMBNAIL_UNIT / deviation))


def _detail(thumbnails: Floats) -> Floats:
    return thumbnails - uniform_filter(thumbnails, DETAIL_SIDE, axes=(1, 2))


def _correlate(one: Floats, other: Floats) -> Floats:
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(length, 1e-6))


def _nearest(hashes: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of pairs of neighbouring hashes, each pair once."""
    count = min(NUM_NEIGHBOURS + 1, len(hashes))
    tree = KDTree(hashes)
    _, found = tree.query(hashes, k=count, distance_upper_bound=MAX_HASH_DISTANCE)
    one = np.repeat(np.arange(len(hashes)), count)
    other = found.ravel()
    real = (other < len(hashes)) & (other != one)
    pairs = np.unique(np.sort(np.stack([one[real], other[real]], axis=1), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _chunks(thumbnails: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    for start in range(0, len(thumbnails), CHUNK):
        yield thumbnails[start : start + CHUNK]


class _Links:
    """Names joined into groups; the first name given stands for its group."""

    def __init__(self, names: Iterable[str]) -> None:
        self._order = {name: index for index, name in enumerate(names)}
        self._above: dict[str, str] = {}

    def first(self, name: str) -> str:
        while (above := self._above.get(name)) is not None:
            name = above
        return name

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.first(one), self.first(other)), key=self._order.__getitem__)
        if low != high:
            self._above[high] = low
