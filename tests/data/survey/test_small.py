"""Small versions: means that can be checked by hand."""

import numpy as np
import pytest

from pixelwise.data.survey.thumbnails import make_thumbnail, middle_plane, step_for, to_grey


def test_step_keeps_the_longest_side_small():
    assert [step_for(size) for size in ((256, 100), (257, 100), (100, 1000), (3, 4))] == [
        1,
        2,
        4,
        1,
    ]


def test_grey_is_the_mean_of_channels():
    image = np.array([[[0, 30, 60], [3, 3, 3]]], np.uint8)
    assert to_grey(image, 1).tolist() == [[30, 3]]


def test_grey_is_the_mean_of_blocks():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    assert to_grey(image, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert to_grey(np.zeros((9, 13, 3)), 4).shape == (2, 3)


def test_grey_counts_nan_as_nothing():
    image = np.array([[[np.nan], [np.inf], [7]]], np.float32)
    assert to_grey(image, 1).tolist() == [[0, 0, 7]]


@pytest.mark.parametrize("scale", [1, 0.25, 1000])
def test_a_thumbnail_is_free_of_brightness_and_contrast(scale):
    grey = np.random.default_rng(0).random((64, 96), np.float32)
    thumbnail = make_thumbnail(grey)
    assert thumbnail.shape == (32, 32)
    assert abs(thumbnail.mean()) < 0.1
    assert thumbnail.std() == pytest.approx(32, abs=0.5)
    np.testing.assert_allclose(make_thumbnail(grey * scale + 5 * scale), thumbnail, atol=1)


def test_a_thumbnail_is_free_of_size():
    grey = np.random.default_rng(0).random((32, 32), np.float32)
    large = np.kron(grey, np.ones((3, 5), np.float32))
    np.testing.assert_allclose(make_thumbnail(large), make_thumbnail(grey), atol=1)


def test_nothing_to_see_has_no_thumbnail():
    assert make_thumbnail(np.zeros((50, 50), np.float32)) is None
    assert make_thumbnail(np.full((50, 50), 200, np.float32)) is None


def test_middle_plane():
    volume = np.arange(3 * 2 * 2).reshape(3, 2, 2)
    assert middle_plane(volume).tolist() == volume[1].tolist()
    assert middle_plane(volume[0]).tolist() == volume[0].tolist()
    assert middle_plane(volume[..., np.newaxis], 1).shape == (2, 2, 1)
