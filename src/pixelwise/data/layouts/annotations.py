"""What all annotation files need: their images on disk, their classes, their corners.

"photos/a.jpg" in the file -> ImageIndex -> DATA/images/a.jpg
category 7, "door"         -> declare_classes -> value 3, named door
[x, y, x, y, ...]          -> to_ring -> (N, 2) rows and columns
"""

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pixelwise.data.layouts.names import list_images, near_key, stem_of
from pixelwise.data.masks.class_file import ClassDeclaration, DeclaredClass
from pixelwise.errors import LayoutError
from pixelwise.task import IGNORE_INDEX, MAX_CLASSES, names_background, too_many_classes

NUM_SHOWN = 3
MAX_DIGITS = 30  # of a number; longer ones are texts
COLOR_LENGTH = 7  # of "#rrggbb"


@dataclass(frozen=True, slots=True)
class Category:
    """A class as an annotation file lists it.

    Attributes:
        key: by which the shapes name it: an id, or the name itself.
        name: for people.
        source: what the file calls it, kept in the report.
        color: "#rrggbb" where the file gives one.
    """

    key: Hashable
    name: str
    source: str | None = None
    color: str | None = None


def declare_classes(
    categories: Sequence[Category], path: Path, *, ignores: bool = False
) -> tuple[ClassDeclaration, dict[Hashable, int]]:
    """Give categories values: background 0, the others 1, 2, ... in their order.

    A category with the name of background ("background", "_background_") is class 0 itself.

    Args:
        categories: in the order of their values.
        path: path of the annotation file, for the message.
        ignores: whether some shapes have the value IGNORE_INDEX, which is left out.

    Returns:
        The declaration, and the value of each key.

    Raises:
        LayoutError: no categories, or more than can be told apart.
    """
    if not categories:
        raise LayoutError(f"{path} lists 0 classes. Export it again with its classes.")
    if len(categories) >= MAX_CLASSES:  # background is one more
        reason = too_many_classes(len(categories) + 1)
        raise LayoutError(f"{path} lists {len(categories)} classes beside background. {reason}")
    counts = Counter(category.name for category in categories)
    classes, values = [DeclaredClass(name="background", value=0)], dict[Hashable, int]()
    for category in categories:
        name = category.name
        if names_background(name):
            classes[0] = DeclaredClass(name=name, value=0, source=category.source)
            values[category.key] = 0
            continue
        values[category.key] = value = len(classes)
        color = category.color if _is_color(category.color) else None
        unique = name if counts[name] == 1 else f"{name} ({category.source})"
        classes.append(DeclaredClass(name=unique, value=value, color=color, source=category.source))
    ignore = (IGNORE_INDEX,) if ignores else ()
    try:
        return ClassDeclaration(classes=tuple(classes), ignore=ignore), values
    except ValidationError as error:
        raise LayoutError(
            f"{path} has classes that cannot be used: {error.errors()[0]['msg']}. Rename them."
        ) from error


def _is_color(color: object) -> bool:
    if not isinstance(color, str) or len(color) != COLOR_LENGTH or color[0] != "#":
        return False
    return all(digit in "0123456789abcdefABCDEF" for digit in color[1:])


def to_ring(corners: object) -> NDArray[np.float64] | None:
    """Turn [x, y, x, y, ...] or [[x, y], ...] into (N, 2) float (row, column) corners.

    Returns:
        None where these are not numbers, not pairs, or fewer than three corners.
    """
    try:
        pairs = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        return None
    if len(pairs) < 3 or not np.isfinite(pairs).all():
        return None
    return pairs[:, ::-1]


def box_ring(row: float, column: float, height: float, width: float) -> NDArray[np.float64]:
    """The four corners of a rectangle."""
    bottom, right = row + height, column + width
    return np.array([(row, column), (row, right), (bottom, right), (bottom, column)])


def ellipse_ring(
    row: float, column: float, row_radius: float, column_radius: float, angle: float = 0.0
) -> NDArray[np.float64]:
    """An ellipse as a ring less than a hundredth of a pixel off; the angle in radians."""
    largest = max(abs(row_radius), abs(column_radius), 1.0)
    num_corners = int(np.clip(np.pi / np.arccos(1 - 0.01 / largest), 12, 1000))
    turn = np.linspace(0, 2 * np.pi, num_corners, endpoint=False)
    down, across = row_radius * np.sin(turn), column_radius * np.cos(turn)
    rows = row + down * np.cos(angle) + across * np.sin(angle)
    columns = column + across * np.cos(angle) - down * np.sin(angle)
    return np.stack([rows, columns], axis=1)


def to_id(identity: object) -> int | str | None:
    """An id as what it means, however it is written: 7, 7.0, "7" and "0007" are one id.

    Returns:
        A number; the text where it is not a number; None where it is neither.
    """
    if isinstance(identity, float) and identity.is_integer():
        return int(identity)
    if isinstance(identity, int):
        return int(identity)
    if not isinstance(identity, str) or not identity.strip():
        return None
    text = identity.strip()
    is_number = text.removeprefix("-").isdecimal() and len(text) <= MAX_DIGITS
    return int(text) if is_number else text


class ImageIndex:
    """Image files below some folders, found by what an annotation file calls them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.files = [path for folder in folders for path in list_images(folder)]
        self._by_name: dict[str, list[Path]] = {}
        self._by_place: dict[tuple[str, ...], list[Path]] = {}  # by folder and name
        self._by_stem: dict[str, list[Path]] = {}
        for path in self.files:
            self._by_name.setdefault(path.name, []).append(path)
            self._by_place.setdefault(path.parts[-2:], []).append(path)
            self._by_stem.setdefault(near_key(stem_of(path)), []).append(path)

    def find(self, file_name: str) -> Path | None:
        """The file of an entry: by its path, else its name, else its stem; None where missing.

        Raises:
            LayoutError: several files may be meant.
        """
        parts = PurePosixPath(file_name.replace("\\", "/")).parts
        if not parts:
            return None
        stem = near_key(stem_of(Path(parts[-1])))
        candidates = (
            (self._by_place.get(parts[-2:]) if len(parts) > 1 else None)
            or self._by_name.get(parts[-1])
            or self._by_stem.get(stem, [])
        )
        if len(candidates) > 1:
            lengths = [_shared_end(path, parts) for path in candidates]
            candidates = [
                path
                for path, length in zip(candidates, lengths, strict=True)
                if length == max(lengths)
            ]
        if len(candidates) > 1:
            raise LayoutError(
                f"{file_name} may be {candidates[0]} or {candidates[1]}. Write the folder into the "
                "file name of the annotation, or rename one of the files."
            )
        return candidates[0] if candidates else None


def _shared_end(path: Path, parts: Sequence[str]) -> int:
    """Number of folders, from the file up, that a path and the parts of a name share."""
    number = 0
    for own, other in zip(path.parts[-2::-1], parts[-2::-1], strict=False):
        if own != other:
            break
        number += 1
    return number


def names_of(images: Sequence[Path]) -> dict[Path, str]:
    """Name of each image: its path without ending, below the folder that holds them all."""
    folder = Path(os.path.commonpath([path.parent for path in images])) if images else Path()
    return {path: (path.relative_to(folder).parent / stem_of(path)).as_posix() for path in images}


def below(path: Path, root: Path) -> str:
    """Path of a file below the data folder, or the whole path where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def unlisted_images(index: ImageIndex, listed: Iterable[Path]) -> list[Path]:
    """Images that lie beside those listed, but are not listed themselves."""
    known = set(listed)
    folders = {path.parent for path in known}
    return [path for path in index.files if path.parent in folders and path not in known]


def as_object(entry: object, path: Path, what: str) -> dict[str, Any]:
    """An entry that must be a JSON object; LayoutError says which one is not."""
    if isinstance(entry, dict):
        return entry
    raise LayoutError(
        f"{path}: {what} should be an object, but is {type(entry).__name__}. Export the file again."
    )


def as_list(entry: object, path: Path, what: str) -> list[Any]:
    """An entry that must be a JSON list; LayoutError says which one is not."""
    if isinstance(entry, list):
        return entry
    raise LayoutError(
        f"{path}: {what} should be a list, but is {type(entry).__name__}. Export the file again."
    )
