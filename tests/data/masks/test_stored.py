"""What mask files store: numbers, colours or planes."""

from pathlib import Path

import numpy as np
import pytest

from pixelwise.data.masks.stored import StoredMask, to_stored
from pixelwise.errors import MaskError

PATH = Path("a.png")
SHAPE = np.array([[0, 1], [1, 0]], np.uint8)


def stack(*channels):
    return np.stack(channels, axis=-1).astype(np.uint8)


def stored(values):
    mask = to_stored(values, PATH)
    return mask.form, mask.values.tolist()


def test_grey_loses_its_copies():
    for values in (SHAPE, SHAPE[..., None], stack(SHAPE, SHAPE, SHAPE)):
        assert stored(values) == ("numbers", SHAPE.tolist())
    assert stored(stack(SHAPE, SHAPE, SHAPE, SHAPE * 0 + 255)) == ("numbers", SHAPE.tolist())
    assert stored(SHAPE.astype(bool)) == ("numbers", SHAPE.tolist())
    assert stored(SHAPE.astype(np.float64)) == ("numbers", SHAPE.tolist())


def test_colours_are_packed_and_transparent_ones_are_nothing():
    red = stack(SHAPE * 255, SHAPE * 0, SHAPE * 0)
    assert stored(red) == ("colors", [[0, 0xFF0000], [0xFF0000, 0]])
    on_nothing = np.dstack([red * 0 + (255, 0, 0), SHAPE * 255]).astype(np.uint8)
    assert stored(on_nothing) == ("colors", [[0, 0xFF0000], [0xFF0000, 0]])


def test_black_and_white_drawn_on_nothing_are_what_alpha_says():
    for tone in (0, 255):
        drawn = stack(*[SHAPE * 0 + tone] * 3, SHAPE * 255)
        assert stored(drawn) == ("numbers", (SHAPE * 255).tolist())


@pytest.mark.parametrize("num_planes", [2, 4, 5])
@pytest.mark.parametrize("top", [1, 255])
def test_planes_with_at_most_one_set_are_planes(num_planes, top):
    planes = np.zeros((2, 2, num_planes), np.uint8)
    planes[0, 0, 0] = planes[1, 1, 1] = top
    form, values = stored(planes)
    assert form == "layers"
    assert values == (planes > 0).tolist()


def test_planes_of_ones_that_overlap_are_planes_and_counted():
    mask = to_stored(stack(SHAPE, SHAPE, SHAPE * 0, SHAPE), PATH)
    assert (mask.form, mask.num_overlap, mask.size) == ("layers", 2, (2, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0.5, 0]]), "fractions such as 0.5"),
        (np.array([[np.nan, 0]]), "NaN or infinite"),
        (stack(*[SHAPE * 9] * 3, [[0, 80], [160, 255]]), "alpha channel of 4 values"),
        (stack(SHAPE, SHAPE * 2, SHAPE * 3, SHAPE * 4, SHAPE * 5), "5 channels that differ"),
    ],
)
def test_what_is_no_mask_is_refused_with_the_file(values, message):
    with pytest.raises(MaskError, match=message) as caught:
        to_stored(values, PATH)
    assert str(caught.value).startswith("a.png")


def test_the_size_leaves_out_the_planes():
    assert StoredMask(np.zeros((4, 5, 3), bool), "layers").size == (4, 5)
    assert StoredMask(np.zeros((2, 4, 5), np.uint8)).size == (2, 4, 5)
