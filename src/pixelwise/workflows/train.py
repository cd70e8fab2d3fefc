"""Train on data: read, check, plan, train, keep, report."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pixelwise.data import Dataset, DataSource, read_split
from pixelwise.data.layouts import refuse_missing
from pixelwise.doctor import Examination, ReadOptions, examine_dataset
from pixelwise.errors import (
    DataError,
    PixelwiseError,
    PlanError,
)
from pixelwise.network import load_model
from pixelwise.planning import Plan, check_seed, read_plan
from pixelwise.text import show_size
from pixelwise.training import (
    RunFolder,
    Watcher,
    check_logs,
    ending_together,
    joined_ranks,
)
from pixelwise.workflows.check import accepting
from pixelwise.workflows.crossval import cross_validate, num_folds_of
from pixelwise.workflows.progress import watching
from pixelwise.workflows.request import (
    Request,
    budget_seconds,
    check_same_sequence,
    choose_encoder,
    count_reading,
)
from pixelwise.workflows.run import Run
from pixelwise.workflows.start import choose_start
from pixelwise.workflows.train_once import train_once


@ending_together()
def train(
    data: DataSource,
    out: str | os.PathLike[str] = "run",
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
    began: float | None = None,
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
        seed: seed of every random choice; default 0, or the plan's.
        device: "auto", "cpu", "cuda", "mps".
        read: what a person says about the data; what is left out is found out.
        accept: codes of errors in the data to train in spite of, such as "split-leak"; the model
            keeps them, and they are said beside its scores.
        progress: whether to show what happens, as the command line does: a bar on a terminal or in
            a notebook, else lines on stderr; how training ended on stdout.
        watcher: is told what happens, and then nothing is shown.
        began: `time.monotonic()` at which the budget began to run; default now.

    Returns:
        Where the run is, how it scored on the validation images, by which the weights were chosen,
        and on the test split, where there is one; with folds on all images of train and val, each
        scored by the model that did not see it.

    Example:
        >>> import pixelwise as pw
        >>> run = pw.train("data", out="run", epochs=2, progress=False)
        >>> run.folder.name, sorted(file.name for file in run.folder.iterdir())[:3]
        ('run', ['checkpoint', 'history.csv', 'metrics.json'])

    Raises:
        DataError: the data cannot be used.
        PlanError: the budget, plan, start or device cannot be used.
        ModelFileError: the model to start from is none.
        MissingExtraError: the package of a log or of the encoder is not installed.
        OutputError: `out` holds an earlier training, or cannot be written.
        TrainingError: the loss became NaN; the best model so far was kept.
    """
    began = time.monotonic() if began is None else began
    seconds = budget_seconds(budget, epochs)  # before anything that takes time
    ranks, folder, log = joined_ranks(), RunFolder(Path(out)), check_logs(log)
    watcher = watcher if ranks.is_first else None
    with watching(watcher, progress=progress and ranks.is_first) as watcher:
        own_device = ranks.pick_device(device)

        def ask() -> tuple[Request, int | None]:
            if resume:  # before its plan is read
                folder.prepare(resume=True, overwrite=False)
            num_folds = num_folds_of(folder, folds, resume=resume)
            if num_folds is not None and ranks.world_size > 1:
                raise PlanError("Folds are trained by one process. Leave out torchrun, or --folds.")
            ready_made = choose_encoder(encoder, encoder_weights, start)
            goes_on = resume and plan is None and num_folds is None
            asked = folder.plan if goes_on else plan
            given = read_plan(asked) if isinstance(asked, str | os.PathLike) else asked
            earlier = os.fspath(start) if start else None
            request = Request(
                budget=seconds,
                epochs=epochs,
                plan=given,
                resume=resume,
                overwrite=overwrite,
                seed=None if seed is None else check_seed(seed),
                device=own_device,
                start=choose_start(earlier, given, folder if resume else None),
                log=log,
                encoder=ready_made,
            )
            if not (resume or overwrite):
                refuse_missing(data)  # before what is said of `out`
                folder.prepare(resume=False, overwrite=False)
            return request, num_folds

        request, num_folds = ranks.broadcast(ask)
        request = replace(request, device=own_device)
        try:
            read = accepting(read, accept)
            examination = ranks.broadcast(partial(_read_data, data, read, folder, request, watcher))
        except PixelwiseError:
            folder.remove_if_empty()
            raise
        request = count_reading(request, time.monotonic() - began)
        if num_folds is not None:
            return cross_validate(examination, num_folds, folder, request, watcher)
        return train_once(examination.dataset, folder, request, watcher)


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
