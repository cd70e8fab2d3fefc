"""Objects: connected regions of masks, as tables and polygons."""

from pixelwise.objects.polygons import to_geojson, trace_region
from pixelwise.objects.regions import Region, find_regions
from pixelwise.objects.table import TABLE_START, describe_regions

__all__ = [
    "TABLE_START",
    "Region",
    "describe_regions",
    "find_regions",
    "to_geojson",
    "trace_region",
]
