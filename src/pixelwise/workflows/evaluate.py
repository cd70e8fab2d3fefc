"""Evaluate a model, or masks in a folder, against data."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from pixelwise.data import (
    Dataset,
    DataSource,
    FolderSamples,
    MaskEncoding,
    Sample,
    SampleFiles,
    read_split,
)
from pixelwise.data.masks import read_stored_mask
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import LayoutError, MaskError, ModelFileError, PlanError
from pixelwise.inference import IntensityCheck, Predictor, evaluate_samples
from pixelwise.inference.precision import file_predictor
from pixelwise.io import make_folder, write_json, write_text
from pixelwise.metrics import Scores, complete_groups, summarize
from pixelwise.network import Model
from pixelwise.report import ReportContent, build_report
from pixelwise.text import show_size
from pixelwise.training import RunFolder
from pixelwise.workflows.check import accepting
from pixelwise.workflows.final_scores import accepted_of, name_evaluated
from pixelwise.workflows.intensities import CheckedSamples
from pixelwise.workflows.pages import class_colors, describe_network, show_examples
from pixelwise.workflows.pair_predictions import pair_predictions
from pixelwise.workflows.predict import load_for_files
from pixelwise.workflows.progress import CountImages, ShowProgress, showing
from pixelwise.workflows.read_predictions import READ_AS, VALUES, PredictionCounts, read_prediction
from pixelwise.workflows.request import check_same_sequence

AnyPath = str | os.PathLike[str]
SPLITS = ("train", "val", "test")


def evaluate(
    data: DataSource,
    *,
    model: AnyPath | None = None,
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
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path.
        model: run folder or model file.
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

    Raises:
        DataError: the data or the masks cannot be used.
        ModelFileError: the model cannot be used, or has other classes than the data.
        OutputError: a result cannot be written.
    """
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
        files = _files_of(dataset, split)
        _prepare(out)
        with showing(progress, "evaluating") as count:
            scores = _score_files(dataset, files, Path(predictions), values, count)
        scores = replace(scores, of=name_evaluated(dataset, scores.num_images, split))
        content = ReportContent(
            title="Evaluation",
            warnings=scores.warnings,
            facts=[*_facts(dataset, split), ("Predictions", " ".join(scores.notes))],
            scores=scores,
        )
    else:
        loaded = load_for_files(Path(model))
        _refuse_seen(loaded, Path(model), split)
        dataset = _read_for_model(data, read, Path(model), loaded)
        if split != "all":
            check_same_sequence(dataset, loaded, Path(model))
        check = IntensityCheck(loaded.config)
        samples = CheckedSamples(_samples_of(dataset, split), check)
        _prepare(out)
        predictor = file_predictor(loaded, device=device)
        with showing(progress, "evaluating") as count:
            scores = evaluate_samples(predictor, samples, progress=count)
        check.warn()
        scores = replace(scores, of=name_evaluated(dataset, scores.num_images, split, loaded))
        content = _model_content(predictor, dataset, samples, scores, split, show=out is not None)
    if out is not None:
        _write(Path(out), scores, content)
    return scores


def _refuse_seen(model: Model, path: Path, split: str) -> None:
    """Models of a cross-validation were trained on what is val elsewhere: scores would flatter."""
    if split == "val" and model.config.num_members > 1:
        raise PlanError(
            f"{path} comes from a cross-validation, so that its models were trained on the "
            "validation images too. Its metrics.json has the scores of every image by the model "
            "that did not see it; evaluate the test split here."
        )


def _read_for_model(data: DataSource, read: ReadOptions, model_path: Path, model: Model) -> Dataset:
    """Read data as the model's training data were read: same mask values, same split."""
    stored = model.config.provenance.get("encoding")
    encoding = _stored_encoding(stored, model_path) if stored else None
    split_file = RunFolder(model_path).split if model_path.is_dir() else None
    split = read_split(split_file) if split_file and split_file.is_file() else None
    if encoding is not None and (read.foreground is not None or read.ignore):
        raise PlanError(
            f"{model_path} knows from its training what the mask values mean. Leave out the "
            "foreground and the values to ignore."
        )
    accepted = accepted_of(model)
    read = replace(
        read,
        split=split or read.split,
        encoding=encoding,
        accept=tuple(dict.fromkeys([*read.accept, *accepted])),
    )
    dataset = examine_dataset(data, read).dataset
    expected = model.config.class_names
    if len(dataset.encoding.classes) != len(expected):
        raise ModelFileError(
            f"{model_path} knows {len(expected)} classes ({', '.join(expected)}) but "
            f"{dataset.root} has {len(dataset.encoding.classes)} "
            f"({', '.join(dataset.encoding.class_names)}). Evaluate on data with the same classes."
        )
    if dataset.encoding.multilabel != model.config.task.can_overlap:
        kinds = ("one class a pixel", "classes that overlap")
        raise ModelFileError(
            f"{data} has {kinds[dataset.encoding.multilabel]}, but {model_path} is a model for "
            f"{kinds[not dataset.encoding.multilabel]}. Evaluate on data like its own."
        )
    if dataset.in_channels != model.config.network.in_channels:
        dataset = replace(dataset, in_channels=model.config.network.in_channels)
    return dataset


def _stored_encoding(stored: object, path: Path) -> MaskEncoding:
    """What the mask values meant in training, as the model file says."""
    try:
        return MaskEncoding.model_validate(stored)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, ("provenance", "encoding", *problem["loc"])))
        raise ModelFileError(
            f"{path} says `{place}`: {problem['msg']}. The file is damaged or was edited; use an "
            "intact copy."
        ) from error


def _files_of(dataset: Dataset, split: str) -> list[SampleFiles]:
    """The samples with masks of a split, or of all."""
    if split != "all" and split not in SPLITS:
        raise PlanError(f"{split!r} is not a split. Choose train, val, test or all.")
    files = [
        entry
        for name in (SPLITS if split == "all" else (split,))
        for entry in dataset.files
        if entry.mask is not None and entry.split == name
    ]
    if not files:
        present = ", ".join(f"{count} {name}" for name, count in dataset.splits.items())
        raise LayoutError(
            f"{dataset.root} has no images with masks in its {split} split, only {present}. "
            "Choose another --split, or all."
        )
    return files


def _samples_of(dataset: Dataset, split: str) -> FolderSamples:
    return FolderSamples(_files_of(dataset, split), dataset.in_channels, dataset.encoding)


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
    *,
    show: bool,
) -> ReportContent:
    return ReportContent(
        title="Evaluation",
        subtitle=f"Scores on the {split} split of {dataset.root.resolve().name}.",
        facts=[*_facts(dataset, split), ("Network", describe_network(predictor.model))],
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
