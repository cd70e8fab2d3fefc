"""Connected regions of the classes of a mask; pixels that touch by an edge or a corner are one.

    rows 0-511     ──> runs ──> joined with those above ──> regions that end here, described
    rows 512-1023  ──>          those that reach the last row wait for the next rows

Only the runs of regions that are not finished are kept, so that memory does not grow with the
number of rows. What is found does not depend on how many rows come at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.objects.measure import Region, measure
from pixelwise.objects.runs import (
    MARGIN,
    Indices,
    Runs,
    connect,
    find_runs,
    find_touching,
    join_runs,
    outside_rows,
)


def find_regions(
    mask: NDArray[Any], image: NDArray[Any] | None = None, *, has_background: bool
) -> list[Region]:
    """Find the regions of all classes of a whole mask.

    Args:
        mask: (H, W) class index, or (K, H, W) bool where classes overlap. Pixels of the ignore
            index 255 belong to none.
        image: (H, W, C) as stored, for mean intensities; None leaves them out.
        has_background: class 0 is background, of which there are no regions.

    Returns:
        The regions in the order of their last rows; of those that end in one row by class, then
        by their first pixel.
    """
    finder = RegionFinder(has_background=has_background)
    return finder.add(mask, image) + finder.finish()


class RegionFinder:
    """Finds the regions of a mask that comes in rows, from the top to the bottom.

    Args:
        has_background: class 0 is background, of which there are no regions.
    """

    def __init__(self, *, has_background: bool) -> None:
        self._has_background = has_background
        self._planes: NDArray[Any] | None = None  # rows not taken yet, and two taken ones above
        self._image: NDArray[Any] | None = None
        self._open = OpenRegions()
        self._number = 0

    def add(self, mask: NDArray[Any], image: NDArray[Any] | None = None) -> list[Region]:
        """Add the next rows.

        Args:
            mask: (h, W) class index, or (K, h, W) bool where classes overlap.
            image: (h, W, C) as stored, or None, always.

        Returns:
            The regions that were found to be finished.
        """
        planes = mask if mask.ndim == 3 else mask[None]
        before = outside_rows(planes, MARGIN) if self._planes is None else self._planes
        self._planes = np.concatenate([before, planes], 1)
        if image is not None:
            self._image = image if self._image is None else np.concatenate([self._image, image])
        return self._take()

    def finish(self) -> list[Region]:
        """The regions that are left, once all rows were added."""
        if self._planes is None:
            return []
        below = outside_rows(self._planes, MARGIN)
        self._planes = np.concatenate([self._planes, below], 1)
        return self._take() + self._describe(*self._open.close())

    def _take(self) -> list[Region]:
        """Find what the rows complete that have two rows below them."""
        assert self._planes is not None
        ready = self._planes.shape[1] - 2 * MARGIN
        if ready <= 0:
            return []
        image = None if self._image is None else self._image[:ready]
        first_row = self._open.num_rows
        runs = find_runs(self._planes, first_row, image, has_background=self._has_background)
        self._planes = self._planes[:, ready:].copy()  # so that those before can go
        self._image = None if self._image is None else self._image[ready:].copy()
        return self._describe(*self._open.add(runs, ready))

    def _describe(self, runs: Runs, region: Indices) -> list[Region]:
        found = measure(runs, region, self._number)
        self._number += len(found)
        return found


class OpenRegions:
    """The runs of regions that may go on in the next row.

    Attributes:
        num_rows: that were added.
    """

    def __init__(self) -> None:
        none = np.zeros(0, np.int32)
        self._runs = Runs(none, none, none, none, np.zeros((0, 0)))
        self._region = np.zeros(0, np.int64)  # of each run, from 0 on
        self.num_rows = 0

    def add(self, new: Runs, num_rows: int) -> tuple[Runs, Indices]:
        """Add the runs of the next rows; return those of regions that are finished.

        Args:
            new: in the order of classes, rows and columns.
            num_rows: that they are of.

        Returns:
            The runs, and the number of the region of each.
        """
        if not len(self._region):
            self._runs = new.take(np.zeros(0, np.int64))
        region = self._connect(new)
        runs = join_runs([self._runs, new])
        self.num_rows += num_rows
        is_open = np.zeros(len(runs.row), np.bool_)  # of regions, which are no more than runs
        is_open[region[runs.row == self.num_rows - 1]] = True
        stays = is_open[region]
        self._runs = runs.take(stays)
        self._region = np.unique(region[stays], return_inverse=True)[1]
        return runs.take(~stays), region[~stays]

    def close(self) -> tuple[Runs, Indices]:
        """The runs that are left, and the number of the region of each."""
        return self._runs, self._region

    def _connect(self, new: Runs) -> Indices:
        """Regions of the runs that were kept and of new ones."""
        number = int(self._region.max()) + 1 if len(self._region) else 0
        nodes = number + np.arange(len(new.row))
        reach = self._runs.row == self.num_rows - 1
        both = join_runs([self._runs.take(reach), new])
        order = np.lexsort((both.start, both.row, both.class_index))
        both, node = both.take(order), np.concatenate([self._region[reach], nodes])[order]
        lower, upper = find_touching(
            both.class_index, both.row, both.start, both.stop, by_corners=True
        )
        labels = connect(number + len(nodes), node[lower], node[upper])
        return np.asarray(labels[np.concatenate([self._region, nodes])])
