"""Find the pictures to predict."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.files.image_files import is_image_file
from pixelwise.data.layouts.names import image_folder, is_zarr, list_folder, mask_stem
from pixelwise.errors import FileError, LayoutError


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Find the images among files and folders.

    Args:
        inputs: files, and folders whose pictures are taken; a folder that has images/ inside stands
            for that; masks beside their images (x.png, x_mask.png) are left out.

    Returns:
        Paths without repetition: in the order of the inputs, sorted within each folder.

    Raises:
        FileError: a file does not exist or has no ending of a picture.
        LayoutError: a folder holds no pictures.
    """
    found = [path for entry in inputs for path in _find_in(Path(entry))]
    if not found:
        raise LayoutError("no images were given. Name files or folders.")
    return list(dict.fromkeys(found))


def _find_in(path: Path) -> list[Path]:
    if path.is_dir() and not is_zarr(path):
        return _find_in_folder(path)
    if not path.exists():
        raise FileError(f"{path} does not exist. Check the name.")
    if not is_image_file(path):
        raise FileError(f"{path} is not a picture by its name. Give PNG, JPEG, TIFF or BMP files.")
    return [path]


def _find_in_folder(folder: Path) -> list[Path]:
    folders, files = list_folder(folder)
    inside = image_folder(folder)
    if inside is not None:
        return list_folder(inside)[1]
    stems = {path.stem for path in files}
    images = [path for path in files if mask_stem(path.stem) not in stems]
    if not images:
        names = ", ".join(f"{path.name}/" for path in folders[:5])
        holds = f", only {names}" if names else ""
        raise LayoutError(f"{folder} holds no images{holds}. Name the folder that holds them.")
    return images
