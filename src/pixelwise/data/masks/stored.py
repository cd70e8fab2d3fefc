"""What a mask stores, before anything is known about its meaning.

numbers   (*S) integers          grey and palette files, painted shapes
colors    (*S) int32 0xRRGGBB    masks in colours
layers    (*S, K) bool           one plane a class: one-hot files, one file a class

RGB with one channel set in every pixel stays in colours: only the whole data set can tell whether
red, green and blue are colours or the planes of a one-hot mask, and the classes are the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixelwise.colors import pack_colors
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
        num_undrawn: shapes that cover no pixel.
        num_bytes: number of bytes of the files.
        palette: (N, 3) uint8 colours of the numbers 0..N-1, where the file has a palette.
        note: note of the reader, what it assumed.
    """

    values: NDArray[Any]
    form: StoredForm = "numbers"
    instances: NDArray[np.int32] | None = None
    num_overlap: int = 0
    num_outside: int = 0
    num_undrawn: int = 0
    num_bytes: int = 0
    palette: NDArray[np.uint8] | None = None
    note: str = ""

    @property
    def size(self) -> tuple[int, ...]:
        """Of the mask: (height, width), or (depth, height, width)."""
        return self.values.shape[:-1] if self.form == "layers" else self.values.shape


def to_stored(values: NDArray[Any], path: Path, num_spatial: int = 2) -> StoredMask:
    """Bring the values of a mask file into one of the stored forms.

    Grey masks stored as RGB or RGBA lose the copies, whole floats become integers. Where alpha is
    0 or full, transparent pixels hold nothing, as black ones do; if all is black, alpha is taken.

    Args:
        values: (*S) or (*S, C) of any type.
        path: path of the file, for the message.
        num_spatial: number of axes of S.

    Raises:
        MaskError: fractions or NaN, half-transparent colours, or channels that are neither
            colours nor planes of classes.
    """
    stored = _to_integers(values, path)
    if stored.ndim == num_spatial:
        return StoredMask(stored)
    if stored.shape[-1] == 1:
        return StoredMask(stored[..., 0])
    if stored.shape[-1] != 3 and _are_planes(stored):
        return _to_layers(stored)
    if has_constant_alpha(stored):
        stored = stored[..., :-1]
    elif stored.shape[-1] in (2, 4):
        stored = _without_alpha(stored, path)
    if has_equal_channels(stored):
        return StoredMask(stored[..., 0])
    if stored.shape[-1] == 3 and _is_byte(stored):
        return StoredMask(pack_colors(stored), "colors")
    if _is_binary(stored):
        return _to_layers(stored)
    raise MaskError(
        f"{path} is a mask with {values.shape[-1]} channels that differ and are neither colours of "
        "8 bits nor planes of 0 and 1. Save one number a pixel: the class index, as a grey or "
        "palette PNG."
    )


def _to_layers(stored: NDArray[Any]) -> StoredMask:
    """One plane a channel, with the number of pixels that several claim."""
    layers = stored != 0
    return StoredMask(layers, "layers", num_overlap=int((layers.sum(axis=-1) > 1).sum()))


def _is_binary(stored: NDArray[Any]) -> bool:
    """Whether there are 0 and one other positive number only."""
    highest = stored.max(initial=0)
    return bool(highest > 0) and bool(((stored == 0) | (stored == highest)).all())


def _are_planes(stored: NDArray[Any]) -> bool:
    """Whether (*S, C) holds planes of classes, and no colours with alpha.

    No pixel of planes has two channels set, or each is 1; where only the last channel is set it may
    also be alpha over black.
    """
    if not _is_binary(stored):
        return False
    is_single = bool(((stored != 0).sum(axis=-1) <= 1).all())
    return stored.max() == 1 or (is_single and bool(stored[..., :-1].any()))


def _is_byte(stored: NDArray[Any]) -> bool:
    return bool(stored.min(initial=0) >= 0) and bool(stored.max(initial=0) <= 255)


def _without_alpha(stored: NDArray[Any], path: Path) -> NDArray[Any]:
    """The colours, black where alpha is 0; MaskError where alpha is neither 0 nor full."""
    alpha = stored[..., -1]
    if not _is_binary(alpha):
        raise MaskError(
            f"{path} is a mask with an alpha channel of {len(np.unique(alpha))} values: what is "
            "half transparent has no class. Save it without alpha, or as a grey or palette PNG "
            "that holds the class index."
        )
    colors: NDArray[Any] = stored[..., :-1] * (alpha != 0)[..., np.newaxis]
    return colors if colors.any() else alpha[..., np.newaxis]


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
