"""Read arrays of NumPy: .npy, and .npz with one array or one of a telling name; never pickles."""

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pixelwise.errors import FileError
from pixelwise.io.axes import order_axes
from pixelwise.io.claims import check_claim
from pixelwise.io.pixels import Pixels, plain_type
from pixelwise.text import shorten

NPY_START = b"\x93NUMPY"
ZIP_START = b"PK\x03\x04"
IMAGE_NAMES = ("image", "images", "img", "x", "data", "raw", "volume")
MASK_NAMES = ("mask", "masks", "label", "labels", "seg", "segmentation", "y", "target", "gt")
NUM_SHOWN = 8  # names in a message
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of NumPy


def is_numpy(data: bytes) -> bool:
    """Whether the content is that of a .npy file, or a zip file, as .npz is."""
    return data[:6] == NPY_START or data[:4] == ZIP_START


def decode_numpy(data: bytes, as_mask: bool = False) -> Pixels:
    """Decode a .npy or .npz file.

    Args:
        data: the whole file.
        as_mask: which names tell the array of an .npz file, where it holds several.

    Raises:
        FileError: objects or no numbers, several arrays, or axes that cannot be told apart.
    """
    if data[:6] == NPY_START:
        values, name = _read_npy(io.BytesIO(data), len(data)), ""
    else:
        values, name = _read_npz(data, MASK_NAMES if as_mask else IMAGE_NAMES)
    if values.ndim < 2:
        raise FileError(f"its array has the shape {values.shape}. Images have two axes at least.")
    ordered = order_axes(values, "Q" * values.ndim)
    notes = [f'the array "{name}" was read'] * bool(name) + [ordered.note] * bool(ordered.note)
    return Pixels(
        plain_type(ordered.values, as_mask),
        len(data),
        "; ".join(notes),
        spatial_dims=len(ordered.spatial_axes),
    )


def map_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file, on disk.

    Raises:
        FileError: no numbers, or more than the file holds.
    """
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype.kind not in "biuf":
        raise FileError(f"it holds values of type {array.dtype}. Save numbers.")
    return array


def _read_npy(file: IO[bytes], num_bytes: int) -> NDArray[Any]:
    """One array, whose header was compared with the number of bytes that are there."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise FileError(f"it is a .npy file of version {version}. Save plain numbers again.")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise FileError(
            "it holds Python objects (a pickle), which may run code when they are read. Save the "
            "mask or image itself as a plain array, PNG or TIFF."
        )
    check_claim(shape, dtype.itemsize, num_bytes)
    if np.prod(shape, dtype=np.int64) * dtype.itemsize > num_bytes - file.tell():
        raise FileError("it is truncated. Copy it again from its source, or remove it.")
    count = int(np.prod(shape, dtype=np.int64))
    values = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype, count=count)
    return values.reshape(shape, order="F" if is_fortran else "C")


def _read_npz(data: bytes, names: tuple[str, ...]) -> tuple[NDArray[Any], str]:
    """The one array, or the one with a telling name and that name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        name = _choose(list(arrays), names)
        info = arrays[name]
        if info.compress_type not in COMPRESSIONS:
            raise FileError("it is packed in a way that NumPy does not use. Save it with np.savez.")
        check_claim((info.file_size,), 1, len(data))
        with archive.open(info) as file:
            content = file.read(info.file_size)
    return _read_npy(io.BytesIO(content), len(content)), name if len(arrays) > 1 else ""


def _choose(arrays: list[str], names: tuple[str, ...]) -> str:
    if not arrays:
        raise FileError("it is a zip file without arrays. Remove it, or save arrays with np.savez.")
    telling = [name for name in arrays if name.lower() in names]
    if len(arrays) == 1 or len(telling) == 1:
        return (telling or arrays)[0]
    shown = shorten(arrays, NUM_SHOWN, "")
    raise FileError(
        f"it holds {len(arrays)} arrays ({shown}), of which it is not clear which to take. Save "
        f'one of them alone, or call it "{names[0]}".'
    )
