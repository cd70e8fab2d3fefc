"""Scores that say that something is broken: who is missed is named, and what to try."""

import numpy as np
import pytest

from pixelwise.metrics.failures import find_failures

# (K, 3) of tp, fp, fn in an image of 100 pixels, 20 of them cell
NAMES = ["background", "cell"]
GOOD = [[79, 1, 1], [19, 1, 1]]
NOTHING_FOUND = [[80, 20, 0], [0, 0, 20]]
EVERYTHING_FOUND = [[0, 0, 80], [20, 80, 0]]


def said(*images, names=NAMES, background=True):
    """The first sentence of each failure."""
    found = find_failures(np.array(images), names, background=background)
    return [text.partition(". ")[0] for text in found]


def test_scores_that_are_merely_bad_say_nothing():
    assert said(GOOD) == []
    assert said([[70, 10, 10], [10, 10, 10]]) == []  # dice 0.5, where every pixel would give 0.33
    assert said(GOOD, NOTHING_FOUND) == []


def test_a_model_that_finds_nothing():
    assert said(NOTHING_FOUND) == ["Nothing is found: nearly every pixel is taken for 'background'"]
    assert said(*[NOTHING_FOUND] * 3) == said(NOTHING_FOUND)


def test_a_trace_is_nothing():
    assert said([[8000, 1980, 0], [20, 0, 1980]]) == said(NOTHING_FOUND)  # 1 % of the cells
    assert said([[8000, 1940, 0], [60, 0, 1940]]) != said(NOTHING_FOUND)  # 3 %


def test_a_model_that_finds_everything():
    assert said(EVERYTHING_FOUND) == [
        "Nearly every pixel is taken for an object, not for 'background'"
    ]


def test_cells_that_are_only_where_they_are_not():
    (text,) = said([[75, 20, 5], [0, 5, 20]], GOOD, [[80, 0, 0], [0, 0, 0]])[:1] or [""]
    assert text == ""  # one good image of three: it finds 19 of 40
    assert said([[75, 20, 5], [0, 5, 20]]) == ["'cell' is not found, though 1 of 1 images hold it"]


def test_a_model_that_is_no_better_than_taking_every_pixel():
    # 20 of 100 pixels are cells: all of them called cell gives 2 * 20 / (20 + 100) = 0.333
    assert said([[44, 16, 36], [8, 36, 12]]) == [  # dice 16 / 64 = 0.25
        "'cell' is found no better than by taking every pixel for it"
    ]


@pytest.mark.parametrize(
    ("dead", "text"),
    [
        ([1], "'a' is not found, though 2 of 2 images hold it"),
        ([1, 3], "'a' and 'c' are not found, though 2 of 2 images hold them"),
        ([1, 2, 3], "'a', 'b' and 'c' are not found, though 2 of 2 images hold them"),
    ],
)
def test_classes_that_are_missed_are_named(dead, text):
    image = np.array([[700, 30, 0], [90, 0, 10], [90, 0, 10], [90, 0, 10], [90, 0, 10]])
    image[dead] = [0, 0, 100]
    assert said(image, image, names=["bg", "a", "b", "c", "d"]) == [text]


def test_of_many_classes_five_are_named():
    image = np.array([[700, 300, 0], [50, 0, 0], *[[0, 0, 50]] * 7])
    (text,) = said(image, names=["bg", *"abcdefgh"])
    assert text.startswith("'b', 'c', 'd', 'e', 'f' and 2 more classes are not found")


def test_classes_in_no_target_are_no_failure():
    assert said([[90, 0, 0], [0, 0, 0]]) == []
    assert said([[90, 0, 5], [0, 5, 0]]) == []  # invented, where there is nothing to find
    assert find_failures(np.zeros((0, 2, 3), np.int64), NAMES, background=True) == ()


def test_without_background_every_class_counts():
    layers = [[0, 0, 30], [20, 2, 2]]  # overlapping classes: how many pixels there are is not known
    assert said(layers, names=["vessel", "nerve"], background=False) == [
        "'vessel' is not found, though 1 of 1 images hold it"
    ]


def test_causes_and_what_to_try_follow():
    (text,) = find_failures(np.array([NOTHING_FOUND]), NAMES, background=True)
    for part in ("too short a training", "rare", "pixelwise check DATA --html"):
        assert part in text
