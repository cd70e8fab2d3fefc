"""A stack and a model for pictures: each plane is predicted by itself, and the masks are a stack.

NIfTI     planes along k, the third axis of the file: each is seen as it would be were it saved
          as a NIfTI file of its own
TIFF      planes along Z
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import to_channels
from pixelwise.errors import DataError, PlanError
from pixelwise.inference import IntensityCheck, Predictor
from pixelwise.io import Place, write_nifti_mask, write_planes, write_stack_mask
from pixelwise.network import ModelConfig, look_at_intensities
from pixelwise.text import show_size


def predict_stack(
    predictor: Predictor,
    check: IntensityCheck,
    image: NDArray[Any],
    name: str,
    place: Place,
) -> NDArray[Any]:
    """Predict a stack plane by plane; the unit of its intensities is that of the whole.

    Args:
        predictor: of a model for pictures.
        check: brings intensities to the unit of training.
        image: (D, H, W, C) as stored.
        name: of the image, for messages.
        place: of the image; says along which axis planes follow each other.

    Returns:
        The mask (D, H, W) uint8, or (K, D, H, W) bool where classes overlap.

    Raises:
        DataError: a volume of a format whose masks are no stacks; other channels, or another unit.
    """
    if place.num_planes == 1:
        raise DataError(
            f"{name} holds a stack or volume of {show_size(image.shape[:-1])}, and the model is "
            "for pictures. Save it as TIFF or NIfTI, whose planes are predicted one by one."
        )
    channels = to_channels(image, predictor.model.config.network.in_channels, name)
    factor = check.factor_of(look_at_intensities([channels]), name)
    planes = np.moveaxis(channels, 1 + place.plane_axis, 0)
    masks = [predictor.segment(check.scale(plane, factor)) for plane in planes]
    return np.stack(masks, axis=place.plane_axis - len("ZYX"))


def check_files(path: Path, files: Mapping[str, Path], place: Place) -> None:
    """Refuse what is not made of a stack.

    Raises:
        PlanError: a file is no mask, or a mask as PNG or Zarr.
    """
    others = [what for what in files if what != "mask"]
    suffix = files["mask"].suffix if "mask" in files else ""
    if place.num_planes == 1 or not (others or suffix in (".png", ".zarr")):
        return
    what = f"--save {','.join(others)}" if others else f"--format {suffix.removeprefix('.')}"
    raise PlanError(
        f"{path} is a stack of {place.num_planes} planes, of which masks alone are saved, as NIfTI "
        f"or TIFF. Leave out {what}, or save its planes as pictures."
    )


def write_stack(target: Path, mask: NDArray[Any], config: ModelConfig, place: Place) -> None:
    """Write the mask of a stack, as its name says: .nii.gz or .tif."""
    if mask.dtype == np.bool_:
        write_planes(target.with_name(target.name.removesuffix(".tif")), mask, place)
    elif target.suffix == ".tif":
        write_stack_mask(target, mask, config.class_colors, place)
    else:
        write_nifti_mask(target, mask, place)
