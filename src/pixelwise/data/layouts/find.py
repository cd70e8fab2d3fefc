"""Find out how a folder keeps images and masks: each finder looks for its own arrangement.

A manifest, where there is one, has the word. Then masks in pixels are looked for, then annotation
files; where both are there, the one that labels more images is taken, masks in pixels if they are
equal, and a finding says what was left aside. Two kinds of annotation files are a tie, which only
a person can decide.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pixelwise.data.findings import Finding
from pixelwise.data.layouts.coco import find_coco
from pixelwise.data.layouts.folder_pairs import find_folder_pairs
from pixelwise.data.layouts.folders import find_folders
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.data.layouts.kaggle import find_kaggle
from pixelwise.data.layouts.labelme import find_labelme
from pixelwise.data.layouts.manifest import find_manifest
from pixelwise.data.layouts.names import (
    SPLIT_FOLDERS,
    check_folder,
    is_image_folder,
    is_mask_folder,
    is_shown,
    is_zarr,
    leads_back,
    list_folder,
    remember_folders,
)
from pixelwise.data.layouts.nnunet import find_nnunet
from pixelwise.data.layouts.parts import find_class_files, find_objects
from pixelwise.data.layouts.unique import with_unique_names
from pixelwise.data.layouts.via import find_via
from pixelwise.data.layouts.voc import find_voc
from pixelwise.data.layouts.yolo import find_yolo
from pixelwise.data.masks.class_file import CLASS_FILE, read_class_file
from pixelwise.data.masks.class_table import TABLE_FILES
from pixelwise.errors import DataError, LayoutError
from pixelwise.text import shorten

Finder = Callable[[Path, LayoutOptions], Layout | None]

PIXEL_FINDERS: Mapping[str, Finder] = {
    "voc": find_voc,
    "nnunet": find_nnunet,
    "objects": find_objects,
    "class-files": find_class_files,
    "folders": find_folders,
}
ANNOTATION_FINDERS: Mapping[str, Finder] = {
    "coco": find_coco,
    "labelme": find_labelme,
    "via": find_via,
    "yolo": find_yolo,
    "kaggle": find_kaggle,
}
FINDERS: Mapping[str, Finder] = {"manifest": find_manifest, **ANNOTATION_FINDERS, **PIXEL_FINDERS}
TEXT_SUFFIXES = frozenset({".md", ".pdf", ".html"})  # tell people, not programs
MANIFEST_SUFFIXES = (".csv", ".tsv", ".txt")
LAYOUT_NAMES = tuple(FINDERS)


def find_layout(root: Path, options: LayoutOptions | None = None) -> Layout:
    """Find the images and masks of a data folder.

    Args:
        root: the data folder, a manifest (CSV) or a COCO file (JSON).
        options: what a person says about it.

    Returns:
        The layout; images without masks are in it with mask None.

    Raises:
        LayoutError: the folder is missing, holds no images or nothing that pairs, or is arranged in
            two ways at once.
    """
    options = options or LayoutOptions()
    if root.is_file() and root.suffix.lower() == ".json":
        root, options = root.parent, replace(options, masks=Path(root.name))
    if root.suffix.lower() in MANIFEST_SUFFIXES and root.is_file():
        return with_unique_names(_find_named(root, options, "manifest"), root.parent)
    check_folder(root)
    with remember_folders():
        _check_given(root, options)
        inside = root if options.images or options.masks else _unwrap(root)
        layout = with_unique_names(_find_in(inside, options), inside)
    return layout if inside == root else _with_place(layout, root, inside)


def _find_in(root: Path, options: LayoutOptions) -> Layout:
    """The layout of the folder that holds the data."""
    if options.layout is not None:
        return _find_named(root, options, options.layout)
    if options.masks is not None and (root / options.masks).is_file():
        return _find_annotated(root, options)
    manifest = find_manifest(root, options)
    if manifest is not None:
        return manifest
    annotated, annotation_error = _look(ANNOTATION_FINDERS, root, _beside_masks(root, options))
    pixels, pixel_error = _look(PIXEL_FINDERS, root, options, first_only=True)
    if not annotated and not pixels:
        raise (
            annotation_error
            or pixel_error
            or LayoutError(
                f"{root} is arranged in no way that is known. Write a manifest.csv with the "
                "columns image and mask."
            )
        )
    best = max((_num_labelled(layout) for layout in annotated.values()), default=0)
    for layout in pixels.values():
        if _num_labelled(layout) >= best:
            return _leave_aside(layout, annotated)
    return _only(root, annotated)


def _check_given(root: Path, options: LayoutOptions) -> None:
    """Raise LayoutError where a folder or file that a person named is not there."""
    for option, given in (("images", options.images), ("masks", options.masks)):
        if given is None or (root / given).exists() or any(_below(root, given)):
            continue
        folders = shorten([f"{path.name}/" for path in list_folder(root)[0]])
        raise LayoutError(
            f"There is no {given} in {root} or in the folders in it, which holds "
            f"{folders or 'no folders'}. Name one that is there with --{option}."
        )


def _below(root: Path, given: Path) -> Iterator[Path]:
    """Where a relative path is in the folders below."""
    for folder in list_folder(root)[0]:
        if (folder / given).exists():
            yield folder / given
        yield from _below(folder, given)


def _unwrap(root: Path) -> Path:
    """The folder that holds the data, where those above hold nothing else: VOCdevkit/VOC2012/."""
    while True:
        entries = [path for path in root.iterdir() if is_shown(path.name)]
        folders = [path for path in entries if path.suffix.lower() not in TEXT_SUFFIXES]
        if len(folders) != 1 or not folders[0].is_dir() or is_zarr(folders[0]):
            return root
        (folder,) = folders
        if leads_back(folder):
            return root
        if (
            folder.name.lower() in SPLIT_FOLDERS
            or is_image_folder(folder)
            or is_mask_folder(folder)
        ):
            return root
        root = folder


def _with_place(layout: Layout, root: Path, inside: Path) -> Layout:
    """The layout of a folder inside the one given, with the classes declared in there."""
    declaration = layout.declaration
    paths = (inside / name for name in (CLASS_FILE, *TABLE_FILES))
    path = next((path for path in paths if path.is_file()), None)
    if path is not None and (path.name == CLASS_FILE or declaration is None):
        declaration = read_class_file(path)
    description = f"in {inside.relative_to(root).as_posix()}/: {layout.description}"
    return replace(layout, description=description, declaration=declaration)


def _find_named(root: Path, options: LayoutOptions, name: str) -> Layout:
    """The layout that a person named; LayoutError where it is unknown or does not fit."""
    if name not in FINDERS:
        raise LayoutError(f"{name!r} is not a layout. The layouts are {', '.join(LAYOUT_NAMES)}.")
    is_annotated = name in ANNOTATION_FINDERS
    layout = FINDERS[name](root, _beside_masks(root, options) if is_annotated else options)
    if layout is None:
        raise LayoutError(
            f"{root} is not arranged as {name}. Leave out --layout, or choose one of "
            f"{', '.join(LAYOUT_NAMES)}."
        )
    return layout


def _find_annotated(root: Path, options: LayoutOptions) -> Layout:
    """What an annotation file that a person named holds."""
    found, error = _look(ANNOTATION_FINDERS, root, _beside_masks(root, options))
    if not found:
        raise error or LayoutError(
            f"{options.masks} is not understood as annotations. Give a COCO, LabelMe, VIA, YOLO "
            "or Kaggle file, or a folder of masks."
        )
    return _only(root, found)


def _look(
    finders: Mapping[str, Finder], root: Path, options: LayoutOptions, *, first_only: bool = False
) -> tuple[dict[str, Layout], DataError | None]:
    """What the finders find, and the first error of one that found its arrangement damaged."""
    found: dict[str, Layout] = {}
    first_error: DataError | None = None
    for name, find in finders.items():
        try:
            layout = find(root, options)
        except DataError as error:
            first_error = first_error or error
            if first_only:
                break
            continue
        if layout is not None:
            found[name] = layout
            if first_only:
                break
    return found, first_error


def _only(root: Path, found: Mapping[str, Layout]) -> Layout:
    """The one layout found; two are an error that shows both."""
    if len(found) > 1:
        shown = ", or as ".join(f"{name} ({found[name].description})" for name in found)
        raise LayoutError(
            f"{root} can be read as {shown}. Say which with --layout {' or '.join(found)}."
        )
    return next(iter(found.values()))


def _leave_aside(layout: Layout, others: Mapping[str, Layout]) -> Layout:
    """The layout, with a finding that says what else is there."""
    findings = tuple(
        Finding(
            "left-aside",
            "note",
            (),
            f"there are {name} annotations too ({other.description}); the masks in pixels are "
            "taken, which label as many images.",
            f"Take the annotations with --layout {name}.",
        )
        for name, other in others.items()
    )
    return replace(layout, findings=(*layout.findings, *findings))


def _beside_masks(root: Path, options: LayoutOptions) -> LayoutOptions:
    """For annotation files beside images/ and masks/: the images are those of images/ alone."""
    if options.images is not None:  # in the folders below, annotations lie beside their images
        return options if (root / options.images).is_dir() else replace(options, images=None)
    try:
        pairs = find_folder_pairs(root, options)
    except LayoutError:
        return options
    images = [pair.images for pair in pairs if pair.masks and pair.images != root]
    return replace(options, images=Path(images[0].name)) if len(images) == 1 else options


def _num_labelled(layout: Layout) -> int:
    return sum(sample.mask is not None for sample in layout.samples)
