"""What a training leaves in its run folder: as it goes on, when it is stopped, and at its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pixelwise.data import Dataset, Sample
from pixelwise.errors import DataError, OutputError, PixelwiseError, TrainingError
from pixelwise.inference import Predictor
from pixelwise.io import write_json
from pixelwise.metrics import Scores
from pixelwise.network import Model, save_model
from pixelwise.planning import Plan, format_megabytes
from pixelwise.text import count_of
from pixelwise.training import (
    LOST,
    Best,
    Checkpoint,
    Clock,
    Outcome,
    Row,
    RunFolder,
    Trainer,
    Watcher,
    is_lost_rank,
    write_checkpoint,
)
from pixelwise.workflows.final_scores import Closing, name_validation, score_test
from pixelwise.workflows.pages import write_run_report


@dataclass(frozen=True)
class Run:
    """A finished training: where it is and how it scored.

    Without folds the validation scores chose the weights, so that they flatter; `test_scores` are
    of images that training did not use.
    """

    folder: Path
    scores: Scores | None  # validation
    best_step: int
    num_steps: int
    seconds: float  # from the data being read to the report being written
    stopped: str  # why training ended
    warnings: tuple[str, ...]
    test_scores: Scores | None = None

    def __repr__(self) -> str:
        """Where it is, how it scored and why it ended."""
        named = (("test", self.test_scores), ("validation", self.scores))
        found = "".join(f", {name} Dice {s.mean_dice:.4f}" for name, s in named if s is not None)
        return (
            f"Run({self.folder}{found}; {count_of(self.num_steps, 'step')} in "
            f"{self.seconds:,.0f} s, {self.stopped})"
        )

    def _repr_html_(self) -> str:
        """The run and its scores, as notebooks show them."""
        report, scores = self.folder / "report.html", self.test_scores or self.scores
        shown = [f"<p>{escape(text)}</p>" for text in (repr(self), *self.warnings)]
        if report.exists():
            shown.append(f'<p><a href="{escape(str(report))}">{escape(str(report))}</a></p>')
        return "".join(shown) + (scores._repr_html_() if scores is not None else "")


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
        if trainer.ranks.world_size == 1 or not is_lost_rank(error):
            raise
        _save_last(trainer, folder)
        raise TrainingError(_describe_stop(LOST, trainer, folder)) from error


def _save_last(trainer: Trainer, folder: RunFolder) -> None:
    """Write a checkpoint of the steps that were done."""
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


class RunWriter(Watcher):
    """Writes to the run folder: checkpoints, and after each validation what it changed.

    Args:
        folder: folder of the run.
        name: makes scores say what they are of.
    """

    saves = True

    def __init__(self, folder: RunFolder, name: Callable[[Scores], Scores]) -> None:
        self._folder = folder
        self._name = name

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        write_checkpoint(self._folder.checkpoint, checkpoint)

    def keep(
        self, newest: Model, best: Best, history: Sequence[Row], checkpoint: Checkpoint
    ) -> None:
        """Write history and checkpoint; the model only where it is a new best one."""
        scores = self._name(best.scores) if best.scores else None
        is_best = best.step == checkpoint.facts["step"]
        model = newest.with_config(scores=scores.to_json() if scores else {}) if is_best else None
        self._folder.write_progress(model, scores, history, checkpoint)


def finish(
    outcome: Outcome,
    plan: Plan,
    val: Sequence[Sample],
    dataset: Dataset,
    folder: RunFolder,
    clock: Clock,
    predictor: Predictor,
    *,
    note: Callable[[str], None],
    keeps_last: bool,
) -> Closing:
    """Write the final model, score it on the test split, write the plan as it was and the report.

    Args:
        outcome: outcome of the training.
        plan: that was carried out.
        val: the validation samples.
        dataset: all of the data.
        folder: folder of the run.
        clock: clock of the training.
        predictor: predictor of its validations.
        note: is told before the test split is scored.
        keeps_last: whether this is a fold: its scores did not choose the weights, and the test
            split is left for all folds together.
    """
    scores = outcome.scores and name_validation(outcome.scores, dataset, is_chosen=not keeps_last)
    model = outcome.model.with_config(
        scores=scores.to_json() if scores else {},
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
    test, why_not = None, ""
    if not keeps_last:
        test, why_not = score_test(shown, dataset, plan, outcome, clock, note)
    closing = Closing(scores, test, why_not)
    if closing.to_json():
        save_model(folder.model, model.with_config(scores=closing.to_json()))
        write_json(folder.metrics, closing.to_json())
    write_run_report(folder, shown, done, outcome, val, dataset, closing, seconds=clock.elapsed)
    return closing


def new_run(folder: RunFolder, outcome: Outcome, closing: Closing, seconds: float) -> Run:
    """What a training gives back."""
    return Run(
        folder.path,
        closing.scores,
        outcome.best_step,
        outcome.num_steps,
        seconds,
        outcome.stopped,
        (*closing.warnings, *outcome.warnings),
        closing.test_scores,
    )


def describe_end(run: Run, closing: Closing, plan: Plan, megabytes: float | None) -> str:
    """Say what is broken, how training ended, how the model scored, and what to look at."""
    facts = [run.stopped]
    if plan.calibration is not None and plan.calibration.num_steps:
        facts.append(f"forecast {plan.calibration.num_steps:,} steps")
    if megabytes is not None:
        facts.append(f"memory up to {format_megabytes(megabytes)}")
    lines = [f"WARNING: {text}" for text in closing.warnings]
    lines.append(
        f"Trained {run.num_steps:,} steps in {run.seconds:.0f} s ({'; '.join(facts)}); the model "
        f"is that of step {run.best_step:,}."
    )
    lines += [f"{name}: {value}." for name, value in closing.describe(run.folder)]
    lines.append(
        f"Open {run.folder / 'report.html'}; predict with "
        f"`pixelwise predict {run.folder} IMAGES --out MASKS`."
    )
    return "\n".join(lines)
