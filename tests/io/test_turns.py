"""EXIF turns, against those of Pillow."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixelwise.io.turns import known_orientation, swaps_sides, turn, turn_back


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_are_those_of_pillow(orientation):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    picture = Image.fromarray(values)
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(turn(values, orientation), expected)
    assert swaps_sides(orientation) == (expected.shape == (3, 2))


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_numbers_that_mean_nothing_turn_nothing(orientation):
    values = np.arange(6).reshape(2, 3)
    assert turn(values, orientation) is not None
    np.testing.assert_array_equal(turn(values, orientation), values)


@pytest.mark.parametrize("orientation", range(9))
def test_turning_back_gives_what_was_stored(orientation):
    values = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(turn_back(turn(values, orientation), orientation), values)


def test_numbers_that_mean_nothing_are_upright():
    assert [known_orientation(number) for number in (0, 1, 2, 8, 9)] == [1, 1, 2, 8, 1]
