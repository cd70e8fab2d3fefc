"""A row for each object: where it is, how large, of what shape, how bright."""

from collections.abc import Sequence

from pixelwise.objects.formats import RegionFormat
from pixelwise.objects.measure import Region
from pixelwise.text import format_csv

COLUMNS = (
    "object", "class", "area_px", "row_px", "column_px", "top_px", "left_px", "bottom_px",
    "right_px", "perimeter_px", "eccentricity",
)  # fmt: skip
TABLE_START = ",".join(COLUMNS)  # of the first line of a table


def table_format(
    class_names: Sequence[str], channels: int, spacing_um: tuple[float, ...] | None = None
) -> RegionFormat:
    """A CSV table of regions.

    Columns: number and class; area; centroid (row, column); bounding box (the last row and column
    are those behind it); perimeter; eccentricity of the ellipse of the same moments (0 is round);
    mean intensity of each channel; area and centroid in micrometres where the size of a pixel is
    known.

    Args:
        class_names: of the model.
        channels: of the image.
        spacing_um: height and width of a pixel in micrometres.
    """
    columns = [*COLUMNS, *(f"mean_{channel + 1}" for channel in range(channels))]
    if spacing_um is not None:
        columns += ["area_um2", "row_um", "column_um"]

    def write(regions: Sequence[Region]) -> str:
        rows = (_row(region, class_names, spacing_um) for region in regions)
        return "".join(format_csv(row, ()) for row in rows)  # none depends on those beside it

    return RegionFormat(format_csv(columns, ()), write, "")


def _row(
    region: Region, class_names: Sequence[str], spacing_um: tuple[float, ...] | None
) -> list[object]:
    row: list[object] = [
        region.number, class_names[region.class_index], region.area,
        *(round(value, 2) for value in region.centroid), *region.box, round(region.perimeter, 2),
        round(region.eccentricity, 4), *(round(value, 4) for value in region.means),
    ]  # fmt: skip
    if spacing_um is not None:
        height, width = spacing_um[-2:]
        row += [round(region.area * height * width, 4), *(
            round(c * side, 4) for c, side in zip(region.centroid, (height, width), strict=True)
        )]  # fmt: skip
    return row
