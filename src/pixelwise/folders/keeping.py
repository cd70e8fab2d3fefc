"""What a training leaves in its run folder: as it goes on, when it is stopped, and at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data import Dataset, Sample
from pixelwise.errors import DataError, OutputError, PixelwiseError, TrainingError
from pixelwise.evaluate import Scores
from pixelwise.folders.pages import write_run_report
from pixelwise.network import Model, save_model
from pixelwise.plan import Plan
from pixelwise.predict import Predictor
from pixelwise.train import (
    LOST,
    Best,
    Checkpoint,
    Clock,
    Outcome,
    RunFolder,
    Trainer,
    is_lost_rank,
    write_checkpoint,
)


@dataclass(frozen=True)
class Run:
    """A finished training: where it is and how it scored."""

    folder: Path
    scores: Scores | None  # validation
    best_step: int
    num_steps: int
    seconds: float  # from the data being read to the report being written
    stopped: str  # why training ended
    warnings: tuple[str, ...]


def run_safely(trainer: Trainer, folder: RunFolder) -> Outcome:
    """Train; where a file is gone or the disk is full, say what was kept and how to go on.

    The same where another rank is lost.
    """
    try:
        return trainer.run()
    except DataError as error:
        _save_last(trainer, folder)
        raise type(error)(_describe_stop(error, trainer, folder)) from error
    except OutputError as error:
        raise OutputError(_describe_stop(error, trainer, folder)) from error
    except RuntimeError as error:
        if trainer.ranks.number == 1 or not is_lost_rank(error):
            raise
        _save_last(trainer, folder)
        raise TrainingError(_describe_stop(LOST, trainer, folder)) from error


def _save_last(trainer: Trainer, folder: RunFolder) -> None:
    """Write a checkpoint of the steps that were done."""
    trainer.ranks.end_in_peace()
    if trainer.ranks.is_first:
        write_checkpoint(folder.checkpoint, trainer.checkpoint())


def _describe_stop(reason: PixelwiseError | str, trainer: Trainer, folder: RunFolder) -> str:
    """What happened, what is left, and how training goes on."""
    is_here = trainer.ranks.is_first  # the folder of other ranks may be on another machine
    has_model = folder.model.exists() if is_here else trainer.state.best.step > 0
    kept = "holds the best model so far" if has_model else "has no model yet"
    return (
        f"{reason} Training stopped at step {trainer.state.step:,}. {folder.path} {kept}; once "
        "this is mended, --resume goes on from the last checkpoint."
    )


class Keeper:
    """Writes to the run folder after each validation: the model only where it is a new best one."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def __call__(
        self,
        newest: Model,
        best: Best,
        history: Sequence[Mapping[str, float]],
        checkpoint: Checkpoint,
    ) -> None:
        """Write what a validation changed."""
        scores = best.scores.to_json() if best.scores else {}
        is_best = best.step == checkpoint.facts["step"]
        model = newest.with_config(scores=scores) if is_best else None
        self._folder.write_progress(model, best.scores, history, checkpoint)


def finish(
    outcome: Outcome,
    plan: Plan,
    val: Sequence[Sample],
    dataset: Dataset,
    folder: RunFolder,
    clock: Clock,
    predictor: Predictor,
) -> None:
    """Write the final model, the plan as it was carried out, and the report.

    The report's examples are computed where training was, as the predictor of its validations says.
    """
    scores = outcome.scores.to_json() if outcome.scores else {}
    model = outcome.model.with_config(
        scores=scores,
        provenance={
            **outcome.model.config.provenance,
            "steps": outcome.num_steps,
            "best_step": outcome.best_step,
            "seconds": round(clock.elapsed, 1),
        },
    )
    save_model(folder.model, model)
    # the clock or validation decided; else the number stands, for a resumption to reach
    is_open = plan.budget_seconds is not None or plan.schedule == "plateau"
    num_steps = max(1, outcome.num_steps) if is_open else plan.num_steps
    done = plan.model_copy(update={"num_steps": num_steps})
    folder.write_plan(done)
    shown = predictor.with_model(model)
    write_run_report(folder, shown, done, outcome, val, dataset, seconds=clock.elapsed)
