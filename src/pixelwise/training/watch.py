"""What training tells those who watch: progress bars, a Keras-like log, nobody."""

from collections.abc import Mapping, Sequence

from pixelwise.planning import Plan


class Watcher:
    """Told what happens in training; does nothing. Override what is of interest."""

    def note(self, text: str) -> None:
        """Something a person should know."""

    def planned(self, plan: Plan) -> None:
        """The plan is made."""

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Step `step` of `num_steps` (an estimate under a budget) is done."""

    def validated(self, row: Mapping[str, float]) -> None:
        """A validation is done: a row of history.csv."""

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Training goes on from a checkpoint; the rows of the validations before it."""

    def finished(self, text: str) -> None:
        """Training ended; the text says how and where the result is."""


class InnerWatcher(Watcher):
    """Passes on what happens in a training that is part of more, but for its closing line."""

    def __init__(self, outer: Watcher) -> None:
        """Pass on to `outer`."""
        self.note, self.planned = outer.note, outer.planned  # type: ignore[method-assign]
        self.step, self.validated = outer.step, outer.validated  # type: ignore[method-assign]
        self.resumed = outer.resumed  # type: ignore[method-assign]
