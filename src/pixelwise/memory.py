"""Memory of this process: freed and kept, used, free, asked for, and when there is too little."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pixelwise.errors import PlanError

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4  # of glibc's malloc.h
LARGEST = 32 * 2**20  # bytes of a block that is kept: the most that glibc lets one say
EVERYTHING = 2**31 - 1
KEEPING = {
    M_MMAP_THRESHOLD: LARGEST,
    M_TRIM_THRESHOLD: EVERYTHING,
    M_TOP_PAD: 2 * LARGEST,
}
KEEPING_LARGE = KEEPING | {M_MMAP_MAX: 0}  # no block is asked of the system by itself
USUAL = {  # where glibc arrives by itself in a program with large arrays
    M_MMAP_THRESHOLD: LARGEST,
    M_TRIM_THRESHOLD: 2 * LARGEST,
    M_TOP_PAD: 128 * 2**10,
    M_MMAP_MAX: 2**16,
}

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


@contextmanager
def keeping_freed_memory(*, large: bool = False) -> Iterator[None]:
    """Let the process keep memory that is freed, to be used again; give it back in the end.

    Each step frees as much as it allocates. glibc returns much of it to the system, which then
    clears every page again: a training step takes 5 to 20 % longer, a prediction up to 25 %
    (docs/log.md). Where the C library is another one, nothing is changed.

    Args:
        large: blocks above 32 MB, too. Steps ask for the same ones again and again; images of all
            sizes leave holes between them, which add up.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        yield
        return
    for option, value in (KEEPING_LARGE if large else KEEPING).items():
        mallopt(option, value)
    try:
        yield
    finally:
        for option, value in USUAL.items():
            mallopt(option, value)
        trim = _glibc("malloc_trim")
        assert trim is not None
        trim(0)


def peak_megabytes(device: torch.device) -> float | None:
    """The most memory so far: of tensors on a GPU, of this process on a CPU; None where unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory does not suffice, of a GPU or of the machine."""
    said = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(
        words in said for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def parse_memory(text: str | int) -> int:
    """Return a memory in bytes.

    >>> parse_memory("2GB"), parse_memory("512 MiB")
    (2000000000, 536870912)

    Args:
        text: a number with B, KB, MB, GB, TB, or KiB to TiB; or a number of bytes.

    Raises:
        PlanError: it is no such text.
    """
    if isinstance(text, int) and text > 0:
        return text
    plain = str(text).replace(" ", "").upper()
    number = plain.rstrip("KMGTIB")
    unit = plain[len(number) :]
    try:
        found = float(number) * UNITS[unit]
    except (KeyError, ValueError, OverflowError) as error:
        raise PlanError(
            f"{text!r} is no amount of memory. Give a number with its unit, such as 2GB or 512MB."
        ) from error
    if not 1 <= found < 2**60:
        raise PlanError(f"{text!r} is no sensible amount of memory. Give, for example, 2GB.")
    return int(found)


def used_memory() -> int:
    """Bytes of this process now; a guess where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 400 * 2**20


def free_memory() -> int | None:
    """Bytes that other programs leave; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = next(line for line in lines if line.startswith("MemAvailable"))
        free = int(found.split()[1]) * 2**10
    except (OSError, ValueError, StopIteration):
        return None
    limit = _container_limit()
    return free if limit is None else min(free, limit)


def _container_limit() -> int | None:
    """What a container leaves; None where there is no limit."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        return None if limit == "max" else max(0, int(limit) - used)
    except (OSError, ValueError):
        return None


def _glibc(name: str) -> "ctypes._FuncPointer | None":
    """A function of glibc, or None where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
