"""Tables and polygons of the connected regions of a mask, made of the whole."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from pixelwise.io import Place, write_text
from pixelwise.network import ModelConfig
from pixelwise.objects import describe_regions, find_regions, to_geojson
from pixelwise.workflows.prediction.rows import Rows


class ObjectResults:
    """Writes the objects of an image.

    Args:
        files: to be written, by what they hold: "table", "polygons".
        config: of the model.
        place: where the image is.
    """

    def __init__(self, files: Mapping[str, Path], config: ModelConfig, place: Place) -> None:
        self._files, self._config, self._place = files, config, place
        self._rows: list[Rows] = []

    def __enter__(self) -> "ObjectResults":
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the files; OutputError where that fails."""
        if kind is not None:
            return
        config, place = self._config, self._place
        mask = np.concatenate([rows.mask for rows in self._rows], axis=-2)
        image = np.concatenate([rows.image for rows in self._rows])
        has_background = config.task.has_background(config.class_names)
        regions = list(find_regions(mask, has_background=has_background))
        for what, path in self._files.items():
            if what == "table":
                text = describe_regions(regions, config.class_names, image, place.spacing_um)
            else:
                content = to_geojson(regions, config.class_names, config.class_colors, place)
                text = json.dumps(content, separators=(",", ":"))
            write_text(path, text)

    def write(self, rows: Rows) -> None:
        """Add the next rows."""
        self._rows.append(rows)
