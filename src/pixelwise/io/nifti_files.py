"""Read NIfTI volumes (.nii, .nii.gz), turned to the closest canonical orientation.

stored (i, j, k)  ->  (x, y, z): right, anterior, superior  ->  (D, H, W) = (z, y, x)

So image and mask of one patient fit, whatever order each was stored in. Needs nibabel.
"""

import gzip
import io
import math
import zlib
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import FileError
from pixelwise.io.claims import check_claim
from pixelwise.io.extras import import_extra
from pixelwise.io.pixels import Pixels, plain_type
from pixelwise.io.spacing import spacing_of

WHAT = "NIfTI volumes"
GZIP_START = b"\x1f\x8b"
HEADER_BYTES = {348: (344, b"n+1\0"), 540: (4, b"n+2\0")}  # size: (place of the magic, magic)
VECTOR_INTENTS = (1007, 2003, 2004)  # vector, RGB, RGBA
SPATIAL_AXES = 3  # i, j, k
MAX_CHANNELS = 8  # of a fourth axis that the header does not explain
UNITS_UM = {1: 1e6, 2: 1e3, 3: 1.0}  # of xyzt_units: metre, millimetre, micrometre
MILLIMETRE = 1e3  # where the header names no unit


def is_nifti(data: bytes) -> bool:
    """Whether the content, plain or gzipped, is that of a NIfTI file."""
    return _header_size(_first_bytes(data)) is not None


def decode_nifti(data: bytes, as_mask: bool = False) -> Pixels:
    """Decode a NIfTI file.

    Args:
        data: the whole file.
        as_mask: keep the numbers as stored; those of images get the scale of the header, as
            float32.

    Raises:
        FileError: films, absurd sizes, damage.
        MissingExtraError: nibabel is not installed.
    """
    header = parse_header(data)
    values = _split_colors(_read_values(header, data))
    values, note = _spatial_first(values, header)
    if not as_mask:
        values = _scale(values, header)
    values, axes, has_order = _to_canonical(values, header)
    if not has_order:
        note = f"{note}; no orientation" if note else "NIfTI without orientation: order as stored"
    sizes = _sizes(header)
    spatial = "".join(axis for axis in axes if axis != "C")
    return Pixels(
        plain_type(values, as_mask),
        len(data),
        note,
        spatial_dims=len(spatial),
        spacing_um=spacing_of(spatial, sizes),
    )


def parse_header(data: bytes) -> Any:  # noqa: ANN401
    """The header of nibabel from a file, plain or gzipped, or from the start of one.

    Raises:
        MissingExtraError: nibabel is not installed.
    """
    nibabel = import_extra("nibabel", "volumes", WHAT)
    first = _first_bytes(data)
    size = _header_size(first)
    kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
    return kind(first[:size], check=False)


def canonical_turns(header: Any) -> NDArray[Any] | None:  # noqa: ANN401
    """(3, 2): of i, j and k the canonical axis (0 x, 1 y, 2 z) nearest to it, and 1 or -1.

    None where the header does not say how the volume lies.
    """
    orientations = import_extra("nibabel.orientations", "volumes", WHAT)
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        return None
    turns: NDArray[Any] = orientations.io_orientation(header.get_best_affine())
    return turns if np.isfinite(turns).all() else None


class NiftiLayout(NamedTuple):
    """How the values of a file lie.

    Attributes:
        header: as it is stored, 348 or 540 bytes.
        axes: spatial axes of what is read, "ZYX", or two of these where the volume is one slice.
        spacing_um: along these axes.
        plane_axis: which of them is k, the third of the file, along which slices were stored.
        num_planes: along it; 1 of a picture.
    """

    header: bytes
    axes: str
    spacing_um: tuple[float, ...] | None
    plane_axis: int
    num_planes: int


def read_layout(start: bytes) -> NiftiLayout:
    """The layout of a file, from some first 4 kB of it; MissingExtraError as `parse_header`."""
    header = parse_header(start)
    shape, turns = stored_shape(header), canonical_turns(header)
    _, axes, _ = _to_canonical(np.broadcast_to(np.uint8(0), shape), header)
    plane_axis = 0 if turns is None else "ZYX".index("XYZ"[int(turns[2, 0])])
    spacing = spacing_of(axes, _sizes(header))
    if len(axes) < SPATIAL_AXES:
        return NiftiLayout(header.binaryblock, axes, spacing, 0, 1)
    return NiftiLayout(header.binaryblock, axes, spacing, plane_axis, shape[2])


def stored_shape(header: Any) -> tuple[int, int, int]:  # noqa: ANN401
    """Lengths along i, j and k."""
    lengths = [int(length) for length in header["dim"][1 : int(header["dim"][0]) + 1]]
    i, j, k = (lengths + [1] * SPATIAL_AXES)[:SPATIAL_AXES]
    return i, j, k


def _first_bytes(data: bytes) -> bytes:
    if data[:2] != GZIP_START:
        return data[:540]
    try:
        return zlib.decompressobj(wbits=31).decompress(data, 540)
    except zlib.error:
        return b""


def _header_size(first: bytes) -> int | None:
    """348 (NIfTI-1) or 540 (NIfTI-2), in either byte order; None where it is neither."""
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    for order in orders:
        size = int.from_bytes(first[:4], order)
        place, magic = HEADER_BYTES.get(size, (0, b"\0"))
        if len(first) >= size and first[place : place + len(magic)] == magic:
            return size
    return None


def _read_values(header: Any, data: bytes) -> NDArray[Any]:  # noqa: ANN401
    """The array as stored, (i, j, k, ...); its size is checked before the file is unpacked."""
    num_axes = int(header["dim"][0])
    if not 2 <= num_axes <= 7:
        raise FileError(f"its header claims {num_axes} axes. Copy it again, or remove it.")
    shape = tuple(int(length) for length in header["dim"][1 : num_axes + 1])
    dtype = header.get_data_dtype()
    check_claim(shape, dtype.itemsize, len(data))
    start, count = int(header["vox_offset"]), math.prod(shape)
    end = start + count * dtype.itemsize
    check_claim((max(start, 1),), 1, len(data))
    content = _unpack(data, end) if data[:2] == GZIP_START else data
    if start < 0 or len(content) < end:
        raise FileError("it is truncated. Copy it again from its source, or remove it.")
    return np.frombuffer(content, dtype, count, start).reshape(shape, order="F")


def _unpack(data: bytes, num_bytes: int) -> bytes:
    """At most one byte more than is needed, which also has the checksum compared."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(num_bytes + 1)


def _split_colors(values: NDArray[Any]) -> NDArray[Any]:
    """RGB and RGBA voxels as a last axis."""
    if values.dtype.names is None:
        return values
    return np.stack([values[name] for name in values.dtype.names], axis=-1)


def _spatial_first(values: NDArray[Any], header: Any) -> tuple[NDArray[Any], str]:  # noqa: ANN401
    """(i, j, k) or (i, j, k, C), and what was assumed of a fourth axis."""
    num_axes, lengths = int(header["dim"][0]), list(values.shape)
    lengths[num_axes:num_axes] = [1] * (3 - num_axes)
    rest = [length for length in lengths[3:] if length > 1]
    values = values.reshape(*lengths[:3], *rest)
    if len(rest) > 1:
        raise FileError(f"its shape {values.shape} has too many axes. Save one volume a file.")
    has_colors = len(lengths) > max(num_axes, 3)
    is_vector = int(header["intent_code"]) in VECTOR_INTENTS or int(header["dim"][4]) == 1
    if not rest or has_colors or is_vector:
        return values, ""
    if rest[0] > MAX_CHANNELS:
        raise FileError(
            f"it holds {rest[0]} volumes, most likely moments of a film. Save one volume a file."
        )
    return values, f"NIfTI, fourth axis of length {rest[0]}: it was taken for channels"


def _scale(values: NDArray[Any], header: Any) -> NDArray[Any]:  # noqa: ANN401
    """Stored numbers to intensities (float32) by the slope and intercept of the header."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if not math.isfinite(slope) or slope == 0 or (slope, inter) == (1, 0):
        return values
    offset = inter if math.isfinite(inter) else 0.0
    with np.errstate(over="ignore"):
        return (values * slope + offset).astype(np.float32)


def _to_canonical(values: NDArray[Any], header: Any) -> tuple[NDArray[Any], str, bool]:  # noqa: ANN401
    """(z, y, x, ...), the names of its axes, and whether the header says how the volume lies.

    A volume of one slice becomes a picture.
    """
    orientations = import_extra("nibabel.orientations", "volumes", WHAT)
    turns = canonical_turns(header)
    if turns is not None:
        values = orientations.apply_orientation(values, turns)
    values = values.transpose(2, 1, 0, *range(3, values.ndim))
    axes = "ZYX" + "C" * (values.ndim - 3)
    if 1 in values.shape[:3]:
        flat = values.shape.index(1)
        return values.squeeze(flat), axes[:flat] + axes[flat + 1 :], turns is not None
    return values, axes, turns is not None


def _sizes(header: Any) -> dict[str, float | None]:  # noqa: ANN401
    """Micrometres along x, y and z of the canonical volume."""
    unit = UNITS_UM.get(int(header["xyzt_units"]) & 7, MILLIMETRE)
    sizes = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))
    turns = canonical_turns(header)
    if turns is not None:
        sizes = sizes[np.argsort(turns[:, 0])]
    return {axis: float(size) * unit for axis, size in zip("XYZ", sizes, strict=True)}
