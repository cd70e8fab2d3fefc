"""Bring the axes of a file into the order of the house, by their names where it gives any.

YX              (H, W)
YXC, CYX        (H, W, C)          S, the samples of a TIFF pixel, are channels too
ZYX             (D, H, W)
ZCYX, CZYX      (D, H, W, C)
T               refused            moments are not an axis of a picture
Q or I          no name: a short one is taken for channels, a first one for slices, and it is said
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pixelwise.errors import FileError

MAX_FIRST_CHANNELS = 8  # more planes without a name in front are slices
MAX_LAST_CHANNELS = 32
CHANNEL_AXES = "CS"
NO_NAME = "QI"  # tifffile's letters for axes that the file does not name


@dataclass(frozen=True, slots=True)
class Ordered:
    """Values in the order of the house.

    Attributes:
        values: (*S) or (*S, C).
        spatial_axes: "YX" or "ZYX".
        note: what was assumed, "" where the names say it all.
    """

    values: NDArray[Any]
    spatial_axes: str
    note: str = ""


def order_axes(values: NDArray[Any], axes: str) -> Ordered:
    """Order values by the names of their axes; axes of length 1 are dropped, but for Y and X.

    Args:
        values: any number of axes.
        axes: a letter for each axis: Z, Y, X, C or S, T; Q or I where it has no name.

    Raises:
        FileError: a film, or axes that are not those of one picture or volume.
    """
    kept = [i for i, length in enumerate(values.shape) if length > 1 or axes[i] in "YX"]
    values = values.reshape([values.shape[i] for i in kept])
    axes = "".join(axes[i] for i in kept)
    if "T" in axes:
        raise FileError(
            f"it holds {values.shape[axes.index('T')]} moments: it is a film (axes {axes}). Save "
            "each moment as a picture of its own."
        )
    named, note = _name_axes(values.shape, axes)
    spatial = "".join(axis for axis in "ZYX" if axis in named)
    channels = "".join(axis for axis in named if axis in CHANNEL_AXES)
    is_known = len(spatial) + len(channels) == len(named) == len(set(named))
    if not is_known or not spatial.endswith("YX") or len(channels) > 1:
        raise FileError(
            f"its axes {axes} {values.shape} are not those of one picture or volume. Save one "
            "picture a file, with axes such as YX, CYX or ZYX."
        )
    order = [named.index(axis) for axis in spatial + channels]
    return Ordered(values.transpose(order), spatial, note)


def _name_axes(shape: tuple[int, ...], axes: str) -> tuple[str, str]:
    """Axes with names for those that have none, and what was assumed."""
    nameless = [place for place, axis in enumerate(axes) if axis in NO_NAME]
    if not nameless:
        return axes, ""
    if axes.strip(NO_NAME) in ("", "YX") and axes.rstrip(NO_NAME) in ("", axes):
        return _name_all(shape)  # also where the last is called X: no name, no trust
    if len(nameless) > 1 or "Z" in axes:
        return axes, ""
    has_channels = any(axis in CHANNEL_AXES for axis in axes)
    taken, place = "Z" if has_channels else "C", nameless[0]
    return axes[:place] + taken + axes[place + 1 :], _say(shape, place, taken)


def _name_all(shape: tuple[int, ...]) -> tuple[str, str]:
    """Names for axes of which nothing is known but their lengths, and what was assumed."""
    spatial = {2: "YX", 3: "YX", 4: "ZYX"}.get(len(shape))
    if spatial is None:
        return NO_NAME, ""  # refused
    if len(shape) == 2:
        return spatial, ""
    if _is_short(shape[-1], shape[:-1], MAX_LAST_CHANNELS):
        return f"{spatial}C", _say(shape, len(shape) - 1, "C")
    if _is_short(shape[0], shape[1:], MAX_FIRST_CHANNELS):
        return f"C{spatial}", _say(shape, 0, "C")
    if len(shape) == 3 and not _is_short(shape[1], shape[::2], MAX_LAST_CHANNELS):
        return "ZYX", _say(shape, 0, "Z")
    raise FileError(
        f"its shape {shape} comes without the names of its axes, so that channels, slices and rows "
        "cannot be told apart. Save it as TIFF with axes, such as CYX or ZYX."
    )


def _is_short(length: int, others: Sequence[int], limit: int) -> bool:
    return 1 < length <= limit and 4 * length <= min(others)


def _say(shape: tuple[int, ...], place: int, taken: str) -> str:
    where = "first" if place == 0 else "last" if place == len(shape) - 1 else f"{place + 1}."
    what = "channels" if taken == "C" else "slices of a volume"
    return f"axes unnamed, shape {shape}: the {where} was taken for {what}"
