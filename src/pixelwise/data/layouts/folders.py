"""Find out how a folder arranges images and masks, by looking at names only.

DATA/images/a.png  DATA/masks/a.png             two folders, names paired by stem
DATA/train/images/a.png  DATA/train/masks/...   the same in split folders
DATA/images/train/a.png  DATA/masks/train/...   split folders inside
DATA/a.png  DATA/a_mask.png                     side by side, by suffix
DATA/a.jpg  DATA/a.png                          side by side, by type: JPEG images, lossless masks
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelwise.data.findings import Finding
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import (
    MASK_WORDS,
    PHOTO_SUFFIXES,
    image_folder,
    list_folder,
    list_images,
    mask_folder,
    mask_stem,
    own_split,
    split_folders,
    stem_of,
    words_of,
)
from pixelwise.data.layouts.pairing import pair_names
from pixelwise.data.layouts.renaming import Name
from pixelwise.data.masks.sources import MaskFile
from pixelwise.errors import LayoutError

NUM_SHOWN = 3


@dataclass(slots=True)
class _Found:
    """Pairs of one folder, while looking."""

    description: str
    pairs: list[FoundSample] = field(default_factory=list)
    lone_masks: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: "_Found") -> None:
        """Take in what was found elsewhere."""
        self.pairs += other.pairs
        self.lone_masks += other.lone_masks
        self.findings += other.findings


def find_folders(root: Path, options: LayoutOptions) -> Layout:
    """Find images and masks by the names of folders and files.

    Raises:
        LayoutError: the folder holds no images, or nothing that pairs.
    """
    splits = split_folders(root)
    found = _find_in_splits(splits, options) if splits else _find_unsplit(root, options)
    if found is None or not (found.pairs or found.lone_masks):
        raise LayoutError(_describe_nothing(root))
    if not any(pair.mask for pair in found.pairs):
        raise LayoutError(_describe_no_pairs(root, found))
    pairs = sorted(_with_unique_names(found.pairs), key=lambda pair: (pair.split or "", pair.name))
    return Layout(
        found.description, tuple(pairs), tuple(found.lone_masks), findings=tuple(found.findings)
    )


def _find_in_splits(splits: dict[Path, str], options: LayoutOptions) -> _Found | None:
    """Look into train/, val/ and test/; each may have its own arrangement."""
    found = _Found("")
    descriptions = []
    for folder, split in splits.items():
        inside = _find_in_folder(folder, split, options)
        if inside is None:
            continue
        descriptions.append(f"{folder.name}/ ({inside.description})")
        found.add(inside)
    found.description = ", ".join(descriptions)
    return found


def _find_unsplit(root: Path, options: LayoutOptions) -> _Found | None:
    """Look for images/train + masks/train, else for pairs in the folder itself."""
    images, masks = find_image_folder(root, options), find_mask_folder(root, options)
    splits = split_folders(images) if images else {}
    if not (images and masks and splits):
        return _find_in_folder(root, own_split(root), options)
    found = _Found(
        f"{images.name}/ + {masks.name}/, each with {', '.join(p.name + '/' for p in splits)}"
    )
    mask_folders = {split: path for path, split in split_folders(masks).items()}
    for folder, split in splits.items():
        found.add(_pair_folders(folder, mask_folders.get(split), split))
    return found


def _find_in_folder(folder: Path, split: str | None, options: LayoutOptions) -> _Found | None:
    """Pairs in images/ + masks/ of a folder, else side by side in it; None without pictures."""
    images, masks = find_image_folder(folder, options), find_mask_folder(folder, options)
    files = list_folder(images or folder)[1]
    if masks is not None and (images or files):
        found = _pair_folders(images or folder, masks, split, None if images else files)
        found.findings += _find_stray(folder) if images else []
        return found
    if images is not None and not any(mask_stem(stem_of(path)) for path in files):
        return _pair_folders(images, None, split)
    return _pair_side_by_side(files, split) if files else None


def find_image_folder(folder: Path, options: LayoutOptions) -> Path | None:
    """The folder of the images: the one that a person named, else by its name."""
    return _named(folder, options.images) if options.images else image_folder(folder)


def find_mask_folder(folder: Path, options: LayoutOptions) -> Path | None:
    """The folder of the masks: the one that a person named, else by its name."""
    return _named(folder, options.masks) if options.masks else mask_folder(folder)


def _named(folder: Path, given: Path) -> Path | None:
    """A folder that a person named, where it is in this one."""
    return folder / given if (folder / given).is_dir() else None


def _find_stray(folder: Path) -> list[Finding]:
    """Image files beside the folders of images and masks."""
    files = list_folder(folder)[1]
    if not files:
        return []
    message = f"{len(files)} image files lie beside the folders of images and masks ({files[0]})."
    fix = "Move them to the images, or leave them: they are not used."
    return [Finding("stray-file", "warning", tuple(files), message, fix)]


def _pair_folders(
    images: Path, masks: Path | None, split: str | None, files: list[Path] | None = None
) -> _Found:
    """Pair two folders by the names inside them, without endings; folders below keep step."""
    image_files = _by_name(images, list_images(images) if files is None else files)
    mask_files = _by_name(masks, list_images(masks)) if masks else {}
    pairing = pair_names(image_files, mask_files)
    mask_of = {image: mask_files[mask] for mask, image in pairing.pairs.items()}
    where = images.name if files is None else "."
    description = f"{where}/ + {masks.name}/" if masks else f"{where}/"
    found = _Found(description + (f" ({pairing.renaming})" if pairing.renaming else ""))
    found.pairs = [
        _found("/".join(filter(None, name)), path, mask_of.get(name), split)
        for name, path in image_files.items()
    ]
    found.lone_masks = [path for name, path in mask_files.items() if name not in pairing.pairs]
    found.findings = _describe_near_misses([mask_files[name] for name in pairing.near_misses])
    return found


def _describe_near_misses(files: list[Path]) -> list[Finding]:
    if not files:
        return []
    message = (
        f"{len(files)} masks have names that differ from those of their images in case, blanks or "
        f"Unicode form alone ({', '.join(str(path) for path in files[:NUM_SHOWN])}); they were "
        "paired."
    )
    fix = "Rename them, so that other programs pair them too."
    return [Finding("near-miss-name", "warning", tuple(files), message, fix)]


def _by_name(folder: Path, files: list[Path]) -> dict[Name, Path]:
    """Files by the folder below `folder` and their stem; two alike are an error."""
    names: dict[Name, Path] = {}
    for path in files:
        parent = path.parent.relative_to(folder).as_posix()
        name = ("" if parent == "." else parent, stem_of(path))
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
    if not masks and len(stems) == len(files) and (found := _pair_by_words(files, split)):
        return found
    if not masks and len(stems) == len(files):
        return _Found(
            "pictures in one folder",
            [_found(stem_of(path), path, None, split) for path in files],
        )
    if not masks:
        return _pair_by_type(files, split)
    image_files = _by_name(files[0].parent, [path for path in files if bases[path] is None])
    mask_files = _by_name(files[0].parent, [path for path in files if bases[path] is not None])
    pairing = pair_names(image_files, mask_files)
    mask_of = {image: mask_files[mask] for mask, image in pairing.pairs.items()}
    image = next(path for path in files if stem_of(path) == bases[masks[0]])
    return _Found(
        f"x{image.suffix} + x{masks[0].name.removeprefix(stem_of(image))} side by side",
        [_found(name[1], path, mask_of.get(name), split) for name, path in image_files.items()],
        [path for name, path in mask_files.items() if name not in pairing.pairs],
    )


def _pair_by_words(files: list[Path], split: str | None) -> _Found | None:
    """Pair files of which one kind begins or ends with a word for masks: x_sat + x_mask."""
    is_mask = {
        p: bool({*words_of(stem_of(p))[:1], *words_of(stem_of(p))[-1:]} & MASK_WORDS) for p in files
    }
    image_files = _by_name(files[0].parent, [path for path in files if not is_mask[path]])
    mask_files = _by_name(files[0].parent, [path for path in files if is_mask[path]])
    pairing = pair_names(image_files, mask_files)
    if not pairing.pairs:
        return None
    mask_of = {image: mask_files[mask] for mask, image in pairing.pairs.items()}
    return _Found(
        f"{pairing.renaming or 'images and masks'} side by side",
        [_found(name[1], path, mask_of.get(name), split) for name, path in image_files.items()],
        [path for name, path in mask_files.items() if name not in pairing.pairs],
    )


def _pair_by_type(files: list[Path], split: str | None) -> _Found:
    """Pair x.jpg (image) with x.png (mask); any other two types do not say which is which."""
    photos = {stem_of(path): path for path in files if path.suffix.lower() in PHOTO_SUFFIXES}
    others = {stem_of(path): path for path in files if path.suffix.lower() not in PHOTO_SUFFIXES}
    if len(photos) + len(others) < len(files) or not photos:
        counts = Counter(stem_of(path) for path in files)
        twins = [path.name for path in files if counts[stem_of(path)] > 1]
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
