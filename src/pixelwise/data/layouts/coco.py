"""COCO: one JSON file that lists images, categories and annotated shapes.

DATA/annotations.json  DATA/images/a.jpg                             all in one
DATA/train/annotations.json  DATA/train/images/a.jpg                 one file a split
DATA/annotations/instances_train2017.json  DATA/train2017/a.jpg      as COCO itself

The format: cocodataset.org/#format-data. Categories get the values 1, 2, ... in the order of their
ids; 0 is background. A crowd region (`iscrowd`) belongs to its class but is not an object, and lies
below the objects. An image that the file lists without shapes is background; one that it does not
list has no mask.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.layouts.annotations import (
    Category,
    ImageIndex,
    as_list,
    as_object,
    declare_classes,
    names_of,
    to_id,
    to_ring,
    unlisted_images,
)
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.notes import (
    BROKEN_SHAPE,
    MISSING_IMAGE,
    OTHER_NAME,
    NoteKind,
    Notes,
    make_layout,
    name_places,
)
from pixelwise.data.layouts.places import OFFICIAL_PREFIX, Place, find_places
from pixelwise.data.layouts.tables import parse_json, read_table
from pixelwise.data.masks.runs import decode_runs, join_runs
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.errors import LayoutError, MaskError

MAX_LENGTH = 2**30
KEYS = (b'"images"', b'"annotations"')
BOXES_ONLY = NoteKind(
    "boxes-only",
    "warning",
    "{path} has objects with a box but no outline: {names}.",
    "Outline them; they are left out, so that their pixels count as background.",
    "shapes",
)
BROKEN_RUNS = NoteKind(
    "broken-shape",
    "error",
    "{path} has run lengths that are damaged or of another size than the image: {names}.",
    "Export these annotations again.",
    "shapes",
)
LOST_SHAPES = NoteKind(
    "lost-shapes",
    "warning",
    "{path} has shapes of images that it does not list: {names}.",
    "Export the file again with all its images; these shapes are left out.",
    "shapes",
)
TWICE = NoteKind(
    "duplicate-entry",
    "warning",
    "{path} lists images more than once: {names}.",
    "Remove the copies; their shapes were put together.",
)


def find_coco(root: Path, options: LayoutOptions) -> Layout | None:
    """Find COCO annotations; None where the folder is not arranged like that.

    Args:
        root: the data folder.
        options: `masks` may name the JSON file or its folder, `images` the folder of the images.

    Returns:
        The layout, with a class for each category.

    Raises:
        LayoutError: the folder is arranged like that, but something is wrong with it.
        FileError: an annotation file is damaged.
    """
    places = _official(find_places(root, options, ".json"))
    files = [(place, content) for place in places if (content := _read_coco(place.path))]
    if not files:
        return None
    categories = _join_categories(files)
    declaration, values = declare_classes(categories, files[0][0].path)
    notes = [Notes(place.path) for place, _ in files]
    samples = [
        sample
        for (place, content), noted in zip(files, notes, strict=True)
        for sample in _read_samples(place, content, values, noted)
    ]
    names = name_places((place.path for place, _ in files), root)
    return make_layout(f"COCO annotations in {names}", samples, declaration, notes)


def _official(places: list[Place]) -> list[Place]:
    """The files that hold shapes, where COCO's other files lie beside them."""
    official = [place for place in places if place.path.name.startswith(OFFICIAL_PREFIX)]
    return official or places


def _read_coco(path: Path) -> dict[str, Any] | None:
    """The content of a COCO file; None for any other JSON file, which is not even parsed."""
    data = read_table(path)
    if not all(key in data for key in KEYS):
        return None
    content = parse_json(data, path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        return None
    for key in ("images", "annotations", "categories"):
        entries = as_list(content.get(key), path, key)
        content[key] = [as_object(e, path, f"{key}[{n}]") for n, e in enumerate(entries)]
    return content


def _join_categories(files: Sequence[tuple[Place, dict[str, Any]]]) -> list[Category]:
    """Categories of all files in the order of their ids; LayoutError where two files disagree."""
    joined: dict[int, Category] = {}
    for place, content in files:
        for number, entry in enumerate(content["categories"]):
            key = _integer(entry, "id", place.path, f"categories[{number}]")
            name = str(entry.get("name") or f"category {key}")
            category = Category(key, name, str(key), entry.get("color"))
            other = joined.setdefault(key, category)
            if other.name != name:
                raise LayoutError(
                    f"{place.path} calls category {key} {name}, but it was {other.name} before. "
                    "Give every category one id in all files."
                )
    return [joined[key] for key in sorted(joined)]


def _integer(entry: dict[str, Any], key: str, path: Path, what: str) -> int:
    """A number that an entry must have; LayoutError says which one has none."""
    value = to_id(entry.get(key))
    if isinstance(value, int):
        return value
    raise LayoutError(
        f"{path}: {what} has the {key} {entry.get(key)!r}, which should be a whole number. "
        "Correct it."
    )


def _read_samples(
    place: Place, content: dict[str, Any], values: dict[Hashable, int], notes: Notes
) -> list[FoundSample]:
    """All images of one file with their shapes, then the images beside them that it lacks."""
    index = ImageIndex([place.images])
    paths = _find_images(place, content["images"], index, notes)
    sizes = {paths[to_id(entry["id"])]: _size(entry) for entry in content["images"]}
    shapes = _read_shapes(place, content, paths, values, notes)
    listed = [path for path in dict.fromkeys(paths.values()) if path]
    unlisted = unlisted_images(index, listed)
    names = names_of([*listed, *unlisted])
    return [
        FoundSample(
            names[path],
            (path,),
            MaskShapes(place.path, _in_order(shapes.get(path, [])), sizes[path]),
            place.split,
        )
        for path in listed
    ] + [FoundSample(names[path], (path,), None, place.split) for path in unlisted]


def _in_order(shapes: list[Shape]) -> tuple[Shape, ...]:
    """Crowds first, so that objects cover them."""
    return tuple(sorted(shapes, key=lambda shape: not shape.is_group))


def _find_images(
    place: Place, entries: list[dict[str, Any]], index: ImageIndex, notes: Notes
) -> dict[Hashable, Path | None]:
    """File of each image id, None where it is missing; LayoutError where ids are not unique."""
    paths: dict[Hashable, Path | None] = {}
    names: dict[Hashable, str] = {}
    seen = set[Path]()
    for number, entry in enumerate(entries):
        identity, name = to_id(entry.get("id")), entry.get("file_name")
        if identity is None or not isinstance(name, str) or not name:
            raise LayoutError(
                f"{place.path}: images[{number}] has the id {entry.get('id')!r} and the file_name "
                f"{name!r}; both are needed. Correct the entry."
            )
        if names.setdefault(identity, name) != name:
            raise LayoutError(
                f"{place.path} gives the id {identity} to {names[identity]} and to {name}. Give "
                "every image an id of its own."
            )
        path = paths[identity] if identity in paths else index.find(name)
        _note_image(identity in paths or path in seen, name, path, notes)
        paths[identity] = path
        if path is not None:
            seen.add(path)
    notes.expect("images", len(entries), [file.name for file in index.files])
    return paths


def _note_image(is_again: bool, name: str, path: Path | None, notes: Notes) -> None:
    """Note what is odd about the file of an entry."""
    if path is None:
        notes.add(MISSING_IMAGE, name)
    elif is_again:
        notes.add(TWICE, name)
    elif path.name != name.replace("\\", "/").rpartition("/")[2]:
        notes.add(OTHER_NAME, f"{name} for {path.name}")


def _size(entry: dict[str, Any]) -> tuple[int, int] | None:
    """(height, width) that an entry claims; None where it claims nothing sensible."""
    size = entry.get("height"), entry.get("width")
    if all(isinstance(length, int | float) and 1 <= length < MAX_LENGTH for length in size):
        return int(size[0] or 0), int(size[1] or 0)
    return None


def _read_shapes(
    place: Place,
    content: dict[str, Any],
    paths: dict[Hashable, Path | None],
    values: dict[Hashable, int],
    notes: Notes,
) -> dict[Path, list[Shape]]:
    """Shapes of each image file; LayoutError where a category is not listed, or all are boxes."""
    entries = content["annotations"]
    if entries and not any(entry.get("segmentation") for entry in entries):
        raise LayoutError(
            f"{place.path} holds {len(entries)} boxes or captions, but no outlines: it is made for "
            "detection. Give annotations with a segmentation, or mask files."
        )
    sizes = {to_id(entry["id"]): _size(entry) for entry in content["images"]}
    notes.expect("shapes", len(entries), [f"image {image_id}" for image_id in paths])
    shapes: dict[Path, list[Shape]] = {}
    for number, entry in enumerate(entries):
        name = f"annotation {entry.get('id', number)}"
        image_id = to_id(entry.get("image_id"))
        if image_id not in paths:
            notes.add(LOST_SHAPES, f"{name} (image {entry.get('image_id')!r})")
            continue
        category = _integer(entry, "category_id", place.path, name)
        if category not in values:
            raise LayoutError(
                f"{place.path}: {name} has the category {category}, which is not listed. Add it "
                "to the categories."
            )
        shape = _to_shape(entry, name, values[category], sizes[image_id], notes)
        path = paths[image_id]
        if shape is not None and path is not None:
            shapes.setdefault(path, []).append(shape)
    return shapes


def _to_shape(
    entry: dict[str, Any], name: str, value: int, size: tuple[int, int] | None, notes: Notes
) -> Shape | None:
    """The shape of one annotation; None, and a note, where it has none that can be used."""
    outline, is_group = entry.get("segmentation"), to_id(entry.get("iscrowd")) not in (None, 0)
    if not outline:
        notes.add(BOXES_ONLY, name, value=value)
        return None
    parts = outline if isinstance(outline, list) else [outline]
    rings = to_rings([part for part in parts if not isinstance(part, dict)])
    packed = [part for part in parts if isinstance(part, dict)]
    polygons = tuple(ring for ring in rings if ring is not None)
    runs = _join([to_runs(part, size) for part in packed])
    is_part = bool(polygons) or runs is not None
    if packed and runs is None:
        notes.add(BROKEN_RUNS, name, value=value, is_part=is_part)
    elif len(polygons) < len(rings):
        notes.add(BROKEN_SHAPE, name, value=value, is_part=is_part)
    return Shape(value, polygons, runs, is_group=is_group, name=name) if is_part else None


def _join(parts: list[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    """Run lengths of all parts of a shape together; None where there are none, or one is broken."""
    sound = [part for part in parts if part is not None]
    if not sound or len(sound) < len(parts) or len({int(part.sum()) for part in sound}) > 1:
        return None
    return join_runs(sound)


def to_rings(outline: list[Any]) -> list[NDArray[np.float64] | None]:
    """Rings of a COCO segmentation: [[x, y, ...], ...], or one ring [x, y, ...]; None if broken."""
    is_one = bool(outline) and not isinstance(outline[0], list)
    return [to_ring(ring) for ring in ([outline] if is_one else outline)]


def to_runs(outline: dict[str, Any], size: tuple[int, int] | None) -> NDArray[np.int64] | None:
    """Run lengths of a COCO segmentation {"size": [h, w], "counts": ...}; None where damaged."""
    claimed, counts = outline.get("size"), outline.get("counts")
    if size is not None and isinstance(claimed, list) and [*map(to_id, claimed)] != list(size):
        return None
    try:
        runs = decode_runs(counts) if isinstance(counts, str) else np.asarray(counts)
        if runs.ndim != 1 or runs.dtype.kind not in "iu" or (runs < 0).any():
            return None
    except (MaskError, ValueError, OverflowError):
        return None
    return runs.astype(np.int64)
