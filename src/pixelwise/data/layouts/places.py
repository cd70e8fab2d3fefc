"""Where annotation files lie, the images that they speak of, and their split.

DATA/annotations.json                        images anywhere below DATA
DATA/train/via_region_data.json              images below DATA/train
DATA/annotations/instances_train2017.json    images in DATA/train2017 or DATA/images/train2017
"""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.layouts.found import LayoutOptions
from pixelwise.data.layouts.names import (
    SPLIT_FOLDERS,
    holds_images,
    own_split,
    split_folders,
    split_in_name,
)

MAX_CANDIDATES = 20  # more such files in one folder belong to single images (LabelMe)
OFFICIAL_PREFIX = "instances_"  # COCO keeps captions_*.json and person_keypoints_*.json beside them


@dataclass(frozen=True, slots=True)
class Place:
    """An annotation file, the folder of its images, and its split."""

    path: Path
    images: Path
    split: str | None


def find_places(root: Path, options: LayoutOptions, suffix: str) -> list[Place]:
    """Files that may annotate many images: in the folder, its split folders or annotations/.

    Args:
        root: the data folder.
        options: `masks` may name the file or its folder, `images` the folder of the images.
        suffix: suffix of the files, for example ".json".
    """
    images = None if options.images is None else root / options.images
    if options.masks is not None:
        masks = root / options.masks
        files = [masks] if masks.is_file() else _files(masks, suffix)
        return [_place(path, root, images) for path in files if path.suffix.lower() == suffix]
    places = [_place(path, root, images) for path in _files(root, suffix)]
    for folder, split in split_folders(root).items():
        inside = [*_files(folder, suffix), *_files(folder / "annotations", suffix)]
        places += [Place(path, images or folder, split) for path in inside]
    return places or [_place(path, root, images) for path in _files(root / "annotations", suffix)]


def split_of(path: Path, root: Path) -> str | None:
    """The split that the folders between a data folder and a file name."""
    folders = path.parent.relative_to(root).parts if path.is_relative_to(root) else ()
    splits = [SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in SPLIT_FOLDERS]
    return splits[0] if splits else own_split(root)


def _files(folder: Path, suffix: str) -> list[Path]:
    """Files with a suffix; none where there are so many that each must belong to one image."""
    files = sorted(
        path
        for path in folder.glob("*")
        if path.suffix.lower() == suffix and not path.name.startswith(".")
    )
    return [] if len(files) > MAX_CANDIDATES else files


def _place(path: Path, root: Path, images: Path | None) -> Place:
    """Where the images of a file are, by the words in its name: train2017/, images/train/, ..."""
    split = split_in_name(path.stem)
    if images or split is None:
        return Place(path, images or root, split or own_split(root))
    end = path.stem.removeprefix(OFFICIAL_PREFIX)
    folders = (root / end, root / "images" / end, root / split, root / "images" / split)
    return Place(path, next((f for f in folders if f.is_dir() and holds_images(f)), root), split)
