"""Pascal VOC: JPEGImages/, SegmentationClass/, and lists of names for the splits.

DATA/JPEGImages/a.jpg  DATA/SegmentationClass/a.png  DATA/ImageSets/Segmentation/train.txt
"""

from pathlib import Path

from pixelwise.data.layouts.found import FoundSample, Layout, LayoutOptions
from pixelwise.data.layouts.names import SPLIT_FOLDERS, holds_images, list_images, stem_of
from pixelwise.data.layouts.notes import MISSING_IMAGE, Notes
from pixelwise.data.masks.class_file import ClassDeclaration, declare_classes
from pixelwise.data.masks.sources import MaskFile
from pixelwise.io import decode_text, read_bytes
from pixelwise.task import IGNORE_INDEX

LISTS = Path("ImageSets", "Segmentation")  # of the names in each split
MASK_FOLDERS = ("SegmentationClassPNG", "SegmentationClass")  # LabelMe keeps .npy in the second
NAME_FILES = ("class_names.txt", "labels.txt", "classes.txt")
IGNORED_NAMES = ("__ignore__", "_ignore_", "ignore")


def find_voc(root: Path, options: LayoutOptions) -> Layout | None:
    """Find JPEGImages/ and SegmentationClass/ (or ...PNG/); None where they are not there."""
    images = root / "JPEGImages"
    folders = [folder for name in MASK_FOLDERS if (folder := root / name).is_dir()]
    masks = next((folder for folder in folders if holds_images(folder)), None)
    if options.images or options.masks or not images.is_dir() or masks is None:
        return None
    mask_of = {stem_of(path): path for path in list_images(masks)}
    split_of = _read_splits(root / LISTS)
    files = {stem_of(path): path for path in list_images(images)}
    names = [name for name in files if not split_of or name in split_of or name in mask_of]
    samples = [
        FoundSample(
            name,
            (files[name],),
            MaskFile(mask_of[name]) if name in mask_of else None,
            split_of.get(name, "train" if split_of else None),
        )
        for name in names
    ]
    samples.sort(key=lambda sample: (sample.split or "", sample.name))
    lone = tuple(path for name, path in mask_of.items() if name not in files)
    description = f"VOC: JPEGImages/ + {masks.name}/"
    notes = _note_missing(root / LISTS, split_of, files)
    return Layout(description, tuple(samples), lone, _read_names(root), notes.findings())


def _note_missing(lists: Path, split_of: dict[str, str], files: dict[str, Path]) -> Notes:
    """Note the names in the lists of the splits that have no image."""
    notes = Notes(lists)
    notes.expect("images", len(split_of), [path.name for path in files.values()])
    for name in (name for name in split_of if name not in files):
        notes.add(MISSING_IMAGE, name)
    return notes


def _read_splits(folder: Path) -> dict[str, str]:
    """Split of each name in train.txt, val.txt and test.txt; none where there are no lists."""
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        path = folder / f"{split}.txt"
        if path.is_file():
            names = decode_text(path.read_bytes(), path).split()
            splits |= dict.fromkeys(names, SPLIT_FOLDERS[split])
    return splits


def _read_names(root: Path) -> ClassDeclaration | None:
    """Names of the values 0, 1, 2, ... from class_names.txt; 255 is ignored."""
    path = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
    if path is None:
        return None
    lines = decode_text(read_bytes(path), path).splitlines()
    names = [line.strip() for line in lines if line.strip()]
    names = [name for name in names if name.lower() not in IGNORED_NAMES]
    return declare_classes({"classes": names, "ignore": [IGNORE_INDEX]}, path)
