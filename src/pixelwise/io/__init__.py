"""One file on disk to an array of what it stores, and arrays and texts back to files."""

from pixelwise.io.claims import allow_pixels, check_claim
from pixelwise.io.extras import import_extra
from pixelwise.io.image_files import (
    decode_mask,
    is_image_file,
    read_bytes,
    read_channels,
    read_image,
    read_images,
    read_mask_values,
    read_pixels,
    read_start,
)
from pixelwise.io.picture_files import exif_orientation, picture_values
from pixelwise.io.pixels import Pixels
from pixelwise.io.places import NOWHERE, Place, read_place
from pixelwise.io.planes import fill_planes, num_planes, to_planes, write_planes
from pixelwise.io.spacing import common_spacing, same_spacing, show_spacing
from pixelwise.io.text_files import (
    DELIMITERS,
    RAW_BYTES,
    as_letters,
    decode_text,
    find_listed,
    read_rows,
    to_utf8,
)
from pixelwise.io.text_writer import TextWriter
from pixelwise.io.tiff_bands import (
    TiffBands,
    class_pixels,
    class_planes,
    grey_pixels,
    picture_pixels,
    probability_planes,
)
from pixelwise.io.turns import turn_back, turn_planes_back
from pixelwise.io.volume_masks import write_nifti_mask, write_stack_mask
from pixelwise.io.whole_pictures import WholePicture
from pixelwise.io.windows import Windows, open_windows
from pixelwise.io.writers import (
    holds_probabilities,
    is_result,
    make_folder,
    remove_result,
    write_bytes,
    write_checked,
    write_image,
    write_json,
    write_mask,
    write_pixels,
    write_text,
)
from pixelwise.io.yaml_text import parse_yaml
from pixelwise.io.zarr_bands import ZarrBands

__all__ = [
    "DELIMITERS",
    "NOWHERE",
    "RAW_BYTES",
    "Pixels",
    "Place",
    "TextWriter",
    "TiffBands",
    "WholePicture",
    "Windows",
    "ZarrBands",
    "allow_pixels",
    "as_letters",
    "check_claim",
    "class_pixels",
    "class_planes",
    "common_spacing",
    "decode_mask",
    "decode_text",
    "exif_orientation",
    "fill_planes",
    "find_listed",
    "grey_pixels",
    "holds_probabilities",
    "import_extra",
    "is_image_file",
    "is_result",
    "make_folder",
    "num_planes",
    "open_windows",
    "parse_yaml",
    "picture_pixels",
    "picture_values",
    "probability_planes",
    "read_bytes",
    "read_channels",
    "read_image",
    "read_images",
    "read_mask_values",
    "read_pixels",
    "read_place",
    "read_rows",
    "read_start",
    "remove_result",
    "same_spacing",
    "show_spacing",
    "to_planes",
    "to_utf8",
    "turn_back",
    "turn_planes_back",
    "write_bytes",
    "write_checked",
    "write_image",
    "write_json",
    "write_mask",
    "write_nifti_mask",
    "write_pixels",
    "write_planes",
    "write_stack_mask",
    "write_text",
]
