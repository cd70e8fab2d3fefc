"""The fit of outlines and edges: squares whose best place is known."""

import numpy as np
import pytest

from pixelwise.data.survey.edges import TURNS, edge_strength, find_outlines, measure_fit
from pixelwise.doctor.check_objects import is_shifted, is_turned


def scene(size=(80, 120)):
    """A bright L and a bar on dark ground with noise, and its mask."""
    mask = np.zeros(size, np.uint8)
    mask[10:60, 20:30] = 1
    mask[50:60, 20:70] = 2
    mask[15:25, 80:110] = 3
    noise = np.random.default_rng(0).normal(0, 4, size)
    return ((mask > 0) * 100 + noise).astype(np.float32), mask


def test_outlines_are_both_sides_of_every_change():
    outlines = find_outlines(np.array([[5, 5, 5, 7], [5, 5, 5, 7], [5, 5, 5, 7]]))
    assert outlines.tolist() == [[False, False, True, True]] * 3


def test_edges_stand_out_where_brightness_changes():
    grey = np.zeros((40, 40), np.float32)
    grey[:, 20:] = 50
    edges = edge_strength(grey)
    assert (edges[:, 19:21] > 0).all()
    assert (edges[:, :18] <= 0).all()


def test_a_mask_in_its_place():
    grey, mask = scene()
    fit = measure_fit(grey, mask)
    assert fit.shift == (0, 0)
    assert fit.here == pytest.approx(fit.there, rel=1e-3)
    assert fit.here > 10
    assert not is_shifted(fit)
    assert not is_turned(fit)


@pytest.mark.parametrize("shift", [(5, 0), (-6, 8), (0, -13)])
def test_a_shifted_mask_gives_the_way_back(shift):
    grey, mask = scene()
    fit = measure_fit(grey, np.roll(mask, shift, (0, 1)))
    assert fit.shift == (-shift[0], -shift[1])
    assert is_shifted(fit)


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("size", [(80, 120), (120, 120)])
def test_every_turn_is_found(name, size):
    grey, mask = scene(size)
    undo = {"left": "right", "right": "left"}
    word = name.rpartition(" ")[2]
    other = name.replace(word, undo[word]) if "90" in name else name
    fit = measure_fit(grey, TURNS[other](mask))
    assert fit.turn == name
    assert fit.turned > 10


def test_large_images_are_measured_small():
    grey, mask = scene()
    large = np.kron(mask, np.ones((8, 8), np.uint8))  # 640 x 960: every 4th pixel is kept
    fit = measure_fit(np.kron(grey, np.ones((2, 2), np.float32)), np.roll(large, 40, 1))
    assert fit.shift == (0, -40)


def test_nothing_to_measure():
    grey, mask = scene()
    assert measure_fit(grey, np.zeros_like(mask)) is None
    assert measure_fit(np.zeros_like(grey), mask) is None
    assert measure_fit(grey, np.arange(mask.size).reshape(mask.shape)) is None
    assert measure_fit(grey, mask[:50]) is None
    assert measure_fit(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.uint8)) is None


def test_outlines_without_edges_are_not_called_shifted():
    """Noise has a best place too, but no clear one."""
    random = np.random.default_rng(1)
    for _ in range(20):
        fit = measure_fit(
            random.normal(size=(64, 64)).astype(np.float32), scene((64, 128))[1][:, :64]
        )
        assert not is_shifted(fit)
        assert not is_turned(fit)
