"""One thumbnail is laid upon another: by known moves, and where there is nothing to see."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pixelwise.data.survey.align import align, move, smooth


def scenes(number, side=32):
    """(N, side, side) soft random pictures of mean 0 and standard deviation 32."""
    random = np.random.default_rng(0)
    pictures = gaussian_filter(random.normal(size=(number, side, side)), (0, 2, 2))
    return (32 * pictures / pictures.std(axis=(1, 2), keepdims=True)).astype(np.float32)


def correlation(one, other):
    return [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, other, strict=True)]


def test_a_move_by_whole_pixels_is_a_slice():
    picture = scenes(1)
    moved = move(picture, np.array([[1, 0, -1, 0]], np.float32))
    assert np.array_equal(moved[0, :-1, 1:], picture[0, 1:, :-1])


def test_a_stretch_moves_the_edges_and_keeps_the_middle():
    ramp = np.broadcast_to(np.arange(5, dtype=np.float32), (1, 5, 5))
    moved = move(ramp, np.array([[0, 0, 0, -1]], np.float32))
    assert moved[0, 0].tolist() == [1, 1.5, 2, 2.5, 3]


def test_smoothing_keeps_what_is_even_and_spreads_a_point():
    point = np.zeros((1, 5, 5), np.float32)
    point[0, 2, 2] = 16
    assert smooth(point)[0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert (smooth(np.ones((1, 4, 4), np.float32)) == 1).all()


@pytest.mark.parametrize("moves", [(0.6, 0, -0.4, 0), (0, -0.9, 0, -0.9), (-0.5, 0.4, 0.3, -0.6)])
def test_moved_pictures_are_found_again(moves):
    pictures = scenes(20)
    moved = move(pictures, np.tile(np.float32(moves), (20, 1)))
    assert min(correlation(*align(pictures, moved))) > 0.99
    edge = slice(2, -2)
    assert np.median(correlation(pictures[:, edge, edge], moved[:, edge, edge])) < 0.98


def test_brightness_and_contrast_do_not_matter():
    pictures = scenes(20)
    moved = 0.5 * move(pictures, np.tile(np.float32([0.5, 0, 0, -0.5]), (20, 1))) + 9
    assert min(correlation(*align(pictures, moved))) > 0.99


def test_other_pictures_stay_other_pictures():
    pictures = scenes(20)
    assert max(correlation(*align(pictures, np.roll(pictures, 1, axis=0)))) < 0.8


def test_flat_pictures_are_left_as_they_are():
    flat = np.zeros((2, 32, 32), np.float32)
    one, other = align(flat, flat)
    assert one.shape == other.shape == (2, 28, 28)
    assert not one.any()
