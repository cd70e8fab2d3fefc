"""The run folder: what a training leaves behind, and where."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import OutputError
from pixelwise.io import make_folder, write_json, write_text
from pixelwise.metrics import Scores
from pixelwise.network import MODEL_FILE_NAME, Model, save_model
from pixelwise.planning import Plan
from pixelwise.text import format_csv
from pixelwise.training.checkpoint import FILE_NAME, Checkpoint, write_checkpoint
from pixelwise.training.logs import TENSORBOARD_FOLDER

FILES = {
    MODEL_FILE_NAME: "the model: everything that prediction needs in one safe file",
    "plan.yaml": "every decision with its reason; edit it and give it back with --plan",
    "split.csv": "which sample was in which split",
    "history.csv": "losses, scores and learning rate at each validation",
    "metrics.json": "scores of the model: validation, and the test split where there is one",
    "report.html": "this page",
}
CHECKPOINT = "checkpoint"
TABLE = "metrics.csv"  # of a cross-validation and its folds


@dataclass(frozen=True)
class RunFolder:
    """The files of one training, by name."""

    path: Path

    @property
    def model(self) -> Path:
        """The best weights and how to use them."""
        return self.path / MODEL_FILE_NAME

    @property
    def plan(self) -> Path:
        """Every decision with its reason."""
        return self.path / "plan.yaml"

    @property
    def split(self) -> Path:
        """Which sample was in which split."""
        return self.path / "split.csv"

    @property
    def history(self) -> Path:
        """One row per validation."""
        return self.path / "history.csv"

    @property
    def metrics(self) -> Path:
        """Validation scores of the model file."""
        return self.path / "metrics.json"

    @property
    def table(self) -> Path:
        """Scores of every image that a cross-validation scored."""
        return self.path / TABLE

    def fold(self, number: int) -> "RunFolder":
        """The run folder of one fold of a cross-validation, from 1."""
        return RunFolder(self.path / f"fold{number}")

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def checkpoint(self) -> Path:
        """The folder of the resumable state."""
        return self.path / CHECKPOINT

    @property
    def has_checkpoint(self) -> bool:
        """Whether a training got so far that it can go on; if not, it starts from new weights."""
        return (self.checkpoint / FILE_NAME).is_file()

    @property
    def contents(self) -> list[Path]:
        """What an earlier training left here."""
        names = (*FILES, TABLE, CHECKPOINT, TENSORBOARD_FOLDER)
        own = [self.path / name for name in names if (self.path / name).exists()]
        return own + [path for fold in self._folds() for path in fold.contents]

    def _folds(self) -> Iterator["RunFolder"]:
        """The folds that a cross-validation left here, by number."""
        number = 1
        while self.fold(number).plan.is_file():
            yield self.fold(number)
            number += 1

    def prepare(self, *, resume: bool, overwrite: bool) -> None:
        """Make the folder, or make sure that an earlier training is not lost by accident.

        Raises:
            OutputError: there is an earlier training and neither option; or nothing to resume.
        """
        make_folder(self.path)
        write_text(self.path / ".writable", "")  # said before training, not after it
        (self.path / ".writable").unlink()
        if self.contents and not (resume or overwrite):
            raise OutputError(
                f"{self.path} already holds a training ({self.contents[0].name}). Use --resume to "
                "go on with it, --overwrite to replace it, or another folder."
            )
        if resume and not self.contents:
            raise OutputError(f"{self.path} holds no training to resume. Train without --resume.")
        if overwrite:
            for path in self.contents:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                if path.parent != self.path:
                    RunFolder(path.parent).remove_if_empty()

    def remove_if_empty(self) -> None:
        """Take back a folder that was made for a training that could not begin."""
        with suppress(OSError):
            self.path.rmdir()

    def write_plan(self, plan: Plan) -> None:
        """Write plan.yaml."""
        write_text(self.plan, plan.to_yaml())

    def write_progress(
        self,
        model: Model | None,
        scores: Scores | None,
        history: Sequence[Mapping[str, float]],
        checkpoint: Checkpoint,
    ) -> None:
        """Write what a validation changed; the model only where it is a new best one."""
        if model is not None:
            save_model(self.model, model)
            if scores is not None:
                write_json(self.metrics, scores.to_json())
        write_text(self.history, format_history(history))
        write_checkpoint(self.checkpoint, checkpoint)


def format_history(history: Sequence[Mapping[str, float]]) -> str:
    """Return rows as CSV; columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    return format_csv(
        columns,
        [[_digits(row[name]) if name in row else None for name in columns] for row in history],
    )


def _digits(value: float) -> str:
    """Steps in full, whatever was measured with six digits; nothing for what there is not."""
    if math.isnan(value):
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
