"""What a reader gives, values of plain types, and quiet for the libraries."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import FileError

LIBRARIES = r"(PIL|tifffile|imagecodecs|nibabel|numcodecs|zarr|numpy)\b|<unknown>"

_quiet_lock = threading.Lock()
_num_quiet = 0  # threads that are decoding now
_quiet_filter: Any = None


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded values of one file, and what had to be decided to read them.

    Attributes:
        values: (*S) or (*S, C), where S is (H, W), or (D, H, W) of a volume.
        num_bytes: size of the file.
        note: what was assumed, for example which axis holds the channels; "" where nothing was.
        orientation: EXIF orientation, 1 to 8, that was applied: the file stores its pixels in it.
        spatial_dims: number of axes of S.
        spacing_um: physical size of a pixel along each axis of S, where the file says it.
        palette: (N, 3) colours of the numbers 0..N-1, where a mask file has a palette.
    """

    values: NDArray[Any]
    num_bytes: int
    note: str = ""
    orientation: int = 1
    spatial_dims: int = 2
    spacing_um: tuple[float, ...] | None = None
    palette: NDArray[np.uint8] | None = None

    @property
    def turned(self) -> bool:
        """Whether the values do not lie as the file stores them."""
        return self.orientation != 1


def plain_type(values: NDArray[Any], as_mask: bool) -> NDArray[Any]:
    """Contiguous, in the machine's byte order; booleans as uint8, floats of an image as float32.

    Args:
        values: any shape and type.
        as_mask: true is 1, not 255, and doubles stay what they are.

    Raises:
        FileError: complex numbers, or no numbers at all.
    """
    if values.dtype == np.bool_:
        return np.ascontiguousarray(values.astype(np.uint8) * np.uint8(1 if as_mask else 255))
    if values.dtype.kind == "c":
        raise FileError("it holds complex numbers. Save their magnitude as float32.")
    if values.dtype.kind not in "iuf":
        raise FileError(f"it holds values of type {values.dtype}. Save numbers.")
    if values.dtype.kind == "f" and (not as_mask or values.dtype.itemsize > 8):
        with np.errstate(over="ignore"):  # doubles beyond float32 become infinite, which is found
            return np.ascontiguousarray(values, dtype=np.float32)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings of the decoding libraries: what matters is in our error.

    `warnings.catch_warnings` changes the filters of all threads and puts back those of its own
    start, so that threads undo each other; here the last thread that decodes removes the filter.
    """
    _enter_quiet()
    try:
        yield
    finally:
        _leave_quiet()


def _enter_quiet() -> None:
    global _num_quiet, _quiet_filter
    with _quiet_lock:
        _num_quiet += 1
        if _quiet_filter is None or _quiet_filter not in warnings.filters:
            warnings.filterwarnings("ignore", module=LIBRARIES)
            _quiet_filter = warnings.filters[0]


def _leave_quiet() -> None:
    global _num_quiet, _quiet_filter
    with _quiet_lock:
        _num_quiet -= 1
        if _num_quiet == 0 and _quiet_filter in warnings.filters:
            warnings.filters.remove(_quiet_filter)  # type: ignore[attr-defined]
            _quiet_filter = None
