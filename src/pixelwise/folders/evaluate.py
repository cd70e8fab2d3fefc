"""Evaluate a model, or masks in a folder, against data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pixelwise.data import (
    Dataset,
    DataSource,
    MaskEncoding,
    ReadOptions,
    Sample,
    SampleFiles,
    examine_dataset,
    make_folder,
    read_mask,
    read_mask_values,
    read_split,
    to_stored,
    write_json,
    write_text,
)
from pixelwise.errors import LayoutError, MaskError, ModelFileError, PlanError
from pixelwise.evaluate import Scores, count_pixels, evaluate_samples, is_background, summarize
from pixelwise.folders.check import usable_dataset
from pixelwise.folders.intensities import CheckedSamples
from pixelwise.folders.pages import class_colors, describe_network, show_examples
from pixelwise.folders.planes import read_planes
from pixelwise.folders.predict import load_for_files
from pixelwise.folders.request import check_same_sequence
from pixelwise.network import Model
from pixelwise.predict import IntensityCheck, Predictor
from pixelwise.report import ReportContent, build_report
from pixelwise.train import RunFolder

AnyPath = str | os.PathLike[str]
Progress = Callable[[int, int], None]
SPLITS = ("train", "val", "test")


def evaluate(
    data: DataSource,
    *,
    model: AnyPath | None = None,
    predictions: AnyPath | None = None,
    split: str = "test",
    out: AnyPath | None = None,
    device: str = "auto",
    read: ReadOptions | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score a model, or masks that are already there, against data.

    Args:
        data: folder of images and masks, or a sequence of (image, mask), each an array or a path.
        model: run folder or model file.
        predictions: folder of masks named like the images, in place of a model; class indices as
            `predict` writes them, or the same values as the data's own masks.
        split: "train", "val", "test" or "all". Where the data have no split folders, the split of
            the run folder counts; for data that the model has never seen, take "all".
        out: folder for metrics.json, metrics.csv and report.html.
        device: "auto", "cpu", "cuda", "mps".
        read: what a person says about the data; what is left out is found out. With a model, the
            meaning of the mask values is that of its training.
        progress: called with (done, total).

    Raises:
        DataError: the data or the masks cannot be used.
        ModelFileError: the model cannot be used, or has other classes than the data.
        OutputError: a result cannot be written.
    """
    if (model is None) == (predictions is None):
        raise PlanError("Give either a model or a folder of predictions to evaluate.")
    if model is None:
        dataset = usable_dataset(data, examine_dataset(data, read))
        assert predictions is not None
        files = _files_of(dataset, split)
        _prepare(out)
        scores = _score_files(dataset, files, Path(predictions), progress)
        content = ReportContent(title="Evaluation", facts=_facts(dataset, split), scores=scores)
    else:
        loaded = load_for_files(Path(model))
        _refuse_seen(loaded, Path(model), split)
        dataset = _read_for_model(data, read or ReadOptions(), Path(model), loaded)
        if split != "all":
            check_same_sequence(dataset, loaded, Path(model))
        check = IntensityCheck(loaded.config)
        samples = CheckedSamples(_samples_of(dataset, split), check)
        _prepare(out)
        predictor = Predictor(loaded, device=device)
        scores = evaluate_samples(predictor, samples, progress=progress)
        check.warn()
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
    read = replace(read, split=split or read.split, encoding=encoding)
    dataset = usable_dataset(data, examine_dataset(data, read))
    expected = model.config.class_names
    if len(dataset.encoding.classes) != len(expected):
        raise ModelFileError(
            f"{model_path} knows {len(expected)} classes ({', '.join(expected)}) but "
            f"{dataset.root} has {len(dataset.encoding.classes)} "
            f"({', '.join(dataset.encoding.class_names)}). Evaluate on data with the same classes."
        )
    if dataset.encoding.multilabel != (model.config.task == "multilabel"):
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
        entry for entry in dataset.files if entry.mask is not None and split in ("all", entry.split)
    ]
    if not files:
        present = ", ".join(f"{count} {name}" for name, count in dataset.splits.items())
        raise LayoutError(
            f"{dataset.root} has no images with masks in its {split} split, only {present}. "
            "Choose another --split, or all."
        )
    return files


def _samples_of(dataset: Dataset, split: str) -> list[Sample]:
    names = SPLITS if split == "all" else (split,)
    _files_of(dataset, split)
    return [sample for name in names if name in dataset.splits for sample in dataset.samples(name)]


def _score_files(
    dataset: Dataset, files: list[SampleFiles], folder: Path, progress: Progress | None
) -> Scores:
    """Score mask files against the data's own masks, one image at a time."""
    found = _find_masks(folder, files)
    counts = []
    for index, entry in enumerate(files):
        target = read_mask(entry, dataset.encoding)
        assert target is not None
        assert entry.mask is not None
        mask = _read_prediction(found[entry.name], dataset.encoding)
        if mask.shape != target.shape:
            (height, width), (rows, columns) = mask.shape[-2:], target.shape[-2:]
            raise MaskError(
                f"{found[entry.name]} is {height}x{width} but {entry.mask.path} is "
                f"{rows}x{columns} (height x width). Predict in the image's own size."
            )
        counts.append(count_pixels(mask, target, len(dataset.encoding.classes)))
        if progress is not None:
            progress(index + 1, len(files))
    names = dataset.encoding.class_names
    background = not dataset.encoding.multilabel and is_background(names[0])
    return summarize(counts, [entry.name for entry in files], names, background=background)


def _find_masks(folder: Path, files: list[SampleFiles]) -> dict[str, Path]:
    """Pair samples with mask files by stem.

    Raises:
        LayoutError: the folder is missing, or masks are.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder. Give the folder that `predict` wrote to.")
    by_stem = {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
    stems = {entry.name: entry.image.stem for entry in files}
    missing = [entry.image.name for entry in files if stems[entry.name] not in by_stem]
    if missing:
        raise LayoutError(
            f"{folder} has no masks for {len(missing)} of {len(files)} images, for example "
            f"{missing[0]}. Predict all images of the split, or choose another --split."
        )
    return {name: by_stem[stem] for name, stem in stems.items()}


def _read_prediction(path: Path, encoding: MaskEncoding) -> NDArray[Any]:
    """Read a predicted mask: class indices, planes, or the values of the data's own masks."""
    if encoding.multilabel:
        return read_planes(path, len(encoding.classes))
    values = read_mask_values(path)
    is_index = values.ndim == 2 and int(values.max(initial=0)) < len(encoding.classes)
    return values.astype(np.uint8) if is_index else encoding.decode(to_stored(values, path), path)


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
        scores=scores,
        scores_of=f"{len(samples)} {split} images",
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
