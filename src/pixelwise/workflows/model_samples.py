"""The samples of data as a model needs them: read as those of its training, in its own split."""

from dataclasses import replace

from pydantic import ValidationError

from pixelwise.data import Dataset, DataSource, FolderSamples, MaskEncoding, SampleFiles, read_split
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.errors import LayoutError, ModelFileError, PlanError
from pixelwise.training import RunFolder
from pixelwise.workflows.final_scores import accepted_of
from pixelwise.workflows.given_model import GivenModel

SPLITS = ("train", "val", "test")


def refuse_seen(given: GivenModel, split: str) -> None:
    """Models of a cross-validation were trained on what is val elsewhere: scores would flatter."""
    if split == "val" and given.model.config.num_members > 1:
        raise PlanError(
            f"{given.name} comes from a cross-validation, so that its models were trained on the "
            "validation images too. Its metrics.json has the scores of every image by the model "
            "that did not see it; evaluate the test split here."
        )


def read_for_model(data: DataSource, read: ReadOptions, given: GivenModel) -> Dataset:
    """Read data as the model's training data were read: same mask values, same split."""
    model, name, path = given
    stored = model.config.provenance.get("encoding")
    encoding = _stored_encoding(stored, name) if stored else None
    split_file = RunFolder(path).split if path is not None and path.is_dir() else None
    split = read_split(split_file) if split_file and split_file.is_file() else None
    if encoding is not None and (read.foreground is not None or read.ignore):
        raise PlanError(
            f"{name} knows from its training what the mask values mean. Leave out the "
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
            f"{name} knows {len(expected)} classes ({', '.join(expected)}) but "
            f"{dataset.root} has {len(dataset.encoding.classes)} "
            f"({', '.join(dataset.encoding.class_names)}). Evaluate on data with the same classes."
        )
    if dataset.encoding.multilabel != model.config.task.can_overlap:
        kinds = ("one class a pixel", "classes that overlap")
        raise ModelFileError(
            f"{data} has {kinds[dataset.encoding.multilabel]}, but {name} is a model for "
            f"{kinds[not dataset.encoding.multilabel]}. Evaluate on data like its own."
        )
    if dataset.in_channels != model.config.network.in_channels:
        dataset = replace(dataset, in_channels=model.config.network.in_channels)
    return dataset


def _stored_encoding(stored: object, name: str) -> MaskEncoding:
    """What the mask values meant in training, as the model file says."""
    try:
        return MaskEncoding.model_validate(stored)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, ("provenance", "encoding", *problem["loc"])))
        raise ModelFileError(
            f"{name} says `{place}`: {problem['msg']}. The file is damaged or was edited; use an "
            "intact copy."
        ) from error


def files_of(dataset: Dataset, split: str) -> list[SampleFiles]:
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


def samples_of(dataset: Dataset, split: str) -> FolderSamples:
    """The samples with masks of a split, or of all, as a sequence."""
    return FolderSamples(files_of(dataset, split), dataset.in_channels, dataset.encoding)
