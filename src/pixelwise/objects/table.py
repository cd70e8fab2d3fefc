"""A row for each object: where it is, how large, of what shape, how bright."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from pixelwise.objects.regions import Region
from pixelwise.text import format_csv

COLUMNS = (
    "object", "class", "area_px", "row_px", "column_px", "top_px", "left_px", "bottom_px",
    "right_px", "perimeter_px", "eccentricity",
)  # fmt: skip
TABLE_START = ",".join(COLUMNS)  # of the first line of a table


def describe_regions(
    regions: Iterable[Region],
    class_names: Sequence[str],
    image: NDArray[Any],
    spacing_um: tuple[float, ...] | None = None,
) -> str:
    """A CSV table of regions.

    Columns: number and class; area; centroid (row, column); bounding box (the last row and column
    are those behind it); perimeter; eccentricity of the ellipse of the same moments (0 is round);
    mean intensity of each channel; area and centroid in micrometres where the size of a pixel is
    known.

    Args:
        regions: of one mask.
        class_names: of the model.
        image: (H, W, C) as stored.
        spacing_um: height and width of a pixel in micrometres.
    """
    channels = image.shape[-1]
    columns = [*COLUMNS, *(f"mean_{channel + 1}" for channel in range(channels))]
    if spacing_um is not None:
        columns += ["area_um2", "row_um", "column_um"]
    rows = [_row(region, class_names, image, spacing_um) for region in regions]
    return format_csv(columns, rows)


def _row(
    region: Region,
    class_names: Sequence[str],
    image: NDArray[Any],
    spacing_um: tuple[float, ...] | None,
) -> list[object]:
    (found,) = regionprops(region.inside.astype(np.uint8))  # type: ignore[no-untyped-call]
    rows, columns = region.place
    area = int(region.inside.sum())
    centre = [found.centroid[0] + rows.start, found.centroid[1] + columns.start]
    means = image[region.place][region.inside].mean(0, dtype=np.float64)
    row: list[object] = [
        region.number, class_names[region.class_index], area, *(round(c, 2) for c in centre),
        rows.start, columns.start, rows.stop, columns.stop, round(float(found.perimeter), 2),
        round(float(found.eccentricity), 4), *(round(float(mean), 4) for mean in means),
    ]  # fmt: skip
    if spacing_um is not None:
        height, width = spacing_um[-2:]
        row += [round(area * height * width, 4), *(
            round(c * side, 4) for c, side in zip(centre, (height, width), strict=True)
        )]  # fmt: skip
    return row
