"""Where else a training is written down: Python's logging; TensorBoard, MLflow, W&B if asked for.

history.csv has the same rows always. Nothing that fails here ends a training that has begun.
"""

import importlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pixelwise.errors import MissingExtraError, PlanError
from pixelwise.planning import Plan
from pixelwise.training.watcher import Watcher, Watchers

MODULES = {"tensorboard": "torch.utils.tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
INSTALLED_BY = {
    "tensorboard": 'pip install "pixelwise[watch]"',
    "mlflow": "pip install mlflow",
    "wandb": "pip install wandb",
}
TENSORBOARD_FOLDER = "tensorboard"  # in the run folder
EVENT_FILES = "events.out.tfevents.*"
PROJECT = "pixelwise"  # of Weights & Biases
MAX_TEXT = 250  # characters of a decision; MLflow takes no longer ones everywhere

LOGGER = logging.getLogger("pixelwise")

Params = Mapping[str, str]


class Log(Protocol):
    """Something that takes rows of numbers."""

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Take the numbers of a step, and the seconds of training until then."""

    def close(self, *, failed: bool) -> None:
        """End; `failed` where training ended with an error."""


class TensorBoardLog:
    """Event files in RUN/tensorboard; those of the same run before it is resumed are replaced."""

    def __init__(self, folder: Path, params: Params) -> None:
        self._folder, self._params = folder / TENSORBOARD_FOLDER, params
        self._writer: Any = None

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Write scalars; the first opens the file, when an earlier run has been taken away."""
        if self._writer is None:
            self._open(seconds)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, walltime=self._zero + seconds)
        self._writer.flush()

    def close(self, *, failed: bool) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, seconds: float) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._zero = time.time() - seconds
        for path in self._folder.glob(EVENT_FILES):
            path.unlink()
        self._writer = SummaryWriter(str(self._folder))
        table = "\n".join(f"    {name}: {value}" for name, value in self._params.items())
        self._writer.add_text("plan", table, 0, walltime=self._zero)


class MlflowLog:
    """A run of MLflow, where its own settings say (MLFLOW_TRACKING_URI)."""

    def __init__(self, folder: Path, params: Params) -> None:
        self._mlflow = importlib.import_module("mlflow")
        is_inside = self._mlflow.active_run() is not None
        self._mlflow.start_run(run_name=folder.name, nested=is_inside)
        self._mlflow.log_params(dict(params))

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Log metrics."""
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self._mlflow.end_run("FAILED" if failed else "FINISHED")


class WandbLog:
    """A run of Weights & Biases, where its own settings say; its local files are in the run."""

    def __init__(self, folder: Path, params: Params) -> None:
        wandb = importlib.import_module("wandb")
        self._run = wandb.init(
            project=PROJECT, name=folder.name, dir=str(folder), config=dict(params)
        )

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Log metrics."""
        self._run.log(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self._run.finish(exit_code=int(failed))


LOGS: Mapping[str, Callable[[Path, Params], Log]] = {
    "tensorboard": TensorBoardLog,
    "mlflow": MlflowLog,
    "wandb": WandbLog,
}


def check_logs(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, each once.

    Raises:
        PlanError: there is no such log.
        MissingExtraError: its package is not installed.
    """
    for name in names:
        if name not in LOGS:
            raise PlanError(f"{name!r} is no log. Choose from {', '.join(LOGS)}.")
        try:
            importlib.import_module(MODULES[name])
        except ImportError as error:
            raise MissingExtraError(
                f"Logging to {name} needs its package, which is not installed. Install it with "
                f"{INSTALLED_BY[name]}."
            ) from error
    return tuple(dict.fromkeys(names))


@contextmanager
def logging_to(names: Sequence[str], folder: Path, watcher: Watcher) -> Iterator[Watcher]:
    """Give a watcher that writes into logs what another one is told; into Python's always.

    Args:
        names: names of logs, checked.
        folder: the run folder, whose name the run has in the logs.
        watcher: told everything before the logs are.
    """
    watcher = Watchers(watcher, PythonLog())
    if not names:
        yield watcher
        return
    logs = LogWatcher(names, folder, watcher.note)
    failed = True
    try:
        yield Watchers(watcher, logs)
        failed = False
    finally:
        logs.close(failed=failed)


class PythonLog(Watcher):
    """Tells the logger "pixelwise" of Python's logging, at level INFO: silent unless asked for."""

    def planned(self, plan: Plan) -> None:
        """The forecast."""
        LOGGER.info("Planned: %s", plan.describe_forecast() or f"{plan.num_steps:,} steps")

    def note(self, text: str) -> None:
        """What a person should know."""
        LOGGER.info(text)

    def validated(self, row: Mapping[str, float]) -> None:
        """The numbers of a validation."""
        values = [f"{name} {value:.4g}" for name, value in row.items() if name != "step"]
        LOGGER.info("Step %d: %s", row["step"], ", ".join(values))

    def finished(self, text: str) -> None:
        """How it ended."""
        LOGGER.info(text)


class LogWatcher(Watcher):
    """Writes plan and validations into logs.

    Args:
        names: names of logs; the plan opens them.
        folder: the run folder.
        say: is told where a log fails, and training goes on without it.
    """

    def __init__(self, names: Sequence[str], folder: Path, say: Callable[[str], None]) -> None:
        self._names, self._folder, self._say = names, folder, say
        self._logs: dict[str, Log] = {}

    def planned(self, plan: Plan) -> None:
        """Open the logs; PlanError where one does not open."""
        params = {name: value[:MAX_TEXT] for name, value, _ in plan.to_rows()}
        for name in self._names:
            try:
                self._logs[name] = LOGS[name](self._folder, params)
            except Exception as error:
                raise PlanError(
                    f"Logging to {name} cannot begin ({_reason(error)}). Mend that, or train "
                    f"without --log {name}."
                ) from error

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Write the rows from before, so that each log has all of the training."""
        for row in history:
            self._write(row)

    def validated(self, row: Mapping[str, float]) -> None:
        """Write a row."""
        self._write(row)

    def close(self, *, failed: bool) -> None:
        """End all logs."""
        for name, log in list(self._logs.items()):
            self._try(name, lambda log=log: log.close(failed=failed))  # type: ignore[misc]

    def _write(self, row: Mapping[str, float]) -> None:
        values = {
            name: float(value)
            for name, value in row.items()
            if name not in ("step", "seconds") and math.isfinite(value)
        }
        step, seconds = int(row["step"]), row["seconds"]
        for name, log in list(self._logs.items()):
            self._try(name, lambda log=log: log.write(step, seconds, values))  # type: ignore[misc]

    def _try(self, name: str, act: Callable[[], None]) -> None:
        """Do something with a log; where that fails, say so and go on without it."""
        try:
            act()
        except Exception as error:
            del self._logs[name]
            self._say(
                f"Logging to {name} failed ({_reason(error)}). Training goes on without it; "
                "history.csv has every row."
            )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]
