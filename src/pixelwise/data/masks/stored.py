"""What a mask stores, before anything is known about its meaning.

numbers   (*S) integers          grey and palette files, painted shapes
colors    (*S) int32 0xRRGGBB    masks in colours
layers    (*S, K) bool           one plane a class: one-hot files, one file a class
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.channels import has_constant_alpha, has_equal_channels
from pixelwise.errors import MaskError

StoredForm = Literal["numbers", "colors", "layers"]


@dataclass(frozen=True, slots=True)
class StoredMask:
    """What one mask stores.

    Attributes:
        values: "numbers": (*S) integers; "colors": (*S) int32 0xRRGGBB; "layers": (*S, K) bool.
        form: which of the three.
        instances: (*S) int32 object ids, 0 outside objects, where the source has objects.
        num_overlap: pixels that several objects or layers claim.
        num_outside: objects that reach beyond the image.
        num_bytes: of the files.
    """

    values: NDArray[Any]
    form: StoredForm = "numbers"
    instances: NDArray[np.int32] | None = None
    num_overlap: int = 0
    num_outside: int = 0
    num_bytes: int = 0

    @property
    def size(self) -> tuple[int, ...]:
        """Of the mask: (height, width), or (depth, height, width)."""
        return self.values.shape[:-1] if self.form == "layers" else self.values.shape


def to_stored(values: NDArray[Any], path: Path) -> StoredMask:
    """Bring the values of a mask file into one of the stored forms.

    Grey masks stored as RGB or RGBA lose the copies, whole floats become integers.

    Args:
        values: (H, W) or (H, W, C) of any type.
        path: of the file, for the message.

    Raises:
        MaskError: the mask is in colours, or holds fractions or NaN.
    """
    return StoredMask(_to_integers(_to_one_channel(values, path), path))


def _to_integers(stored: NDArray[Any], path: Path) -> NDArray[Any]:
    if stored.dtype == np.bool_:
        return stored.astype(np.uint8)
    if stored.dtype.kind != "f":
        return stored
    if not np.isfinite(stored).all():
        raise MaskError(
            f"{path} holds NaN or infinite values. Give these pixels an ignore value such as 255."
        )
    if (stored != np.rint(stored)).any():
        fraction = float(stored[stored != np.rint(stored)][0])
        raise MaskError(
            f"{path} holds fractions such as {fraction:.4g}, as probabilities do. Masks hold one "
            "whole number a pixel: threshold it, for example at 0.5."
        )
    return stored.astype(np.int64)


def _to_one_channel(values: NDArray[Any], path: Path) -> NDArray[Any]:
    if values.ndim == 2:
        return values
    if has_constant_alpha(values):
        values = values[:, :, :-1]
    if has_equal_channels(values):
        return values[:, :, 0]
    raise MaskError(
        f"{path} is a mask with {values.shape[2]} channels that differ: colours, one-hot classes "
        "or alpha. Save one number a pixel: the class index, as a grey or palette PNG."
    )
