"""Centres of crops on the foreground: every class in turn, every pixel, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from pixelwise.training import centres as centres_module
from pixelwise.training.centres import Centres


def blocks(num_classes, size=(64, 64), side=8, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, num_classes, [length // side for length in size])
    return coarse.repeat(side, 0).repeat(side, 1).astype(np.uint8)


def make(num_samples=1, background=True, dims=2, seed=0):
    return Centres(num_samples, dims, background=background, seed=seed)


def draw(centres, mask, number=1, index=0, seed=0):
    random = np.random.default_rng(seed)
    return [centres.draw(index, mask, random) for _ in range(number)]


@pytest.fixture(params=["remembered", "looked for"])
def num_samples(request):
    """So few that centres are remembered, and so many that they are not."""
    return 1 if request.param == "remembered" else centres_module.MAX_REMEMBERED


def test_classes_are_drawn_alike_and_pixels_of_each_too(num_samples):
    mask = np.zeros((20, 20), np.uint8)
    mask[2, 3] = 1
    mask[10:12, 5:7] = 2
    mask[15:] = 255
    found = draw(make(num_samples), mask, 2000)
    times = {place: found.count(place) for place in set(found)}
    assert set(times) == {(2, 3), (10, 5), (10, 6), (11, 5), (11, 6)}
    assert abs(times[2, 3] - 1000) < 120
    assert all(abs(times[place] - 250) < 80 for place in times if place != (2, 3))


def test_a_mask_without_foreground_has_none(num_samples):
    for value in (0, 255):
        assert draw(make(num_samples), np.full((9, 9), value, np.uint8)) == [None]
    zeros = np.zeros((9, 9), np.uint8)
    assert draw(make(num_samples, background=False), zeros)[0] is not None


def test_planes_of_classes_that_overlap(num_samples):
    mask = np.zeros((3, 10, 12), bool)
    mask[0, 4, 5] = mask[2, 4, 5] = mask[2, 6, 7] = True
    found = draw(make(num_samples), mask, 400)
    assert set(found) == {(4, 5), (6, 7)}
    assert abs(found.count((6, 7)) - 100) < 40  # half of the times of one of two classes


def test_volumes(num_samples):
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 2, 3] = 7
    assert draw(make(num_samples, dims=3), mask) == [(1, 2, 3)]


def test_masks_are_looked_at_in_parts(num_samples, monkeypatch):
    mask = blocks(5)
    whole = draw(make(num_samples), mask, 50)
    monkeypatch.setattr(centres_module, "CHUNK_PIXELS", 700)
    assert draw(make(num_samples), mask, 50) == whole


def test_which_are_remembered_does_not_depend_on_who_asks_first(monkeypatch):
    monkeypatch.setattr(centres_module, "MAX_CENTRES", 5)
    masks = [blocks(4, seed=seed) for seed in range(3)]
    one, other = make(3), make(3)
    there = [draw(one, masks[i], 9, i) for i in (0, 1, 2)]
    back = [draw(other, masks[i], 9, i) for i in (2, 1, 0)]
    assert there == back[::-1]
    assert there != [draw(make(3, seed=1), masks[i], 9, i) for i in (0, 1, 2)]


def test_memory_is_bounded_whatever_the_number_of_samples_and_classes(monkeypatch):
    """200 samples of 19 classes have room for 50 pixels of each; more are not remembered."""
    monkeypatch.setattr(centres_module, "MAX_REMEMBERED", 200 * 19 * 50)
    monkeypatch.setattr(centres_module, "MIN_CENTRES", 40)
    mask = np.arange(20, dtype=np.uint8).repeat(200).reshape(50, 80)
    for number, expected in ((200, 200 * 19 * 50 * 4), (2000, 0)):
        centres = make(number)
        for index in range(number):
            assert draw(centres, mask, 1, index) != [None]
        assert centres.num_bytes == expected
    assert centres_module.MAX_REMEMBERED == 190_000


def test_many_classes_of_one_large_mask_take_no_planes():
    mask = blocks(40, (2000, 2000), 100)  # 4 MB
    centres = make()
    tracemalloc.start()
    draw(centres, mask, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # bytes; 40 planes have 160 million
