"""Files of the objects of one image, written while its rows come: table, polygons, COCO."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from pixelwise.io import Place, TextWriter, make_folder
from pixelwise.network import ModelConfig
from pixelwise.objects import (
    Region,
    RegionFinder,
    RegionFormat,
    coco_format,
    geojson_format,
    table_format,
)
from pixelwise.workflows.prediction.rows import Rows

ROWS_AT_ONCE = 256  # so that few regions wait to be written
OBJECT_SAVES = ("table", "polygons", "coco")


class ObjectResults:
    """Writes the files of the objects of an image, from its rows.

    A region is written when its last row is known; only those that may go on are kept.

    Args:
        files: path of the "table", "polygons" and "coco" that are wanted; others are left alone.
        config: of the model.
        place: where the image is.
        image: path of the image.
        size: its height and width.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        config: ModelConfig,
        place: Place,
        image: Path,
        size: tuple[int, int],
    ) -> None:
        self._files = {what: files[what] for what in OBJECT_SAVES if what in files}
        self._config, self._place, self._image, self._size = config, place, image, size
        self._has_background = config.task.has_background(config.class_names)
        self._finder = RegionFinder(has_background=self._has_background)
        self._texts: list[tuple[RegionFormat, TextWriter]] = []
        self._open = ExitStack()

    def __enter__(self) -> "ObjectResults":
        """Begin."""
        return self

    def write(self, rows: Rows) -> None:
        """Add the next rows; OutputError where a file cannot be written."""
        if not self._files:
            return
        if not self._texts:
            self._begin(rows.image.shape[-1])
        for top in range(0, rows.mask.shape[-2], ROWS_AT_ONCE):
            part = slice(top, top + ROWS_AT_ONCE)
            image = rows.image[part] if "table" in self._files else None
            self._write(self._finder.add(rows.mask[..., part, :], image))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the files, or remove them; OutputError where one cannot be written."""
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            self._write(self._finder.finish())
            for text, writer in self._texts:
                writer.write(text.end)

    def _begin(self, channels: int) -> None:
        for what, file in self._files.items():
            make_folder(file.parent)
            text, writer = self._format(what, channels), TextWriter(file)
            self._open.enter_context(writer).write(text.start)
            self._texts.append((text, writer))

    def _format(self, what: str, channels: int) -> RegionFormat:
        names = self._config.class_names
        if what == "table":
            return table_format(names, channels, self._place.spacing_um)
        if what == "polygons":
            return geojson_format(names, self._config.class_colors, self._place)
        name, has_background = self._image.name, self._has_background
        return coco_format(names, name, self._size, has_background=has_background)

    def _write(self, regions: Sequence[Region]) -> None:
        for text, writer in self._texts:
            writer.write(text.write(regions))
