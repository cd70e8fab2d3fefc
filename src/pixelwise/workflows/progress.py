"""Progress of long work: a bar on a terminal or in a notebook, plain lines elsewhere, or nothing.

The functions for folders show it by default, on the command line and in Python alike.

Progress goes to stderr, results to stdout, so that a pipe gets results only; in a notebook, which
shows stderr in red, both go to stdout.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from pixelwise.planning import Plan, format_seconds
from pixelwise.text import print_visibly, visible
from pixelwise.training.watcher import Watcher

MAIN_DECISIONS = {"patch size", "batch size", "widths", "loss", "learning rate", "num steps"}
BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 16  # validations in the curve behind the bar
NUM_PLAIN_LINES = 10  # about this many progress lines over the whole work, without a terminal
NO_DICE = "none (no class in these images, nor found there)"  # where there is nothing to average
REFRESHES_PER_SECOND = 4  # of a bar: enough to see life, little enough to take no time from work


# --- training ---------------------------------------------------------------------------------


class LineWatcher(Watcher):
    """Prints training as plain lines: the plan, every validation, and every tenth of the steps."""

    def __init__(self, *, verbose: bool = False) -> None:
        """Show the whole plan with its reasons where `verbose`."""
        self._verbose = verbose
        self._last_step = 0
        self._tenths = 0  # of the steps, shown so far

    def note(self, text: str) -> None:
        """Print what a person should know."""
        self.print_line(text)

    def planned(self, plan: Plan) -> None:
        """Print the plan, with its reasons where verbose, and the forecast."""
        self.print_line(describe_plan(plan, with_reasons=self._verbose))
        if plan.calibration is not None:
            self.print_line(f"forecast: {plan.describe_forecast()}")

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Print a line where another tenth of the steps is done."""
        if step <= self._last_step:  # another training began
            self._tenths = 0
        self._last_step = step
        tenths = NUM_PLAIN_LINES * step // max(1, num_steps)
        if tenths > self._tenths:
            self._tenths = tenths
            left = format_seconds(seconds_left)
            self.print_line(f"step {step}/{num_steps}  loss {loss:.4f}  {left} left")

    def validated(self, row: Mapping[str, float]) -> None:
        """Print the losses and the Dice of a validation."""
        self.print_line(describe_validation(row))

    def finished(self, text: str) -> None:
        """Print the closing line on stdout: it is the result."""
        print_visibly(text, sys.stdout)

    def print_line(self, text: str) -> None:
        """Print beside the results."""
        print_visibly(text, _aside())


class BarWatcher(LineWatcher):
    """Shows training as a bar with the lines above it, on a terminal.

    Behind the bar are the loss, the time that is left, and the curve of the validation Dice.
    """

    def __init__(self, progress: Progress, *, verbose: bool = False) -> None:
        """Draw in `progress`, which is running."""
        super().__init__(verbose=verbose)
        self._progress = progress
        self._task: TaskID | None = None
        self._curve: list[float] = []  # validation Dice

    def planned(self, plan: Plan) -> None:
        """Print the plan; a new curve begins."""
        self._curve = []
        super().planned(plan)

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Go on with the curve."""
        self._curve = [row["val_dice"] for row in history if "val_dice" in row]

    def validated(self, row: Mapping[str, float]) -> None:
        """Print a validation and draw the curve on."""
        if "val_dice" in row:
            self._curve.append(row["val_dice"])
        super().validated(row)

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Move the bar."""
        if self._task is None:
            self._progress.start()  # again, where another training finished before
            self._task = self._progress.add_task("training", total=num_steps, text="")
        text = f"loss {loss:.4f}  {format_seconds(seconds_left)} left"
        if self._curve:
            text += f"  Dice {sparkline(self._curve)} {_show_dice(self._curve[-1], 'none')}"
        self._progress.update(self._task, completed=step, total=num_steps, text=text)

    def finished(self, text: str) -> None:
        """Take the bar away and print the closing line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._progress.stop()
        super().finished(text)

    def print_line(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(escape(visible(text)), highlight=False)


class QuietWatcher(Watcher):
    """Shows nothing but the closing line."""

    def finished(self, text: str) -> None:
        """Print the closing line."""
        print_visibly(text, sys.stdout)


@contextmanager
def training_watcher(*, quiet: bool, verbose: bool) -> Iterator[Watcher]:
    """Give the watcher that suits the terminal, and clear its bar away at the end."""
    if quiet:
        yield QuietWatcher()
    elif not _can_draw():
        yield LineWatcher(verbose=verbose)
    else:
        with _bar(TextColumn("{task.fields[text]}")) as progress:
            yield BarWatcher(progress, verbose=verbose)


@contextmanager
def watching(watcher: Watcher | None, *, progress: bool) -> Iterator[Watcher]:
    """Give the watcher, or where there is none one that shows the training, if asked to."""
    if watcher is not None or not progress:
        yield watcher or Watcher()
    else:
        with training_watcher(quiet=False, verbose=False) as shown:
            yield shown


def describe_plan(plan: Plan, *, with_reasons: bool) -> str:
    """Return what matters most of a plan on a line, or every decision with its reason."""
    rows = plan.to_rows()
    if with_reasons:
        return "\n".join(
            f"plan: {name} = {value}  {reason}".rstrip() for name, value, reason in rows
        )
    return "plan: " + ", ".join(
        f"{name} {value}" for name, value, _ in rows if name in MAIN_DECISIONS
    )


def describe_validation(row: Mapping[str, float]) -> str:
    """Return one line of a validation: when, losses, Dice.

    >>> describe_validation({"step": 120, "train_loss": 0.2, "val_loss": 0.25, "val_dice": 0.91})
    'step 120  train loss 0.2000  val loss 0.2500  val Dice 0.910'
    """
    parts = [f"step {row['step']:.0f}"]
    parts += [
        f"{name.replace('_', ' ')} {row[name]:.4f}"
        for name in ("train_loss", "val_loss")
        if name in row
    ]
    if "val_dice" in row:
        parts.append(f"val Dice {_show_dice(row['val_dice'])}")
    return "  ".join(parts)


def _show_dice(dice: float, none: str = NO_DICE) -> str:
    return none if math.isnan(dice) else f"{dice:.3f}"


def sparkline(values: Sequence[float]) -> str:
    """Draw the last values as bars from their lowest to their highest; a blank where there is none.

    >>> sparkline([0.1, 0.5, float("nan"), 0.9])
    '▁▅ █'
    """
    shown = values[-CURVE_WIDTH:]
    finite = [value for value in shown if math.isfinite(value)]
    low, span = min(finite, default=0.0), max(finite, default=0.0) - min(finite, default=0.0)
    top = len(BARS) - 1
    return "".join(
        BARS[round(top * (value - low) / span) if span else top // 2]
        if math.isfinite(value)
        else " "
        for value in shown
    )


# --- counted work -----------------------------------------------------------------------------

CountImages = Callable[[float, int], None]  # called with (done, total); a large image is a part
ShowProgress = bool | CountImages | None  # True: show it; a function: call it; else nothing


def showing(progress: ShowProgress, what: str) -> AbstractContextManager[CountImages | None]:
    """Give the function to call with (done, total): the caller's own, or one that shows it."""
    if callable(progress):
        return nullcontext(progress)
    return count_images(what, quiet=not progress)


@contextmanager
def count_images(what: str, *, quiet: bool) -> Iterator[CountImages | None]:
    """Give a function to call with (done, total) as images are finished."""
    if quiet:
        yield None
    elif not _can_draw():
        yield _LineCounter(what)
    else:
        with _bar(TimeRemainingColumn(compact=True)) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)


class _LineCounter:
    """Prints a line at every tenth of the images, and of a large image."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tenths = 0

    def __call__(self, done: float, total: int) -> None:
        tenths = int(NUM_PLAIN_LINES * done // max(1, total))
        if tenths > self._tenths:
            self._tenths = tenths
            amount = f"{done:.0f}" if done == int(done) else f"{100 * done / total:.0f} %"
            images = "image" if total == 1 else "images"
            print_visibly(f"{self._what}: {amount} of {total} {images}", _aside())


def _is_notebook() -> bool:
    """Whether this is a notebook's kernel; a program that only runs notebooks is none."""
    kernels = sys.modules.get("ipykernel.kernelapp")
    return kernels is not None and bool(kernels.IPKernelApp.initialized())


def _aside() -> TextIO:
    """Where progress goes that is printed in lines."""
    return sys.stdout if _is_notebook() else sys.stderr


def _can_draw() -> bool:
    """Whether a bar can be drawn: on a terminal, or in a notebook that has widgets."""
    return sys.stderr.isatty() or (_is_notebook() and find_spec("ipywidgets") is not None)


def _bar(*extra: ProgressColumn) -> Progress:
    """Return a bar on stderr, with further columns."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *extra,
        console=Console(stderr=True),
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=False,  # results go where stdout goes, not to the console of the bar
    )
