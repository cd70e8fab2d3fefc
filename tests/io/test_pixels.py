"""What every reader shares: types made plain, libraries kept quiet."""

import threading
import warnings

import numpy as np
import pytest

from pixelwise.errors import FileError
from pixelwise.io.pixels import plain_type, quiet_libraries


def test_types_are_made_plain():
    assert plain_type(np.array([True, False]), False).tolist() == [255, 0]
    assert plain_type(np.array([True, False]), True).tolist() == [1, 0]
    big_endian = plain_type(np.array([1, 500], dtype=">u2"), False)
    assert (big_endian.dtype, big_endian.tolist()) == (np.uint16, [1, 500])
    assert big_endian.dtype.isnative
    assert plain_type(np.array([0.5]), False).dtype == np.float32
    assert plain_type(np.array([0.5]), True).dtype == np.float64
    assert plain_type(np.array([1e300]), False).tolist() == [np.inf]
    for values in (np.zeros(2, complex), np.array(["a"]), np.zeros(2, "M8[s]")):
        with pytest.raises(FileError):
            plain_type(values, False)


def say(module: str) -> None:
    warnings.warn_explicit("noise", UserWarning, "file", 1, module=module)


@pytest.mark.parametrize("module", ["PIL.Image", "tifffile.tifffile", "zarr.core", "<unknown>"])
def test_libraries_are_quiet_and_others_are_not(module):
    with pytest.raises(UserWarning):  # warnings are errors in these tests
        say(module)
    with quiet_libraries():
        say(module)
        with pytest.raises(UserWarning):
            say("pixelwise.data")
    with pytest.raises(UserWarning):
        say(module)


def test_threads_do_not_undo_each_other():
    """The first thread leaves while the second decodes: the second stays quiet."""
    before = list(warnings.filters)
    entered, may_leave = threading.Event(), threading.Event()

    def decode() -> None:
        with quiet_libraries():
            entered.set()
            may_leave.wait(10)

    thread = threading.Thread(target=decode)
    thread.start()
    assert entered.wait(10)
    with quiet_libraries():
        may_leave.set()
        thread.join()
        say("PIL.Image")
    assert warnings.filters == before
