"""Callbacks of `Segmenter.fit`, by Keras's names and arguments.

Example::

    model.fit(x, y, epochs=50, validation_split=0.2, callbacks=[
        pw.callbacks.EarlyStopping(patience=5, restore_best_weights=True),
        pw.callbacks.CSVLogger("history.csv"),
    ])

`fit` takes any object with hooks of these names, such as a callback written for Keras. In a hook,
`self.model` is the Segmenter: `self.model.stop_training = True` ends training after the epoch, and
`self.model.optimizer.learning_rate` is the rate of the next step.
"""

import csv
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pixelwise.errors import PlanError

Logs = Mapping[str, float]
Hook = Callable[..., None]
GROWING = ("acc", "dice", "iou", "precision", "recall", "auc", "f1")  # of these more is better
HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
    "on_train_batch_begin", "on_train_batch_end",
)  # fmt: skip
MODES = ("auto", "min", "max")


class Callback:
    """Told what happens in `fit`; does nothing. Override what is of interest.

    Attributes:
        model: the Segmenter.
        params: epochs, steps (of an epoch) and verbose.
    """

    model: Any = None
    params: Mapping[str, int] = {}

    def set_model(self, model: Any) -> None:  # noqa: ANN401
        """Take the Segmenter that is trained."""
        self.model = model

    def set_params(self, params: Mapping[str, int]) -> None:
        """Take the numbers of epochs and steps."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training ended; the model has the weights of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Epoch `epoch`, from 0, begins."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Epoch `epoch`, from 0, is done; logs: its loss and metrics, `val_` before some."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Step `batch` of the epoch, from 0, begins."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Step `batch` of the epoch, from 0, is done."""


class LambdaCallback(Callback):
    """Hooks given as functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: ...)`."""

    def __init__(self, **hooks: Hook) -> None:
        unknown = [name for name in hooks if name not in HOOKS]
        if unknown:
            raise PlanError(f"{unknown[0]} is no hook. There are {', '.join(HOOKS)}.")
        for name, hook in hooks.items():
            setattr(self, name, hook)


class _Watching(Callback):
    """One that watches a value: is it better than before?

    Args:
        monitor: name of the value in the logs of an epoch.
        mode: "min", "max", or "auto", by the name.
        min_delta: change that counts.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in MODES:
            raise PlanError(f"mode={mode!r} is not known. Use one of {', '.join(MODES)}.")
        grows = any(part in monitor for part in GROWING) if mode == "auto" else mode == "max"
        self.monitor, self._sign, self.min_delta = monitor, -1.0 if grows else 1.0, abs(min_delta)
        self.best = math.inf * self._sign

    def read(self, logs: Logs | None) -> float:
        """The value of this epoch; PlanError where there is none of the name."""
        logs = logs or {}
        if self.monitor not in logs:
            names = ", ".join(name for name in logs if name != "learning_rate")
            lacking = "val_" in self.monitor and not any(name.startswith("val_") for name in logs)
            raise PlanError(
                f"{type(self).__name__} watches {self.monitor!r}, which epochs do not have; they "
                f"have {names}." + " Give validation_data or validation_split to fit." * lacking
            )
        return float(logs[self.monitor])

    def is_better(self, value: float, than: float | None = None) -> bool:
        """Whether a value is better than the best so far, or than another, by `min_delta`."""
        reference = self.best if than is None else than
        return self._sign * (value - reference) < -self.min_delta


class EarlyStopping(_Watching):
    """End training when a value has stopped improving.

    Args:
        monitor: the value, such as "val_loss".
        min_delta: smallest change that is an improvement.
        patience: epochs without one, after which training ends.
        verbose: print when that is.
        mode: "min", "max", or "auto", by the name.
        baseline: the first epochs must be better than this.
        restore_best_weights: end with the weights of the best epoch in place of the last.
        start_from_epoch: epochs before it do not count.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.stopped_epoch = self.best_epoch = self.wait = 0
        self.best_weights: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin to count anew."""
        self.stopped_epoch = self.best_epoch = self.wait = 0
        self.best, self.best_weights = math.inf * self._sign, None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look whether the value is better."""
        value = self.read(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_better(value):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the model its best weights, if they are wanted."""
        if self.verbose and self.stopped_epoch:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of epoch {self.best_epoch + 1}, the best.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Watching):
    """Write the model after each epoch, or after each that is the best so far.

    Args:
        filepath: a .safetensors file; "{epoch:02d}" and names of the logs are filled in.
        monitor: the value that tells which is best.
        verbose: print what is written.
        save_best_only: write only what is better than all before.
        save_weights_only: taken as Keras programs give it; the file holds weights and how to use
            them, either way.
        mode: "min", "max", or "auto", by the name.
        save_freq: "epoch", the one there is.
        initial_value_threshold: the first one written must be better than this.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        if not self.filepath.endswith(".safetensors"):
            raise PlanError(
                f"{self.filepath} should end in .safetensors, the one format that models are saved "
                f"in. Use {Path(self.filepath).with_suffix('.safetensors')}, which pw.load reads."
            )
        if save_freq != "epoch":
            raise PlanError(f"save_freq={save_freq!r} is not known. Models are saved by epoch.")
        self.verbose, self.save_best_only = verbose, save_best_only
        self.save_weights_only = save_weights_only
        if initial_value_threshold is not None:
            self.best = initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the model, if it is to be written."""
        if self.save_best_only:
            value = self.read(logs)
            if not self.is_better(value):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except KeyError as error:
            raise PlanError(
                f"{self.filepath} names {error.args[0]!r}, which epochs do not have; they have "
                f"epoch, {', '.join(logs or {})}."
            ) from error
        if self.verbose:
            print(f"Epoch {epoch + 1}: saving the model to {path}")
        self.model.save(path)


class ReduceLROnPlateau(_Watching):
    """Lower the learning rate when a value has stopped improving.

    Args:
        monitor: the value, such as "val_loss".
        factor: of the rate, below 1.
        patience: epochs without improvement, after which the rate falls.
        verbose: print when that is.
        mode: "min", "max", or "auto", by the name.
        min_delta: smallest change that is an improvement.
        cooldown: epochs after a fall that do not count.
        min_lr: lowest rate.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise PlanError(f"factor={factor} must lie between 0 and 1.")
        super().__init__(monitor, mode, min_delta)
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin to count anew."""
        self.wait = self.cooldown_counter = 0
        self.best = math.inf * self._sign

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look whether the value is better; lower the rate if it has not been for long."""
        value = self.read(logs)
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            before = float(self.model.optimizer.learning_rate)
            if self.wait >= self.patience and before > self.min_lr:
                rate = max(before * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = rate
                if self.verbose:
                    print(f"Epoch {epoch + 1}: the learning rate falls to {rate:g}.")
                self.cooldown_counter, self.wait = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Set the learning rate of each epoch by a function: `schedule(epoch, rate) -> rate`."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        before = float(self.model.optimizer.learning_rate)
        try:
            rate = self.schedule(epoch, before)
        except TypeError:  # Keras takes functions of the epoch alone, too
            rate = self.schedule(epoch)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {rate:g}.")


class CSVLogger(Callback):
    """Write the values of each epoch as a row of a CSV file.

    Args:
        filename: the file.
        separator: between values.
        append: go on in a file that is there, in place of a new one.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        separator: str = ",",
        append: bool = False,
    ) -> None:
        self.filename, self.separator, self.append = Path(filename), separator, append

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a new file, unless an earlier one goes on."""
        if not self.append:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a row; the first one of a file after its columns."""
        values = {"epoch": epoch} | dict(sorted((logs or {}).items()))
        is_new = not self.filename.exists() or self.filename.stat().st_size == 0
        with self.filename.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(values), delimiter=self.separator)
            if is_new:
                writer.writeheader()
            writer.writerow(values)
