"""Levels: an image, and the same at half the size, again and again, for programs that zoom.

    rows of any height ──> blocks of level 0 ──> halved ──> blocks of level 1 ──> halved ──> ...

A block is a row of tiles: some hundred pixel rows of the whole width. One block of each level is in
memory, however high the image is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGE_BYTES = 2**24  # unpacked: images of fewer have one level
COARSEST = 1024  # pixels of the longer side of the last level, at most

Halve = Callable[[NDArray[Any]], NDArray[Any]]
TakeBlock = Callable[[int, int, NDArray[Any]], None]  # level, its first row, (P, h, W, ...)


def plan_levels(size: tuple[int, int], num_bytes: int) -> list[tuple[int, int]]:
    """The (height, width) of each level, the finest first; of a small image that one alone.

    Args:
        size: (height, width) of the image.
        num_bytes: that it takes unpacked.

    >>> plan_levels((5000, 3001), 5000 * 3001 * 3)
    [(5000, 3001), (2500, 1501), (1250, 751), (625, 376)]
    """
    sizes = [size]
    while num_bytes >= LARGE_BYTES and max(sizes[-1]) > COARSEST:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def every_second(values: NDArray[Any]) -> NDArray[Any]:
    """Halve (P, h, W, ...) by taking every second row and column: no new class appears."""
    return values[:, ::2, ::2]


def mean_of_four(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve (P, h, W, ...) by the mean of 2 x 2 pixels; at odd edges of those that there are."""
    _, height, width, *others = values.shape
    edges = [(0, 0), (0, height % 2), (0, width % 2), *((0, 0) for _ in others)]
    even = np.pad(values, edges, mode="edge").astype(np.uint16)
    total = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    halved: NDArray[np.uint8] = ((total + 2) // 4).astype(np.uint8)
    return halved


class LevelBlocks:
    """Gathers rows into blocks, of all levels.

    Args:
        sizes: (height, width) of each level, as `plan_levels` gives them.
        side: rows of a block, an even number; the last block of a level may be lower.
        halve: makes (P, h / 2, W / 2, ...) of a block (P, h, W, ...).
        take: called with each block, from the top to the bottom of each level; it is not kept.
    """

    def __init__(
        self, sizes: Sequence[tuple[int, int]], side: int, halve: Halve, take: TakeBlock
    ) -> None:
        self._sizes, self._side, self._halve, self._take = sizes, side, halve, take
        self._blocks: list[NDArray[Any] | None] = [None] * len(sizes)
        self._tops, self._filled = [0] * len(sizes), [0] * len(sizes)

    @property
    def is_complete(self) -> bool:
        """Whether all rows came."""
        return all(top == size[0] for top, size in zip(self._tops, self._sizes, strict=True))

    def add(self, rows: NDArray[Any], level: int = 0) -> None:
        """Add the next rows (P, h, W, ...) of a level."""
        block = self._blocks[level]
        if block is None:
            height = min(self._side, self._sizes[level][0])
            block = np.empty((rows.shape[0], height, *rows.shape[2:]), rows.dtype)
            self._blocks[level] = block
        while rows.shape[1]:
            filled = self._filled[level]
            part = rows[:, : block.shape[1] - filled]
            rows = rows[:, part.shape[1] :]
            block[:, filled : filled + part.shape[1]] = part
            self._filled[level] += part.shape[1]
            self._finish(level, block)

    def _finish(self, level: int, block: NDArray[Any]) -> None:
        """Give a block away where it is full, or the last one."""
        top, filled = self._tops[level], self._filled[level]
        if filled < block.shape[1] and top + filled < self._sizes[level][0]:
            return
        whole = block[:, :filled]
        self._take(level, top, whole)
        self._tops[level], self._filled[level] = top + filled, 0
        if level + 1 < len(self._sizes):
            self.add(self._halve(whole), level + 1)
