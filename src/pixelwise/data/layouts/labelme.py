"""LabelMe: one JSON file beside each image.

DATA/a.jpg  DATA/a.json

The format: github.com/wkentaro/labelme, `labelme/label_file.py`; X-AnyLabeling writes it too.
Shapes are polygons, rectangles (two corners, or four of a turned one), circles, ellipses and masks;
points and lines cover nothing. `__ignore__` leaves a region out, `_background_` cuts it out. Shapes
of one label and `group_id` are one object. Classes are numbered in the order of labels.txt or
class_names.txt in the folder or above it, else by the alphabet.
"""

import base64
import binascii
import os
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.layouts.annotations import (
    Category,
    ImageIndex,
    as_list,
    as_object,
    box_ring,
    declare_classes,
    ellipse_ring,
    names_of,
    to_ring,
    unlisted_images,
)
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import stem_of
from pixelwise.data.layouts.notes import (
    BROKEN_SHAPE,
    MISSING_IMAGE,
    NOT_AN_AREA,
    UNKNOWN_SHAPE,
    Notes,
    make_layout,
)
from pixelwise.data.layouts.places import split_of
from pixelwise.data.layouts.tables import parse_json, read_names, read_table
from pixelwise.data.masks.runs import encode_runs
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.errors import FileError, LayoutError
from pixelwise.io import decode_mask
from pixelwise.task import IGNORE_INDEX

KEYS = (b'"shapes"', b'"imagePath"')
NUM_LOOKED_AT = 5  # JSON files that are opened before the folder is taken for something else
IGNORED_LABEL = "__ignore__"
LABEL_FILES = ("labels.txt", "class_names.txt")
LINES = frozenset({"line", "linestrip", "polyline", "point", "points"})
RINGS = frozenset(
    {"polygon", "rotation", "oriented_rectangle", "rotated_rectangle", "quadrilateral"}
)  # all corners are given
BOXES = frozenset({"rectangle", "ellipse", "circle", "mask"})  # two points are enough


def find_labelme(root: Path, options: LayoutOptions) -> Layout | None:
    """Find LabelMe annotations; None where the folder is not arranged like that.

    Args:
        root: the data folder; folders below it are searched too.
        options: `masks` may name the folder of the JSON files, `images` that of the images.

    Returns:
        The layout, with a class for each label.

    Raises:
        LayoutError: an annotation is not understood, or has a label that labels.txt lacks.
        FileError: an annotation file is damaged.
    """
    folder = root if options.masks is None else root / options.masks
    files = sorted(p for p in folder.rglob("*.json") if not p.name.startswith("."))
    if not any(_is_labelme(read_table(path)) for path in files[:NUM_LOOKED_AT]):
        return None
    contents = {path: content for path in files if (content := _read_content(path))}
    labels = {shape["label"] for content in contents.values() for shape in content["shapes"]}
    declaration, values = declare_classes(
        [Category(label, label) for label in _order_labels(labels, folder)],
        folder,
        ignores=IGNORED_LABEL in labels,
    )
    values[IGNORED_LABEL] = IGNORE_INDEX
    notes = Notes(folder)
    index = ImageIndex([root if options.images is None else root / options.images])
    masks = _read_masks(contents, values, index, notes)
    unlisted = unlisted_images(index, masks)
    names = names_of([*masks, *unlisted])
    samples = [
        FoundSample(name, (image,), masks.get(image), split_of(image, root))
        for image, name in names.items()
    ]
    return make_layout("LabelMe: one JSON file beside each image", samples, declaration, [notes])


def _is_labelme(data: bytes) -> bool:
    return all(key in data for key in KEYS)


def _read_content(path: Path) -> dict[str, Any] | None:
    """One annotation file with its shapes checked; None for other JSON files."""
    data = read_table(path)
    if not _is_labelme(data):
        return None
    content = as_object(parse_json(data, path), path, "the content")
    content.pop("imageData", None)  # a copy of the image, which would only fill the memory
    for number, entry in enumerate(as_list(content.get("shapes"), path, "shapes")):
        shape = as_object(entry, path, f"shapes[{number}]")
        if not isinstance(shape.get("label"), str) or not shape["label"].strip():
            raise LayoutError(f"{path}: shapes[{number}] has no label. Give it one.")
        shape["label"] = shape["label"].strip()
    return content


def _order_labels(labels: set[str], folder: Path) -> Sequence[str]:
    """Labels in the order of labels.txt, else of the alphabet, without the ignored one."""
    places = (parent / name for parent in (folder, folder.resolve().parent) for name in LABEL_FILES)
    listed = next((path for path in places if path.is_file()), None)
    if listed is None:
        return sorted(labels - {IGNORED_LABEL})
    names = [name for name in dict.fromkeys(read_names(listed)) if name != IGNORED_LABEL]
    unknown = sorted(labels - {IGNORED_LABEL} - set(names))
    if unknown:
        raise LayoutError(
            f"{folder} has shapes with the label {unknown[0]}, which {listed} lacks. Add it there, "
            "or correct the shapes."
        )
    return names


def _read_masks(
    contents: dict[Path, dict[str, Any]],
    values: dict[Hashable, int],
    index: ImageIndex,
    notes: Notes,
) -> dict[Path, MaskShapes]:
    """Shapes of each image that is there."""
    masks: dict[Path, MaskShapes] = {}
    beside = {image.parent / stem_of(image): image for image in index.files}
    notes.expect("images", len(contents), [image.name for image in index.files])
    for path, content in contents.items():
        image = _find_image(path, content, index, beside)
        if image is None:
            named = content.get("imagePath")
            notes.add(MISSING_IMAGE, f"{path.name} (image {named})", path)
            continue
        if image in masks:
            raise LayoutError(
                f"{masks[image].path} and {path} both annotate {image}. Remove one of them."
            )
        size = _size(content)
        masks[image] = MaskShapes(path, _read_shapes(path, content, values, size, notes), size)
    return masks


def _find_image(
    path: Path, content: dict[str, Any], index: ImageIndex, beside: dict[Path, Path]
) -> Path | None:
    """The image of an annotation file: by the path that it names, else beside it by its stem."""
    named = str(content.get("imagePath") or "").replace("\\", "/")
    exact = Path(os.path.normpath(path.parent / named))
    if beside.get(exact.with_suffix("")) == exact:
        return exact
    return beside.get(path.with_suffix("")) or index.find(named) or index.find(path.stem)


def _size(content: dict[str, Any]) -> tuple[int, int] | None:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0:
        return height, width
    return None


def _read_shapes(
    path: Path,
    content: dict[str, Any],
    values: dict[Hashable, int],
    size: tuple[int, int] | None,
    notes: Notes,
) -> tuple[Shape, ...]:
    """Shapes of one file in their order; those of one group are joined where the first was."""
    shapes: dict[Hashable, Shape] = {}
    notes.expect("shapes", len(content["shapes"]))
    for number, entry in enumerate(content["shapes"]):
        name, value = f"{path.name} shapes[{number}]", values[entry["label"]]
        kind = str(entry.get("shape_type") or "polygon").lower()
        shape = _to_shape(kind, entry, path, name, size)
        if shape is None:
            _note_lost(kind, name, path, value, notes)
            continue
        group = entry.get("group_id")
        is_grouped = isinstance(group, int | str) and shape.runs is None
        key: Hashable = (entry["label"], group) if is_grouped else number
        earlier = shapes[key].polygons if key in shapes else ()
        shapes[key] = replace(shape, value=value, polygons=(*earlier, *shape.polygons))
    return tuple(shapes.values())


def _note_lost(kind: str, name: str, path: Path, value: int, notes: Notes) -> None:
    """Note why a shape cannot be drawn."""
    if kind in LINES:
        notes.add(NOT_AN_AREA, f"{name} ({kind})", path, value=value)
    elif kind in RINGS | BOXES:
        notes.add(BROKEN_SHAPE, name, path, value=value)
    else:
        notes.add(UNKNOWN_SHAPE, f"{name} ({kind})", path, value=value)


def _to_shape(
    kind: str, entry: dict[str, Any], path: Path, name: str, size: tuple[int, int] | None
) -> Shape | None:
    """A shape still without its value; None where its type or its corners make no area."""
    points = entry.get("points")
    corners = _to_points(points)
    if kind in RINGS or (kind == "rectangle" and corners is not None and len(corners) > 2):
        ring = to_ring(points)
        return None if ring is None else Shape(0, (ring,), name=name)
    if corners is None or kind not in BOXES:
        return None
    (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
    if kind == "mask":
        return _mask_shape(entry.get("mask"), (round(top), round(left)), size, path, name)
    return Shape(0, (_outline(kind, corners, (top, left, bottom, right)),), name=name)


def _outline(
    kind: str, corners: NDArray[np.float64], box: tuple[float, float, float, float]
) -> NDArray[np.float64]:
    """The ring of a rectangle or ellipse in a box, or of a circle by its centre and a point."""
    top, left, bottom, right = box
    height, width = bottom - top, right - left
    if kind == "rectangle":
        return box_ring(top, left, height, width)
    if kind == "ellipse":
        return ellipse_ring(top + height / 2, left + width / 2, height / 2, width / 2)
    radius = float(np.hypot(*(corners[1] - corners[0])))
    return ellipse_ring(corners[0][0], corners[0][1], radius, radius)


def _to_points(points: object) -> NDArray[np.float64] | None:
    """(N, 2) (row, column) of at least two points; None where they are not numbers."""
    try:
        pairs = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) < 2 or not np.isfinite(pairs).all():
        return None
    return pairs[:, ::-1]


def _mask_shape(
    text: object, corner: tuple[int, int], size: tuple[int, int] | None, path: Path, name: str
) -> Shape | None:
    """A shape of the type mask: a PNG in base64 whose first pixel lies at a corner."""
    if not isinstance(text, str) or size is None or min(corner) < 0:
        return None
    try:
        inside = decode_mask(base64.b64decode(text, validate=True), path).values != 0
    except (binascii.Error, ValueError, FileError):
        return None
    if inside.ndim != 2:
        return None
    return Shape(0, runs=encode_runs(inside, corner, size), name=name)
