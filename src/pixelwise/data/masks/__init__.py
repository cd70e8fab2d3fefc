"""What masks are made of and what their values mean: sources -> stored values -> class indices."""

from pixelwise.data.masks.class_file import CLASS_FILE
from pixelwise.data.masks.class_table import TABLE_FILES
from pixelwise.data.masks.encoding import instances_of
from pixelwise.data.masks.facts import MaskFacts, unify_forms
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.outliers import foreign_values
from pixelwise.data.masks.read import SizeError, describe_size_mismatch, read_stored_mask
from pixelwise.data.masks.shapes import covers_pixels
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskShapes, MaskSource
from pixelwise.data.masks.stored import StoredMask

__all__ = [
    "CLASS_FILE",
    "TABLE_FILES",
    "MaskFacts",
    "MaskFile",
    "MaskParts",
    "MaskShapes",
    "MaskSource",
    "SizeError",
    "StoredMask",
    "covers_pixels",
    "describe_size_mismatch",
    "foreign_values",
    "instances_of",
    "read_stored_mask",
    "understand_masks",
    "unify_forms",
]
