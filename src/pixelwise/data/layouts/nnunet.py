"""nnU-Net raw: dataset.json, imagesTr/ with one file a channel, labelsTr/, imagesTs/.

DATA/imagesTr/a_0000.nii.gz  DATA/imagesTr/a_0001.nii.gz  DATA/labelsTr/a.nii.gz
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import list_images, stem_of, suffix_of
from pixelwise.data.masks.class_file import ClassDeclaration, declare_classes
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError
from pixelwise.io import decode_text, read_bytes

DATASET_FILE = "dataset.json"
CHANNEL = re.compile(r"_\d{4}$")
SPLITS = {"Tr": "train", "Ts": "test"}


def find_nnunet(root: Path, options: LayoutOptions) -> Layout | None:
    """Find dataset.json and imagesTr/; None where they are not there.

    Raises:
        LayoutError: dataset.json is not what nnU-Net writes, or images lack a channel.
    """
    path = root / DATASET_FILE
    if options.images or options.masks or not path.is_file() or not (root / "imagesTr").is_dir():
        return None
    content = _read_content(path)
    ending = str(content.get("file_ending") or "")
    samples: list[FoundSample] = []
    lone: list[Path] = []
    has_test = (root / "labelsTs").is_dir()
    for end, split in SPLITS.items():
        mask_of = {stem_of(p): p for p in _list(root / f"labels{end}", ending)}
        images = _join_channels(_list(root / f"images{end}", ending))
        for name, files in images.items():
            mask = MaskFile(mask_of[name]) if name in mask_of else None
            is_split = has_test or (split == "test" and bool(mask))
            samples.append(FoundSample(name, files, mask, split if is_split else None))
        lone += [p for name, p in mask_of.items() if name not in images]
    _check_channels(samples, content, path)
    description = "nnU-Net: imagesTr/ + labelsTr/"
    declaration = _read_labels(content, path)
    return Layout(description, tuple(samples), tuple(lone), declaration)


def _list(folder: Path, ending: str) -> list[Path]:
    """The images of a folder, of which only those with the declared ending count."""
    files = list_images(folder) if folder.is_dir() else []
    return [path for path in files if path.name.endswith(ending)]


def _join_channels(files: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Files of each image, in the order of the channels: a_0000 and a_0001 make up a."""
    images: dict[str, list[Path]] = {}
    for file in files:
        images.setdefault(CHANNEL.sub("", stem_of(file)), []).append(file)
    return {name: tuple(paths) for name, paths in images.items()}


def _check_channels(samples: Sequence[FoundSample], content: dict[str, Any], path: Path) -> None:
    """Raise LayoutError where the channels of an image are not those of dataset.json."""
    named = content.get("channel_names") or content.get("modality")
    most = max((len(sample.image_paths) for sample in samples), default=0)
    number = len(named) if isinstance(named, dict) else most
    reason = f"{path} names {number} channels" if named else f"other images have {number} channels"
    for sample in samples:
        stems = [stem_of(file) for file in sample.image_paths]
        expected = [f"{sample.name}_{channel:04}" for channel in range(number)]
        if stems == expected or (number == 1 and stems == [sample.name]):
            continue
        absent = next((stem for stem in expected if stem not in stems), None)
        if absent is not None:
            missing = sample.image.with_name(absent + suffix_of(sample.image))
            raise LayoutError(f"{missing} is missing, but {reason}. Add it, or remove the image.")
        extra = next(file for file in sample.image_paths if stem_of(file) not in expected)
        raise LayoutError(
            f"{extra} is one channel too many: {reason}. Remove it, or name it there."
        )


def _read_content(path: Path) -> dict[str, Any]:
    """What dataset.json holds."""
    try:
        content = json.loads(decode_text(read_bytes(path), path))
    except ValueError as error:
        raise _not_understood(path, error) from error
    if not isinstance(content, dict):
        raise _not_understood(path, "it is not an object")
    return content


def _read_labels(content: dict[str, Any], path: Path) -> ClassDeclaration:
    """Classes of dataset.json: {"background": 0, ...}, or the older {"0": "background", ...}."""
    try:
        labels = content["labels"]
        if all(key.isdigit() for key in labels):
            labels = {str(name): int(value) for value, name in labels.items()}
        values = {str(name): int(value) for name, value in labels.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_understood(path, f"{type(error).__name__}: {error}") from error
    ignore = [value for name, value in values.items() if name.lower() == "ignore"]
    classes = [
        {"name": name, "value": value}
        for name, value in sorted(values.items(), key=lambda entry: entry[1])
        if name.lower() != "ignore"
    ]
    return declare_classes({"classes": classes, "ignore": ignore}, path)


def _not_understood(path: Path, reason: object) -> LayoutError:
    return LayoutError(
        f"{path} is not understood ({reason}). It should hold labels such as "
        '{"background": 0, "tumour": 1}.'
    )
