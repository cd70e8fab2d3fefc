"""nnU-Net raw: dataset.json, imagesTr/ with one file a channel, labelsTr/, imagesTs/.

DATA/imagesTr/a_0000.nii.gz  DATA/imagesTr/a_0001.nii.gz  DATA/labelsTr/a.nii.gz
"""

import json
import re
from pathlib import Path
from typing import Any

from pixelwise.data.files.image_files import read_bytes
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import list_images, stem_of
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError

DATASET_FILE = "dataset.json"
SPLITS = {"Tr": "train", "Ts": "test"}


def find_nnunet(root: Path, options: LayoutOptions) -> Layout | None:
    """Find dataset.json and imagesTr/; None where they are not there.

    Raises:
        LayoutError: dataset.json is not what nnU-Net writes.
    """
    path = root / DATASET_FILE
    if options.images or options.masks or not path.is_file() or not (root / "imagesTr").is_dir():
        return None
    samples: list[FoundSample] = []
    lone: list[Path] = []
    has_test = (root / "labelsTs").is_dir()
    for end, split in SPLITS.items():
        mask_of = {stem_of(p): p for p in _list(root / f"labels{end}")}
        images: dict[str, list[Path]] = {}
        for file in _list(root / f"images{end}"):
            images.setdefault(re.sub(r"_\d{4}$", "", stem_of(file)), []).append(file)
        for name, files in images.items():
            mask = MaskFile(mask_of[name]) if name in mask_of else None
            is_split = has_test or (split == "test" and bool(mask))
            samples.append(FoundSample(name, tuple(files), mask, split if is_split else None))
        lone += [p for name, p in mask_of.items() if name not in images]
    samples.sort(key=lambda sample: (sample.split or "", sample.name))
    description = "nnU-Net: imagesTr/ + labelsTr/"
    return Layout(description, tuple(samples), tuple(lone), _read_labels(path))


def _list(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []


def _read_labels(path: Path) -> ClassDeclaration:
    """Classes of dataset.json: {"background": 0, ...}, or the older {"0": "background", ...}."""
    try:
        labels: Any = json.loads(read_bytes(path))["labels"]
        if all(key.isdigit() for key in labels):
            labels = {str(name): int(value) for value, name in labels.items()}
        values = {str(name): int(value) for name, value in labels.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(
            f"{path} is not understood ({type(error).__name__}: {error}). It should hold labels "
            'such as {"background": 0, "tumour": 1}.'
        ) from error
    ignore = [value for name, value in values.items() if name.lower() == "ignore"]
    classes = [
        {"name": name, "value": value}
        for name, value in sorted(values.items(), key=lambda entry: entry[1])
        if name.lower() != "ignore"
    ]
    return ClassDeclaration.model_validate({"classes": classes, "ignore": ignore})
