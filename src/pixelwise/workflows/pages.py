"""The pages that trainings and evaluations leave: gathers what `report` shows."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise import __version__
from pixelwise.data import Dataset, Sample, overlay, to_rgb
from pixelwise.inference import Predictor
from pixelwise.io import write_text
from pixelwise.metrics import Scores
from pixelwise.network import Model, load_model
from pixelwise.planning import Plan
from pixelwise.report import (
    ReportContent,
    ReportExample,
    build_report,
    choose_examples,
    show_errors,
)
from pixelwise.text import count_of
from pixelwise.training import FILES, Outcome, RunFolder
from pixelwise.workflows.final_scores import Closing

FOLDS_FILES = {
    "model.safetensors": "the models of all folds as one: the mean of their probabilities",
    "split.csv": "which image was in which fold",
    "metrics.json": "scores of every image by the model that did not see it",
    "metrics.csv": "the same, image by image",
    "fold1 ...": "the training of each fold, with a report of its own",
    "report.html": "this page",
}


def write_run_report(
    folder: RunFolder,
    predictor: Predictor,
    plan: Plan,
    outcome: Outcome,
    val: Sequence[Sample],
    dataset: Dataset,
    closing: Closing,
    *,
    seconds: float,
) -> None:
    """Write report.html of a training, with examples by the predictor of its model.

    The scores of the test split where there are any, else those of validation.
    """
    model, scores = predictor.model, closing.first
    shown = dataset.samples("test") if closing.test_scores else val
    facts = [
        ("Data", dataset.describe()),
        ("Layout", dataset.layout),
        ("Network", describe_network(model)),
        ("Training", f"{outcome.num_steps:,} steps in {seconds:.0f} s; {outcome.stopped}"),
        *([("Forecast before it", plan.describe_forecast())] if plan.calibration else []),
        ("Weights", f"of step {outcome.best_step:,}"),
        *closing.describe(folder.path),
        ("Machine", describe_machine(plan)),
        describe_versions(),
    ]
    content = ReportContent(
        title=f"Training {folder.path.resolve().name}",
        subtitle=f"A {model.config.task} segmentation model for "
        f"{', '.join(model.config.class_names)}.",
        warnings=[*closing.warnings, *outcome.warnings, *dataset.notes],
        facts=facts,
        plan=plan.to_rows(),
        history=outcome.history,
        scores=scores,
        examples=show_examples(predictor, shown, scores) if scores else [],
        class_colors=class_colors(model),
        files=list(FILES.items()),
    )
    write_text(folder.report, build_report(content))


@dataclass(frozen=True)
class FoldPart:
    """What one fold of a cross-validation gave: the scores of the images it did not see."""

    seconds: float  # for everything
    scoring_seconds: float  # of these, after training
    num_steps: int
    scores: Scores
    warnings: tuple[str, ...]


def write_folds_report(
    folder: RunFolder,
    model: Model,
    plan: Plan,
    dataset: Dataset,
    parts: Sequence[FoldPart],
    scores: Scores,
    *,
    samples: Sequence[Sequence[Sample]],
    models: Sequence[Path],
    device: torch.device,
    warnings: Sequence[str],
) -> None:
    """Write report.html of a cross-validation: every image as the model of its fold saw it."""
    facts = [
        ("Data", dataset.describe()),
        ("Layout", dataset.layout),
        ("Network", describe_network(model)),
        *(
            (f"Fold {number}", f"Dice {part.scores.mean['dice']}, "
             f"{count_of(part.scores.num_images, 'image')}; {part.num_steps:,} steps in "
             f"{part.seconds:.0f} s")
            for number, part in enumerate(parts, 1)
        ),
        ("Machine", describe_machine(plan)),
        describe_versions(),
    ]  # fmt: skip
    content = ReportContent(
        title=f"Cross-validation {folder.path.resolve().name}",
        subtitle=f"{len(parts)} {model.config.task} segmentation models for "
        f"{', '.join(model.config.class_names)}; each image scored by the one that did not see it.",
        warnings=[*scores.warnings, *warnings, *dataset.notes],
        facts=facts,
        plan=plan.to_rows(),
        scores=scores,
        examples=_fold_examples(samples, models, scores, device),
        class_colors=class_colors(model),
        files=list(FOLDS_FILES.items()),
    )
    write_text(folder.report, build_report(content))


def _fold_examples(
    samples: Sequence[Sequence[Sample]],
    models: Sequence[Path],
    scores: Scores,
    device: torch.device,
) -> list[ReportExample]:
    """Predict the worst, median and best samples, each by the model of its fold."""
    places = [(fold, i) for fold, part in enumerate(samples) for i in range(len(part))]
    dice, examples = scores.image_dice, []
    for kind, index in choose_examples(dice):
        fold, position = places[index]
        model, sample = load_model(models[fold]), samples[fold][position]
        mask = Predictor(model, device=device, in_place=True).segment(sample.image)
        examples.append(_example(mask, sample, kind, dice[index], model))
    return examples


def show_examples(
    predictor: Predictor, samples: Sequence[Sample], scores: Scores
) -> list[ReportExample]:
    """Predict the worst, median and best samples once more, to show them."""
    dice = scores.image_dice
    return [
        _example(predictor.segment(samples[index].image), samples[index], kind, dice[index],
                 predictor.model)
        for kind, index in choose_examples(dice)
    ]  # fmt: skip


def _example(
    mask: NDArray[np.uint8], sample: Sample, kind: str, dice: float, model: Model
) -> ReportExample:
    image = np.moveaxis(sample.image, 0, -1)  # (C, H, W) -> (H, W, C)
    colors = model.config.class_colors
    assert sample.mask is not None
    return ReportExample(
        name=sample.name,
        caption=kind,
        image=to_rgb(image),
        target=overlay(image, sample.mask, colors),
        prediction=overlay(image, mask, colors),
        dice=float(dice),
        errors=show_errors(
            to_rgb(image),
            sample.mask,
            mask,
            has_background=model.config.task.has_background(model.config.class_names),
        ),
    )


def class_colors(model: Model) -> Mapping[str, str]:
    """Colour of each class by name."""
    return dict(zip(model.config.class_names, model.config.class_colors, strict=True))


def describe_network(model: Model) -> str:
    """The network in a line."""
    number = model.config.num_members
    several = f"{number} networks: " if number > 1 else ""
    return (
        f"{several}{model.config.network.describe()}; {model.network.num_parameters:,} parameters"
    )


def describe_versions() -> tuple[str, str]:
    """By what a page was made, and when."""
    now = time.strftime("%Y-%m-%d %H:%M")
    return "Made", f"{now} by pixelwise {__version__} with torch {torch.__version__}"


def describe_machine(plan: Plan) -> str:
    """Where training ran, and how fast."""
    system = f"{platform.system()} {platform.machine()}"
    if plan.calibration is None:
        return system
    measured = plan.calibration
    return (
        f"{system}, {measured.device}, {measured.num_threads} threads, {plan.precision}, "
        f"{measured.seconds_per_step:.3f} s per step as measured before training"
    )
