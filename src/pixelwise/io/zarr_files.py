"""Read Zarr folders: OME-Zarr (NGFF) images of Zarr version 2 and 3, and plain arrays.

    cells.ome.zarr/        group; "multiscales" names the axes and the levels, the finest first
        0/                 array of the first level
        1/                 half the size, not read

The metadata are looked at before the zarr library is: sizes, number types, and codecs by a list,
since one of them (pickle) would run code. Needs zarr.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import FileError
from pixelwise.io.axes import order_axes
from pixelwise.io.claims import check_claim
from pixelwise.io.extras import import_extra
from pixelwise.io.pixels import Pixels, plain_type
from pixelwise.io.spacing import spacing_of, unit_to_um

METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
MAX_METADATA_BYTES = 2**24
AXIS_LETTERS = {
    "t": "T", "time": "T", "c": "C", "channel": "C", "z": "Z", "depth": "Z", "y": "Y", "row": "Y",
    "x": "X", "column": "X",
}  # fmt: skip
AXES_BEFORE_NAMES = "TCZYX"  # NGFF 0.1 and 0.2
CODECS = {
    "blosc", "zstd", "zlib", "gzip", "bz2", "lzma", "lz4", "delta", "shuffle", "bitround",
    "fixedscaleoffset", "quantize", "packbits", "bytes", "transpose", "crc32c", "sharding_indexed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Level:
    """The finest level of an image: its array, the letters of its axes, and their spacing."""

    path: Path
    axes: str  # "" where they have no names
    sizes_um: Mapping[str, float | None]


def is_zarr_folder(path: Path) -> bool:
    """Whether a folder holds the metadata of Zarr, or has its name."""
    return path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in METADATA)


def read_zarr(path: Path, as_mask: bool = False) -> Pixels:
    """Read the finest level of an OME-Zarr image, or a plain array.

    Args:
        path: path of the folder.
        as_mask: keep the numbers as stored.

    Raises:
        FileError: no image, a film, absurd sizes, or codecs that are not known to be safe.
        MissingExtraError: zarr is not installed.
    """
    level, array, num_bytes = _open(path)
    axes = level.axes or "Q" * array.ndim
    ordered = order_axes(np.asarray(array[...]), axes)
    return Pixels(
        plain_type(ordered.values, as_mask),
        num_bytes,
        f"Zarr {ordered.note}" if ordered.note else "",
        spatial_dims=len(ordered.spatial_axes),
        spacing_um=spacing_of(ordered.spatial_axes, level.sizes_um),
    )


def spacing_of_zarr(path: Path) -> tuple[float, ...] | None:
    """Physical size of a pixel along each spatial axis, micrometres; FileError: no image."""
    level = _find_level(path)
    axes = "".join(axis for axis in level.axes if axis in "ZYX")
    return spacing_of(axes, level.sizes_um) or None  # a plain array names no axes


def open_level(path: Path) -> tuple[Any, str]:
    """The zarr array of the finest level, to be read in parts, and the letters of its axes.

    Raises:
        FileError, MissingExtraError: as for `read_zarr`.
    """
    level, array, _ = _open(path, in_parts=True)
    return array, level.axes


def _open(path: Path, *, in_parts: bool = False) -> tuple[Level, Any, int]:
    """The finest level, its zarr array, and the bytes of its files; see `read_zarr`."""
    level = _find_level(path)
    metadata = _array_metadata(level.path)
    num_bytes = sum(file.stat().st_size for file in level.path.rglob("*") if file.is_file())
    shape = _check_array(metadata, num_bytes, in_parts=in_parts)
    if level.axes and len(level.axes) != len(shape):
        raise FileError(
            f"its shape {shape} does not go with its axes {level.axes}. Export it again."
        )
    zarr = import_extra("zarr", "volumes", "Zarr images")
    array = zarr.open_array(
        store=str(level.path), mode="r", zarr_format=int(metadata["zarr_format"])
    )
    return level, array, num_bytes


def _find_level(path: Path) -> Level:
    """The array that a folder stands for."""
    attributes = _attributes(path)
    multiscales = attributes.get("multiscales")
    if multiscales:
        return _finest(path, multiscales[0])
    if attributes.get("bioformats2raw.layout") and not (path / "1").exists():
        return _find_level(path / "0")
    if (path / ".zarray").is_file() or _read_json(path / "zarr.json").get("node_type") == "array":
        return Level(path, _plain_axes(path, attributes), {})
    kind = "is a plate of many images" if "plate" in attributes else "holds no image"
    raise FileError(
        f"it {kind}: its metadata name no multiscales. Give the folder of one image inside it."
    )


def _finest(path: Path, image: Mapping[str, Any]) -> Level:
    first = image["datasets"][0]
    place = str(first["path"])
    if ".." in place.split("/") or place.startswith("/"):
        raise FileError(f"its metadata name a level outside of it ({place}). Export it again.")
    named = image.get("axes", list(AXES_BEFORE_NAMES.lower()))
    entries = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in named]
    axes = "".join(_letter(str(entry.get("type") or ""), str(entry["name"])) for entry in entries)
    scale = np.ones(len(axes))
    for holder in (first, image):
        for step in holder.get("coordinateTransformations", []):
            if step.get("type") == "scale":
                scale = scale * np.asarray(step["scale"], dtype=np.float64)
    units = [unit_to_um(entry.get("unit")) for entry in entries]
    sizes = {a: None if u is None else s * u for a, s, u in zip(axes, scale, units, strict=True)}
    return Level(path / place, axes, sizes)


def _letter(kind: str, name: str) -> str:
    """Letter of an axis, by its type where that says it; "?" of one that is unknown."""
    return {"channel": "C", "time": "T"}.get(kind) or AXIS_LETTERS.get(name.lower(), "?")


def _plain_axes(path: Path, attributes: Mapping[str, Any]) -> str:
    """Letters of a plain array's axes, where it names them all in a way that is known."""
    names = _read_json(path / "zarr.json").get("dimension_names") or attributes.get(
        "_ARRAY_DIMENSIONS", []
    )
    letters = "".join(_letter("", str(name)) for name in names)
    return "" if "?" in letters else letters


def _attributes(path: Path) -> dict[str, Any]:
    """User attributes of a group or array; those of NGFF 0.5 lie in "ome"."""
    if (path / "zarr.json").is_file():
        attributes: dict[str, Any] = _read_json(path / "zarr.json").get("attributes", {})
        ome: dict[str, Any] = attributes.get("ome", {})
        return attributes | ome
    return _read_json(path / ".zattrs")


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty where the file does not exist."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_METADATA_BYTES:
        raise FileError(f"its {path.name} is too large to be metadata. Export it again.")
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def _array_metadata(path: Path) -> dict[str, Any]:
    """What zarr.json or .zarray say; version 3 in the words of version 2."""
    content = _read_json(path / "zarr.json")
    if content.get("node_type") == "array":
        chunks = content["chunk_grid"]["configuration"]["chunk_shape"]
        return content | {"chunks": chunks, "dtype": content["data_type"]}
    content = _read_json(path / ".zarray")
    if not content:
        raise FileError(f"its level {path.name} is missing. Copy it again from its source.")
    return content


def _check_array(metadata: Mapping[str, Any], num_bytes: int, *, in_parts: bool) -> tuple[int, ...]:
    """The shape, after sizes, number type and codecs were found harmless."""
    if not isinstance(metadata["dtype"], str) or "O" in metadata["dtype"]:
        raise FileError(f"it holds values of type {metadata['dtype']}. Save numbers.")
    dtype = np.dtype(metadata["dtype"])
    if dtype.kind not in "biufc":
        raise FileError(f"it holds values of type {dtype}. Save numbers.")
    shape = tuple(int(length) for length in metadata["shape"])
    check_claim(shape, dtype.itemsize, num_bytes, in_parts=in_parts)
    for chunk in (metadata["chunks"], *_shards_of(metadata)):
        check_claim([int(length) for length in chunk], dtype.itemsize, num_bytes)
    if unknown := sorted(set(_codecs_of(metadata)) - CODECS):
        raise FileError(
            f"it is packed with {', '.join(unknown)}, which is not read. Export it with zstd or "
            "blosc."
        )
    return shape


def _codecs_of(metadata: Mapping[str, Any]) -> list[str]:
    """Names of all filters, compressors and codecs, also of those inside shards."""
    entries: Sequence[Mapping[str, Any]] = [
        *(metadata.get("filters") or []),
        *([metadata["compressor"]] if metadata.get("compressor") else []),
        *(metadata.get("codecs") or []),
    ]
    names = [
        str(entry.get("id") or entry.get("name")).removeprefix("numcodecs.") for entry in entries
    ]
    inside = [entry.get("configuration", {}) for entry in entries if isinstance(entry, Mapping)]
    nested = [{"codecs": [*c.get("codecs", []), *c.get("index_codecs", [])]} for c in inside]
    for one in nested:
        names += _codecs_of(one) if one["codecs"] else []
    return names


def _shards_of(metadata: Mapping[str, Any]) -> list[Sequence[int]]:
    """Shapes of the chunks inside shards, at any depth."""
    shapes: list[Sequence[int]] = []
    for entry in metadata.get("codecs") or []:
        inside = entry.get("configuration", {}) if isinstance(entry, Mapping) else {}
        shapes += [inside["chunk_shape"]] if "chunk_shape" in inside else []
        shapes += _shards_of(inside)
    return shapes
