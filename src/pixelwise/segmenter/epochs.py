"""Epochs as Keras users know them: the history, the printed lines, the validation split."""

import numbers
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from pixelwise.data import to_array
from pixelwise.errors import ArrayError, PixelwiseWarning, PlanError
from pixelwise.planning import Plan
from pixelwise.training import Watcher


@dataclass
class History:
    """What `fit` returns: the values of every epoch, by name (`loss`, `val_loss`, metrics)."""

    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def epoch(self) -> list[int]:
        """Epoch numbers from 0."""
        return list(range(len(self.history.get("loss", []))))


class EpochWatcher(Watcher):
    """Fills a history and prints a line an epoch, as Keras does."""

    def __init__(
        self,
        history: History,
        metrics: Sequence[str],
        epochs: int,
        plan: Plan,
        *,
        verbose: bool | int,
    ) -> None:
        self._history, self._epochs, self._verbose = history, epochs, verbose
        self._steps = plan.validate_every
        self._names = ["loss", *metrics]
        self._started = time.monotonic()

    def validated(self, row: Mapping[str, float]) -> None:
        """Add an epoch to the history, and print its line."""
        columns = {name: "train_loss" if name == "loss" else name for name in self._names}
        values = {name: row[column] for name, column in columns.items() if column in row}
        values |= {
            f"val_{name}": row[f"val_{name}"] for name in self._names if f"val_{name}" in row
        }
        for name, value in values.items():
            self._history.history.setdefault(name, []).append(value)
        if self._verbose:
            self._print_line(values)
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        """Warn."""
        warnings.warn(text, PixelwiseWarning, stacklevel=2)

    def _print_line(self, values: Mapping[str, float]) -> None:
        seconds = time.monotonic() - self._started
        epoch = len(self._history.epoch)
        print(
            f"Epoch {epoch}/{self._epochs}  {self._steps}/{self._steps}  {seconds:.1f}s "
            f"{1000 * seconds / self._steps:.0f}ms/step - {format_values(values)}"
        )
        sys.stdout.flush()


def split_off(
    x: ArrayLike,
    y: ArrayLike,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    validation_split: float,
) -> tuple[ArrayLike, ArrayLike, tuple[ArrayLike, ArrayLike] | None]:
    """Take the validation images from the end, as Keras does; given ones win."""
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise ArrayError("validation_data should be a pair of arrays, (x_val, y_val).")
        return x, y, (validation_data[0], validation_data[1])
    if not isinstance(validation_split, numbers.Real):
        raise PlanError(f"validation_split={validation_split!r} must be a number from 0 to 1.")
    if validation_split == 0:
        return x, y, None
    if not 0 < validation_split < 1:
        raise PlanError(f"validation_split={validation_split} must lie between 0 and 1.")
    x, y = to_array("x", x), to_array("y", y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        return x, y, None  # refused with the other mistakes
    num_train = int(len(x) * (1 - validation_split))
    if num_train in (0, len(x)):
        raise ArrayError(
            f"validation_split={validation_split} of {len(x)} images leaves {num_train} for "
            f"training and {len(x) - num_train} for validation. Give more images or another share."
        )
    return x[:num_train], y[:num_train], (x[num_train:], y[num_train:])


def format_values(values: Mapping[str, float]) -> str:
    """Return names and values as Keras prints them: "loss: 0.6931 - accuracy: 0.5000"."""
    return " - ".join(f"{name}: {value:.4f}" for name, value in values.items())
