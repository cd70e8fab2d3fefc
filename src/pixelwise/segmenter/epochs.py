"""Epochs as Keras users know them: the history, the printed lines, the validation split."""

import csv
import numbers
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from numpy.typing import ArrayLike

from pixelwise.callbacks import HOOKS
from pixelwise.data import to_array
from pixelwise.errors import ArrayError, PixelwiseWarning, PlanError
from pixelwise.io import decode_text, read_bytes
from pixelwise.planning import Plan
from pixelwise.segmenter.pairs import Given
from pixelwise.text import count_of, html_table
from pixelwise.training import Watcher


@dataclass
class History:
    """What `fit` returns: the values of every epoch, by name (`loss`, `val_loss`, metrics)."""

    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def epoch(self) -> list[int]:
        """Epoch numbers from 0."""
        return list(range(len(self.history.get("loss", []))))

    def __repr__(self) -> str:
        """The number of epochs and the last values."""
        last = {name: values[-1] for name, values in self.history.items() if values}
        return f"History({count_of(len(self.epoch), 'epoch')}; {format_values(last)})"

    def _repr_html_(self) -> str:
        """The values of the epochs, as notebooks show them."""
        rows = zip(*self.history.values(), strict=True)
        shown = [(n + 1, *map(_show, row)) for n, row in enumerate(rows)]
        of = "validation" if "step" in self.history else "epoch"  # of a run, or of `fit`
        return html_table((of, *self.history), shown)


def _show(value: float) -> str:
    """A step, a number of seconds, a loss, a learning rate."""
    is_whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:.0f}" if is_whole else f"{value:.4g}"


def read_history(path: Path) -> History:
    """The history that a run wrote, one value a validation; empty where there is no file."""
    if not path.is_file():
        return History()
    rows = list(csv.DictReader(decode_text(read_bytes(path), path).splitlines()))
    names = {name: "loss" if name == "train_loss" else name for name in (rows[0] if rows else ())}
    return History(
        {shown: [float(row[name] or "nan") for row in rows] for name, shown in names.items()}
    )


class Hooks:
    """Calls the hooks of callbacks: of those of `pixelwise.callbacks`, and of any like them.

    Args:
        callbacks: objects with some of Keras's hook methods.
        model: the Segmenter that is trained.
        params: numbers of epochs and of steps.

    Raises:
        PlanError: one has no such method.
    """

    def __init__(
        self, callbacks: Iterable[object], model: object, params: Mapping[str, int]
    ) -> None:
        self._callbacks = list(callbacks)
        for callback in self._callbacks:
            if isinstance(callback, type) or not any(hasattr(callback, name) for name in HOOKS):
                raise PlanError(
                    f"{callback!r} is no callback. Give objects of pixelwise.callbacks, such as "
                    f"EarlyStopping(patience=5), or with methods such as on_epoch_end."
                )
        self.call("set_params", dict(params))
        self.call("set_model", model)

    def call(self, name: str, *arguments: object) -> None:
        """Call the hook of each callback that has it."""
        for callback in self._callbacks:
            hook = getattr(callback, name, None)
            if hook is not None:
                hook(*arguments)


class Stoppable(Protocol):
    """A model that a callback may ask to end training."""

    stop_training: bool


class EpochWatcher(Watcher):
    """Fills a history, prints a line an epoch, as Keras does, and calls the hooks of callbacks."""

    def __init__(
        self,
        metrics: Iterable[str],
        epochs: int,
        plan: Plan,
        callbacks: Iterable[object],
        model: Stoppable,
        *,
        verbose: bool | int,
    ) -> None:
        self.history = History()
        self._epochs, self._verbose, self._steps = epochs, verbose, plan.validate_every
        self._names = ["loss", *metrics]
        self._model, self._is_last = model, False
        params = {"epochs": epochs, "steps": self._steps, "verbose": int(verbose)}
        self._hooks = Hooks(callbacks, model, params)
        self._started = time.monotonic()

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Tell the callbacks of a batch."""
        batch = (step - 1) % self._steps
        self._hooks.call("on_train_batch_end", batch, {"loss": loss})
        if batch + 1 < self._steps:
            self._hooks.call("on_train_batch_begin", batch + 1, {})

    def begin(self) -> None:
        """Tell the callbacks that training begins."""
        self._hooks.call("on_train_begin", {})
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._hooks.call("on_epoch_begin", len(self.history.epoch), {})
        self._hooks.call("on_train_batch_begin", 0, {})

    def validated(self, row: Mapping[str, float]) -> None:
        """Add an epoch to the history, and print its line."""
        columns = {name: "train_loss" if name == "loss" else name for name in self._names}
        values = {name: row[column] for name, column in columns.items() if column in row}
        values |= {
            f"val_{name}": row[f"val_{name}"] for name in self._names if f"val_{name}" in row
        }
        for name, value in values.items():
            self.history.history.setdefault(name, []).append(value)
        if self._verbose:
            self._print_line(values)
        logs = values | {"learning_rate": row["learning_rate"]}
        self._hooks.call("on_epoch_end", len(self.history.epoch) - 1, logs)
        self._is_last = self._model.stop_training
        if not self._is_last and len(self.history.epoch) < self._epochs:
            self._begin_epoch()
        self._started = time.monotonic()

    def wants_end(self) -> bool:
        """Whether a callback asked for it, as of the last epoch."""
        return self._is_last

    def finish(self) -> None:
        """Tell the callbacks that training ended."""
        last = {name: values[-1] for name, values in self.history.history.items()}
        self._hooks.call("on_train_end", last)

    def note(self, text: str) -> None:
        """Warn."""
        warnings.warn(text, PixelwiseWarning, stacklevel=2)

    def _print_line(self, values: Mapping[str, float]) -> None:
        seconds = time.monotonic() - self._started
        epoch = len(self.history.epoch)
        print(
            f"Epoch {epoch}/{self._epochs}  {self._steps}/{self._steps}  {seconds:.1f}s "
            f"{1000 * seconds / self._steps:.0f}ms/step - {format_values(values)}"
        )
        sys.stdout.flush()


def split_off(
    given: Given, validation_data: object, validation_split: float
) -> tuple[Given, tuple[ArrayLike, ArrayLike] | None]:
    """Take the validation images from the end, as Keras does; given ones win."""
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise ArrayError("validation_data should be a pair of arrays, (x_val, y_val).")
        return given, (validation_data[0], validation_data[1])
    if not isinstance(validation_split, numbers.Real):
        raise PlanError(f"validation_split={validation_split!r} must be a number from 0 to 1.")
    if validation_split == 0:
        return given, None
    if not 0 < validation_split < 1:
        raise PlanError(f"validation_split={validation_split} must lie between 0 and 1.")
    if given.items is not None:
        raise PlanError(
            "validation_split takes images from the end, and a generator has none. Give "
            "validation_data."
        )
    x, y = to_array("x", given.images), to_array("y", given.masks)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        return given, None  # refused with the other mistakes
    num_train = int(len(x) * (1 - validation_split))
    if num_train in (0, len(x)):
        raise ArrayError(
            f"validation_split={validation_split} of {len(x)} images leaves {num_train} for "
            f"training and {len(x) - num_train} for validation. Give more images or another share."
        )
    weights = None if given.weights is None else given.weights[:num_train]
    return Given(x[:num_train], y[:num_train], weights), (x[num_train:], y[num_train:])


def format_values(values: Mapping[str, float]) -> str:
    """Return names and values as Keras prints them: "loss: 0.6931 - accuracy: 0.5000"."""
    return " - ".join(f"{name}: {value:.4f}" for name, value in values.items())
