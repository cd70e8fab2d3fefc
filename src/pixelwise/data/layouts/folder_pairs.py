"""Which folders hold images, and which the masks that belong to them.

images/          masks/              by the words for images and masks in their names
train_images/    train_masks/        whose other words are the same
train/           train_masks/        or are the name of the other
top/             gts/                or in which the names of files pair
a.png            masks/              the images may also lie beside the folder of their masks
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.names import (
    VIEW_WORDS,
    choose_folder,
    holds_images,
    is_image_folder,
    is_mask_folder,
    list_folder,
    list_images,
    rest_of,
    split_folders,
    splits_in_names,
    stem_of,
    words_of,
)
from pixelwise.data.layouts.pairing import Pairing, pair_names, start_of
from pixelwise.data.layouts.renaming import Name
from pixelwise.errors import LayoutError


@dataclass(frozen=True, slots=True)
class FolderPair:
    """A folder of images with the folder of their masks.

    Attributes:
        images: a folder, or its parent where the images are files of the parent itself.
        masks: None where the images have none.
        split: that both are named after.
        aside: folders of other masks for the same images.
    """

    images: Path
    masks: Path | None
    split: str | None = None
    aside: tuple[Path, ...] = ()


def find_folder_pairs(folder: Path, options: LayoutOptions) -> list[FolderPair]:
    """Find what belongs together among the subfolders of a folder.

    Args:
        folder: whose subfolders, and perhaps files, are looked at.
        options: folders of images and masks that a person named, where they are in this folder.

    Raises:
        LayoutError: two folders may both hold the images, or both the masks.
    """
    folders = [path for path in list_folder(folder)[0] if holds_images(path)]
    masks = _named(folder, options.masks, [path for path in folders if is_mask_folder(path)])
    masks = [path for path in masks if not options.images or path != folder / options.images]
    images = _named(folder, options.images, [path for path in folders if is_image_folder(path)])
    images = [path for path in images if path not in masks]
    others = [] if options.images else [p for p in folders if p not in (*masks, *images)]
    masks_of: dict[Path, list[Path]] = {}
    for path in masks:
        partner = _find_partner(folder, path, images, others)
        if partner is not None:
            masks_of.setdefault(partner, []).append(path)
    pairs = []
    for partner, own in masks_of.items():
        chosen, aside = choose_folder(own, "masks")
        pairs.append(FolderPair(partner, chosen, aside=aside))
    used = {pair.images for pair in pairs}
    pairs += [FolderPair(p, None) for p in images if pairs and p not in used and rest_of(p)]
    return _with_splits(folder, pairs)


def _named(folder: Path, given: Path | None, found: list[Path]) -> list[Path]:
    """The folder that a person named, where it is in this one; what was found if none was named."""
    if given is None:
        return found
    return [folder / given] if (folder / given).is_dir() else []


def _find_partner(
    folder: Path, masks: Path, images: Sequence[Path], others: Sequence[Path]
) -> Path | None:
    """The folder of the images of some masks: by the names of the folders, else of the files."""
    rest = rest_of(masks)
    same = [path for path in images if rest_of(path) == rest]
    if same or len(images) == 1:
        return choose_folder(same or images, "images")[0]
    same = [path for path in others if rest and tuple(words_of(path.name)) == rest]
    if len(same) == 1:
        return same[0]
    files = list_folder(folder)[1]
    if files and not images:
        return folder
    counts = {path: len(pair_files(path, masks).pairing.pairs) for path in images or others}
    best = [path for path, count in counts.items() if count == max(counts.values()) > 0]
    return choose_folder(best, "images")[0] if best else None


def _with_splits(folder: Path, pairs: Sequence[FolderPair]) -> list[FolderPair]:
    """The folder pairs with the splits in the names of their images, else of their masks."""
    others = list(split_folders(folder))
    for key in ("images", "masks"):
        named = [path for pair in pairs if (path := getattr(pair, key)) and path != folder]
        splits = splits_in_names({*named, *others})
        if splits:
            return [replace(pair, split=splits.get(getattr(pair, key))) for pair in pairs]
    return list(pairs)


@dataclass(frozen=True, slots=True)
class PairedFiles:
    """The files of two folders by their names, and which belong together.

    Attributes:
        images: image file of each name, (folder, stem).
        masks: mask file of each name.
        pairing: which mask belongs to which image.
        splits: split of the name of each image that lies in a split folder.
        aside: other views of images and masks, such as colours.
    """

    images: dict[Name, Path]
    masks: dict[Name, Path]
    pairing: Pairing
    splits: dict[Name, str]
    aside: tuple[Path, ...] = ()


def pair_files(images: Path, masks: Path, files: Sequence[Path] | None = None) -> PairedFiles:
    """Pair two folders by the names inside them, without endings; folders below keep step.

    Args:
        images: folder of images.
        masks: folder of masks.
        files: the images, where they are not all those in the folder and below it.

    Raises:
        LayoutError: two files of one name, two masks of one image, or two ways to pair.
    """
    if files is None:
        masks = settle(masks, images)
        images = settle(images, masks)
    image_paths, more_images = _without_views(list_images(images) if files is None else files)
    mask_paths, more_masks = list_images(masks), list[Path]()
    if len(mask_paths) > len(image_paths):
        mask_paths, more_masks = _without_views(mask_paths, as_masks=True)
    image_splits = {} if files is not None else split_folders(images)
    image_files = by_name(images, image_paths, image_splits)
    mask_files = by_name(masks, mask_paths, split_folders(masks) if image_splits else {})
    pairing = pair_names(image_files, mask_files)
    firsts = {name: name[0].partition("/")[0] for name in image_files}
    called = set(image_splits.values())
    splits = {name: first for name, first in firsts.items() if first in called}
    return PairedFiles(image_files, mask_files, pairing, splits, (*more_images, *more_masks))


def _without_views(
    files: Sequence[Path], *, as_masks: bool = False
) -> tuple[list[Path], list[Path]]:
    """Files, and the other views of them: x_color beside x; of masks also beside x_label alone."""
    tags = read_tags(files)
    views = {path for path in files if is_view(stem_of(path) if as_masks else tags.get(path, ""))}
    if len(views) == len(files):
        return list(files), []
    return [path for path in files if path not in views], sorted(views)


def is_view(text: str) -> bool:
    """Whether a name, or what follows another name, is that of another view: _color, _overlay."""
    return bool(VIEW_WORDS.intersection(words_of(text)))


def read_tags(files: Sequence[Path]) -> dict[Path, str]:
    """What follows the name of another file in the same folder: "_mask" of x_mask."""
    stems = {(path.parent.as_posix(), stem_of(path)) for path in files}
    tags = {}
    for path in files:
        base = start_of((path.parent.as_posix(), stem_of(path)), stems)
        if base is not None:
            tags[path] = stem_of(path)[len(base[1]) :]
    return tags


def settle(folder: Path, other: Path) -> Path:
    """The folder inside a folder that holds its files, where it only wraps it: labels/masks/.

    Args:
        folder: folder of images or of masks.
        other: its counterpart; folders that are in both keep step and wrap nothing.
    """
    steps = {path.name.lower() for path in list_folder(other)[0]}
    while not list_folder(folder)[1] and not split_folders(folder):
        inside = [path for path in list_folder(folder)[0] if holds_images(path)]
        if steps.intersection(path.name.lower() for path in inside):
            break
        plain = inside
        if len(inside) > 1:
            plain = [path for path in inside if is_mask_folder(path)]
        if len(plain) != 1:
            break
        folder = plain[0]
    return folder


def by_name(
    folder: Path, files: Sequence[Path], splits: Mapping[Path, str] | None = None
) -> dict[Name, Path]:
    """Files by the folder below `folder` and their stem; two alike are an error.

    Args:
        folder: that holds all files.
        files: whose names are wanted.
        splits: folders in it that are called by their split, so that images/val pairs with
            masks/validation.
    """
    called = {path.name: split for path, split in (splits or {}).items()}
    names: dict[Name, Path] = {}
    for path in files:
        parents = () if path.parent == folder else path.parent.relative_to(folder).parts
        parents = (*(called.get(name, name) for name in parents[:1]), *parents[1:])
        name = ("/".join(parents), stem_of(path))
        if name in names:
            raise LayoutError(
                f"{names[name]} and {path} have the same name. Rename or remove one of them."
            )
        names[name] = path
    return names
