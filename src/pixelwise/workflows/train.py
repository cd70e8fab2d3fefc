"""Train on data: read, check, plan, train, keep, report."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pixelwise.data import Dataset, DataSource, Sample, read_split, write_split
from pixelwise.doctor import Examination, ReadOptions, examine_dataset
from pixelwise.errors import (
    DataError,
    PixelwiseError,
    PlanError,
    TrainingError,
)
from pixelwise.network import load_model
from pixelwise.planning import Plan, check_seed
from pixelwise.text import show_size
from pixelwise.training import (
    FLAT,
    Checkpoint,
    Clock,
    RunFolder,
    Trainer,
    Watcher,
    check_logs,
    describe_outlook,
    ending_together,
    joined_ranks,
    logging_to,
    peak_megabytes,
    read_checkpoint,
    write_checkpoint,
)
from pixelwise.workflows.build import new_loss, new_model, new_pace
from pixelwise.workflows.check import accepting
from pixelwise.workflows.closing import Closing, name_validation, reserve_for_test
from pixelwise.workflows.folds import cross_validate, num_folds_of
from pixelwise.workflows.intensities import intensities_of
from pixelwise.workflows.keeping import Keeper, Run, describe_end, finish, new_run, run_safely
from pixelwise.workflows.machine import spread
from pixelwise.workflows.progress import watching
from pixelwise.workflows.request import (
    Request,
    budget_seconds,
    check_ranks,
    check_same_sequence,
    choose_encoder,
    count_reading,
    plan_for,
    read_plan,
)
from pixelwise.workflows.start import choose_start, origin_of, start_encoder, start_from


@ending_together()
def train(
    data: DataSource,
    out: str | os.PathLike[str],
    *,
    budget: str | float | None = None,
    epochs: int | None = None,
    plan: str | os.PathLike[str] | Plan | None = None,
    start: str | os.PathLike[str] | None = None,
    encoder: str | None = None,
    encoder_weights: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    folds: int | None = None,
    log: Sequence[str] = (),
    seed: int | None = None,
    device: str = "auto",
    read: ReadOptions | None = None,
    accept: Sequence[str] = (),
    progress: bool = True,
    watcher: Watcher | None = None,
) -> Run:
    """Train a model on images and masks.

    Where `torchrun` started several processes they train one model together, each on its share of
    every batch; the first one reads, plans, writes and tells the watcher.

    Args:
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path;
            see docs/data.md for what is understood.
        out: run folder to write.
        budget: wall-clock time for everything: "90s", "10min", "2h", or a number of seconds.
            Reading the data counts for half of it at most, so that some is left for training.
            Where neither budget, epochs nor plan is given, training ends when validation has
            stopped improving.
        epochs: passes over the training images, in place of a budget.
        plan: a plan.yaml or a `Plan`; its steps are done in full where no budget is given.
        start: run folder or model file of an earlier training, whose weights this one starts from;
            the data may have other classes, or images of other channels.
        encoder: a network of the timm library, as "resnet34", with pretrained weights as the
            encoder of the U-Net. Helps where labelled images are few and look like photographs.
        encoder_weights: its weight file; without, timm's own, from its cache or downloaded.
        resume: go on with an interrupted training in `out`.
        overwrite: replace an earlier training in `out`.
        folds: cross-validation: this many models, each of which leaves out another part of the
            training and validation images and is scored on it; together they are one model.
        log: where else to write what history.csv has: any of "tensorboard" (event files in `out`),
            "mlflow" and "wandb" (by their own packages and settings).
        seed: of every random choice; default 0, or the plan's.
        device: "auto", "cpu", "cuda", "mps".
        read: what a person says about the data; what is left out is found out.
        accept: codes of errors in the data to train in spite of, such as "split-leak"; the model
            keeps them, and they are said beside its scores.
        progress: whether to show what happens, as the command line does: a bar on a terminal or in
            a notebook, else lines on stderr; how training ended on stdout.
        watcher: is told what happens, and then nothing is shown.

    Returns:
        Where the run is, how it scored on the validation images, by which the weights were chosen,
        and on the test split, where there is one; with folds on all images of train and val, each
        scored by the model that did not see it.

    Raises:
        DataError: the data cannot be used.
        PlanError: the budget, plan, start or device cannot be used.
        ModelFileError: the model to start from is none.
        MissingExtraError: the package of a log or of the encoder is not installed.
        OutputError: `out` holds an earlier training, or cannot be written.
        TrainingError: the loss became NaN; the best model so far was kept.
    """
    seconds = budget_seconds(budget, epochs)  # before anything that takes time
    ranks = joined_ranks()
    watcher = watcher if ranks.is_first else None
    with watching(watcher, progress=progress and ranks.is_first) as watcher:
        folder, log = RunFolder(Path(out)), check_logs(log)
        if resume:  # before its plan is read
            ranks.first(partial(folder.prepare, resume=True, overwrite=False))
        folds = ranks.first(partial(num_folds_of, folder, folds, resume=resume))
        if folds is not None and ranks.number > 1:
            raise PlanError("Folds are trained by one process. Leave out torchrun, or --folds.")
        ready_made = ranks.first(partial(choose_encoder, encoder, encoder_weights, start))
        own = folder.plan if resume and plan is None and folds is None else plan
        given = ranks.first(partial(read_plan, own))
        earlier = os.fspath(start) if start else None
        read = accepting(read, accept)
        request = Request(
            seconds,
            epochs,
            given,
            resume,
            overwrite,
            None if seed is None else check_seed(seed),
            ranks.pick_device(device),
            ranks.first(partial(choose_start, earlier, given, folder if resume else None)),
            log,
            ready_made,
        )
        if not (resume or overwrite):
            ranks.first(partial(folder.prepare, resume=False, overwrite=False))
        began = time.monotonic()
        try:
            examination = ranks.first(partial(_read_data, data, read, folder, request, watcher))
        except PixelwiseError:
            folder.remove_if_empty()
            raise
        request = count_reading(request, time.monotonic() - began)
        if folds is not None:
            return cross_validate(examination, folds, folder, request, watcher, _train_dataset)
        return _train_dataset(examination.dataset, folder, request, watcher)


def _train_dataset(
    dataset: Dataset,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
    *,
    begin: Callable[[], None] | None = None,
    keep_last: bool = False,
) -> Run:
    """Plan, train, keep and report; log where asked.

    An earlier training is only removed, or `begin` called in its place, when nothing is left that
    could refuse the new one.
    """
    with logging_to(request.log, folder.path, watcher) as logging:
        return _train_watched(dataset, folder, request, logging, begin, keep_last=keep_last)


def _train_watched(
    dataset: Dataset,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
    begin: Callable[[], None] | None,
    *,
    keep_last: bool,
) -> Run:
    """Plan, train, keep and report; the clock has counted the reading of the data."""
    ranks = joined_ranks()
    checkpoint = ranks.first(partial(_read_checkpoint, folder, request))
    already = checkpoint.facts["elapsed"] if checkpoint else 0.0
    clock = Clock(already + request.seconds_read)
    train = dataset.samples("train")
    val: Sequence[Sample] = dataset.samples("val") if "val" in dataset.splits else []
    plan = ranks.first(partial(plan_for, dataset, train, val, request, clock, checkpoint))
    check_ranks(ranks, plan)
    model = new_model(dataset, plan, ranks.first(partial(origin_of, request.start, folder)))
    look = partial(intensities_of, train, plan, is_given=request.plan is not None)
    model = model.with_config(intensities=ranks.first(look))
    if request.start is not None and request.start.model is not None:
        plan = start_from(request.start.path, request.start.model, model, plan, watcher)
    elif plan.encoder is not None and checkpoint is None:
        plan = start_encoder(model, plan, watcher)
    watcher.planned(plan)
    val = spread(val, plan.num_val_images)
    for_test = reserve_for_test(dataset, plan)
    name = partial(name_validation, dataset=dataset, is_chosen=not keep_last)
    trainer = Trainer(
        model,
        plan,
        train,
        val,
        loss=new_loss(model, plan),
        pace=new_pace(plan, clock, scores_all=keep_last, after=0.0 if keep_last else for_test),
        device=request.device,
        watcher=watcher,
        keep=Keeper(folder, name) if ranks.is_first else None,
        save=partial(write_checkpoint, folder.checkpoint) if ranks.is_first else None,
        keep_last=keep_last,
        ranks=ranks,
    )
    if checkpoint is not None:
        _restore(trainer, checkpoint, folder)
        watcher.resumed(trainer.state.history)
    if ranks.is_first:
        _begin(folder, plan, dataset, request, begin)
    if ranks.number > 1:
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


def _read_data(
    data: DataSource,
    read: ReadOptions | None,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
) -> Examination:
    """Read and check the data; errors stop here, what was understood is said."""
    read = replace(read or ReadOptions(), seed=request.split_seed)
    if request.resume and folder.split.is_file():
        read = replace(read, split=read_split(folder.split))
    examination = examine_dataset(data, read)
    dataset = examination.dataset
    _refuse_volumes(dataset)
    if request.resume and folder.model.is_file():
        check_same_sequence(dataset, load_model(folder.model), folder.path)
    watcher.note(dataset.describe())
    for text in dataset.notes:
        watcher.note(text)
    return examination


def _refuse_volumes(dataset: Dataset) -> None:
    volumes = [entry for entry in dataset.files if len(entry.size) == 3]
    if volumes:
        raise DataError(
            f"{dataset.root} holds {len(volumes)} volumes, for example {volumes[0].image} "
            f"({show_size(volumes[0].size)}). Training on volumes comes in a later "
            "version: save slices of images and masks as pictures, and train on these."
        )


def _read_checkpoint(folder: RunFolder, request: Request) -> Checkpoint | None:
    """Where the training to resume stands; None where it begins."""
    goes_on = request.resume and folder.has_checkpoint
    return read_checkpoint(folder.checkpoint) if goes_on else None


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
