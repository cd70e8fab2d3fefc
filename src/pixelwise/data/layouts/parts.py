"""Masks in several files: one file an object, or one file a class.

ID/images/ID.png   ID/masks/*.png                 one folder an image, one file an object
images/1001.jpg    masks/1001_circle_3.png        one file an object: ID_class_number
images/x_A01_9F.tif  masks/A01_03_gt.png          the same, where a part of the names is the ID
images/a.png       masks/cell/a.png               one file a class, in folders of the classes
images/a.png       masks/a_cell.png               one file a class, side by side
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pixelwise.data.layouts.folder_pairs import find_folder_pairs
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.inside import pair_inside, rest_of_mask
from pixelwise.data.layouts.names import (
    MASK_WORDS,
    PICTURE_WORDS,
    SPLIT_FOLDERS,
    holds_images,
    list_folder,
    list_images,
    own_split,
    split_folders,
    stem_of,
    words_of,
)
from pixelwise.data.layouts.pairing import start_of
from pixelwise.data.masks.class_file import ClassDeclaration, declare_classes
from pixelwise.data.masks.sources import MaskParts
from pixelwise.errors import LayoutError
from pixelwise.task import names_background

NUMBERED = re.compile(r"(?:(?P<name>.*?)[_\-. ]+)?(?P<number>\d+)")
MAX_CLASSES = 64  # more different endings than this are not classes


def find_objects(root: Path, options: LayoutOptions) -> Layout | None:
    """Find one file an object; None where the folder is not arranged like that."""
    samples = [] if options.images or options.masks else list(_find_object_folders(root))
    if any(isinstance(s.mask, MaskParts) and len(s.mask.paths) > 1 for s in samples):
        samples.sort(key=lambda sample: (sample.split or "", sample.name))
        return Layout("one folder an image, one file an object", tuple(samples))
    return _find_tagged(root, options, are_objects=True)


def find_class_files(root: Path, options: LayoutOptions) -> Layout | None:
    """Find one file a class; None where the folder is not arranged like that."""
    return _find_class_folders(root, options) or _find_tagged(root, options, are_objects=False)


def _places(root: Path, options: LayoutOptions) -> Iterator[tuple[Path, Path, str | None]]:
    """Folder of images, folder of masks, and split."""
    splits: dict[Path, str | None] = dict(split_folders(root))
    for folder, split in (splits or {root: own_split(root)}).items():
        try:
            pairs = find_folder_pairs(folder, options)
        except LayoutError:
            return
        for pair in pairs:
            if pair.masks is not None and pair.images != folder:
                yield pair.images, pair.masks, pair.split or split


def _find_object_folders(root: Path) -> Iterator[FoundSample]:
    """ID/images/ID.png with ID/masks/*.png, also below split folders."""
    splits: dict[Path, str | None] = dict(split_folders(root))
    for top, split in (splits or {root: own_split(root)}).items():
        for folder in list_folder(top)[0]:
            if folder.name.lower() in SPLIT_FOLDERS or not (folder / "images").is_dir():
                continue
            images = list_folder(folder / "images")[1]
            if len(images) != 1:
                return
            masks = list_images(folder / "masks") if (folder / "masks").is_dir() else []
            mask = MaskParts(tuple(masks), (1,) * len(masks)) if masks else None
            yield FoundSample(folder.name, (images[0],), mask, split)


def _find_tagged(root: Path, options: LayoutOptions, *, are_objects: bool) -> Layout | None:
    """Masks named by their image and a tag: an object's class and number, or a class."""
    samples: list[FoundSample] = []
    lone: list[Path] = []
    tagged: list[tuple[Path, str | None, dict[Path, str]]] = []
    folders = []
    for images, masks, split in _places(root, options):
        files = {("", stem_of(path)): path for path in list_folder(images)[1]}
        tags, left = _read_tags(files, list_folder(masks)[1])
        lone += left
        folders = [images.name, masks.name]
        tagged += [(path, split, tags.get(name, {})) for name, path in files.items()]
    names = _class_names([tags for _, _, tags in tagged], are_objects=are_objects)
    if names is None or len(lone) > sum(len(tags) for _, _, tags in tagged) // 10:
        return None
    values = {name: value for value, name in enumerate(names, start=1)}
    for path, split, tag_of in tagged:
        classes = {p: _object_class(tag) if are_objects else tag for p, tag in tag_of.items()}
        samples.append(_sample(stem_of(path), path, classes, values, split, are_objects))
    what = "one file an object" if are_objects else "one file a class"
    description = f"{folders[0]}/ + {folders[1]}/, {what}"
    declaration = _declare(names, root) if len(names) > 1 or names[0] else None
    return _layout(description, samples, lone, declaration)


def _layout(
    description: str,
    samples: list[FoundSample],
    lone: Sequence[Path],
    declaration: ClassDeclaration | None,
) -> Layout:
    samples.sort(key=lambda sample: (sample.split or "", sample.name))
    return Layout(description, tuple(samples), tuple(lone), declaration)


def _read_tags(
    images: Collection[tuple[str, str]], masks: Sequence[Path]
) -> tuple[dict[tuple[str, str], dict[Path, str]], list[Path]]:
    """For each image its masks with what their names add; and masks that belong to none."""
    tags: dict[tuple[str, str], dict[Path, str]] = defaultdict(dict)
    left = []
    for path in masks:
        image = start_of(("", stem_of(path)), images)
        if image is None:
            left.append(path)
        else:
            tags[image][path] = stem_of(path)[len(image[1]) + 1 :]
    return (tags, left) if len(left) <= len(masks) // 10 else _read_inner_tags(images, masks)


def _read_inner_tags(
    images: Collection[tuple[str, str]], masks: Sequence[Path]
) -> tuple[dict[tuple[str, str], dict[Path, str]], list[Path]]:
    """The same where a part of the image's name is in those of its masks: A01_03_ground_truth."""
    files = {("", stem_of(path)): path for path in masks}
    is_many = len(files) == len(masks) > len(images) and not files.keys() & set(images)
    try:
        pairs = pair_inside(images, files, are_many=True) if is_many else {}
    except LayoutError:
        pairs = {}  # whoever pairs one mask an image says it
    tags: dict[tuple[str, str], dict[Path, str]] = defaultdict(dict)
    for name, image in pairs.items():
        tags[image][files[name]] = rest_of_mask(name[1], image[1])
    return tags, [path for name, path in files.items() if name not in pairs]


def _class_names(tags: Sequence[dict[Path, str]], *, are_objects: bool) -> list[str] | None:
    """Names of the classes that the tags tell; None where they tell nothing of the kind."""
    most = max((len(of_image) for of_image in tags), default=0)
    found = Counter(tag for of_image in tags for tag in of_image.values())
    if most < 2:
        return None
    if are_objects:
        return (
            sorted({_object_class(tag) for tag in found})
            if all(NUMBERED.fullmatch(tag) for tag in found)
            else None
        )
    no_classes = MASK_WORDS | PICTURE_WORDS
    if len(found) > MAX_CLASSES or any(set(words_of(tag)) & no_classes for tag in found):
        return None
    if sum(len(of_image) > 1 for of_image in tags) < 2 or min(found.values()) < 2:
        return None
    return sorted(found)


def _object_class(tag: str) -> str:
    """The class in "circle_3"; "" where there is only a number."""
    match = NUMBERED.fullmatch(tag)
    return (match["name"] if match else "") or ""


def _sample(
    name: str,
    image: Path,
    classes: dict[Path, str],
    values: dict[str, int],
    split: str | None,
    are_objects: bool,
) -> FoundSample:
    parts = {path: values[label] for path, label in sorted(classes.items()) if label in values}
    mask = MaskParts(tuple(parts), tuple(parts.values()), are_objects) if parts else None
    return FoundSample(name, (image,), mask, split)


def _find_class_folders(root: Path, options: LayoutOptions) -> Layout | None:
    """masks/<class>/a.png, two classes at least, for images/a.png."""
    places = list(_places(root, options))
    names = sorted(
        {folder.name for _, masks, _ in places for folder in list_folder(masks)[0]
         if holds_images(folder)}
    )  # fmt: skip
    names = [name for name in names if not names_background(name)]
    if len(names) < 2 or any(name.lower() in SPLIT_FOLDERS for name in names):
        return None
    values = {name: value for value, name in enumerate(names, start=1)}
    samples: list[FoundSample] = []
    lone: list[Path] = []
    for images, masks, split in places:
        if list_folder(images)[0] or list_folder(masks)[1]:
            return None
        files = {stem_of(path): path for path in list_folder(images)[1]}
        parts: dict[str, dict[Path, str]] = defaultdict(dict)
        for folder in list_folder(masks)[0]:
            for path in list_folder(folder)[1]:
                if stem_of(path) in files:
                    parts[stem_of(path)][path] = folder.name
                else:
                    lone.append(path)
        samples += [_sample(n, p, parts[n], values, split, False) for n, p in files.items()]
    if not any(sample.mask for sample in samples):
        return None
    description = f"{places[0][0].name}/ + {places[0][1].name}/CLASS/, one file a class"
    return _layout(description, samples, lone, _declare(names, root))


def _declare(names: Sequence[str], root: Path) -> ClassDeclaration:
    """Background, then the classes named, with the values 1, 2, ..."""
    entries = [{"name": "background", "value": 0}]
    entries += [{"name": name or "object", "value": v} for v, name in enumerate(names, start=1)]
    return declare_classes({"classes": entries}, root)
