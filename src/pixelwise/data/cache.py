"""Decoded arrays on disk, mapped into memory: for samples that memory has no room for.

    <folder>/<key>.npy    one array, then four bytes: the CRC-32 of all that stands before them

A key holds what the array was made from: paths, sizes and times of the files and how they were
read. A file that changes gets another key; the array under the old one is removed when room is
needed. Every process may read and write at once: files appear whole, or not at all.
"""

import hashlib
import io
import os
import shutil
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import PixelwiseWarning
from pixelwise.io import make_folder, write_bytes

FORMAT_VERSION = 1  # of keys and files; another one finds nothing of the earlier
MAX_DISK_SHARE = 0.2  # of the space that is free or the cache's own
MIN_FREE = 2**30  # bytes that are left free on the disk
CHECKSUM_BYTES = 4
CHUNK = 2**20  # bytes read at once
OLD_TEMPORARY = 3600.0  # seconds after which a part file is one that an interruption left


class ArrayCache:
    """A folder of arrays; from any number of threads.

    Arrays that this process has used are never removed by it: a set that does not fit is kept in
    part, and the rest is made again each time, which is faster than replacing one by the other.

    Args:
        folder: made when the first array is kept.
        max_bytes: that the files may take; None for a fifth of the free disk.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._used: set[str] = set()  # names of files that were found whole
        self._stored: dict[str, int] | None = None  # bytes of all files, the oldest first
        self._taken = 0  # bytes of all files
        self._is_off = False

    def get_or_make(self, key: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of a key, mapped and read-only; made, and kept where there is room, if absent.

        Args:
            key: as `make_key` gives it.
            make: makes the array; its errors are passed on.

        Returns:
            The array as it was made: same shape, type and values.
        """
        kept = self._get(key)
        if kept is not None:
            return kept
        array = make()
        if self._is_off:
            return array
        try:
            self._put(key, array)
        except OSError as error:
            self._turn_off(str(error))
            return array
        kept = self._get(key)
        return array if kept is None else kept

    def _get(self, key: str) -> NDArray[Any] | None:
        """The array that is kept, or None; a damaged file is removed."""
        path = self._path(key)
        try:
            if path.name not in self._used:
                if not _is_whole(path):
                    path.unlink()
                    return None
                with suppress(OSError):  # a folder to read only is fine
                    os.utime(path)  # the oldest are removed first
                self._used.add(path.name)
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError):  # absent, or no array after all
            self._used.discard(path.name)
            return None

    def _put(self, key: str, array: NDArray[Any]) -> None:
        """Write an array; OSError where it cannot be written or there is no room for it."""
        make_folder(self.folder)
        file = io.BytesIO()
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.write(zlib.crc32(file.getbuffer()).to_bytes(CHECKSUM_BYTES, "little"))
        path = self._path(key)
        with self._lock:
            self._make_room(path.name, file.tell())
        write_bytes(path, file.getvalue())

    def _make_room(self, new: str, num_bytes: int) -> None:
        """Enter a file, after removing the oldest ones until it fits; OSError where it does not."""
        if self._stored is None:
            self._stored = {path.name: size for path, size in _list_files(self.folder)}
            self._taken = sum(self._stored.values())
        self._taken -= self._stored.pop(new, 0)
        while not self._has_room(num_bytes):
            oldest = next((name for name in self._stored if name not in self._used), None)
            if oldest is None:
                raise OSError(f"{self.folder} has no room left. Free some disk space.")
            with suppress(OSError):  # another process removed it, or has it open (Windows)
                (self.folder / oldest).unlink()
            self._taken -= self._stored.pop(oldest)
        self._stored[new] = num_bytes
        self._taken += num_bytes
        self._used.add(new)  # before it is written, so that no other thread removes it

    def _has_room(self, num_bytes: int) -> bool:
        free = shutil.disk_usage(self.folder).free
        share = int(MAX_DISK_SHARE * (free + self._taken))
        limit = share if self._max_bytes is None else self._max_bytes
        return self._taken + num_bytes <= limit and free - num_bytes >= MIN_FREE

    def _turn_off(self, reason: str) -> None:
        """Keep nothing more, and say so once."""
        with self._lock:
            is_first, self._is_off = not self._is_off, True
        if is_first:
            warnings.warn(
                f"decoded images are not kept on disk: {reason} Those beyond the memory limit are "
                "decoded at each use, which takes longer; PIXELWISE_CACHE names another folder.",
                PixelwiseWarning,
                stacklevel=2,
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npy"


@lru_cache(maxsize=4)
def cache_at(folder: Path) -> ArrayCache:
    """The cache of this process in a folder: one, so that room and warnings are counted once."""
    return ArrayCache(folder)


def default_folder() -> Path:
    """Where arrays are kept: PIXELWISE_CACHE, else pixelwise/samples in the user's cache folder."""
    chosen = os.environ.get("PIXELWISE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pixelwise" / "samples"


def make_key(paths: Iterable[Path], how: object) -> str:
    """A key from files, by their place, size and time of change, and from how they are read.

    Args:
        paths: files, or folders that stand for all files in them.
        how: everything else that the array depends on: arrays, tuples and dataclasses of them, and
            whatever has a `repr` that says it all; paths are left out.

    Raises:
        OSError: a file is not there.
    """
    digest = hashlib.blake2b(_version().encode(), digest_size=20)
    for path in paths:
        for file in _files_in(path.resolve()):
            facts = file.stat()
            line = f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    for part in _parts_of(how):
        digest.update(f"{len(part)}\n".encode() + part)
    return digest.hexdigest()


def _parts_of(value: object) -> Iterator[bytes]:
    """What a value holds, as bytes that are equal for equal values alone."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, Path):
        yield b"path"  # the files themselves are in the key already
    elif is_dataclass(value):
        yield type(value).__name__.encode()
        for entry in fields(value):
            yield from _parts_of(getattr(value, entry.name))
    elif isinstance(value, tuple):
        yield f"tuple of {len(value)}".encode()
        for item in value:
            yield from _parts_of(item)
    else:
        yield repr(value).encode("utf-8", "surrogateescape")


@lru_cache
def _version() -> str:
    """Of what makes the arrays: another version may decode in another way."""
    with suppress(PackageNotFoundError):
        return f"{FORMAT_VERSION} {version('pixelwise')}\n"
    return f"{FORMAT_VERSION}\n"


def _files_in(path: Path) -> Iterator[Path]:
    """The file itself; for a folder (Zarr) all files in it and below it, sorted."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(inside for inside in path.rglob("*") if inside.is_file())


def _list_files(folder: Path) -> list[tuple[Path, int]]:
    """Files of a cache with their bytes, the oldest first; what interruptions left is removed."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):  # another process removed it
            facts = path.stat()
            if path.suffix == ".npy":
                found.append((facts.st_mtime_ns, path, facts.st_size))
            elif path.suffix == ".tmp" and time.time() - facts.st_mtime > OLD_TEMPORARY:
                path.unlink()
    return [(path, size) for _, path, size in sorted(found)]


def _is_whole(path: Path) -> bool:
    """Whether a file ends with the checksum of what is before it; OSError where it is absent."""
    checksum, held = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            data = held + chunk
            checksum = zlib.crc32(data[:-CHECKSUM_BYTES], checksum)
            held = data[-CHECKSUM_BYTES:]
    return len(held) == CHECKSUM_BYTES and int.from_bytes(held, "little") == checksum
