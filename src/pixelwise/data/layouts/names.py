"""Names: which folders hold images, masks and splits, and what a file is called without its ending.

Capitals never matter in the tables. A name is compared by its `stem_of`, `near_key` or words.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pixelwise.errors import LayoutError
from pixelwise.io import is_image_file

# Whole names of folders; others are known by the words in their names.
IMAGE_FOLDERS = frozenset({"tiles", "frames", "scans", "volumes", "photos", "pictures", "x"})
MASK_FOLDERS = frozenset({"gts", "ground-truth", "annots", "labelled", "labeled", "lesions", "y"})
SPLIT_FOLDERS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
MASK_SUFFIXES = ("_masks", "_mask", "_labels", "_label", "_seg", "_gt")
SPLIT_WORDS = {**SPLIT_FOLDERS, "tr": "train", "ts": "test"}  # imagesTr
IMAGE_WORDS = frozenset(
    {"image", "images", "img", "imgs", "im", "input", "inputs", "sat", "photo", "raw", "orig",
     "original", "originals", "rgb", "pic", "picture", "frame", "scan", "volume", "leftimg"}
)  # fmt: skip
PLAIN_IMAGE_WORDS = frozenset({"image", "images", "img", "imgs", "input", "inputs"})
MASK_WORDS = frozenset(
    {"mask", "masks", "label", "labels", "labeled", "lbl", "lab", "seg", "segs", "segmentation",
     "segmentations", "segmented", "semantic", "gt", "gts", "ground", "truth", "groundtruth",
     "target", "targets", "annotation", "annotations", "annotated", "annot", "anno", "lesion",
     "manual", "output", "outputs", "binary", "matte", "labelids", "goldstandard", "trimap",
     "trimaps"}
)  # fmt: skip
# Other views of the masks, taken only where there is nothing else; the first are never classes.
PICTURE_WORDS = frozenset(
    {"color", "colors", "colour", "colours", "colormap", "colormaps", "rgb", "overlay", "overlays",
     "vis", "visualization", "visualisation", "viz", "superpixels", "instance", "instances",
     "panoptic", "npy", "bbox"}
)  # fmt: skip
VIEW_WORDS = PICTURE_WORDS | {
    "object", "objects", "edge", "edges", "boundary", "boundaries", "contour", "contours"
}  # fmt: skip
JOINED_ENDS = ("images", "image", "masks", "mask", "labels", "annot", "groundtruth")  # trainannot
SKIPPED_FOLDERS = frozenset({"__MACOSX", "@eaDir"})  # left behind by archives and servers
CAPITAL_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")  # ground|Truth
COMPOUND_SUFFIXES = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg"})

_known: ContextVar[dict[Path, tuple[list[Path], list[Path]]] | None] = ContextVar(
    "known", default=None
)


def stem_of(path: Path) -> str:
    """Name of a file without its ending; `.nii.gz`, `.ome.tif` and `.ome.zarr` are one ending."""
    name = path.name
    return name[: len(name) - len(suffix_of(path))]


def suffix_of(path: Path) -> str:
    """Ending of a file as written: ".png", or a compound one such as ".nii.gz"."""
    name = path.name
    if name.lower().endswith(COMPOUND_SUFFIXES):
        suffix = next(end for end in COMPOUND_SUFFIXES if name.lower().endswith(end))
        if len(name) > len(suffix):
            return name[-len(suffix) :]
    return path.suffix


def mask_stem(stem: str) -> str | None:
    """The stem without its mask suffix (`x_mask` gives `x`), or None where there is none."""
    for suffix in MASK_SUFFIXES:
        if stem.lower().endswith(suffix) and len(stem) > len(suffix):
            return stem[: -len(suffix)]
    return None


def near_key(name: str) -> str:
    """The same for names that differ in case, blanks, _ and -, or the Unicode form alone."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return re.sub(r"[\s_\-]+", "_", composed).strip("_")


def words_of(stem: str) -> list[str]:
    """Words and numbers of a name in lower case: "Image_2d" gives image, 2, d."""
    return re.findall(r"[^\W\d_]+|\d+", CAPITAL_INSIDE.sub("_", stem).lower())


@contextmanager
def remember_folders() -> Iterator[None]:
    """List every folder once while this is open: many look into the same large ones."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Subfolders and image files, sorted, without hidden ones; LayoutError if unreadable.

    A folder that is an image (`.zarr`) counts as a file. Links to folders above are left out.
    """
    known = _known.get()
    if known is None:
        return _list(folder)
    if folder not in known:
        known[folder] = _list(folder)
    return known[folder]


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(
                (entry.name, _is_dir(entry))
                for entry in scan
                if is_shown(entry.name)
                and not (entry.is_symlink() and leads_back(folder / entry.name))
            )
    except PermissionError as error:
        raise LayoutError(
            f"{folder} may not be read. Change its permissions (chmod +rx)."
        ) from error
    except OSError as error:
        raise LayoutError(f"{folder} cannot be listed ({error.strerror}). Check it.") from error
    folders, files = list[Path](), list[Path]()
    for name, is_folder in entries:
        path = folder / name
        if is_folder and not is_zarr(path):
            folders.append(path)
        elif is_image_file(path):
            files.append(path)
    return folders, files


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def leads_back(path: Path) -> bool:
    """Whether a link leads to a folder above itself, so that a walk through it would not end."""
    if not path.is_symlink() or not os.path.isdir(path):
        return False
    above = Path(os.path.abspath(path)).parents
    return os.path.realpath(path) in {os.path.realpath(folder) for folder in above}


def is_shown(name: str) -> bool:
    """Whether a file or folder is neither hidden nor left behind by an archive or server."""
    return not name.startswith(".") and name not in SKIPPED_FOLDERS


def is_zarr(path: Path) -> bool:
    """Whether a folder is one image by its name."""
    return path.suffix.lower() == ".zarr"


def list_images(folder: Path) -> list[Path]:
    """Image files in a folder and all below it, sorted folder by folder."""
    return list(_walk(folder))


def holds_images(folder: Path) -> bool:
    """Whether there is an image file in a folder or below it."""
    return next(_walk(folder), None) is not None


def _walk(folder: Path) -> Iterator[Path]:
    folders, files = list_folder(folder)
    yield from files
    for inside in folders:
        yield from _walk(inside)


def refuse_missing(data: object) -> None:
    """Raise LayoutError where data are a path that is not there."""
    if isinstance(data, str | os.PathLike) and not Path(data).exists():
        raise LayoutError(f"{data} does not exist. Check the name of the data folder.")


def check_folder(root: Path) -> None:
    """Raise LayoutError unless `root` is a folder that can be listed."""
    try:
        if root.is_file():
            raise LayoutError(
                f"{root} is a file. Give the folder that holds the images and masks, a manifest "
                "(CSV) or a COCO file (JSON)."
            )
        refuse_missing(root)
        next(root.iterdir(), None)
    except PermissionError as error:
        raise LayoutError(f"{root} may not be read. Change its permissions (chmod +rx).") from error


def split_folders(root: Path) -> dict[Path, str]:
    """The subfolders of `root` that are named after a split, in the order train, val, test.

    A split as a word of the name (stage1_train) counts where there are two splits like that.
    """
    folders = [path for path in list_folder(root)[0] if path.name.lower() in SPLIT_FOLDERS]
    splits = {path: SPLIT_FOLDERS[path.name.lower()] for path in folders}
    if len(set(splits.values())) < len(folders):
        names = ", ".join(path.name for path in folders)
        raise LayoutError(
            f"{root} has two folders for one split ({names}). Rename or remove one of them."
        )
    splits = splits or splits_in_names(
        [p for p in list_folder(root)[0] if not (is_image_folder(p) or is_mask_folder(p))]
    )
    order = list(dict.fromkeys(SPLIT_FOLDERS.values()))
    return dict(sorted(splits.items(), key=lambda entry: order.index(entry[1])))


def splits_in_names(folders: Iterable[Path]) -> dict[Path, str]:
    """The splits that words of names tell, where they tell two and none of them twice."""
    splits = {path: split for path in folders if (split := split_in_name(path.name))}
    is_clear = len(set(splits.values())) == len(splits) > 1
    return splits if is_clear else {}


def split_in_name(name: str) -> str | None:
    """The split that a name holds as a word ("instances_train2017" holds train)."""
    found = {SPLIT_WORDS[word] for word in words_of(name) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def own_split(root: Path) -> str | None:
    """The split that `root` itself is, where it was given out of a folder of splits."""
    name = root.resolve().name.lower()
    siblings = split_folders(root.resolve().parent) if name in SPLIT_FOLDERS else {}
    return SPLIT_FOLDERS[name] if len(siblings) > 1 else None


def role_words(name: str) -> list[str]:
    """Words of the name of a folder; an ending such as in "trainannot" is a word of its own."""
    words = words_of(name)
    last = words[-1] if words else ""
    for end in JOINED_ENDS:
        if last.endswith(end) and last not in IMAGE_WORDS | MASK_WORDS:
            before = last.removesuffix(end)
            return [*words[:-1], *([before] if before else []), end]
    return words


def is_mask_folder(folder: Path) -> bool:
    """Whether a folder holds masks by its name."""
    if folder.name.lower() in MASK_FOLDERS | VIEW_WORDS & {"instance", "instances", "objects"}:
        return True
    words = role_words(folder.name)
    return bool(MASK_WORDS.intersection(words)) or _is_letter(words, "y")


def is_image_folder(folder: Path) -> bool:
    """Whether a folder holds images by its name."""
    if is_mask_folder(folder):
        return False
    words = role_words(folder.name)
    return (
        folder.name.lower() in IMAGE_FOLDERS
        or bool(IMAGE_WORDS.intersection(words))
        or _is_letter(words, "x")
    )


def _is_letter(words: list[str], letter: str) -> bool:
    """Whether a name is a letter beside a split: train_x."""
    return [word for word in words if word not in SPLIT_FOLDERS] == [letter]


def rest_of(folder: Path) -> tuple[str, ...]:
    """Words of the name of a folder besides those for images and masks: train in train_masks."""
    if folder.name.lower() in IMAGE_FOLDERS | MASK_FOLDERS:
        return ()
    words = role_words(folder.name)
    left = [word for word in words if word not in IMAGE_WORDS | MASK_WORDS | VIEW_WORDS]
    return tuple(word for word in left if not (word in "xy" and len(word) == 1))


def choose_folder(folders: Sequence[Path], what: str) -> tuple[Path, tuple[Path, ...]]:
    """The folder with the plainest name, and those left aside; two as plain are an error.

    Args:
        folders: one at least.
        what: "images" or "masks".
    """
    plain = [path for path in folders if _is_plain(path, what)] or list(folders)
    if len(plain) > 1:
        raise LayoutError(
            f"{plain[0].parent} has {_show(plain)}, which may both hold the {what}. Name the right "
            f"one with --{what}, or move or rename all but one of them."
        )
    return plain[0], tuple(path for path in folders if path not in plain)


def _is_plain(folder: Path, what: str) -> bool:
    words = set(role_words(folder.name))
    return bool(words & PLAIN_IMAGE_WORDS) if what == "images" else not words & VIEW_WORDS


def _show(folders: Iterable[Path]) -> str:
    return " and ".join(f"{path.name}/" for path in folders)
