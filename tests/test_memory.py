"""Memory of training: kept while it runs, given back, and measured."""

import math
import resource
import subprocess
import sys

import pytest
import torch

from pixelwise.memory import is_out_of_memory, keeping_freed_memory, peak_megabytes

CPU = torch.device("cpu")
is_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc alone")


def resident():
    """Megabytes of this process now, without the files that it has mapped, such as libraries."""
    with open("/proc/self/statm") as file:
        _, all_pages, of_files, *_ = map(int, file.read().split())
    return (all_pages - of_files) * resource.getpagesize() / 2**20


def use_and_free(megabytes, blocks=1, times=1):
    """Write to tensors and drop them; return how many megabytes more the process has then."""
    before = resident()
    for _ in range(times):
        _tensors = [torch.ones(megabytes * 2**20, dtype=torch.uint8) for _ in range(blocks)]
        del _tensors
    return resident() - before


def measure():
    """Megabytes more: after a large block, after six small ones, after these 50 times; and then.

    The large one comes first, since it would fill a hole that small ones leave. Then the same of
    large blocks that are to be kept: after one, after 20 times, and then.
    """
    before = resident()
    with keeping_freed_memory():
        large = use_and_free(200)
        small = use_and_free(25, blocks=6)
        again = use_and_free(25, blocks=6, times=50)
    afterwards = resident() - before
    with keeping_freed_memory(large=True):
        kept = use_and_free(200)
        kept_again = kept + use_and_free(200, times=20)
    return large, small, again, afterwards, kept, kept_again, resident() - before


@pytest.fixture(scope="module")
def measured():
    """In a process of its own: here other tests may have left holes of these sizes to fill."""
    told = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True)
    return [float(number) for number in told.stdout.split()]


@is_linux
def test_what_is_freed_is_kept_meanwhile_and_given_back_afterwards(measured):
    _, small, again, afterwards, *_ = measured
    assert 140 < small < 250
    assert again < 250  # holes are filled again
    assert afterwards < 15


@is_linux
def test_large_blocks_are_given_back_at_once(measured):
    assert measured[0] < 15


@is_linux
def test_large_blocks_can_be_kept_too(measured):
    *_, kept, kept_again, afterwards = measured
    assert 190 < kept < 300
    assert kept_again < 500  # a small block beside a hole can leave it too small once, not 20 times
    assert afterwards < 15


@is_linux
def test_it_is_given_back_after_an_error_too():
    before = resident()
    with pytest.raises(ZeroDivisionError), keeping_freed_memory():
        use_and_free(30)
        1 / 0  # noqa: B018
    assert resident() < before + 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_torch_says_in_several_ways_that_memory_is_short(text, expected):
    assert is_out_of_memory(RuntimeError(text)) is expected


def test_this_torch_says_it_so():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_memory_is_that_of_the_process():
    megabytes = peak_megabytes(CPU)
    if megabytes is None:
        pytest.skip("this system does not say how much memory a process had")
    assert 50 < megabytes < 1e6
    assert math.isfinite(megabytes)


if __name__ == "__main__":
    print(*measure())
