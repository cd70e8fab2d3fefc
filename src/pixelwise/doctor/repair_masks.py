"""Write the masks of a repaired copy, and the classes.json that says what they mean.

class index       palette PNG, 255 where ignored; TIFF for volumes
overlapping       TIFF of one plane a class
object ids        palette PNG, or TIFF above 255 objects
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixelwise.data import MaskEncoding
from pixelwise.data.masks import CLASS_FILE, MaskFile, MaskSource, instances_of, read_stored_mask
from pixelwise.io import make_folder, write_json, write_mask, write_pixels, write_planes
from pixelwise.task import IGNORE_INDEX

QUARTER_TURNS = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation


def keeps_ids(encoding: MaskEncoding) -> bool:
    """Whether masks are copied as object ids, and not as the class of each pixel."""
    return encoding.form == "instances" and not encoding.ignore


def decode_for_copy(
    source: MaskSource, size: tuple[int, ...], encoding: MaskEncoding
) -> NDArray[Any]:
    """Read a mask as it is written into a copy.

    Args:
        source: source of the mask.
        size: size of its image.
        encoding: encoding of the original.

    Returns:
        (*S) uint8 class index with IGNORE_INDEX, (K, *S) bool where classes overlap, or (*S) int32
        object ids.

    Raises:
        FileError, MaskError: the mask cannot be read or means nothing in this encoding.
    """
    stored = read_stored_mask(source, size)
    if keeps_ids(encoding) and (ids := instances_of(stored, encoding)) is not None:
        return ids
    return encoding.decode(stored, source.path)


def has_ignored(mask: NDArray[Any], encoding: MaskEncoding) -> bool:
    """Whether a mask of a copy has pixels that are left out."""
    is_index = mask.dtype == np.uint8 and not keeps_ids(encoding)
    return is_index and bool((mask == IGNORE_INDEX).any())


def turn_upright(mask: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn a (H, W) mask as an image with this EXIF orientation (5 to 8) is turned."""
    return np.asarray(Image.fromarray(mask).transpose(QUARTER_TURNS[orientation]))


def write_class_mask(place: Path, mask: NDArray[Any], encoding: MaskEncoding) -> Path:
    """Write a mask beside `place`: a palette PNG; a TIFF for volumes, planes and many objects.

    Args:
        place: without its ending.
        mask: as `decode_for_copy` gives it.
        encoding: has the colours.
    """
    make_folder(place.parent)
    if mask.dtype == np.bool_:
        return write_planes(place, mask)
    if mask.ndim == 3:
        return write_pixels(place, mask[..., np.newaxis])
    name = place.with_name(f"{place.name}.png")  # with_suffix would cut names such as "a.1"
    return write_mask(name, mask, encoding.class_colors)


def is_index_file(source: MaskSource, encoding: MaskEncoding) -> bool:
    """Whether a mask is a file that already stores class indices."""
    return isinstance(source, MaskFile) and all(c.value == c.index for c in encoding.classes)


def write_class_file(folder: Path, encoding: MaskEncoding, some_ignored: bool) -> None:
    """Declare the classes of the copy: indices, planes from 1 where classes overlap, or ids."""
    if keeps_ids(encoding):
        names = list(encoding.class_names)
        write_json(folder / CLASS_FILE, {"classes": names, "instances": True})
        return
    first = 1 if encoding.multilabel else 0
    content: dict[str, Any] = {
        "classes": [
            {"name": c.name, "value": c.index + first, "color": c.color} for c in encoding.classes
        ]
    }
    content |= {"multilabel": True} if encoding.multilabel else {}
    write_json(folder / CLASS_FILE, content | ({"ignore": IGNORE_INDEX} if some_ignored else {}))
