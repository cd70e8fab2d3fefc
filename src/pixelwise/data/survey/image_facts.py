"""What is kept of an image: a few numbers and a thumbnail, whatever the size of the image."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.array_source import ArraySource, ImageSource
from pixelwise.data.channels import has_constant_alpha, has_equal_channels
from pixelwise.data.survey.thumbnails import make_thumbnail, middle_plane, step_for, to_grey
from pixelwise.errors import FileError
from pixelwise.io import Pixels, read_channels

PERCENTILES = (1, 50, 99)
MAX_CHANNELS_MEASURED = 16


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is kept of an image."""

    size: tuple[int, ...]
    channels: int  # as stored
    dtype: str
    has_constant_alpha: bool
    is_grey: bool  # one channel, or equal channels, alpha aside
    is_constant: bool
    is_finite: bool
    turned: bool  # by EXIF
    num_bytes: int
    digest: bytes  # of the pixels, their type and shape
    note: str  # of the reader
    levels: NDArray[np.float32]  # (C, 3) percentiles 1, 50 and 99 of each colour, NaN left out
    saturated: float  # share of the pixels that have the highest value of their type everywhere
    thumbnail: NDArray[np.int8] | None  # (32, 32), see `make_thumbnail`
    spacing_um: tuple[float, ...] | None = None  # size of a pixel, where the file says it


def read_source(images: ImageSource) -> Pixels:
    """Decode the file of an image, or join its files, one a channel; an array is taken as it is."""
    if isinstance(images, ArraySource):
        return _take_array(images)
    return read_channels(images)


def _take_array(source: ArraySource) -> Pixels:
    values = source.read()
    if values.dtype == np.bool_:
        raise FileError(
            f"{source.path} has dtype bool, as masks have; images hold intensities. Give "
            "(image, mask) in this order, or convert it: image.astype(np.uint8)."
        )
    return Pixels(values if values.ndim == 3 else values[..., np.newaxis], values.nbytes)


def describe_image(pixels: Pixels) -> ImageFacts:
    """The facts of a decoded image."""
    values = pixels.values
    constant_alpha = has_constant_alpha(values)
    color = values[..., :-1] if constant_alpha else values
    step = step_for(values.shape[:-1])
    seen = color[(slice(None, None, step),) * (values.ndim - 1)]  # few pixels decide most questions
    is_grey = color.shape[-1] in (1, 3) and has_equal_channels(seen) and has_equal_channels(color)
    return ImageFacts(
        size=values.shape[:-1],
        channels=values.shape[-1],
        dtype=values.dtype.name,
        has_constant_alpha=constant_alpha,
        is_grey=is_grey,
        is_constant=_is_constant(seen) and _is_constant(color),
        is_finite=values.dtype.kind != "f" or bool(np.isfinite(values).all()),
        turned=pixels.turned,
        num_bytes=pixels.num_bytes,
        digest=digest_of(values),
        note=pixels.note,
        levels=_levels(seen[..., :1] if is_grey else seen),
        saturated=_saturated(seen),
        thumbnail=make_thumbnail(to_grey(middle_plane(color, 1), step)),
        spacing_um=pixels.spacing_um,
    )


def digest_of(values: NDArray[Any]) -> bytes:
    """16 bytes that are equal for equal pixels: the file format does not matter."""
    digest = hashlib.blake2b(f"{values.dtype.name} {values.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values).data)
    return digest.digest()


def _is_constant(values: NDArray[Any]) -> bool:
    return bool((values == values.reshape(-1, values.shape[-1])[0]).all())


def _levels(seen: NDArray[Any]) -> NDArray[np.float32]:
    flat = seen.reshape(-1, seen.shape[-1])[:, :MAX_CHANNELS_MEASURED]
    if seen.dtype == np.uint8:  # counted, which is several times as fast as sorted
        places = [round(percent / 100 * (len(flat) - 1)) for percent in PERCENTILES]
        below = [np.cumsum(np.bincount(channel, minlength=256)) for channel in flat.T]
        return np.array([np.searchsorted(counts, places, "right") for counts in below], np.float32)
    flat = flat.astype(np.float32)
    flat = flat[np.isfinite(flat).all(axis=1)] if seen.dtype.kind == "f" else flat
    if not len(flat):
        return np.zeros((flat.shape[1], len(PERCENTILES)), dtype=np.float32)
    places = [round(percent / 100 * (len(flat) - 1)) for percent in PERCENTILES]
    return np.ascontiguousarray(np.partition(flat, places, axis=0)[places].T)


def _saturated(seen: NDArray[Any]) -> float:
    if seen.dtype.kind not in "iu":
        return 0.0
    return float((seen == np.iinfo(seen.dtype).max).all(axis=-1).mean())
