"""One training: plan, train, keep and report; alone, or as a fold of a cross-validation."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pixelwise.data import Dataset, Sample, write_split
from pixelwise.errors import TrainingError
from pixelwise.network import IntensityFacts
from pixelwise.planning import Plan
from pixelwise.training import (
    FLAT,
    Checkpoint,
    Clock,
    Objective,
    RunFolder,
    Trainer,
    Watcher,
    Watchers,
    describe_outlook,
    joined_ranks,
    logging_to,
    peak_megabytes,
    read_checkpoint,
)
from pixelwise.workflows.calibration import spread
from pixelwise.workflows.final_scores import Closing, name_validation, reserve_for_test
from pixelwise.workflows.from_plan import new_loss, new_model, new_timetable
from pixelwise.workflows.intensities import intensities_of
from pixelwise.workflows.request import Request, check_ranks, plan_for
from pixelwise.workflows.run import Run, RunWriter, describe_end, finish, new_run, run_safely
from pixelwise.workflows.start import origin_of, start_encoder, start_from


@dataclass(frozen=True)
class Job:
    """What the first rank decides about a training, for all of them.

    Attributes:
        plan: how to train.
        checkpoint: from which it goes on; None where it begins.
        origin: what the model says about where it started.
        intensities: intensities of the training images.
    """

    plan: Plan
    checkpoint: Checkpoint | None
    origin: dict[str, str]
    intensities: IntensityFacts | None


def train_once(
    dataset: Dataset,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
    *,
    begin: Callable[[], None] | None = None,
    keep_last: bool = False,
) -> Run:
    """Plan, train, keep and report; log where asked.

    Args:
        dataset: what to train on.
        folder: run folder to write.
        request: request of the user.
        watcher: is told what happens.
        begin: called when nothing is left that could refuse the training, in place of removing an
            earlier one.
        keep_last: keep the last weights, not the best, and leave the test split alone: a fold.
    """
    with logging_to(request.log, folder.path, watcher) as logging:
        return _train(dataset, folder, request, logging, begin, keep_last=keep_last)


def _train(
    dataset: Dataset,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
    begin: Callable[[], None] | None,
    *,
    keep_last: bool,
) -> Run:
    """The same; the clock has counted the reading of the data."""
    ranks, began = joined_ranks(), time.monotonic()
    train = dataset.samples("train")
    val: Sequence[Sample] = dataset.samples("val") if "val" in dataset.splits else []
    job = ranks.broadcast(partial(_decide, dataset, train, val, folder, request))
    clock = Clock(_seconds_before(job.checkpoint, request) + time.monotonic() - began)
    plan = job.plan
    check_ranks(ranks, plan)
    model = new_model(dataset, plan, job.origin).with_config(intensities=job.intensities)
    if request.start is not None and request.start.model is not None:
        plan = start_from(request.start.path, request.start.model, model, plan, watcher)
    elif plan.encoder is not None and job.checkpoint is None:
        plan = start_encoder(model, plan, watcher)
    watcher.planned(plan)
    val = spread(val, plan.num_val_images)
    for_test = 0.0 if keep_last else reserve_for_test(dataset, plan)
    name = partial(name_validation, dataset=dataset, is_chosen=not keep_last)
    trainer = Trainer(
        model,
        plan,
        train,
        val,
        objective=Objective(new_loss(model, plan)),
        timetable=new_timetable(plan, clock, scores_all=keep_last, after=for_test),
        device=request.device,
        watcher=Watchers(RunWriter(folder, name), watcher) if ranks.is_first else watcher,
        keep_last=keep_last,
        ranks=ranks,
    )
    if job.checkpoint is not None:
        _restore(trainer, job.checkpoint, folder)
        watcher.resumed(trainer.state.history)
    if ranks.is_first:
        _begin(folder, plan, dataset, request, begin)
    if ranks.world_size > 1:
        watcher.note(ranks.describe(request.device))
    outcome = run_safely(trainer, folder)
    closing = Closing(outcome.scores and name(outcome.scores))
    if ranks.is_first:
        closing = finish(
            outcome, plan, val, dataset, folder, clock, trainer.predictor, note=watcher.note,
            keeps_last=keep_last,
        )  # fmt: skip
    run = new_run(folder, outcome, closing, clock.elapsed)
    if outcome.stopped == FLAT:
        watcher.note(describe_outlook(outcome.history))
    watcher.finished(describe_end(run, closing, plan, peak_megabytes(request.device)))
    return run


def _decide(
    dataset: Dataset,
    train: Sequence[Sample],
    val: Sequence[Sample],
    folder: RunFolder,
    request: Request,
) -> Job:
    """Read where a training stands, and plan."""
    goes_on = request.resume and folder.has_checkpoint
    checkpoint = read_checkpoint(folder.checkpoint) if goes_on else None
    clock = Clock(_seconds_before(checkpoint, request))
    plan = plan_for(dataset, train, val, request, clock, checkpoint)
    return Job(
        plan=plan,
        checkpoint=checkpoint,
        origin=origin_of(request.start, folder),
        intensities=intensities_of(train, plan, is_given=request.plan is not None),
    )


def _seconds_before(checkpoint: Checkpoint | None, request: Request) -> float:
    """Seconds that were used before planning: by the training that goes on, and by reading."""
    return (checkpoint.facts["elapsed"] if checkpoint else 0.0) + request.seconds_read


def _begin(
    folder: RunFolder,
    plan: Plan,
    dataset: Dataset,
    request: Request,
    begin: Callable[[], None] | None,
) -> None:
    """Write what is known before the first step, now that nothing can refuse the training."""
    if begin is not None:
        begin()
    elif request.overwrite:
        folder.prepare(resume=False, overwrite=True)
    folder.write_plan(plan)
    write_split(folder.split, dataset)


def _restore(trainer: Trainer, checkpoint: Checkpoint, folder: RunFolder) -> None:
    """Go on from a checkpoint; TrainingError where it is of another network."""
    try:
        trainer.restore(checkpoint)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"The checkpoint in {folder.path} does not fit the network of the plan or the classes "
            "of the data. Resume with the data and the plan that it was trained with, or train "
            "into another folder."
        ) from error
