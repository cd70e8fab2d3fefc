"""Names: which folders hold images, masks and splits, and what a file is called without its ending.

Capitals never matter in the tables. A name is compared by its `stem_of`, `near_key` or words.
"""

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from pixelwise.data.files.image_files import is_image_file
from pixelwise.errors import LayoutError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "inputs", "input", "jpegimages")
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "gt", "gts", "ground_truth",
    "groundtruth", "ground-truth", "segmentation", "segmentations", "segs", "seg", "targets",
    "target", "mask_images", "segmentationclass", "annotated", "annots", "annot", "labelled",
)  # fmt: skip
# Taken where no folder of the first kind is there: nuclei keep instances/ beside masks/.
OTHER_IMAGE_FOLDERS = (
    "photos", "photo", "pictures", "raw", "tiles", "originals", "original", "frames", "scans",
    "volumes", "x",
)  # fmt: skip
OTHER_MASK_FOLDERS = (
    "instances", "instance", "instance_masks", "objects", "object_masks", "segmentationobject",
    "outputs", "output", "manual", "1st_manual", "lesions", "y",
)  # fmt: skip
SPLIT_FOLDERS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
SHORT_SPLITS = {"tr": "train", "ts": "test", "va": "val"}  # imagesTr, labels_tr
MASK_SUFFIXES = ("_masks", "_mask", "_labels", "_label", "_seg", "_gt")
IMAGE_WORDS = frozenset(
    {"image", "images", "img", "imgs", "im", "input", "inputs", "sat", "photo", "raw", "orig",
     "original", "rgb", "pic", "picture", "frame", "scan", "volume", "leftimg"}
)  # fmt: skip
MASK_WORDS = frozenset(
    {"mask", "masks", "label", "labels", "lbl", "seg", "segs", "segmentation", "segmented", "gt",
     "ground", "truth", "groundtruth", "target", "targets", "annotation", "annotated", "annot",
     "anno", "lesion", "manual", "output", "binary", "matte", "labelids", "goldstandard"}
)  # fmt: skip
COMPOUND_SUFFIXES = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg"})


def stem_of(path: Path) -> str:
    """Name of a file without its ending; `.nii.gz`, `.ome.tif` and `.ome.zarr` are one ending."""
    ending = suffix_of(path)
    return path.name[: len(path.name) - len(ending)]


def suffix_of(path: Path) -> str:
    """Ending of a file as written: ".png", or a compound one such as ".nii.gz"."""
    name = path.name.lower()
    for suffix in COMPOUND_SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return path.name[-len(suffix) :]
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
    return re.findall(r"[^\W\d_]+|\d+", stem.lower())


def list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Subfolders and image files, sorted, without hidden ones; LayoutError if unreadable.

    A folder that is an image (`.zarr`) counts as a file.
    """
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        inside = {path for path in entries if path.is_dir()}
    except PermissionError as error:
        raise LayoutError(
            f"{folder} may not be read. Change its permissions (chmod +rx)."
        ) from error
    files = [path for path in entries if is_image_file(path) and _is_one_image(path, inside)]
    return [path for path in entries if path in inside and not is_zarr(path)], files


def _is_one_image(path: Path, folders: Container[Path]) -> bool:
    """Whether an entry with the name of an image is one: a file, or a folder of zarr."""
    return path not in folders or is_zarr(path)


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


def check_folder(root: Path) -> None:
    """Raise LayoutError unless `root` is a folder that can be listed."""
    try:
        if root.is_file():
            raise LayoutError(
                f"{root} is a file. Give the folder that holds the images and masks, a manifest "
                "(CSV) or a COCO file (JSON)."
            )
        if not root.exists():
            raise LayoutError(f"{root} does not exist. Check the name of the data folder.")
        next(root.iterdir(), None)
    except PermissionError as error:
        raise LayoutError(f"{root} may not be read. Change its permissions (chmod +rx).") from error


def split_folders(root: Path) -> dict[Path, str]:
    """The subfolders of `root` that are named after a split, in the order train, val, test."""
    folders = {
        path: SPLIT_FOLDERS[path.name.lower()]
        for path in list_folder(root)[0]
        if path.name.lower() in SPLIT_FOLDERS
    }
    if len(set(folders.values())) < len(folders):
        names = ", ".join(path.name for path in folders)
        raise LayoutError(
            f"{root} has two folders for one split ({names}). Rename or remove one of them."
        )
    order = list(dict.fromkeys(SPLIT_FOLDERS.values()))
    return dict(sorted(folders.items(), key=lambda entry: order.index(entry[1])))


def own_split(root: Path) -> str | None:
    """The split that `root` itself is, where it was given out of a folder of splits."""
    name = root.resolve().name.lower()
    siblings = split_folders(root.resolve().parent) if name in SPLIT_FOLDERS else {}
    return SPLIT_FOLDERS[name] if len(siblings) > 1 else None


def image_folder(root: Path) -> Path | None:
    """The subfolder of `root` that holds the images by its name, or None."""
    return only_folder(root, IMAGE_FOLDERS, "images") or only_folder(
        root, OTHER_IMAGE_FOLDERS, "images"
    )


def mask_folder(root: Path) -> Path | None:
    """The subfolder of `root` that holds the masks by its name, or None."""
    return only_folder(root, MASK_FOLDERS, "masks") or only_folder(
        root, OTHER_MASK_FOLDERS, "masks"
    )


def only_folder(root: Path, names: Container[str], what: str) -> Path | None:
    """The one subfolder with such a name and images in it; two are an error."""
    candidates = [
        path for path in list_folder(root)[0] if path.name.lower() in names and holds_images(path)
    ]
    if len(candidates) > 1:
        raise LayoutError(
            f"{root} has {_show(candidates)}, which may both hold the {what}. Name the right one "
            f"with --{what}, or move or rename all but one of them."
        )
    return candidates[0] if candidates else None


def _show(folders: Iterable[Path]) -> str:
    return " and ".join(f"{path.name}/" for path in folders)
