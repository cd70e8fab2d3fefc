"""Find out how a folder arranges images and masks, by looking at names only.

DATA/images/a.png  DATA/masks/a.png             two folders, names paired by stem
DATA/train/images/a.png  DATA/train/masks/...   the same in split folders, or in any folders below
DATA/images/train/a.png  DATA/masks/train/...   split folders inside
DATA/train/a.png  DATA/train_masks/a.png        splits in the names of the folders
DATA/a.png  DATA/a_mask.png                     side by side
DATA/ID/images/a.png  DATA/ID/masks/o1.png      one image a folder: any names
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelwise.data.findings import Finding
from pixelwise.data.layouts.annotations import (
    below,
    names_of,
)
from pixelwise.data.layouts.beside import Beside, pair_beside
from pixelwise.data.layouts.folder_pairs import (
    FolderPair,
    PairedFiles,
    find_folder_pairs,
    pair_files,
)
from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import (
    is_image_folder,
    is_mask_folder,
    list_folder,
    list_images,
    own_split,
    split_folders,
    stem_of,
)
from pixelwise.data.masks.sources import MaskFile, MaskParts
from pixelwise.errors import LayoutError
from pixelwise.text import count_of, shorten

NUM_SHOWN = 3


@dataclass(slots=True)
class _Found:
    """Pairs of one folder, while looking."""

    description: str
    pairs: list[FoundSample] = field(default_factory=list)
    lone_masks: list[Path] = field(default_factory=list)
    stray: list[Path] = field(default_factory=list)
    near_misses: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    unused: list[Path] = field(default_factory=list)  # folders of masks whose images are unknown
    num_places: int = 0  # folders, or pairs of them, that the images lie in
    alone: dict[Path, Path] = field(default_factory=dict)  # the one mask beside the one image

    def add(self, other: "_Found") -> None:
        """Take in what was found elsewhere."""
        self.pairs += other.pairs
        self.lone_masks += other.lone_masks
        self.stray += other.stray
        self.near_misses += other.near_misses
        self.aside += other.aside
        self.unused += other.unused
        self.num_places += other.num_places
        self.alone |= other.alone

    def pair_alone(self) -> None:
        """Pair masks of any name where each folder holds one image: the folder says it."""
        if len(self.pairs) != self.num_places or len(self.pairs) < 2:
            return
        self.pairs = [
            replace(pair, mask=MaskFile(self.alone[pair.image]))
            if pair.image in self.alone
            else pair
            for pair in self.pairs
        ]
        self.lone_masks = [path for path in self.lone_masks if path not in self.alone.values()]


def find_folders(root: Path, options: LayoutOptions) -> Layout:
    """Find images and masks by the names of folders and files.

    Raises:
        LayoutError: the folder holds no images, or nothing that pairs.
    """
    found = _look(root, own_split(root), options)
    found.pair_alone()
    if not (found.pairs or found.lone_masks):
        raise LayoutError(_describe_nothing(root))
    if not any(pair.mask for pair in found.pairs):
        raise LayoutError(_describe_no_pairs(root, found))
    findings = (*_note_near_misses(found), *_note_stray(found), *_note_aside(found, root))
    return Layout(
        found.description,
        tuple(_as_parts(found.pairs)),
        tuple(found.lone_masks),
        findings=findings,
    )


def _as_parts(pairs: Sequence[FoundSample]) -> Sequence[FoundSample]:
    """The same pairs; where one mask is in several files, all are read in the same way."""
    if not any(isinstance(pair.mask, MaskParts) for pair in pairs):
        return pairs
    return [
        replace(pair, mask=MaskParts((pair.mask.path,), (1,), are_objects=False))
        if isinstance(pair.mask, MaskFile)
        else pair
        for pair in pairs
    ]


def _look(folder: Path, split: str | None, options: LayoutOptions, prefix: str = "") -> _Found:
    """What a folder holds, and what the folders below it do where it holds no pairs itself."""
    folder_pairs = find_folder_pairs(folder, options)
    found = _look_in_pairs(folder, folder_pairs, split, prefix)
    if not folder_pairs and (files := list_folder(folder)[1]):
        found = _from_beside(pair_beside(files), split, prefix)
    used = {
        path for folder_pair in folder_pairs for path in (folder_pair.images, folder_pair.masks)
    }
    splits = split_folders(folder)
    is_done = bool(folder_pairs) or any(pair.mask for pair in found.pairs)
    others = _others(folder, splits)
    inside = [*splits, *([] if is_done else others)]
    found_below = {
        path: _look(path, splits.get(path, split), options, _prefix(prefix, path, splits))
        for path in inside
        if path not in used
    }
    inner = {path: other for path, other in found_below.items() if other.pairs or other.lone_masks}
    if not is_done and any(pair.mask for other in inner.values() for pair in other.pairs):
        found = _Found("", stray=[pair.image for pair in found.pairs] + found.stray)
    if not folder_pairs:
        found.unused += [path for path in list_folder(folder)[0] if _is_unused(path)]
    descriptions = [*filter(None, [found.description]), *_describe_below(inner)]
    found.description = ", ".join(descriptions)
    for other in found_below.values():
        found.add(other)
    return found


def _others(folder: Path, splits: dict[Path, str]) -> list[Path]:
    """Subfolders to look into; folders of masks, whose images were not found, hold no images."""
    return [path for path in list_folder(folder)[0] if path not in splits and not _is_unused(path)]


def _is_unused(folder: Path) -> bool:
    return is_mask_folder(folder) and bool(list_folder(folder)[1])


def _prefix(prefix: str, folder: Path, splits: dict[Path, str]) -> str:
    """What names below a folder begin with: the folder, unless it is a split or called images."""
    return prefix if folder in splits or is_image_folder(folder) else f"{prefix}{folder.name}/"


def _describe_below(below: dict[Path, _Found]) -> list[str]:
    """What was found in each folder; folders of one arrangement are counted where they are many."""
    folders: dict[str, list[str]] = {}
    for path, found in below.items():
        folders.setdefault(found.description, []).append(f"{path.name}/")
    if len(below) <= NUM_SHOWN:
        return [f"{path.name}/ ({found.description})" for path, found in below.items()]
    shown = [f"{shorten(names)} ({what})" for what, names in folders.items()]
    more = [f"{len(shown) - NUM_SHOWN} other arrangements"] if len(shown) > NUM_SHOWN else []
    return shown[:NUM_SHOWN] + more


def _look_in_pairs(
    folder: Path, folder_pairs: Sequence[FolderPair], split: str | None, prefix: str
) -> _Found:
    """The pairs of all folder pairs of a folder."""
    found = _Found("")
    descriptions = []
    for folder_pair in folder_pairs:
        is_apart = len(folder_pairs) > 1 and folder_pair.split is None
        start = f"{prefix}{folder_pair.images.name}/" if is_apart else prefix
        inside = _look_in_pair(folder, folder_pair, folder_pair.split or split, start)
        descriptions.append(inside.description)
        found.add(inside)
        found.aside += folder_pair.aside
    found.description = ", ".join(descriptions)
    if folder_pairs and all(folder_pair.images != folder for folder_pair in folder_pairs):
        found.stray += list_folder(folder)[1]
    return found


def _look_in_pair(folder: Path, folder_pair: FolderPair, split: str | None, prefix: str) -> _Found:
    """The pairs of one folder pair, which may hold split folders inside."""
    is_own = folder_pair.images == folder
    where = "." if is_own else folder_pair.images.name
    if folder_pair.masks is None:
        pairs = [
            FoundSample(f"{prefix}{name}", (path,), None, split)
            for path, name in names_of(list_images(folder_pair.images)).items()
        ]
        return _Found(f"{where}/", pairs, num_places=1)
    paired = pair_files(
        folder_pair.images, folder_pair.masks, list_folder(folder)[1] if is_own else None
    )
    pairing, splits = paired.pairing, paired.splits
    found = _Found(f"{where}/ + {folder_pair.masks.name}/{_describe_pairs(paired)}")
    mask_of = {image: paired.masks[mask] for mask, image in pairing.pairs.items()}
    for name, path in paired.images.items():
        own = splits.get(name)
        parent = name[0] if own is None else name[0].partition("/")[2]
        mask = MaskFile(mask_of[name]) if name in mask_of else None
        label = prefix + "/".join(filter(None, (parent, name[1])))
        found.pairs.append(FoundSample(label, (path,), mask, own or split))
    found.lone_masks = [path for name, path in paired.masks.items() if name not in pairing.pairs]
    found.near_misses = [paired.masks[name] for name in pairing.near_misses]
    found.aside = list(paired.aside)
    found.num_places = 1
    if len(found.pairs) == len(paired.masks) == len(found.lone_masks) == 1:
        found.alone = {found.pairs[0].image: found.lone_masks[0]}
    return found


def _describe_pairs(paired: PairedFiles) -> str:
    """The renaming and the splits, where there are any."""
    splits = [f"{split}/" for split in dict.fromkeys(paired.splits.values())]
    renaming = f" ({paired.pairing.renaming})" if paired.pairing.renaming else ""
    return f", each with {', '.join(splits)}" * bool(splits) + renaming


def _from_beside(beside: Beside, split: str | None, prefix: str) -> _Found:
    """The pairs of one folder whose files lie side by side."""
    pairs = []
    for path, masks in beside.masks.items():
        mask = MaskParts(masks, (1,) * len(masks), are_objects=False) if len(masks) > 1 else None
        source = MaskFile(masks[0]) if len(masks) == 1 else mask
        pairs.append(FoundSample(prefix + stem_of(path), (path,), source, split))
    return _Found(
        beside.description,
        pairs,
        list(beside.lone),
        near_misses=list(beside.near_misses),
        aside=list(beside.aside),
        num_places=1,
    )


def _note_near_misses(found: _Found) -> list[Finding]:
    files = found.near_misses
    if not files:
        return []
    message = (
        f"{len(files)} masks have names that differ from those of their images in case, blanks or "
        f"Unicode form alone ({', '.join(str(path) for path in files[:NUM_SHOWN])}); they were "
        "paired."
    )
    fix = "Rename them, so that other programs pair them too."
    return [Finding("near-miss-name", "warning", tuple(files), message, fix)]


def _note_stray(found: _Found) -> list[Finding]:
    files = found.stray
    if not files:
        return []
    message = f"{len(files)} image files lie beside the folders of images and masks ({files[0]})."
    fix = "Move them to the images, or leave them: they are not used."
    return [Finding("stray-file", "warning", tuple(files), message, fix)]


def _note_aside(found: _Found, root: Path) -> list[Finding]:
    """What other masks there are, and how to take them."""
    files = [path for path in found.aside if path.is_file()]
    names = dict.fromkeys(path.name for path in found.aside if not path.is_file())
    findings = []
    if names:
        shown = shorten([f"{name}/" for name in names])
        message = f"there are other masks for the same images in {shown}; they were left aside."
        fix = f"Take them with --masks {next(iter(names))}."
        findings.append(Finding("left-aside", "note", (), message, fix))
    if files:
        shown = shorten([below(path, root) for path in files])
        message = (
            f"{len(files)} files are other views of the masks ({shown}); they were left aside."
        )
        fix = "Write a manifest.csv with the columns image and mask to take them."
        findings.append(Finding("left-aside", "note", tuple(files), message, fix))
    return findings


def _describe_nothing(root: Path) -> str:
    try:
        entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    except OSError:
        entries = []
    inside = f"it holds {shorten(entries, 8)}" if entries else "it is empty"
    return (
        f"{root} holds no images: {inside}. Put images into {root}/images and masks into "
        f"{root}/masks."
    )


def _describe_no_pairs(root: Path, found: _Found) -> str:
    held = f"{root} holds {count_of(len(found.pairs), 'image')}"
    if found.lone_masks:
        images = ", ".join(pair.image.name for pair in found.pairs[:NUM_SHOWN]) or "none"
        masks = ", ".join(path.name for path in found.lone_masks[:NUM_SHOWN])
        return (
            f"{held} and {count_of(len(found.lone_masks), 'mask')}, but no two names match "
            f"(images: {images}; masks: {masks}). Give each mask the name of its image."
        )
    if found.unused:
        shown = shorten([below(path, root) + "/" for path in found.unused])
        return (
            f"{held}, and may hold masks in {shown}, but which belong together cannot be told. "
            "Name both folders with --images and --masks."
        )
    tables = sorted({path.name for path in (*root.glob("*.json"), *root.glob("*/*.json"))})
    unread = f" ({', '.join(tables[:NUM_SHOWN])} cannot be read as masks)" if tables else ""
    return (
        f"{held} but no masks{unread}. Put a mask of the same name for each image into "
        f"{root}/masks, or beside it as NAME_mask.png, or name the folders with --images and "
        "--masks."
    )
