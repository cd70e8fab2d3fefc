"""Find the pictures to predict, and say which others were left out.

FOLDER/a.png            an image, called a
FOLDER/day1/b.png       an image, called day1/b
FOLDER/a_mask.png       left out: by its name the mask of a.png
FOLDER/masks/a.png      left out: in a folder of masks beside the images
FOLDER/out/a.png        left out where pixelwise wrote it
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePath

from pixelwise.data.layouts.names import (
    is_image_folder,
    is_mask_folder,
    is_zarr,
    list_folder,
    mask_stem,
    stem_of,
)
from pixelwise.errors import FileError, LayoutError
from pixelwise.io import is_image_file, is_result

RESULT = "pixelwise wrote it"
RESULT_SUFFIXES = (".png", ".tif", ".nii.gz", ".zarr")  # of what pixelwise writes


@dataclass(frozen=True, slots=True)
class FoundImages:
    """The images to predict.

    Attributes:
        places: for each image its path below the folder that was given; below the folder that holds
            all inputs where several were.
        left_out: other pictures in the folders, and why they are not taken.
    """

    places: Mapping[Path, PurePath]
    left_out: Mapping[Path, str]


def find_images(
    inputs: Sequence[Path],
    *,
    recursive: bool = True,
    take_all: bool = False,
    out: Path | None = None,
) -> FoundImages:
    """Find the images among files and folders.

    Args:
        inputs: files, which are taken, and folders, whose pictures are taken without those that
            look like masks or that pixelwise wrote.
        recursive: take the pictures of the folders inside a folder, too.
        take_all: take what looks like a mask or a result, too.
        out: folder of the results: those in it are never images.

    Returns:
        The images without repetition, in the order of the inputs, sorted within each folder.

    Raises:
        FileError: a file does not exist or has no ending of a picture.
        LayoutError: a folder holds no pictures, or only such as are left out.
    """
    search = _Search(recursive=recursive, take_all=take_all, out=out)
    for entry in inputs:
        search.add(Path(entry))
    if not search.roots:
        raise LayoutError("no images were given. Name files or folders.")
    left_out = {path: why for path, why in search.left_out.items() if _key(path) not in search.keys}
    return FoundImages(_places(search.roots), left_out)


def walk_images(folder: Path) -> list[Path]:
    """All pictures in a folder and below it, sorted folder by folder; links may go in circles."""
    search = _Search(take_all=True)
    return search.look_into(folder)


@dataclass
class _Search:
    """What was found so far."""

    recursive: bool = True
    take_all: bool = False
    out: Path | None = None
    roots: dict[Path, Path] = field(default_factory=dict)  # folder given, of each image
    keys: set[str] = field(default_factory=set)  # of the images
    left_out: dict[Path, str] = field(default_factory=dict)
    seen: set[Path] = field(default_factory=set)  # folders, without links

    def add(self, entry: Path) -> None:
        """Take a file, or look into a folder."""
        if entry.is_dir() and not is_zarr(entry):
            self._add_folder(entry)
        elif not entry.exists():
            raise FileError(f"{entry} does not exist. Check the name.")
        elif not is_image_file(entry):
            raise FileError(
                f"{entry} is not a picture by its name. Give PNG, JPEG, TIFF or BMP files."
            )
        else:
            self._take(entry, entry.parent)

    def _add_folder(self, folder: Path) -> None:
        if folder.resolve() in self.seen:  # given twice, or inside one that was given
            return
        num_left_out = len(self.left_out)
        images = self.look_into(folder)
        if not images:
            raise LayoutError(self._describe_nothing(folder, list(self.left_out)[num_left_out:]))
        for path in images:
            self._take(path, folder)

    def _take(self, path: Path, root: Path) -> None:
        if _key(path) not in self.keys:
            self.keys.add(_key(path))
            self.roots[path] = root

    def look_into(self, folder: Path) -> list[Path]:
        """The images of a folder and of those inside it; notes what is left out."""
        self.seen.add(folder.resolve())
        folders, files = list_folder(folder)
        stems = {stem_of(path): path.name for path in files}
        images = {folder: [path for path in files if not self._is_left_out(path, stems)]}
        masks = []
        for inside in folders if self.recursive else []:
            if self._is_loop(inside, folder):
                continue
            images[inside] = self.look_into(inside)
            if is_mask_folder(inside) and images[inside]:
                masks.append(inside)
        others = [path for path in images if path not in masks]
        for inside in [] if self.take_all else masks:
            if _stand_beside(images[inside], folder, {path: images[path] for path in others}):
                why = f"in {inside.name}/, a folder of masks by its name"
                self.left_out.update(dict.fromkeys(images.pop(inside), why))
        return list(chain.from_iterable(images.values()))

    def _is_loop(self, inside: Path, folder: Path) -> bool:
        """Whether a link leads to where we are, or where we were."""
        real = inside.resolve()
        return real in self.seen or folder.resolve().is_relative_to(real)

    def _is_left_out(self, path: Path, stems: Mapping[str, str]) -> bool:
        """Whether a picture looks like a mask or a result; it is noted."""
        if path.name.endswith(RESULT_SUFFIXES) and is_result(path) and self._may_leave_out(path):
            self.left_out[path] = RESULT
        image = None if self.take_all else stems.get(mask_stem(stem_of(path)) or "")
        if image is not None:
            self.left_out[path] = f"the mask of {image} by its name"
        return path in self.left_out

    def _may_leave_out(self, result: Path) -> bool:
        """Whether a result is none that a person wants for an image."""
        is_in_out = self.out is not None and result.resolve().is_relative_to(self.out.resolve())
        return is_in_out or not self.take_all

    def _describe_nothing(self, folder: Path, left_out: Sequence[Path]) -> str:
        if left_out:
            first = left_out[0]
            return (
                f"{folder} holds {len(left_out)} pictures, but none that does not look like a mask "
                f"or a result, for example {first} ({self.left_out[first]}). Name the files "
                "themselves, or take all with --all (take_all=True)."
            )
        names = ", ".join(f"{path.name}/" for path in list_folder(folder)[0][:5])
        holds = f", only {names}" if names else ""
        return f"{folder} holds no images{holds}. Name the folder that holds them."


def _key(path: Path) -> str:
    return os.path.abspath(path)


def _stand_beside(
    masks: Sequence[Path], folder: Path, others: Mapping[Path, Sequence[Path]]
) -> bool:
    """Whether what a folder of masks by its name holds belongs to images beside it.

    Args:
        masks: pictures in it.
        folder: that holds it.
        others: images beside it, by their folders.
    """
    if any(is_image_folder(path) for path, inside in others.items() if inside and path != folder):
        return True
    stems = {stem_of(path) for path in chain.from_iterable(others.values())}
    return any(stem_of(path) in stems or mask_stem(stem_of(path)) in stems for path in masks)


def _places(roots: Mapping[Path, Path]) -> dict[Path, PurePath]:
    """Path of each image below the folder given; below the one that holds all, where several."""
    common = os.path.commonpath([_key(root) for root in roots.values()])
    return {path: PurePath(os.path.relpath(_key(path), common)) for path in roots}
