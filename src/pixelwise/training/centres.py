"""Where crops are centred on the foreground: a class of the sample, then one of its pixels.

Some pixels of each class are remembered, up to a number for all samples together. Where that is too
few for each, a pixel is looked for in the mask whenever one is asked for.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.task import IGNORE_INDEX

MAX_CENTRES = 2000  # remembered pixels of a class of a sample
MIN_CENTRES = 250  # below it crops would be too much alike
MAX_REMEMBERED = 2**24  # pixels of all samples, of 4 bytes each
CHUNK_PIXELS = 2**20  # of a mask, looked at together

Places = list[NDArray[np.unsignedinteger[Any]]]


class Centres:
    """Draws centres from the masks of samples; from any number of threads.

    Args:
        num_samples: that share the memory.
        spatial_dims: spatial dims of masks; those with an axis more have a plane a class.
        background: whether class 0 of an index mask is background, never a centre.
        seed: seed of which pixels are remembered.
    """

    def __init__(self, num_samples: int, spatial_dims: int, *, background: bool, seed: int) -> None:
        self._most = MAX_REMEMBERED // max(1, num_samples)  # of a sample
        self._dims, self._seed = spatial_dims, seed
        self._left_out = [IGNORE_INDEX, *([0] if background else [])]
        self._places: dict[int, Places] = {}

    def draw(
        self, index: int, mask: NDArray[Any], rng: np.random.Generator
    ) -> tuple[int, ...] | None:
        """Draw a pixel of a random class of a sample; None where there is none.

        Args:
            index: index of the sample.
            mask: mask of it: (*spatial) class index, or (K, *spatial) where classes overlap.
            rng: random state of the crop.

        Returns:
            Row and column, or one coordinate more, in the mask.
        """
        place = self._draw_place(index, mask, rng)
        if place is None:
            return None
        return tuple(int(v) for v in np.unravel_index(place, mask.shape[-self._dims :]))

    @property
    def num_bytes(self) -> int:
        """Memory that is taken by what is remembered."""
        return sum(each.nbytes for places in self._places.values() for each in places)

    def _draw_place(self, index: int, mask: NDArray[Any], rng: np.random.Generator) -> int | None:
        places = self._places.get(index)
        if places is None:
            found = self._count_classes(mask)
            if not found:
                self._places[index] = []
                return None
            most = self._most // len(found)
            if most < MIN_CENTRES:
                plane, value, count = found[int(rng.integers(len(found)))]
                return int(_nth_places(plane, value, rng.integers(count, size=1))[0])
            places = self._places[index] = self._choose(index, found, min(most, MAX_CENTRES))
        if not places:
            return None
        chosen = places[int(rng.integers(len(places)))]
        return int(chosen[int(rng.integers(len(chosen)))])

    def _choose(self, index: int, found: list[tuple[NDArray[Any], int, int]], most: int) -> Places:
        """Some pixels of each class, the same whichever thread asks first."""
        rng = np.random.default_rng((self._seed, 2, index))
        places: Places = []
        for plane, value, count in found:
            numbers = np.arange(count)
            if count > most:
                numbers = rng.choice(count, most, replace=False)
            found_places = _nth_places(plane, value, numbers)
            places.append(found_places.astype(np.uint32 if plane.size <= 2**32 else np.uint64))
        return places

    def _count_classes(self, mask: NDArray[Any]) -> list[tuple[NDArray[Any], int, int]]:
        """The plane, value and number of pixels of each class that may be a centre."""
        if mask.ndim > self._dims:  # (K, *spatial)
            planes = [plane.reshape(-1) for plane in mask]
            counts = [sum(int((part == 1).sum()) for part in _chunks(p)) for p in planes]
            return [(p, 1, n) for p, n in zip(planes, counts, strict=True) if n]
        flat = mask.reshape(-1)
        numbers = np.zeros(IGNORE_INDEX + 1, np.int64)
        for part in _chunks(flat):
            numbers += np.bincount(part, minlength=len(numbers))
        numbers[self._left_out] = 0
        return [(flat, int(value), int(numbers[value])) for value in np.flatnonzero(numbers)]


def _nth_places(plane: NDArray[Any], value: int, numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Where the n-th pixels of a value are, counted from 0, in a plane of one axis."""
    places = np.zeros(len(numbers), np.int64)
    seen, last = 0, int(numbers.max(initial=-1))
    for start, part in zip(range(0, len(plane), CHUNK_PIXELS), _chunks(plane), strict=True):
        if seen > last:
            break
        here = np.flatnonzero(part == value)
        is_here = (numbers >= seen) & (numbers < seen + len(here))
        places[is_here] = start + here[numbers[is_here] - seen]
        seen += len(here)
    return places


def _chunks(plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of a plane of one axis, in order."""
    for start in range(0, len(plane), CHUNK_PIXELS):
        yield plane[start : start + CHUNK_PIXELS]
