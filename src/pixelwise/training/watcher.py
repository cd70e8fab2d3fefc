"""What training tells those who watch: a progress bar, logs, the run folder, Keras's history."""

from collections.abc import Mapping, Sequence

from pixelwise.network import Model
from pixelwise.planning import Plan
from pixelwise.training.checkpoint import Best, Checkpoint, Row


class Watcher:
    """Told what happens in training; does nothing. Override what is of interest.

    Attributes:
        saves: whether `save` is to be called between validations.
    """

    saves = False

    def note(self, text: str) -> None:
        """Something a person should know."""

    def planned(self, plan: Plan) -> None:
        """The plan is made."""

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Training goes on from a checkpoint; the rows of the validations before it."""

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Step `step` of `num_steps` (an estimate under a budget) is done."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Training can go on from here; called between validations where `saves`."""

    def keep(
        self, newest: Model, best: Best, history: Sequence[Row], checkpoint: Checkpoint
    ) -> None:
        """A validation is done: keep what is needed of it.

        Args:
            newest: the model that was validated; its weights change with the next step.
            best: the best one so far.
            history: a row for each validation.
            checkpoint: from which training can go on.
        """

    def validated(self, row: Mapping[str, float]) -> None:
        """A validation is done: its row of history.csv; called after `keep`."""

    def wants_end(self) -> bool:
        """Whether training is to end now."""
        return False

    def finished(self, text: str) -> None:
        """Training ended; the text says how and where the result is."""


class Watchers(Watcher):
    """Several watchers that are told the same, in their order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers
        self.saves = any(watcher.saves for watcher in watchers)

    def note(self, text: str) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.note(text)

    def planned(self, plan: Plan) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.planned(plan)

    def resumed(self, history: Sequence[Mapping[str, float]]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.resumed(history)

    def step(self, step: int, num_steps: int, loss: float, seconds_left: float) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.step(step, num_steps, loss, seconds_left)

    def save(self, checkpoint: Checkpoint) -> None:
        """Pass it on to those that save."""
        for watcher in self._watchers:
            if watcher.saves:
                watcher.save(checkpoint)

    def keep(
        self, newest: Model, best: Best, history: Sequence[Row], checkpoint: Checkpoint
    ) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.keep(newest, best, history, checkpoint)

    def validated(self, row: Mapping[str, float]) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.validated(row)

    def wants_end(self) -> bool:
        """Whether one of them wants it."""
        return any(watcher.wants_end() for watcher in self._watchers)

    def finished(self, text: str) -> None:
        """Pass it on."""
        for watcher in self._watchers:
            watcher.finished(text)


class InnerWatcher(Watchers):
    """Passes on what happens in a training that is part of more, but for its closing line."""

    def finished(self, text: str) -> None:
        """The training around it goes on."""
