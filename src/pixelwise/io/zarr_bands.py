"""Write a mask as OME-Zarr (NGFF 0.5, Zarr 3) while it is being made, from the top to the bottom.

    NAME.ome.zarr/zarr.json    names of the axes and levels, size of a pixel, colours of the classes
    NAME.ome.zarr/0/           the mask, in chunks of 512 x 512, packed by Zstandard
    NAME.ome.zarr/1/           half the size, where the mask is large; and so on

The folder is made beside its place, and moved there when it is whole. Needs zarr.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import parse_color
from pixelwise.io.extras import import_extra
from pixelwise.io.levels import LevelBlocks, every_second, plan_levels
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.writers import SIGNATURE, naming_failures, remove_result, temporary_beside

CHUNK = 512  # pixels
VERSION = "0.5"  # of NGFF


class ZarrBands:
    """A folder of class indices, or of planes of 0 and 1, that is written band by band.

    Used as a context: at its end the folder is there; where an error leaves it, nothing is.

    Args:
        path: path of the folder; one that is there is replaced.
        size: (height, width).
        classes: name and colour "#rrggbb" of each class.
        num_planes: of a mask of classes that overlap; None of class indices.
        place: where the pixels are in the world, of which the size of a pixel is kept.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        classes: Sequence[tuple[str, str]],
        num_planes: int | None = None,
        place: Place = NOWHERE,
    ) -> None:
        self._path, self._temporary = path, temporary_beside(path.resolve())
        self._classes, self._num_planes, self._place = classes, num_planes, place
        self._sizes = plan_levels(size, size[0] * size[1] * (num_planes or 1))
        self._blocks = LevelBlocks(self._sizes, CHUNK, every_second, self._store)
        self._arrays: list[Any] = []

    def __enter__(self) -> "ZarrBands":
        """Make the folder, under another name."""
        zarr = import_extra("zarr", "volumes", "Zarr masks", "written")
        with naming_failures(self._path):
            group = zarr.open_group(
                str(self._temporary), mode="w", zarr_format=3, attributes=self._attributes()
            )
            planes = () if self._num_planes is None else (self._num_planes,)
            for level, size in enumerate(self._sizes):
                array = group.create_array(
                    str(level),
                    shape=(*planes, *size),
                    chunks=(*(1 for _ in planes), CHUNK, CHUNK),
                    dtype=np.uint8,
                    fill_value=0,
                    dimension_names=["c", "y", "x"][-len(planes) - 2 :],
                )
                self._arrays.append(array)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Move the folder to its place, or remove it; OutputError where that fails."""
        try:
            if kind is None:
                assert self._blocks.is_complete
                with naming_failures(self._path):
                    remove_result(self._path)
                    self._temporary.rename(self._path.resolve())
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Add the next rows (h, W) or (K, h, W); OutputError where they cannot be written."""
        with naming_failures(self._path):
            self._blocks.add(rows[np.newaxis] if self._num_planes is None else rows)

    def _store(self, level: int, top: int, block: NDArray[np.uint8]) -> None:
        values = block[0] if self._num_planes is None else block
        self._arrays[level][..., top : top + block.shape[1], :] = values

    def _attributes(self) -> Mapping[str, Any]:
        """What NGFF wants to be said; the signature first, where `is_result` looks."""
        axes = [{"name": name, "type": "space"} for name in "yx"]
        if self._place.spacing_um:
            axes = [axis | {"unit": "micrometer"} for axis in axes]
        if self._num_planes is not None:
            axes.insert(0, {"name": "c", "type": "channel"})
        datasets = [self._dataset(level) for level in range(len(self._sizes))]
        image = {"name": self._path.name.partition(".")[0], "axes": axes, "datasets": datasets}
        content: dict[str, Any] = {"version": VERSION, "multiscales": [image | {"type": "nearest"}]}
        if self._num_planes is None:
            content["image-label"] = self._label()
        return {"software": SIGNATURE, "ome": content}

    def _dataset(self, level: int) -> dict[str, Any]:
        pixel = self._place.spacing_um or (1.0, 1.0)
        scale = [side * 2**level for side in pixel[-2:]]
        planes = [] if self._num_planes is None else [1.0]
        step = {"type": "scale", "scale": [*planes, *scale]}
        return {"path": str(level), "coordinateTransformations": [step]}

    def _label(self) -> dict[str, Any]:
        """Names and colours of the classes."""
        colors, names = [], []
        for value, (name, color) in enumerate(self._classes):
            alpha = 255 if any(parse_color(color)) else 0  # black is background
            colors.append({"label-value": value, "rgba": [*parse_color(color), alpha]})
            names.append({"label-value": value, "class": name})
        return {"version": VERSION, "colors": colors, "properties": names}
