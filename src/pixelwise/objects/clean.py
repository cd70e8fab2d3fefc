"""Take small regions out of masks that come in rows: specks and holes get the class around them.

    1 1 1 1 1      with a least area of 3 pixels: the hole of two pixels gets class 1, the speck of
    1 0 0 1 1      class 2 gets 0. Regions are connected by edges and corners, those of the
    1 1 1 1 1      background too; all small ones are taken at once, and then again, for what lay
    0 0 0 0 2      in a hole that was filled.

Rows are given as soon as nothing in them can change. A small region spans fewer rows than the least
area has pixels, and what becomes of it hangs on regions beside it, which are large or span no more:
in each of the two passes at most twice as many rows wait as the least area has pixels.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from pixelwise.objects.runs import Indices

PASSES = 2
ROWS_AT_ONCE = 512
OPEN, SMALL, LARGE = range(3)  # what is known of a region; the small ones were given a class


def clean_mask(mask: NDArray[Any], min_area: int) -> NDArray[Any]:
    """Clean a whole mask, see `clean_bands`."""
    tops = range(0, mask.shape[-2], ROWS_AT_ONCE)
    bands = (mask[..., top : top + ROWS_AT_ONCE, :] for top in tops)
    return np.concatenate(list(clean_bands(bands, min_area)), -2)


def clean_bands(bands: Iterable[NDArray[Any]], min_area: int) -> Iterator[NDArray[Any]]:
    """Give regions smaller than an area the class of what is around them.

    A small region gets the class that most of its border meets, edge by edge of its pixels, in
    regions that are large enough; of classes that are alike the first. One that meets none stays.

    Args:
        bands: rows of a mask from the top to the bottom: (h, W) class index, or (K, h, W) bool
            where classes overlap: there, each class is cleaned by itself.
        min_area: pixels of the smallest region that stays; 1 leaves the mask as it is.

    Returns:
        The same rows, in bands of other heights.
    """
    found = iter(bands)
    if min_area > 1:
        for _ in range(PASSES):
            found = _clean_once(found, min_area)
    return found


def _clean_once(bands: Iterator[NDArray[Any]], min_area: int) -> Iterator[NDArray[Any]]:
    window = None
    for band in bands:
        window = window or _Window(band, min_area)
        window.add(band)
        window.decide()
        if window.num_ready:
            yield window.take()
    if window is not None:
        window.decide(is_end=True)
        if window.num_ready:
            yield window.take()


class _Window:
    """Rows that wait, below the last one that was given.

    Args:
        like: a band of the mask.
        min_area: pixels of the smallest region that stays.
    """

    def __init__(self, like: NDArray[Any], min_area: int) -> None:
        self._min_area, self._dtype, self._is_planes = min_area, like.dtype, like.ndim == 3
        nothing = np.zeros((*like.shape[:-2], 0, like.shape[-1]), np.uint8)
        self._mask = nothing if self._is_planes else nothing[None]  # (L, r, W)
        self._cleaned, self._state = self._mask, self._mask
        self._num_given = 0  # 0 or 1, the first of the rows

    def add(self, band: NDArray[Any]) -> None:
        """Add rows below."""
        rows = (band if self._is_planes else band[None]).astype(np.uint8)
        self._mask = np.concatenate([self._mask, rows], 1)
        self._cleaned = np.concatenate([self._cleaned, rows], 1)
        self._state = np.concatenate([self._state, np.full_like(rows, OPEN)], 1)

    def decide(self, *, is_end: bool = False) -> None:
        """Find which regions are large, and give small ones their class.

        What was given is not forgotten: a region that was large or small is so for ever.
        """
        if not self._mask.size:
            return
        labels, number = _label(self._mask)
        known = _of_regions(labels, self._state, number)
        known[np.bincount(labels.ravel(), minlength=number) >= self._min_area] = LARGE
        reaches_on = np.zeros(number, np.bool_)
        reaches_on[labels[:, -1]] = not is_end
        is_unknown = reaches_on & (known == OPEN)
        is_new = ~reaches_on & (known == OPEN)
        one, other = _borders(labels)
        is_new[one[is_unknown[other]]] = False  # it waits until what it meets is known
        votes = is_new[one] & (known[other] == LARGE)
        classes = _of_regions(labels, self._mask, number)
        _elect(one[votes], classes[other[votes]], classes)
        self._cleaned = np.where(is_new[labels], classes[labels], self._cleaned)
        known[is_new] = SMALL
        self._state = known[labels]

    @property
    def num_ready(self) -> int:
        """Rows in which all is known, and that were not given."""
        is_open = (self._state == OPEN).any(axis=(0, 2))
        known = int(is_open.argmax()) if is_open.any() else len(is_open)
        return known - self._num_given

    def take(self) -> NDArray[Any]:
        """Give the rows that are ready."""
        end = self._num_given + self.num_ready
        given = self._cleaned[:, self._num_given : end].astype(self._dtype)
        parts = (self._mask, self._cleaned, self._state)
        self._mask, self._cleaned, self._state = (part[:, end - 1 :].copy() for part in parts)
        self._num_given = 1  # it stays for those below, which meet it
        return given if self._is_planes else given[0]


def _label(planes: NDArray[np.uint8]) -> tuple[Indices, int]:
    """Regions 0, 1, ... of all classes of (L, h, W), and how many there are."""
    labels, number = [], 0
    for plane in planes:
        found, count = label(plane, background=-1, connectivity=2, return_num=True)  # type: ignore[no-untyped-call]
        labels.append(found.astype(np.int64) - 1 + number)
        number += count
    return np.stack(labels), number


def _of_regions(labels: Indices, values: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """The greatest value in each region."""
    found = np.zeros(number, np.uint8)
    np.maximum.at(found, labels.ravel(), values.ravel())
    return found


def _borders(labels: Indices) -> tuple[Indices, Indices]:
    """The regions on both sides of each edge between pixels of two: (n,) and (n,), either way."""
    pairs = [(labels[:, :, :-1], labels[:, :, 1:]), (labels[:, :-1], labels[:, 1:])]
    differ = [one != other for one, other in pairs]
    firsts = [one[where] for (one, _), where in zip(pairs, differ, strict=True)]
    others = [other[where] for (_, other), where in zip(pairs, differ, strict=True)]
    return np.concatenate([*firsts, *others]), np.concatenate([*others, *firsts])


def _elect(region: Indices, vote: NDArray[np.uint8], classes: NDArray[np.uint8]) -> None:
    """Set the class of each region to the one with most votes, of those alike to the first."""
    votes, counts = np.unique(region * 256 + vote, return_counts=True)
    order = np.lexsort((-votes, counts))  # the last one set stays
    classes[votes[order] // 256] = votes[order] % 256
