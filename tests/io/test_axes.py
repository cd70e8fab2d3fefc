"""Axes: names decide; what has none is taken by its length and said, or refused."""

import numpy as np
import pytest

from pixelwise.errors import FileError
from pixelwise.io.axes import order_axes


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize(
    ("axes", "shape", "ordered", "spatial"),
    [
        ("YX", (4, 5), (4, 5), "YX"),
        ("YXS", (4, 5, 3), (4, 5, 3), "YX"),
        ("CYX", (3, 4, 5), (4, 5, 3), "YX"),
        ("XY", (5, 4), (4, 5), "YX"),
        ("YCX", (4, 3, 5), (4, 5, 3), "YX"),
        ("ZYX", (6, 4, 5), (6, 4, 5), "ZYX"),
        ("CZYX", (3, 6, 4, 5), (6, 4, 5, 3), "ZYX"),
        ("ZCYX", (6, 3, 4, 5), (6, 4, 5, 3), "ZYX"),
        ("ZYXS", (6, 4, 5, 3), (6, 4, 5, 3), "ZYX"),
        ("TZCYXS", (1, 1, 1, 4, 5, 1), (4, 5), "YX"),
        ("TZCYX", (1, 6, 2, 4, 5), (6, 4, 5, 2), "ZYX"),
        ("YX", (1, 5), (1, 5), "YX"),
        ("QYX", (1, 4, 5), (4, 5), "YX"),
    ],
)
def test_named_axes_are_brought_into_order_without_a_word(axes, shape, ordered, spatial):
    found = order_axes(numbers(*shape), axes)
    assert (found.values.shape, found.spatial_axes, found.note) == (ordered, spatial, "")
    assert sorted(found.values.ravel()) == list(range(np.prod(shape)))


def test_values_go_where_their_axis_goes():
    values = numbers(2, 6, 4, 5)  # C, Z, Y, X
    found = order_axes(values, "CZYX").values
    assert found[3, 2, 1, 0] == values[0, 3, 2, 1]
    assert found[3, 2, 1, 1] == values[1, 3, 2, 1]


@pytest.mark.parametrize(
    ("axes", "shape", "ordered", "said"),
    [
        ("QYX", (5, 40, 50), (40, 50, 5), "the first was taken for channels"),
        ("IYX", (8, 40, 50), (40, 50, 8), "the first was taken for channels"),
        ("QYX", (9, 40, 50), (9, 40, 50), "the first was taken for slices of a volume"),
        ("QYX", (31, 61, 57), (31, 61, 57), "the first was taken for slices of a volume"),
        ("QYX", (5, 12, 12), (5, 12, 12), "the first was taken for slices of a volume"),
        ("QYX", (40, 50, 5), (40, 50, 5), "the last was taken for channels"),
        ("YXQ", (4, 5, 3), (4, 5, 3), "the last was taken for channels"),
        ("IYXS", (9, 4, 5, 3), (9, 4, 5, 3), "the first was taken for slices of a volume"),
        ("QQQ", (40, 50, 3), (40, 50, 3), "the last was taken for channels"),
        ("QQQ", (3, 40, 50), (40, 50, 3), "the first was taken for channels"),
        ("QQQQ", (20, 40, 50, 2), (20, 40, 50, 2), "the last was taken for channels"),
        ("QQYX", (2, 20, 40, 50), (20, 40, 50, 2), "the first was taken for channels"),
    ],
)
def test_axes_without_a_name_are_taken_by_their_length_and_said(axes, shape, ordered, said):
    found = order_axes(numbers(*shape), axes)
    assert found.values.shape == ordered
    assert found.note == f"axes unnamed, shape {shape}: {said}"


@pytest.mark.parametrize("shape", [(40, 5, 50), (20, 30, 40, 50)])
def test_what_cannot_be_told_apart_is_refused(shape):
    with pytest.raises(FileError, match=r"without the names of its axes.*Save it as TIFF"):
        order_axes(numbers(*shape), "Q" * len(shape))


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TYX", (7, 4, 5), "7 moments: it is a film"),
        ("TZCYX", (2, 3, 4, 5, 6), "2 moments"),
        ("CYXS", (2, 4, 5, 3), "not those of one picture"),
        ("ZQYX", (2, 3, 4, 5), "not those of one picture"),
        ("AYX", (2, 4, 5), "not those of one picture"),
        ("ZX", (4, 5), "not those of one picture"),
        ("QQQQQ", (2, 3, 4, 5, 6), "not those of one picture"),
    ],
)
def test_films_and_other_axes_are_refused(axes, shape, message):
    with pytest.raises(FileError, match=message):
        order_axes(numbers(*shape), axes)
