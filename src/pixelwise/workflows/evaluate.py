"""Evaluate a model, or masks in a folder, against data."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.data import (
    Dataset,
    DataSource,
    Sample,
    SampleFiles,
)
from pixelwise.data.masks import read_stored_mask
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import MaskError, PlanError
from pixelwise.inference import IntensityCheck, Predictor, evaluate_samples
from pixelwise.inference.precision import file_predictor
from pixelwise.io import make_folder, write_json, write_text
from pixelwise.metrics import Scores, complete_groups, summarize
from pixelwise.report import ReportContent, build_report
from pixelwise.text import show_size
from pixelwise.workflows.check import accepting
from pixelwise.workflows.final_scores import name_evaluated
from pixelwise.workflows.given_model import AnyModel, refuse_swapped, take_model
from pixelwise.workflows.intensities import CheckedSamples
from pixelwise.workflows.model_samples import files_of, read_for_model, refuse_seen, samples_of
from pixelwise.workflows.pages import (
    class_colors,
    describe_network,
    describe_versions,
    show_examples,
)
from pixelwise.workflows.pair_predictions import pair_predictions
from pixelwise.workflows.progress import CountImages, ShowProgress, showing
from pixelwise.workflows.read_predictions import READ_AS, VALUES, PredictionCounts, read_prediction
from pixelwise.workflows.request import check_same_sequence

AnyPath = str | os.PathLike[str]


def evaluate(
    model: AnyModel | None = None,
    data: DataSource | None = None,
    *,
    predictions: AnyPath | None = None,
    values: str | None = None,
    split: str = "test",
    out: AnyPath | None = None,
    device: str = "auto",
    read: ReadOptions | None = None,
    accept: Sequence[str] = (),
    progress: ShowProgress = True,
) -> Scores:
    """Score a model, or masks that are already there, against data.

    Args:
        model: run folder, model file, run, or Segmenter; None where there are predictions.
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path.
        predictions: folder of masks named like the images, in place of a model, in the folders that
            `predict` makes: class indices as it writes them, the values of the data's own masks, or
            probabilities. All are read in one way, which `Scores.notes` says.
        values: "index" or "stored", where the predictions could be read as class indices and as the
            values of the data's own masks.
        split: "train", "val", "test" or "all". Where the data have no split folders, the split of
            the run folder counts; for data that the model has never seen, take "all".
        out: folder for metrics.json, metrics.csv and report.html.
        device: "auto", "cpu", "cuda", "mps".
        read: what a person says about the data; what is left out is found out. With a model, the
            meaning of the mask values is that of its training.
        accept: codes of errors in the data to score in spite of, such as "split-leak"; those that
            were accepted for the training of the model are accepted here.
        progress: True shows it, as the command line does; a function is called with (done, total).

    Example:
        >>> import pixelwise as pw
        >>> run = pw.train("data", out="run", epochs=2, progress=False)
        >>> scores = pw.evaluate(run, "data", split="all", progress=False)
        >>> scores.num_images, 0 <= scores.mean_dice <= 1
        (10, True)

    Raises:
        DataError: the data or the masks cannot be used.
        ModelFileError: the model cannot be used, or has other classes than the data.
        OutputError: a result cannot be written.
    """
    if data is None:
        raise PlanError("Data are missing: evaluate(model, data).")
    if (model is None) == (predictions is None):
        raise PlanError("Give either a model or a folder of predictions to evaluate.")
    read = replace(accepting(read, accept), for_training=False)
    if model is not None and values is not None:
        raise PlanError(
            "Values say how predictions are read, but a model was given. Leave them out."
        )
    if values not in (None, *VALUES):
        raise PlanError(f"{values!r} is no reading of values. Choose index or stored.")
    if model is None:
        dataset = examine_dataset(data, read).dataset
        assert predictions is not None
        files = files_of(dataset, split)
        _prepare(out)
        with showing(progress, "evaluating") as count:
            scores = _score_files(dataset, files, Path(predictions), values, count)
        scores = replace(scores, of=name_evaluated(dataset, scores.num_images, split))
        content = ReportContent(
            title="Evaluation",
            warnings=scores.warnings,
            facts=[
                *_facts(dataset, split),
                ("Predictions", f"{predictions}. {' '.join(scores.notes)}"),
                describe_versions(),
            ],
            scores=scores,
        )
    else:
        refuse_swapped(model, data)
        given = take_model(model)
        loaded = given.model
        refuse_seen(given, split)
        dataset = read_for_model(data, read, given)
        if split != "all":
            check_same_sequence(dataset, loaded, given.name)
        check = IntensityCheck(loaded.config)
        samples = CheckedSamples(samples_of(dataset, split), check)
        _prepare(out)
        predictor = file_predictor(loaded, device=device)
        with showing(progress, "evaluating") as count:
            scores = evaluate_samples(predictor, samples, progress=count)
        check.warn()
        scores = replace(scores, of=name_evaluated(dataset, scores.num_images, split, loaded))
        content = _model_content(
            predictor, dataset, samples, scores, split, given.name, show=out is not None
        )
    if out is not None:
        _write(Path(out), scores, content)
    return scores


def _score_files(
    dataset: Dataset,
    files: list[SampleFiles],
    folder: Path,
    values: str | None,
    progress: CountImages | None,
) -> Scores:
    """Score mask files against the data's own masks, one image at a time."""
    paired, encoding = pair_predictions(folder, files, dataset.files), dataset.encoding
    counted = PredictionCounts(encoding, values)
    for index, entry in enumerate(files):
        assert entry.mask is not None
        own = read_stored_mask(entry.mask, entry.size)
        prediction = read_prediction(paired.paths[entry.name])
        if prediction.size != own.size:
            raise MaskError(
                f"{prediction.path} is {show_size(prediction.size)} but {entry.mask.path} is "
                f"{show_size(own.size)} (height x width). Predict in the image's own size."
            )
        counted.add(prediction, own, encoding.decode(own, entry.mask.path))
        if progress is not None:
            progress(index + 1, len(files))
    counts, chosen = counted.choose()
    names = encoding.class_names
    scores = summarize(
        counts,
        [entry.name for entry in files],
        names,
        background=encoding.task.of_pixels.has_background(names),
        groups=complete_groups((entry.name, entry.group) for entry in files),
    )
    notes = [f"The predictions were read as {READ_AS[chosen]}."]
    if paired.left_over:
        notes.append(
            f"{len(paired.left_over)} files in {folder} are predictions of none of these images, "
            f"for example {paired.left_over[0]}."
        )
    return replace(scores, notes=tuple(notes))


def _facts(dataset: Dataset, split: str) -> list[tuple[str, str]]:
    return [("Data", dataset.describe()), ("Split", split), ("Layout", dataset.layout)]


def _model_content(
    predictor: Predictor,
    dataset: Dataset,
    samples: Sequence[Sample],
    scores: Scores,
    split: str,
    name: str,
    *,
    show: bool,
) -> ReportContent:
    return ReportContent(
        title="Evaluation",
        subtitle=f"Scores on the {split} split of {dataset.root.resolve().name}.",
        facts=[
            *_facts(dataset, split),
            ("Model", name),
            ("Network", describe_network(predictor.model)),
            describe_versions(),
        ],
        warnings=scores.warnings,
        scores=scores,
        examples=show_examples(predictor, samples, scores) if show else [],
        class_colors=class_colors(predictor.model),
    )


def _prepare(out: AnyPath | None) -> None:
    """Make the folder for results before the work, so that it does not fail after it."""
    if out is not None:
        make_folder(Path(out))


def _write(folder: Path, scores: Scores, content: ReportContent) -> None:
    write_json(folder / "metrics.json", scores.to_json())
    write_text(folder / "metrics.csv", scores.to_csv())
    write_text(folder / "report.html", build_report(content))
