"""Write results; a file is written beside its place and then moved: it is whole or not there."""

import errno
import json
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pixelwise.colors import color_table
from pixelwise.errors import ArrayError, OutputError
from pixelwise.io.nifti_files import GZIP_START
from pixelwise.io.places import NOWHERE, Place
from pixelwise.io.tiff_files import ORIENTATION_TAG

OME_TYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})
SIGNATURE = "pixelwise result"  # of the software, in the head of masks and other results
PROBABILITIES = f"{SIGNATURE}: probabilities"  # the software of files that hold them
HEAD_SIZE = 4096  # bytes that hold it
BIG_BYTES = 2**31  # unpacked: larger TIFF files are BigTIFF, which has no limit of 4 GB


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder with its parents; one that exists is fine. OutputError where it fails."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(
            f"{path} is a file, where a folder is to be made. Choose another name."
        ) from error
    except OSError as error:
        failed = Path(error.filename or path)  # or the parent that could not be made
        raise write_error(failed, error) from error
    return Path(path)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, whole or not at all; OutputError where it cannot be written."""

    def save(file: BinaryIO) -> None:
        file.write(data)
        file.flush()
        if file.seekable():  # a power cut must not leave the name without the content
            os.fsync(file.fileno())

    write_whole(Path(path), save)


def write_checked(path: Path, data: bytes, new: Path) -> None:
    """Write a file under another name, read it back, and only then let it take its place.

    At any moment, also where power fails, `path` can be read: the file before, or the new one.

    Args:
        path: path of the file.
        data: its content.
        new: in the same folder, where the data are written first. A fixed name: what a process
            that was killed left there is written over.

    Raises:
        OutputError: it cannot be written, or does not hold the data; the file before is intact.
    """
    write_bytes(new, data)
    try:
        is_same = new.read_bytes() == data
        if is_same:
            new.replace(path)
            _flush_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}). Check the disk; what was written before "
            "is intact."
        ) from error
    if not is_same:
        raise OutputError(
            f"{new} does not hold what was written into it. Check the disk; what was written "
            "before is intact."
        )


def _flush_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, where the system knows how."""
    with suppress(OSError):  # Windows cannot open folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text; OutputError where it cannot be written.

    Names of files that are not UTF-8 are written as the bytes that they are.
    """
    write_bytes(path, text.encode("utf-8", errors="surrogateescape"))


def write_json(path: str | os.PathLike[str], content: object) -> None:
    """Write JSON, indented, without NaN or infinity; OutputError where it cannot be written."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # what is not UTF-8 in the name of a file is left as JSON's own escape, "\\udcff"
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_mask(
    path: str | os.PathLike[str],
    mask: NDArray[Any],
    colors: Sequence[str],
    place: Place = NOWHERE,
) -> Path:
    """Write a mask as a palette PNG: programs read the class index, people see the class colour.

    Args:
        path: path of the file; its suffix becomes .png, or .tif above 256 values.
        mask: (H, W) integers from 0.
        colors: "#rrggbb" of each class.
        place: of which a PNG file keeps the EXIF orientation.

    Returns:
        The path written: .png, or a 16-bit TIFF (32-bit above 65,536 values).

    Raises:
        ArrayError: the mask is not (H, W) integers from 0.
        OutputError: the file cannot be written.
    """
    if mask.ndim != 2 or mask.dtype.kind not in "iub" or (mask.size and int(mask.min()) < 0):
        raise ArrayError(
            f"a mask is (H, W) integers from 0; got {mask.dtype} of shape {mask.shape}."
        )
    highest = int(mask.max()) if mask.size else 0
    if highest > 255:
        path = Path(path).with_suffix(".tif")
        values = mask.astype(np.uint16 if highest < 2**16 else np.uint32)
        _write_tiff(path, values, {"axes": "YX"}, signed=True, place=place)
        return path
    picture = Image.frombytes("P", mask.shape[::-1], mask.astype(np.uint8).tobytes())
    table = color_table(colors[:256], max(highest + 1, min(len(colors), 256)))
    picture.putpalette(table.tobytes())
    path = Path(path).with_suffix(".png")
    options = {"pnginfo": _signature()} | _exif(place)
    write_whole(path, lambda file: picture.save(file, format="PNG", **options))
    return path


def is_result(path: str | os.PathLike[str]) -> bool:
    """Whether a file, or a Zarr folder, is a mask or another result that pixelwise wrote."""
    return _has_in_head(Path(path), SIGNATURE)


def holds_probabilities(path: Path) -> bool:
    """Whether a file has 0 to 255 for probabilities from 0 to 1, as pixelwise writes them."""
    return _has_in_head(path, PROBABILITIES)


def _has_in_head(path: Path, text: str) -> bool:
    try:
        with (path / "zarr.json" if path.is_dir() else path).open("rb") as file:
            head = file.read(HEAD_SIZE)
        if head.startswith(GZIP_START):
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_SIZE)
        return text.encode() in head
    except (OSError, zlib.error):  # a folder, or not to be read
        return False


def remove_result(path: Path) -> None:
    """Remove a file or the folder of a Zarr image, where there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exif(place: Place) -> dict[str, Any]:
    """What has Pillow write the orientation of a picture that does not lie upright."""
    if place.orientation == 1:
        return {}
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = place.orientation
    return {"exif": exif}


def _signature() -> PngInfo:
    info = PngInfo()
    info.add_text("Software", SIGNATURE)
    return info


def write_image(
    path: str | os.PathLike[str],
    image: NDArray[np.uint8],
    *,
    signed: bool = False,
    place: Place = NOWHERE,
) -> None:
    """Write an 8-bit picture, (H, W) grey or (H, W, 3) RGB, as PNG or JPEG by the suffix.

    A `signed` PNG is known as a result, see `is_result`; of its `place` the EXIF orientation is
    kept.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ArrayError(
            f"a picture is uint8 (H, W) or (H, W, 3); got {image.dtype} {image.shape}."
        )
    kind = "JPEG" if Path(path).suffix.lower() in (".jpg", ".jpeg") else "PNG"
    options = ({"pnginfo": _signature()} if signed else {}) | _exif(place)
    write_whole(Path(path), lambda file: Image.fromarray(image).save(file, format=kind, **options))


def write_pixels(
    path: str | os.PathLike[str],
    image: NDArray[Any],
    spacing_um: tuple[float, ...] | None = None,
    *,
    signed: bool = False,
    place: Place = NOWHERE,
) -> Path:
    """Write an image of any type without loss: as PNG where that can hold it, else as TIFF.

    Args:
        path: path of the file, without its ending: .png or .tif is added.
        image: (H, W, C) or (D, H, W, C), any number type.
        spacing_um: physical size of a pixel along each spatial axis, written as OME-TIFF; number
            types that OME does not have (64 bits) lose it.
        signed: make a TIFF known as a result, see `is_result`.
        place: where the pixels are in the world, of a TIFF.

    Returns:
        The path written: PNG for 8-bit grey and RGB without spacing, else a TIFF with named axes
        (CYX or CZYX).
    """
    channels, path = image.shape[-1], Path(path)
    spacing_um = spacing_um if image.dtype.name in OME_TYPES else None
    if image.dtype == np.uint8 and image.ndim == 3 and channels in (1, 3) and not spacing_um:
        path = path.with_name(f"{path.name}.png")
        write_image(path, image if channels == 3 else image[..., 0])
        return path
    path = path.with_name(f"{path.name}.tif")
    axes = "CYX" if image.ndim == 3 else "CZYX"
    metadata = {"axes": axes} | ome_spacing(spacing_um)
    values = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    _write_tiff(path, values, metadata, signed=signed, place=place)
    return path


def ome_spacing(spacing_um: tuple[float, ...] | None) -> dict[str, Any]:
    """Physical size of a pixel in the words of OME-XML."""
    sizes = zip("XYZ", reversed(spacing_um or ()), strict=False)
    return {f"PhysicalSize{axis}": size for axis, size in sizes}  # in micrometres


def ome_id(path: Path) -> dict[str, str]:
    """The id that OME-XML wants of a file: of its name, so that the same file is the same bytes."""
    return {"UUID": f"urn:uuid:{uuid5(NAMESPACE_URL, path.name)}"}


def _write_tiff(
    path: Path,
    values: NDArray[Any],
    metadata: dict[str, Any],
    *,
    signed: bool = False,
    place: Place = NOWHERE,
) -> None:
    import tifffile

    is_ome = "PhysicalSizeX" in metadata

    def save(file: BinaryIO) -> None:
        tifffile.imwrite(
            file,
            values,
            photometric="minisblack",
            compression="zlib",
            predictor=values.dtype.itemsize <= 4,  # tifffile has none for 64 bits
            metadata=metadata | (ome_id(path) if is_ome else {}),
            ome=is_ome,
            software=SIGNATURE if signed else None,
            bigtiff=values.nbytes > BIG_BYTES,
            extratags=place.tags,
        )

    write_whole(path, save)


def write_whole(path: Path, save: Callable[[BinaryIO], object]) -> None:
    """Let `save` fill a temporary file beside `path`, then move it to its place in one step.

    A link stays one: the file that it names is replaced. /dev/stdout, /dev/null and pipes are
    written into, never replaced.
    """
    if path.is_char_device() or path.is_fifo():
        _write_into(path, save)
        return
    target = path.resolve()
    temporary = temporary_beside(target)
    try:
        with naming_failures(path):
            with temporary.open("wb") as file:
                save(file)
            temporary.replace(target)
    finally:
        remove_file(temporary)


def temporary_beside(target: Path) -> Path:
    """Where a file is written until it is whole: beside its place, another name in each thread."""
    return target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")


@contextmanager
def naming_failures(path: Path) -> Iterator[None]:
    """Turn what the system says into an OutputError that names the file."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def _write_into(path: Path, save: Callable[[BinaryIO], object]) -> None:
    with naming_failures(path), path.open("wb") as file:
        save(file)


def remove_file(path: Path) -> None:
    """Remove a file that may not be there."""
    with suppress(OSError):  # its folder cannot be written or is gone: nothing was left there
        path.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> OutputError:
    """Why a file cannot be written, and what to do."""
    advice = "Choose another folder, or change its permissions."
    if isinstance(error, FileNotFoundError) and not path.parent.exists():
        advice = f"Make the folder {path.parent} first."
    elif error.errno == errno.ENOSPC:
        advice = "Free some space; what was written before is intact."
    elif isinstance(error, IsADirectoryError):
        advice = "A folder of that name is in the way: choose another name."
    return OutputError(f"{path} cannot be written ({error.strerror or error}). {advice}")
