"""Kaggle: a CSV table of run lengths.

DATA/train.csv  DATA/images/a.jpg       ImageId,EncodedPixels[,ClassId]

    a.jpg,1 3 10 2      pixels 1 to 3 and 10 to 11, counted from 1 down the columns
    a.jpg,              nothing
    a.jpg_Fish,1 3      the class behind the name, in a column called Image_Label

Several rows of an image are several objects. As in the competitions on nuclei, ships, steel and
clouds pixels are counted down the columns; a table counted along the rows cannot be told apart.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.layouts.annotations import (
    Category,
    ImageIndex,
    declare_classes,
    names_of,
    unlisted_images,
)
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.notes import (
    MISSING_IMAGE,
    NoteKind,
    Notes,
    make_layout,
    name_places,
)
from pixelwise.data.layouts.places import Place, find_places
from pixelwise.data.layouts.tables import read_csv
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.io import to_utf8

IMAGE_COLUMNS = frozenset({"imageid", "image_id", "img_id", "image", "id", "filename", "file_name"})
JOINED_COLUMNS = frozenset({"image_label", "imageid_classid", "image_class", "image_id_class_id"})
RUN_COLUMNS = frozenset(
    {"encodedpixels", "encoded_pixels", "rle", "rle_mask", "segmentation", "annotation"}
)
CLASS_COLUMNS = frozenset({"classid", "class_id", "class", "label", "category", "class_name"})
NOTHING = frozenset({"", "-1", "nan", "none", "null"})  # an image in which nothing is
EXAMPLE_WORD = "sample"  # sample_submission.csv holds no labels
ONLY_CLASS = "object"
FIRST_BYTES = 10_000
BROKEN_RUNS = NoteKind(
    "broken-shape",
    "error",
    "{path} has run lengths that are not pairs of start and length, in order: {names}.",
    "Export these rows again.",
    "shapes",
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: the image, its class, its run lengths as text, and its number in the file."""

    image: str
    label: str
    runs: str
    number: int


def find_kaggle(root: Path, options: LayoutOptions) -> Layout | None:
    """Find a table of run lengths; None where there is none.

    Args:
        root: the data folder.
        options: `masks` may name the CSV file, `images` the folder of the images.

    Returns:
        The layout, with a class for each label of the table.

    Raises:
        LayoutError: the labels cannot be used as classes.
        FileError: a table is damaged.
    """
    files = [
        (place, rows)
        for place in find_places(root, options, ".csv")
        if EXAMPLE_WORD not in place.path.name.lower() and (rows := _read_rows(place.path))
    ]
    if not files:
        return None
    labels = sorted({row.label for _, rows in files for row in rows}, key=_in_number_order)
    categories = [Category(label, _class_name(label), label) for label in labels]
    declaration, values = declare_classes(categories, files[0][0].path)
    notes = [Notes(place.path) for place, _ in files]
    samples = [
        sample
        for (place, rows), noted in zip(files, notes, strict=True)
        for sample in _read_samples(place, rows, values, noted)
    ]
    names = name_places((place.path for place, _ in files), root)
    return make_layout(f"run lengths in {names}", samples, declaration, notes)


def _in_number_order(label: str) -> tuple[bool, int, str]:
    """Numbers first, by their size; then names by the alphabet."""
    return (False, int(label), "") if label.isdecimal() else (True, 0, label)


def _class_name(label: str) -> str:
    return f"class {label}" if label.isdecimal() else label


def _read_rows(path: Path) -> list[_Row] | None:
    """The rows of a table of run lengths; None for any other table."""
    first = to_utf8(path.read_bytes()[:FIRST_BYTES]).splitlines()[:1] if path.stat().st_size else []
    columns = _columns_of(first[0].decode("utf-8-sig", "replace")) if first else None
    if columns is None:
        return None
    header, rows = read_csv(path)
    keys = [name.strip().lower() for name in header]
    image_column, run_column = (keys.index(name) for name in columns)
    is_joined = columns[0] in JOINED_COLUMNS
    label_column = next((n for n, key in enumerate(keys) if key in CLASS_COLUMNS), None)
    found = []
    for number, row in enumerate(rows, 2):
        image, label = row[image_column].strip(), ONLY_CLASS
        if is_joined:
            image, _, label = image.rpartition("_")
        elif label_column is not None:
            label = row[label_column].strip()
        found.append(_Row(image, label or ONLY_CLASS, row[run_column].strip(), number))
    return found


def _columns_of(first_line: str) -> tuple[str, str] | None:
    """Names of the columns of images and of run lengths; None where one is missing."""
    separator = max(",;\t", key=first_line.count)
    keys = [name.strip().strip('"').lower() for name in first_line.split(separator)]
    image = [key for key in keys if key in IMAGE_COLUMNS | JOINED_COLUMNS]
    runs = [key for key in keys if key in RUN_COLUMNS]
    return (image[0], runs[0]) if image and runs else None


def _read_samples(
    place: Place, rows: Sequence[_Row], values: Mapping[Hashable, int], notes: Notes
) -> list[FoundSample]:
    """All images of one table with their shapes, then those beside them that it lacks."""
    index = ImageIndex([place.images])
    paths = {name: index.find(name) for name in dict.fromkeys(row.image for row in rows)}
    notes.expect("images", len(paths), [file.name for file in index.files])
    notes.expect("shapes", len(rows))
    for name in (name for name, path in paths.items() if path is None):
        notes.add(MISSING_IMAGE, name)
    shapes: dict[Path, list[Shape]] = {path: [] for path in paths.values() if path}
    for row in rows:
        path = paths[row.image]
        if path is None or row.runs.lower() in NOTHING:
            continue
        runs = to_runs(row.runs)
        if runs is None:
            notes.add(BROKEN_RUNS, f"row {row.number}", value=values[row.label])
        else:
            name = f"row {row.number}"
            shapes[path].append(Shape(values[row.label], runs=runs, name=name, is_open=True))
    names = names_of([*shapes, *unlisted_images(index, shapes)])
    return [
        FoundSample(
            name,
            (image,),
            MaskShapes(place.path, tuple(shapes[image])) if image in shapes else None,
            place.split,
        )
        for image, name in names.items()
    ]


def to_runs(text: str) -> NDArray[np.int64] | None:
    """Turn "start length start length ...", from 1, into numbers outside, inside, outside, ...

    Returns:
        None where the text holds other than pairs of positive numbers, or pairs that overlap.

    >>> to_runs("1 3 10 2").tolist()
    [0, 3, 6, 2]
    """
    try:
        numbers = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        return None
    if not len(numbers) or len(numbers) % 2 or (numbers < 1).any():
        return None
    pairs = numbers.reshape(-1, 2)
    starts, lengths = pairs[pairs[:, 0].argsort(kind="stable")].T
    outside = starts - 1 - np.concatenate([[0], (starts + lengths - 1)[:-1]])
    if (outside < 0).any():
        return None
    runs: NDArray[np.int64] = np.stack([outside, lengths], axis=1).ravel()
    return runs
