"""Memory of training: kept between steps on a CPU, and how much of it was needed."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
LARGEST = 32 * 2**20  # bytes of a block that is kept: the most that glibc lets one say
EVERYTHING = 2**31 - 1
KEEPING = {
    M_MMAP_THRESHOLD: LARGEST,
    M_TRIM_THRESHOLD: EVERYTHING,
    M_TOP_PAD: 2 * LARGEST,
}
USUAL = {  # where glibc arrives by itself in a program with large arrays
    M_MMAP_THRESHOLD: LARGEST,
    M_TRIM_THRESHOLD: 2 * LARGEST,
    M_TOP_PAD: 128 * 2**10,
}


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the process keep memory that is freed, to be used again; give it back in the end.

    Each step frees as much as it allocates. glibc returns much of it to the system, which then
    clears every page again: a training step takes 5 to 20 % longer (docs/log.md). Blocks above
    32 MB are returned as ever, since holes of that size would add up. Where the C library is
    another one, nothing is changed.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        yield
        return
    for option, value in KEEPING.items():
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


def _glibc(name: str) -> "ctypes._FuncPointer | None":
    """A function of glibc, or None where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
