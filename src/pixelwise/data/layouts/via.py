"""VGG Image Annotator: one JSON file with the regions of all images.

DATA/via_region_data.json  DATA/a.jpg            an export, or a whole project
DATA/train/via_region_data.json  DATA/train/a.jpg

The format: robots.ox.ac.uk/~vgg/software/via, version 2 (and 1, whose regions are numbered).
Regions are polygons, rectangles, circles and ellipses; points and lines cover nothing. The class
is the region attribute that all regions have; without attributes there is one class, "object".
Every image listed is taken as annotated.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.data.layouts.annotations import (
    Category,
    ImageIndex,
    as_object,
    box_ring,
    declare_classes,
    ellipse_ring,
    names_of,
    to_ring,
    unlisted_images,
)
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.notes import (
    BROKEN_SHAPE,
    MISSING_IMAGE,
    NOT_AN_AREA,
    OTHER_NAME,
    UNKNOWN_SHAPE,
    Notes,
    make_layout,
    name_places,
)
from pixelwise.data.layouts.places import Place, find_places
from pixelwise.data.layouts.tables import parse_json, read_table
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.errors import LayoutError

KEYS = (b'"regions"', b'"filename"')
CLASS_ATTRIBUTES = ("class", "label", "category", "type", "name")  # the first of several wins
ONLY_CLASS = "object"
LINES = frozenset({"point", "polyline"})
NUMBERS = {
    "rect": ("y", "x", "height", "width"),
    "circle": ("cy", "cx", "r"),
    "ellipse": ("cy", "cx", "ry", "rx"),
}

Entries = list[tuple[str, list[dict[str, Any]]]]  # file name and regions of each image


def find_via(root: Path, options: LayoutOptions) -> Layout | None:
    """Find annotations of the VGG Image Annotator; None where there are none.

    Args:
        root: the data folder.
        options: `masks` may name the JSON file or its folder, `images` the folder of the images.

    Returns:
        The layout, with a class for each value of the attribute that names the class.

    Raises:
        LayoutError: an annotation is not understood, or what names the class is not clear.
        FileError: an annotation file is damaged.
    """
    places = find_places(root, options, ".json")
    files = [(place, entries) for place in places if (entries := _read_via(place.path)) is not None]
    if not files:
        return None
    path = files[0][0].path
    regions = [region for _, entries in files for _, own in entries for region in own]
    attribute = _choose_attribute(regions, path)
    labels = sorted({_label(region, attribute, path) for region in regions}) or [ONLY_CLASS]
    declaration, values = declare_classes([Category(label, label) for label in labels], path)
    samples, notes = list[FoundSample](), list[Notes]()
    for place, entries in files:
        labelled = [(name, own, [_label(r, attribute, path) for r in own]) for name, own in entries]
        notes.append(Notes(place.path))
        samples += _read_samples(place, labelled, values, notes[-1])
    names = name_places((place.path for place, _ in files), root)
    return make_layout(f"VIA annotations in {names}", samples, declaration, notes)


def _read_samples(
    place: Place,
    entries: Sequence[tuple[str, list[dict[str, Any]], list[str]]],
    values: Mapping[Hashable, int],
    notes: Notes,
) -> list[FoundSample]:
    """All images of one file with their shapes, then those beside them that it lacks."""
    index = ImageIndex([place.images])
    masks: dict[Path, MaskShapes] = {}
    notes.expect("images", len(entries), [file.name for file in index.files])
    for name, regions, labels in entries:
        image = index.find(name)
        if image is None:
            notes.add(MISSING_IMAGE, name)
            continue
        if image.name != Path(name).name:
            notes.add(OTHER_NAME, f"{name} for {image.name}")
        earlier = masks[image].shapes if image in masks else ()
        shapes = _read_shapes(name, regions, [values[label] for label in labels], notes)
        masks[image] = MaskShapes(place.path, (*earlier, *shapes))
    names = names_of([*masks, *unlisted_images(index, masks)])
    return [
        FoundSample(name, (image,), masks.get(image), place.split) for image, name in names.items()
    ]


def _read_via(path: Path) -> Entries | None:
    """File name and regions of every image; None for any other JSON file."""
    data = read_table(path)
    if not all(key in data for key in KEYS):
        return None
    content = parse_json(data, path)
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    if not isinstance(content, dict):
        return None
    entries = [entry for entry in content.values() if isinstance(entry, dict)]
    if not any("regions" in entry and "filename" in entry for entry in entries):
        return None
    return [_read_entry(key, entry, path) for key, entry in content.items()]


def _read_entry(key: str, entry: object, path: Path) -> tuple[str, list[dict[str, Any]]]:
    """File name and regions of one image; LayoutError where they are something else."""
    fields = as_object(entry, path, key)
    name, regions = fields.get("filename"), fields.get("regions", [])
    if isinstance(regions, dict):  # version 1: {"0": {...}, "1": {...}}
        regions = list(regions.values())
    if not isinstance(name, str) or not name or not isinstance(regions, list):
        raise LayoutError(
            f"{path}: {key} has no file name or no list of regions. Export the file again."
        )
    return name, [as_object(r, path, f"{key} regions[{n}]") for n, r in enumerate(regions)]


def _choose_attribute(regions: Sequence[Mapping[str, Any]], path: Path) -> str | None:
    """The attribute that names the class; None where regions have no attributes at all."""
    given = [
        {key for key, value in _attributes(region).items() if value not in ("", None, {})}
        for region in regions
    ]
    if not any(given):
        return None
    shared = sorted(set.intersection(*given))
    usual = [key for key in CLASS_ATTRIBUTES for name in shared if name.lower() == key]
    if len(shared) == 1:
        return shared[0]
    if usual:
        return next(name for name in shared if name.lower() == usual[0])
    raise LayoutError(
        f"{path} has regions with the attributes {', '.join(sorted(set.union(*given)))}, but "
        f"{'several are' if shared else 'none is'} in all regions, so that their class is not "
        "clear. Give every region one attribute called class."
    )


def _attributes(region: Mapping[str, Any]) -> dict[str, Any]:
    attributes = region.get("region_attributes")
    return attributes if isinstance(attributes, dict) else {}


def _label(region: Mapping[str, Any], attribute: str | None, path: Path) -> str:
    """Class of a region; a ticked list of choices must hold one."""
    if attribute is None:
        return ONLY_CLASS
    value = _attributes(region)[attribute]
    if not isinstance(value, dict):
        return str(value).strip()
    ticked = [key for key, is_ticked in value.items() if is_ticked]
    if len(ticked) != 1:
        raise LayoutError(
            f"{path} has a region with {len(ticked)} choices of {attribute}. Choose one for every "
            "region."
        )
    return str(ticked[0])


def _read_shapes(
    name: str, regions: Sequence[Mapping[str, Any]], values: Sequence[int], notes: Notes
) -> list[Shape]:
    """Shapes of one image; what covers nothing is noted."""
    shapes = []
    notes.expect("shapes", len(regions))
    for number, (region, value) in enumerate(zip(regions, values, strict=True)):
        what = f"{name} regions[{number}]"
        fields = region.get("shape_attributes")
        fields = fields if isinstance(fields, dict) else {}
        kind = fields.get("name")
        if kind in LINES:
            notes.add(NOT_AN_AREA, f"{what} ({kind})", value=value)
            continue
        ring = _to_ring(fields)
        if ring is None:
            is_known = kind in ("polygon", *NUMBERS)
            named = what if is_known else f"{what} ({kind})"
            notes.add(BROKEN_SHAPE if is_known else UNKNOWN_SHAPE, named, value=value)
        else:
            shapes.append(Shape(value, (ring,), name=what))
    return shapes


def _to_ring(fields: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Corners of a region; None where its numbers are missing or make no area."""
    kind = fields.get("name")
    if kind == "polygon":
        xs, ys = fields.get("all_points_x"), fields.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            return None
        return to_ring([list(pair) for pair in zip(xs, ys, strict=True)])
    try:
        numbers = [float(fields[key]) for key in NUMBERS.get(str(kind), ())]
        angle = float(fields.get("theta", 0))
    except (KeyError, TypeError, ValueError):
        return None
    if not numbers or not np.isfinite([*numbers, angle]).all():
        return None
    if kind == "rect":
        return box_ring(*numbers)
    row, column, *radii = numbers
    return ellipse_ring(row, column, radii[0], radii[-1], angle if kind == "ellipse" else 0.0)
