"""Write masks of stacks and volumes: as NIfTI where the image is NIfTI, else as TIFF.

NIfTI   mask (D, H, W) or (H, W) -> (z, y, x) -> (x, y, z) -> (i, j, k), as the image is
        stored, with its affine, codes and units: the turn to canonical orientation is undone
TIFF    axes ZYX, with spacing where the image has it, and the class colours
"""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import color_table
from pixelwise.errors import ArrayError
from pixelwise.io.extras import import_extra
from pixelwise.io.nifti_files import SPATIAL_AXES, WHAT, canonical_turns, parse_header, stored_shape
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.writers import BIG_BYTES, SIGNATURE, ome_spacing, write_whole


def write_nifti_mask(path: Path, mask: NDArray[Any], place: Place) -> None:
    """Write a mask as .nii.gz.

    Args:
        path: path of the file.
        mask: (D, H, W), or (H, W) of a volume of one slice, class index from 0 to 255; axes as
            `read_image` gives those of the image.
        place: of the image, which is NIfTI.

    Raises:
        ArrayError: the mask has another size than the image.
        OutputError: the file cannot be written.
    """
    nibabel = import_extra("nibabel", "volumes", WHAT, "written")
    header = parse_header(place.nifti_header)
    values = _as_stored(mask.astype(np.uint8), header)
    header.set_data_dtype(np.uint8)
    header.set_data_shape(values.shape)
    header.set_slope_inter(1, 0)
    header.set_intent("label")
    header["cal_min"] = header["cal_max"] = 0  # what programs show as black and white
    header["descrip"] = SIGNATURE
    kind = nibabel.Nifti1Image if header.sizeof_hdr == 348 else nibabel.Nifti2Image
    data = kind(values, None, header).to_bytes()

    def save(file: BinaryIO) -> None:
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:  # the same bytes at any time
            packed.write(data)

    write_whole(path, save)


def _as_stored(mask: NDArray[np.uint8], header: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """(z, y, x) of the canonical orientation, a single slice left out or not, to (i, j, k)."""
    orientations = import_extra("nibabel.orientations", "volumes", WHAT, "written")
    shape = stored_shape(header)
    turns = canonical_turns(header)
    if turns is None:
        turns = np.array([(axis, 1) for axis in range(SPATIAL_AXES)])
    canonical = [shape[int(i)] for i in np.argsort(turns[:, 0])]  # along x, y, z
    if mask.size != np.prod(shape) or [n for n in mask.shape if n > 1] != [
        n for n in canonical[::-1] if n > 1
    ]:
        raise ArrayError(f"the mask is {mask.shape}, but its image {tuple(canonical[::-1])}.")
    values = mask.reshape(canonical[::-1]).transpose(2, 1, 0)
    upright = np.array([(axis, 1) for axis in range(SPATIAL_AXES)])
    back = orientations.ornt_transform(upright, turns)
    stored: NDArray[np.uint8] = orientations.apply_orientation(values, back)
    return stored.reshape(shape[: max(2, min(int(header["dim"][0]), SPATIAL_AXES))])


def write_stack_mask(
    path: Path, mask: NDArray[Any], colors: Sequence[str], place: Place = NOWHERE
) -> None:
    """Write a mask as a TIFF of planes.

    Args:
        path: path of the file.
        mask: (D, H, W) class index from 0 to 255.
        colors: "#rrggbb" of each class.
        place: of the image.

    Raises:
        OutputError: the file cannot be written.
    """
    import tifffile

    table, spacing = color_table(colors[:256], 256).reshape(-1, 3), ome_spacing(place.spacing_um)

    def save(file: BinaryIO) -> None:
        tifffile.imwrite(
            file,
            mask.astype(np.uint8),
            photometric="palette",
            colormap=table.T.astype(np.uint16) * 257,
            compression="zlib",
            metadata={"axes": "ZYX"} | spacing,
            ome=bool(spacing),
            software=SIGNATURE,
            bigtiff=mask.size > BIG_BYTES,
            extratags=place.tags,
        )

    write_whole(path, save)
