"""Train on data: read, check, plan, train, keep, report."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pixelwise import __version__
from pixelwise.data import (
    Dataset,
    DataSource,
    ReadOptions,
    Sample,
    examine_dataset,
    read_split,
    write_split,
)
from pixelwise.errors import (
    DataError,
    LayoutError,
    PixelwiseError,
    PlanError,
    TrainingError,
)
from pixelwise.evaluate import Scores, has_background
from pixelwise.folders.check import usable_dataset
from pixelwise.folders.keeping import Keeper, finish, run_safely
from pixelwise.folders.request import (
    Request,
    budget_seconds,
    check_ranks,
    check_same_sequence,
    plan_for,
    read_plan,
    task_of,
)
from pixelwise.network import Model, ModelConfig, UNet, load_model
from pixelwise.plan import (
    Plan,
    network_config,
)
from pixelwise.train import (
    Checkpoint,
    Clock,
    Loss,
    Pace,
    RunFolder,
    Trainer,
    Watcher,
    ending_together,
    joined_ranks,
    loss_for,
    read_checkpoint,
    write_checkpoint,
)

DEFAULT_BUDGET = "10min"
CLOSING_SECONDS = 4.0  # kept back for the last files and the report
CLOSING_SHARE = 0.01  # of the budget, kept back beside them


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


@ending_together()
def train(
    data: DataSource,
    out: str | os.PathLike[str],
    *,
    budget: str | float | None = None,
    epochs: int | None = None,
    plan: str | os.PathLike[str] | Plan | None = None,
    resume: bool = False,
    overwrite: bool = False,
    folds: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    read: ReadOptions | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Train a model on images and masks.

    Where `torchrun` started several processes they train one model together, each on its share of
    every batch; the first one reads, plans, writes and tells the watcher.

    Args:
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path;
            see docs/data.md for what is understood.
        out: run folder to write.
        budget: wall-clock time for everything after reading the data: "90s", "10min", seconds.
            10 minutes where neither budget, epochs nor plan is given.
        epochs: passes over the training images, in place of a budget.
        plan: a plan.yaml or a `Plan`; its steps are done in full where no budget is given.
        resume: go on with an interrupted training in `out`.
        overwrite: replace an earlier training in `out`.
        folds: cross-validation (comes in a later version).
        seed: of every random choice; default 0, or the plan's.
        device: "auto", "cpu", "cuda", "mps".
        read: what a person says about the data; what is left out is found out.
        watcher: is told what happens.

    Returns:
        Where the run is and how it scored on the validation images.

    Raises:
        DataError: the data cannot be used.
        PlanError: the budget, plan or device cannot be used.
        OutputError: `out` holds an earlier training, or cannot be written.
        TrainingError: the loss became NaN; the best model so far was kept.
    """
    ranks = joined_ranks()
    watcher = (watcher or Watcher()) if ranks.is_first else Watcher()
    if folds is not None:
        raise PlanError("Cross-validation comes in a later version. Train without folds.")
    folder = RunFolder(Path(out))
    if resume:  # before its plan is read
        ranks.first(partial(folder.prepare, resume=True, overwrite=False))
    request = Request(
        budget_seconds(budget, epochs, default=None if plan or resume else DEFAULT_BUDGET),
        epochs,
        ranks.first(partial(read_plan, folder.plan if resume and plan is None else plan)),
        resume,
        overwrite,
        seed,
        ranks.pick_device(device),
    )
    if not (resume or overwrite):
        ranks.first(partial(folder.prepare, resume=False, overwrite=False))
    try:
        dataset = ranks.first(partial(_read_data, data, read, folder, request, watcher))
    except PixelwiseError:
        folder.remove_if_empty()
        raise
    return _train_dataset(dataset, folder, request, watcher)


def _train_dataset(dataset: Dataset, folder: RunFolder, request: Request, watcher: Watcher) -> Run:
    """Plan, train, keep and report; the clock starts here.

    An earlier training is only removed when nothing is left that could refuse the new one.
    """
    ranks = joined_ranks()
    checkpoint = ranks.first(partial(_read_checkpoint, folder, request))
    clock = Clock(checkpoint.facts["elapsed"] if checkpoint else 0.0)
    train = dataset.samples("train")
    val: Sequence[Sample] = dataset.samples("val") if "val" in dataset.splits else []
    plan = ranks.first(partial(plan_for, dataset, train, val, request, clock, checkpoint))
    check_ranks(ranks, plan)
    watcher.planned(plan)
    val = _chosen(val, plan.num_val_images)
    model = _new_model(dataset, plan)
    trainer = Trainer(
        model,
        plan,
        train,
        val,
        loss=_loss(model, plan),
        pace=_pace(plan, clock),
        device=request.device,
        watcher=watcher,
        keep=Keeper(folder) if ranks.is_first else None,
        save=partial(write_checkpoint, folder.checkpoint) if ranks.is_first else None,
        ranks=ranks,
    )
    if checkpoint is not None:
        _restore(trainer, checkpoint, folder)
    if ranks.is_first:
        if request.overwrite:
            folder.prepare(resume=False, overwrite=True)
        folder.write_plan(plan)
        write_split(folder.split, dataset)
    if ranks.number > 1:
        watcher.note(ranks.describe(request.device))
    outcome = run_safely(trainer, folder)
    if ranks.is_first:
        finish(outcome, plan, val, dataset, folder, clock)
    run = Run(
        folder.path,
        outcome.scores,
        outcome.best_step,
        outcome.num_steps,
        clock.elapsed,
        outcome.stopped,
        tuple(outcome.warnings),
    )
    watcher.finished(_closing_line(run))
    return run


def _read_data(
    data: DataSource,
    read: ReadOptions | None,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
) -> Dataset:
    """Read and check the data; errors stop here, what was understood is said."""
    read = replace(read or ReadOptions(), seed=request.split_seed)
    if request.resume and folder.split.is_file():
        read = replace(read, split=read_split(folder.split))
    dataset = usable_dataset(data, examine_dataset(data, read))
    _refuse_volumes(dataset)
    if request.resume and folder.model.is_file():
        check_same_sequence(dataset, load_model(folder.model), folder.path)
    watcher.note(dataset.describe())
    for text in dataset.notes:
        watcher.note(text)
    if "train" not in dataset.splits:
        raise LayoutError(
            f"{dataset.root} has no training images, only {', '.join(dataset.splits)}. Name the "
            "folder above the split folders, or one with images/ and masks/."
        )
    return dataset


def _refuse_volumes(dataset: Dataset) -> None:
    volumes = [entry for entry in dataset.files if len(entry.size) == 3]
    if volumes:
        raise DataError(
            f"{dataset.root} holds {len(volumes)} volumes, for example {volumes[0].image} "
            f"({'x'.join(map(str, volumes[0].size))}). Training on volumes comes in a later "
            "version: save slices of images and masks as pictures, and train on these."
        )


def _new_model(dataset: Dataset, plan: Plan) -> Model:
    """Build the planned network with fresh weights, and say how it is to be used."""
    task, encoding = task_of(dataset), dataset.encoding
    network = network_config(
        plan, in_channels=dataset.in_channels, task=task, num_classes=len(encoding.classes)
    )
    config = ModelConfig(
        network=network,
        scaling=plan.scaling,
        working_scale=plan.working_scale,
        task=task,
        class_names=encoding.class_names,
        class_colors=encoding.class_colors,
        patch_size=plan.patch_size or (),
        precision=plan.precision,
        provenance={
            "data": dataset.describe(),
            "data_fingerprint": dataset.fingerprint,
            "encoding": encoding.model_dump(mode="json"),
            "budget_seconds": plan.budget_seconds,
            "seed": plan.seed,
            "pixelwise": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )
    torch.manual_seed(plan.seed)
    return Model(config, UNet(network))


def _read_checkpoint(folder: RunFolder, request: Request) -> Checkpoint | None:
    """Where the training to resume stands; None where it begins."""
    goes_on = request.resume and folder.has_checkpoint
    return read_checkpoint(folder.checkpoint) if goes_on else None


def _restore(trainer: Trainer, checkpoint: Checkpoint, folder: RunFolder) -> None:
    """Go on from a checkpoint; TrainingError where it is of another network."""
    try:
        trainer.restore(checkpoint)
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(
            f"The checkpoint in {folder.path} does not fit the network of the plan or the classes "
            "of the data. Resume with the data and the plan that it was trained with, or train "
            "into another folder."
        ) from error


def _chosen(samples: Sequence[Sample], number: int | None) -> Sequence[Sample]:
    """Return that many samples, evenly spread; all of them for None."""
    if number is None or number >= len(samples):
        return samples
    return [samples[int(i)] for i in np.linspace(0, len(samples) - 1, number)]


def _loss(model: Model, plan: Plan) -> Loss:
    config = model.config
    if plan.loss == "custom":
        raise PlanError("A plan with a custom loss is for arrays; name a loss to train on folders.")
    background = has_background(config.task, config.class_names)
    return loss_for(plan.loss, config.task, background=background, class_weights=plan.class_weights)


def _pace(plan: Plan, clock: Clock) -> Pace:
    measured = plan.calibration
    return Pace(
        clock,
        num_steps=plan.num_steps,
        budget=plan.budget_seconds,
        validate_every=plan.validate_every,
        closing_seconds=CLOSING_SECONDS + CLOSING_SHARE * (plan.budget_seconds or 0),
        seconds_per_step=measured.seconds_per_step if measured else 0,
        seconds_per_validation=measured.seconds_per_validation if measured else 0,
    )


def _closing_line(run: Run) -> str:
    """Say how training ended and what to look at."""
    dice = f"validation Dice {run.scores.mean['dice']}" if run.scores else "no validation images"
    return (
        f"Trained {run.num_steps:,} steps in {run.seconds:.0f} s ({run.stopped}); best at step "
        f"{run.best_step:,}: {dice}. Open {run.folder / 'report.html'}; predict with "
        f"`pixelwise predict {run.folder} IMAGES --out MASKS`."
    )
