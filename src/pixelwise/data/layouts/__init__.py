"""Where a folder keeps images and masks: names and annotation files -> found samples."""

from pixelwise.data.layouts.declared import find_class_file, read_declaration
from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import refuse_missing, stem_of, suffix_of
from pixelwise.data.layouts.unique import check_names

__all__ = [
    "FoundSample",
    "Layout",
    "LayoutOptions",
    "check_names",
    "find_class_file",
    "find_layout",
    "read_declaration",
    "refuse_missing",
    "stem_of",
    "suffix_of",
]
