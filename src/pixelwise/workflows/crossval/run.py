"""Cross-validation: a model for each fold, every image scored by the one that did not see it.

RUN/fold1 ...        the training of each fold, with the usual files and metrics.csv: the scores
                     of the images that it did not see, and the sign that it is done
RUN/split.csv        the fold of each image
RUN/metrics.*        the scores of all images, each by the model of its fold
RUN/model.safetensors   all models as one: the mean of their probabilities
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from pixelwise.data import Dataset, fold_dataset, read_folds, write_folds
from pixelwise.doctor import Examination
from pixelwise.errors import DataError, PlanError, TrainingError
from pixelwise.inference import Predictor, evaluate_samples
from pixelwise.inference.evaluate import Counted, summarize_samples
from pixelwise.io import read_bytes, write_text
from pixelwise.metrics import Scores
from pixelwise.metrics.table import read_counts
from pixelwise.network import load_model
from pixelwise.planning import Plan, read_plan
from pixelwise.planning.budget import MIN_BUDGET
from pixelwise.planning.numbers import NUM_SEEDS, check_number
from pixelwise.text import count_of
from pixelwise.training import INTERRUPTED, InnerWatcher, RunFolder, Watcher
from pixelwise.workflows.crossval.folds import describe_groups, find_folds, rare_classes
from pixelwise.workflows.crossval.results import CLOSING_SECONDS, Fold, join_folds
from pixelwise.workflows.final_scores import describe_scores, name_scored
from pixelwise.workflows.pages import FoldPart
from pixelwise.workflows.request import UNVALIDATED_BUDGET, Request, check_same_sequence
from pixelwise.workflows.run import Run
from pixelwise.workflows.start import choose_start
from pixelwise.workflows.train_once import train_once


def num_folds_of(folder: RunFolder, asked: int | None, *, resume: bool) -> int | None:
    """The number of folds: as asked, or as in the training to resume; None without any.

    Raises:
        PlanError: the two differ, or it is below 2.
    """
    if asked is not None:
        check_number("folds", asked, least=2)
    if not resume or not folder.contents:
        return asked
    earlier = max(read_folds(folder.split).values(), default=None) if _has_split(folder) else None
    if asked not in (None, earlier):
        has = "no folds" if earlier is None else f"{earlier} folds"
        raise PlanError(
            f"{folder.path} has {has}, so that it cannot go on with {asked}. Resume without "
            "--folds, or train into another folder."
        )
    return earlier


def _has_split(folder: RunFolder) -> bool:
    return folder.split.is_file()


def cross_validate(
    examination: Examination,
    num_folds: int,
    folder: RunFolder,
    request: Request,
    watcher: Watcher,
) -> Run:
    """Train a model for each fold, score every image by the one that did not see it, join them.

    The last weights of each training are taken, not those that score best on its fold: choosing by
    the images that are scored would flatter them. The plan is made in the first fold, for all.

    Args:
        examination: examination of data that can be trained on.
        num_folds: 2 or more.
        folder: folder of the run.
        request: request of the user; the budget is for everything.
        watcher: is told what happens.

    Raises:
        PlanError: the budget is too short.
        DataError: there are fewer groups of images than folds, or other images than before.
        TrainingError: it was interrupted, and can be resumed.
    """
    dataset = examination.dataset
    if request.budget is None and request.epochs is None and not (request.plan or request.resume):
        # the images that are scored must not say when to end
        request = replace(request, budget=UNVALIDATED_BUDGET)
    _check_budget(request, num_folds)
    assigned = _choose_folds(examination, dataset, num_folds, folder, request)
    if groups := describe_groups(examination, num_folds):
        watcher.note(groups)
    warnings = _warn_of_rare(rare_classes(examination, assigned))
    for text in warnings:
        watcher.note(text)
    folds = [
        Fold(n, folder.fold(n), fold_dataset(dataset, assigned, n)) for n in range(1, num_folds + 1)
    ]
    parts: list[FoldPart] = []
    left = request.budget and request.budget - request.seconds_read  # the folds read nothing again
    shared = replace(request, budget=left, seconds_read=0.0)
    for fold in folds:
        asked = _request_for(fold, folds, shared, parts)
        begin = _beginning(fold, folder, asked, dataset, assigned)
        parts.append(_train_or_read(fold, num_folds, asked, watcher, begin))
    return join_folds(folder, dataset, folds, parts, request, warnings, watcher)


def _check_budget(request: Request, num_folds: int) -> None:
    if request.budget is not None and request.budget / num_folds < MIN_BUDGET:
        raise PlanError(
            f"A budget of {request.budget:.0f} seconds is too short for {num_folds} folds; give at "
            f"least {num_folds * MIN_BUDGET:.0f} seconds."
        )


def _choose_folds(
    examination: Examination,
    dataset: Dataset,
    num_folds: int,
    folder: RunFolder,
    request: Request,
) -> dict[str, int]:
    """Deal the images again, or read how they were dealt; DataError where they are others."""
    if not (request.resume and _has_split(folder)):
        return find_folds(examination, num_folds, request.split_seed)
    folds = read_folds(folder.split)
    names = {entry.name for entry in dataset.files if entry.split in ("train", "val")}
    other = sorted(names ^ folds.keys())
    if other:
        raise DataError(
            f"{dataset.root} has other images than the folds in {folder.split}: {other[0]} is "
            f"{'new' if other[0] in names else 'gone'}. Restore them, or train again with "
            "--overwrite."
        )
    for number in range(1, num_folds + 1):
        if folder.fold(number).model.is_file():
            check_same_sequence(dataset, load_model(folder.fold(number).model), folder.path)
    return folds


def _warn_of_rare(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [
        f"Found in one fold alone: {', '.join(names)}. The model that is scored there never saw "
        "such objects; label more images with them, or use fewer folds."
    ]


def _request_for(
    fold: Fold, folds: Sequence[Fold], request: Request, parts: Sequence[FoldPart]
) -> Request:
    """What is asked of the training of a fold: its share of the time, and the plan of the first."""
    resume = request.resume and bool(fold.folder.contents)
    own = fold.folder.plan if resume else folds[0].folder.plan
    is_there = own.is_file() and (resume or fold.number > 1)
    plan = read_plan(own) if is_there else request.plan
    total = None if resume else _total_seconds(request, plan, len(folds))
    start = None
    if request.start is not None or plan is not None:
        asked = request.start.path if request.start else None
        start = choose_start(asked, plan, fold.folder if resume else None)
    return replace(
        request,
        budget=total and seconds_for_fold(fold.number, len(folds), total, parts),
        epochs=None if resume else request.epochs,
        plan=plan,
        resume=resume,
        overwrite=request.overwrite and fold.number == 1,
        seed=None if resume else (_base_seed(request, plan) + fold.number - 1) % NUM_SEEDS,
        start=start,
    )


def _base_seed(request: Request, plan: Plan | None) -> int:
    """Seed of the first fold; each has another one, so that the models differ in more than data."""
    if request.seed is not None:
        return request.seed
    return plan.seed if plan is not None else 0


def _total_seconds(request: Request, plan: Plan | None, num_folds: int) -> float | None:
    """The budget of everything: as asked, else what the first fold had, for each."""
    if request.budget is not None or request.epochs is not None or not request.resume:
        return request.budget
    share = plan.budget_seconds if plan is not None else None
    return None if share is None else share * num_folds


def seconds_for_fold(number: int, num_folds: int, total: float, parts: Sequence[FoldPart]) -> float:
    """Seconds for training and scoring a fold: an equal share of what the earlier ones leave.

    Args:
        number: number of the fold, from 1.
        num_folds: in all.
        total: seconds for everything.
        parts: what the earlier folds took.
    """
    left = total - CLOSING_SECONDS - sum(part.seconds for part in parts)
    return max(MIN_BUDGET, left / (num_folds - number + 1))


def _beginning(
    fold: Fold,
    root: RunFolder,
    request: Request,
    dataset: Dataset,
    folds: Mapping[str, int],
) -> Callable[[], None]:
    """What is to be done when nothing is left that could refuse the training of a fold."""

    def begin() -> None:
        if request.overwrite:
            root.prepare(resume=False, overwrite=True)
        fold.folder.prepare(resume=request.resume, overwrite=False)
        write_folds(root.split, dataset, folds)

    return begin


def _train_or_read(
    fold: Fold,
    num_folds: int,
    request: Request,
    watcher: Watcher,
    begin: Callable[[], None],
) -> FoldPart:
    """The scores of a fold: from its table where it is done, else by training it."""
    name = f"Fold {fold.number} of {num_folds}"
    if fold.is_done and request.resume:
        watcher.note(f"{name} is done already.")
        return _read_part(fold)
    splits = fold.dataset.splits
    watcher.note(f"{name}: {count_of(splits['train'], 'image')} to train, {splits['val']} to score")
    run = train_once(
        fold.dataset, fold.folder, request, InnerWatcher(watcher), begin=begin, keep_last=True
    )
    if run.stopped == INTERRUPTED:
        raise TrainingError(
            f"The cross-validation was interrupted in fold {fold.number} of {num_folds}. What is "
            "done is kept: the same command with --resume goes on from there."
        )
    started = time.monotonic()
    scores = _score(run, fold, request.device)
    write_text(fold.folder.table, scores.to_csv())
    took = time.monotonic() - started
    of = name_scored(scores.num_images, "", fold.dataset.accepted)
    watcher.note(f"{name}: {describe_scores(replace(scores, of=of))}")
    return FoldPart(run.seconds + took, took, run.num_steps, scores, run.warnings)


def _score(run: Run, fold: Fold, device: torch.device) -> Scores:
    """Scores of all images of the fold; those of the last validation where it looked at all."""
    files = [entry for entry in fold.dataset.files if entry.split == "val"]
    if run.scores is not None and run.scores.names == tuple(entry.name for entry in files):
        return run.scores
    predictor = Predictor(load_model(fold.folder.model), device=device, in_place=True)
    return evaluate_samples(predictor, fold.dataset.samples("val"))


def _read_part(fold: Fold) -> FoldPart:
    config = load_model(fold.folder.model).config
    text = read_bytes(fold.folder.table).decode("utf-8")
    names, counts = read_counts(text, config.num_classes)
    groups = {entry.name: entry.group for entry in fold.dataset.files}
    found = [Counted(*one, groups.get(one[0])) for one in zip(names, counts, strict=True)]
    scores = summarize_samples(found, config)
    said = config.provenance
    return FoldPart(float(said["seconds"]), 0.0, int(said["steps"]), scores, ())
