"""Find out how a folder arranges images and masks, by looking at names only.

DATA/images/a.png  DATA/masks/a.png             two folders, names paired by stem
DATA/train/images/a.png  DATA/train/masks/...   the same in split folders
DATA/images/train/a.png  DATA/masks/train/...   split folders inside
DATA/a.png  DATA/a_mask.png                     side by side, by suffix
DATA/a.jpg  DATA/a.png                          side by side, by type: JPEG images, lossless masks
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import (
    PHOTO_SUFFIXES,
    image_folder,
    list_folder,
    list_images,
    mask_folder,
    mask_stem,
    own_split,
    split_folders,
    stem_of,
)
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError

NUM_SHOWN = 3


@dataclass(slots=True)
class _Found:
    """Pairs of one folder, while looking."""

    description: str
    pairs: list[FoundSample] = field(default_factory=list)
    lone_masks: list[Path] = field(default_factory=list)


def find_folders(root: Path, options: LayoutOptions) -> Layout:
    """Find images and masks by the names of folders and files.

    Raises:
        LayoutError: the folder holds no images, or nothing that pairs.
    """
    splits = split_folders(root)
    found = _find_in_splits(splits) if splits else _find_unsplit(root)
    if found is None or not (found.pairs or found.lone_masks):
        raise LayoutError(_describe_nothing(root))
    if not any(pair.mask for pair in found.pairs):
        raise LayoutError(_describe_no_pairs(root, found))
    pairs = sorted(_with_unique_names(found.pairs), key=lambda pair: (pair.split or "", pair.name))
    return Layout(found.description, tuple(pairs), tuple(found.lone_masks))


def _find_in_splits(splits: dict[Path, str]) -> _Found | None:
    """Look into train/, val/ and test/; each may have its own arrangement."""
    found = _Found("")
    descriptions = []
    for folder, split in splits.items():
        inside = _find_in_folder(folder, split)
        if inside is None:
            continue
        descriptions.append(f"{folder.name}/ ({inside.description})")
        found.pairs += inside.pairs
        found.lone_masks += inside.lone_masks
    found.description = ", ".join(descriptions)
    return found


def _find_unsplit(root: Path) -> _Found | None:
    """Look for images/train + masks/train, else for pairs in the folder itself."""
    images, masks = image_folder(root), mask_folder(root)
    splits = split_folders(images) if images else {}
    if not (images and masks and splits):
        return _find_in_folder(root, own_split(root))
    found = _Found(
        f"{images.name}/ + {masks.name}/, each with {', '.join(p.name + '/' for p in splits)}"
    )
    mask_folders = {split: path for path, split in split_folders(masks).items()}
    for folder, split in splits.items():
        inside = _pair_folders(folder, mask_folders.get(split), split)
        found.pairs += inside.pairs
        found.lone_masks += inside.lone_masks
    return found


def _find_in_folder(folder: Path, split: str | None) -> _Found | None:
    """Pairs in images/ + masks/ of a folder, else side by side in it; None without pictures."""
    images, masks = image_folder(folder), mask_folder(folder)
    files = list_folder(images or folder)[1]
    if masks is not None and (images or files):
        return _pair_folders(images or folder, masks, split, None if images else files)
    if images is not None and not any(mask_stem(stem_of(path)) for path in files):
        return _pair_folders(images, None, split)
    return _pair_side_by_side(files, split) if files else None


def _pair_folders(
    images: Path, masks: Path | None, split: str | None, files: list[Path] | None = None
) -> _Found:
    """Pair two folders by the names inside them, without endings; folders below keep step."""
    image_names = _by_name(images, list_images(images) if files is None else files)
    mask_names: dict[str, Path] = {}
    for name, path in _by_name(masks, list_images(masks)).items() if masks else ():
        base = name if name in image_names else mask_stem(name) or name
        _add_mask(mask_names, base, path)
    where = images.name if files is None else "."
    found = _Found(f"{where}/ + {masks.name}/" if masks else f"{where}/")
    found.pairs = [
        _found(name, path, mask_names.get(name), split) for name, path in image_names.items()
    ]
    found.lone_masks = [path for name, path in mask_names.items() if name not in image_names]
    return found


def _add_mask(masks: dict[str, Path], name: str, path: Path) -> None:
    """Enter a mask under the name of its image; a second one is an error."""
    if name in masks:
        raise LayoutError(f"{masks[name]} and {path} are both masks of {name}. Remove one of them.")
    masks[name] = path


def _by_name(folder: Path, files: list[Path]) -> dict[str, Path]:
    """Files by their path inside a folder without its ending; two alike are an error."""
    names: dict[str, Path] = {}
    for path in files:
        name = path.relative_to(folder).with_name(stem_of(path)).as_posix()
        if name in names:
            raise LayoutError(
                f"{names[name]} and {path} have the same name. Rename or remove one of them."
            )
        names[name] = path
    return names


def _pair_side_by_side(files: list[Path], split: str | None) -> _Found:
    """Pair the files of a folder: by suffix (x.png + x_mask.png), else by type (x.jpg + x.png)."""
    bases = {path: mask_stem(stem_of(path)) for path in files}
    stems = {stem_of(path) for path in files}
    masks = [path for path, base in bases.items() if base in stems]
    if not masks and len(stems) == len(files):
        return _Found(
            "pictures in one folder",
            [_found(stem_of(path), path, None, split) for path in files],
        )
    if not masks:
        return _pair_by_type(files, split)
    images = _by_name(files[0].parent, [path for path in files if bases[path] is None])
    mask_of: dict[str, Path] = {}
    for path in files:
        if base := bases[path]:
            _add_mask(mask_of, base, path)
    image = next(path for path in files if stem_of(path) == bases[masks[0]])
    return _Found(
        f"x{image.suffix} + x{masks[0].name.removeprefix(stem_of(image))} side by side",
        [_found(stem, path, mask_of.get(stem), split) for stem, path in images.items()],
        [path for stem, path in mask_of.items() if stem not in images],
    )


def _pair_by_type(files: list[Path], split: str | None) -> _Found:
    """Pair x.jpg (image) with x.png (mask); any other two types do not say which is which."""
    photos = {stem_of(path): path for path in files if path.suffix.lower() in PHOTO_SUFFIXES}
    others = {stem_of(path): path for path in files if path.suffix.lower() not in PHOTO_SUFFIXES}
    if len(photos) + len(others) < len(files) or not photos:
        twins = [
            path.name
            for path in files
            if sum(stem_of(path) == stem_of(other) for other in files) > 1
        ]
        raise LayoutError(
            f"{files[0].parent} holds {', '.join(twins[:NUM_SHOWN])}: which are images and which "
            "are masks cannot be told. Move them to images/ and masks/."
        )
    suffixes = next(iter(photos.values())).suffix, next(iter(others.values())).suffix
    return _Found(
        f"x{suffixes[0]} + x{suffixes[1]} side by side",
        [_found(stem, path, others.get(stem), split) for stem, path in photos.items()],
        [path for stem, path in others.items() if stem not in photos],
    )


def _found(name: str, image: Path, mask: Path | None, split: str | None) -> FoundSample:
    return FoundSample(name, (image,), None if mask is None else MaskFile(mask), split)


def _with_unique_names(pairs: list[FoundSample]) -> list[FoundSample]:
    """The same pairs; where two splits use one name, every name gets its split in front."""
    if len({pair.name for pair in pairs}) == len(pairs):
        return pairs
    return [replace(pair, name=f"{pair.split}/{pair.name}") for pair in pairs]


def _describe_nothing(root: Path) -> str:
    try:
        entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    except OSError:
        entries = []
    inside = (
        f"it holds {', '.join(entries[:8])}{', ...' * (len(entries) > 8)}"
        if entries
        else "it is empty"
    )
    return (
        f"{root} holds no images: {inside}. Put images into {root}/images and masks into "
        f"{root}/masks."
    )


def _describe_no_pairs(root: Path, found: _Found) -> str:
    if not found.lone_masks:
        tables = sorted({path.name for path in (*root.glob("*.json"), *root.glob("*/*.json"))})
        unread = f" ({', '.join(tables[:NUM_SHOWN])} cannot be read as masks)" if tables else ""
        return (
            f"{root} holds {len(found.pairs)} images but no masks{unread}. Put a mask of the same "
            f"name for each image into {root}/masks, or beside it as NAME_mask.png."
        )
    images = ", ".join(pair.image.name for pair in found.pairs[:NUM_SHOWN]) or "none"
    masks = ", ".join(path.name for path in found.lone_masks[:NUM_SHOWN])
    return (
        f"{root} holds {len(found.pairs)} images and {len(found.lone_masks)} masks, but no two "
        f"names match (images: {images}; masks: {masks}). Give each mask the name of its image."
    )
