"""An image in a file as the predictor reads it: in windows, in channels and unit of training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import fill_no_data, is_no_data, to_channels
from pixelwise.errors import ArrayError
from pixelwise.inference.glass import Glass
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
        no_data: value of pixels without data: tiles of these alone are left out, and NaN is 0.
        skip_background: leave out tiles that show glass, see `Glass`.

    Raises:
        DataError: the picture has other channels, or another unit.
    """

    def __init__(
        self,
        windows: Windows,
        in_channels: int,
        check: IntensityCheck,
        *,
        no_data: float | None = None,
        skip_background: bool = False,
    ) -> None:
        self._windows, self._in_channels, self._check = windows, in_channels, check
        self._name, self._no_data = str(windows.path), no_data
        overview = fill_no_data(windows.overview(), no_data)
        self._glass = Glass.of(overview[..., :3]) if skip_background else None
        seen = to_channels(overview, in_channels, self._name)
        self._factor = check.factor_of(look_at_intensities([seen]), self._name)
        self.overview = check.scale(seen, self._factor)
        self.shape = in_channels, *windows.shape[:2]

    def __getitem__(self, window: tuple[slice, ...]) -> NDArray[Any] | None:
        """Read a window (C, h, w), None where it is left out.

        Raises:
            ArrayError: it has NaN or infinite values.
        """
        _, rows, columns = window
        stored = self._windows[rows, columns]
        if self._is_left_out(stored):
            return None
        stored = fill_no_data(stored, self._no_data)
        values = to_channels(stored, self._in_channels, self._name)
        refuse_nan(values)
        return self._check.scale(values, self._factor)

    def _is_left_out(self, stored: NDArray[Any]) -> bool:
        """Whether a window (h, w, C) has no data at all, or shows glass alone."""
        if self._no_data is not None and is_no_data(stored, self._no_data).all():
            return True
        return self._glass is not None and self._glass.fills(stored[..., :3])


def refuse_nan(image: NDArray[Any]) -> None:
    """ArrayError where there are values that are no numbers."""
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ArrayError(
            f"The image has {np.count_nonzero(~np.isfinite(image))} NaN or infinite values. "
            "Replace them, for example with np.nan_to_num, before predicting."
        )
