"""Objects: connected regions of masks, as tables, polygons and COCO files."""

from pixelwise.objects.clean import clean_bands, clean_mask
from pixelwise.objects.coco import coco_format
from pixelwise.objects.formats import RegionFormat
from pixelwise.objects.geojson import geojson_format
from pixelwise.objects.measure import Region
from pixelwise.objects.polygons import trace_regions
from pixelwise.objects.region_graph import RegionGraph
from pixelwise.objects.regions import RegionFinder, find_regions
from pixelwise.objects.table import TABLE_START, table_format

__all__ = [
    "TABLE_START",
    "Region",
    "RegionFinder",
    "RegionFormat",
    "RegionGraph",
    "clean_bands",
    "clean_mask",
    "coco_format",
    "find_regions",
    "geojson_format",
    "table_format",
    "trace_regions",
]
