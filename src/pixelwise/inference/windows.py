"""An image in a file as the predictor reads it: in windows, in channels and unit of training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import to_channels
from pixelwise.errors import ArrayError
from pixelwise.inference.intensities import IntensityCheck
from pixelwise.io import Windows
from pixelwise.network import look_at_intensities


class WindowedImage:
    """A picture (C, H, W) of a model's channels, read in windows.

    What needs the whole picture (the unit of its intensities, percentiles to scale by) is taken
    from about a million pixels that are evenly spread.

    Args:
        windows: where the picture lies.
        in_channels: that the model takes.
        check: brings intensities to the unit of training.

    Raises:
        DataError: the picture has other channels, or another unit.
    """

    def __init__(self, windows: Windows, in_channels: int, check: IntensityCheck) -> None:
        self._windows, self._in_channels, self._check = windows, in_channels, check
        self._name = str(windows.path)
        seen = to_channels(windows.overview(), in_channels, self._name)
        self._factor = check.factor_of(look_at_intensities([seen]), self._name)
        self.overview = check.scale(seen, self._factor)
        self.shape = in_channels, *windows.shape[:2]

    def __getitem__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Read a window (C, h, w); ArrayError where it has NaN or infinite values."""
        _, rows, columns = window
        values = to_channels(self._windows[rows, columns], self._in_channels, self._name)
        refuse_nan(values)
        return self._check.scale(values, self._factor)


def refuse_nan(image: NDArray[Any]) -> None:
    """ArrayError where there are values that are no numbers."""
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ArrayError(
            f"The image has {np.count_nonzero(~np.isfinite(image))} NaN or infinite values. "
            "Replace them, for example with np.nan_to_num, before predicting."
        )
