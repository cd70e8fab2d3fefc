"""YOLO: one text file an image, one line an object, corners in shares of the image's size.

DATA/images/train/a.jpg  DATA/labels/train/a.txt      a line: class x y x y x y ...
DATA/train/images/a.jpg  DATA/train/labels/a.txt
DATA/a.jpg  DATA/a.txt

The format: docs.ultralytics.com/datasets/segment; numbers may have commas between them. Names come
from data.yaml (or another YAML file with `names`) or classes.txt. Class k has the value k + 1; 0 is
background. An empty file means that nothing is in the image; an image without a file has no mask.
Lines of five numbers are boxes.
"""

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.layouts.annotations import Category, ImageIndex, declare_classes, names_of
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import own_split, stem_of
from pixelwise.data.layouts.notes import MISSING_IMAGE, Notes, make_layout
from pixelwise.data.layouts.places import split_of
from pixelwise.data.layouts.tables import read_names, read_text
from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.errors import FileError, LayoutError
from pixelwise.task import MAX_CLASSES, too_many_classes

LABEL_FOLDER, IMAGE_FOLDER = "labels", "images"
NAME_FILES = ("classes.txt", "obj.names", "_classes.txt")
NUM_LOOKED_AT = 20  # files that are opened before the folder is taken for something else
MAX_SHARE = 2.0  # corners beyond it are pixels, not shares
BOX_LENGTH = 5  # class, centre and size
FIRST_BYTES = 10_000

Object = tuple[int, int, NDArray[np.float64]]  # line, class number, (N, 2) row and column shares


def find_yolo(root: Path, options: LayoutOptions) -> Layout | None:
    """Find YOLO segmentation text; None where the folder is not arranged like that.

    Args:
        root: the data folder.
        options: `images` may name the folder of the images, `masks` that of the text files.

    Returns:
        The layout, with a class for each name.

    Raises:
        LayoutError: the files hold boxes, or a line is not understood.
        FileError: a file is not text.
    """
    images = ImageIndex([root if options.images is None else root / options.images]).files
    texts = _pair(images, root, None if options.masks is None else root / options.masks)
    if not _looks_like_yolo(list(texts.values())):
        return None
    objects = {image: _read_objects(path) for image, path in texts.items()}
    declaration, values = _declare(root, texts, objects)
    masks = {
        image: MaskShapes(
            texts[image],
            tuple(
                Shape(values[number], (ring,), is_relative=True, name=f"line {line}")
                for line, number, ring in own
            ),
        )
        for image, own in objects.items()
    }
    samples = [
        FoundSample(name, (image,), masks.get(image), split_of(image, root))
        for image, name in names_of(images).items()
    ]
    notes = _note_lone(root, images, list(texts.values()))
    return make_layout("YOLO segmentation text", samples, declaration, [notes])


def _note_lone(root: Path, images: Sequence[Path], paired: Sequence[Path]) -> Notes:
    """Note text files of outlines that belong to no image: those beside the ones that do."""
    notes, known = Notes(root), set(paired)
    lone = [
        path
        for folder in sorted({path.parent for path in paired})
        for path in sorted(folder.glob("*.txt"))
        if path not in known and path.name not in NAME_FILES and _looks_like_yolo([path])
    ]
    notes.expect("images", len(paired) + len(lone), [image.name for image in images])
    for path in lone:
        notes.add(MISSING_IMAGE, path.name, path)
    return notes


def _pair(images: Sequence[Path], root: Path, folder: Path | None) -> dict[Path, Path]:
    """The text file of each image that has one: in a folder given, in labels/, or beside it."""
    known = _text_files([root, *([] if folder is None else [folder])])
    texts = {}
    for image in images if known else ():
        inside = image.relative_to(root) if image.is_relative_to(root) else Path(image.name)
        parts = list(inside.parts[:-1])
        if IMAGE_FOLDER in parts:
            parts[len(parts) - 1 - parts[::-1].index(IMAGE_FOLDER)] = LABEL_FOLDER
        name = f"{stem_of(image)}.txt"
        places = [root.joinpath(*parts, name), image.with_name(name), root / LABEL_FOLDER / name]
        places = places if folder is None else [folder / name, folder.joinpath(*parts[1:], name)]
        text = next((path for path in places if str(path) in known), None)
        if text is not None:
            texts[image] = text
    return texts


def _text_files(folders: Sequence[Path]) -> set[str]:
    """All text files in some folders and below them."""
    return {
        os.path.join(parent, name)
        for folder in folders
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(".txt")
    }


def _looks_like_yolo(texts: Sequence[Path]) -> bool:
    """Whether the first files with content start with a class number and at least four shares."""
    for path in texts[:NUM_LOOKED_AT]:
        with path.open("rb") as file:
            line = file.read(FIRST_BYTES).strip().split(b"\n")[0]
        first = _numbers_of(line.decode("utf-8", errors="replace"))
        if first:
            return len(first) >= BOX_LENGTH and first[0].isdigit() and _is_number(first[1])
    return False


def _numbers_of(line: str) -> list[str]:
    """The numbers of a line, between blanks or commas; commas in place of points stay."""
    return (line.replace(",", " ") if "." in line else line).split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_objects(path: Path) -> list[Object]:
    """The objects of one file; an empty file has none."""
    if not path.stat().st_size:
        return []
    lines = read_text(path).splitlines()
    return [_read_object(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]


def _read_object(path: Path, line: int, text: str) -> Object:
    """One line; LayoutError says what it is where it is not an outline."""
    where = f"{path}, line {line}"
    try:
        numbers = np.array(_numbers_of(text), dtype=np.float64)
    except ValueError as error:
        raise LayoutError(f"{where}: {text[:60]!r} are not all numbers. Correct it.") from error
    if len(numbers) == BOX_LENGTH:
        raise LayoutError(
            f"{where} has 5 numbers: these are boxes for detection, not outlines. Export the "
            "labels for segmentation: class x y x y x y ..."
        )
    corners = numbers[1:]
    if len(corners) < 6 or len(corners) % 2 or numbers[0] != int(numbers[0]) or numbers[0] < 0:
        raise LayoutError(
            f"{where} has {len(numbers)} numbers, where a class number and three or more pairs "
            "x y were expected. Correct it."
        )
    if not (np.abs(corners) <= MAX_SHARE).all():
        raise LayoutError(
            f"{where} has corners up to {np.abs(corners).max():g}, which are not shares of the "
            "image's size. Divide x by the width and y by the height."
        )
    return line, int(numbers[0]), corners.reshape(-1, 2)[:, ::-1]


def _declare(
    root: Path, texts: Mapping[Path, Path], objects: Mapping[Path, Sequence[Object]]
) -> tuple[ClassDeclaration, dict[Hashable, int]]:
    """Classes by the names given, else by their numbers; LayoutError where a name is missing."""
    names = _read_class_names(root)
    used = {number: image for image, own in objects.items() for _, number, _ in own}
    if names is None:
        names = [f"class {number}" for number in range(max(used, default=0) + 1)]
    if max(used, default=0) >= len(names):
        raise LayoutError(
            f"{texts[used[max(used)]]} has the class {max(used)}, but {len(names)} classes are "
            "named (0, 1, ...). Correct it, or name the class in data.yaml."
        )
    listed = [Category(number, name, str(number)) for number, name in enumerate(names)]
    return declare_classes(listed, root)


def _read_class_names(root: Path) -> list[str] | None:
    """Names of the classes 0, 1, ... from YAML or text; None where the file does not exist."""
    folders = (root, root.resolve().parent) if own_split(root) else (root,)
    for folder in folders:
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            if names := _read_yaml_names(path):
                return names
        for path in (folder / name for name in NAME_FILES):
            if path.is_file():
                return read_names(path)
    return None


def _read_yaml_names(path: Path) -> list[str] | None:
    """`names` of a YAML file, a list or {0: name, ...}; None for YAML files of another kind."""
    import yaml

    from pixelwise.io import parse_yaml

    try:
        content = parse_yaml(read_text(path))
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise FileError(f"{path} is not valid YAML ({first}). Correct it.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        return [str(name) for name in names]
    if not isinstance(names, dict) or not all(isinstance(n, int) and n >= 0 for n in names):
        return None
    if max(names, default=0) >= MAX_CLASSES:
        reason = too_many_classes(max(names) + 1)
        raise LayoutError(f"{path} names the class {max(names)}. {reason}")
    return [str(names.get(n, f"class {n}")) for n in range(max(names, default=-1) + 1)]
