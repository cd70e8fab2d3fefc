"""A mean and its interval."""

import numpy as np
import pytest

from pixelwise.metrics import Interval, summarize


def test_the_standard_error_of_a_mean_is_that_of_its_images():
    """Dice of 100 images; the error by the formula for means."""
    found = np.random.default_rng(0).integers(0, 101, 100)
    counts = [np.array([[0, 0, 0], [number, 100 - number, 100 - number]]) for number in found]
    names = [str(number) for number in range(100)]
    scores = summarize(counts, names, ("background", "cell"), background=True)
    expected = (found / 100).std(ddof=1) / 10
    assert scores.mean["dice"].standard_error == pytest.approx(expected, rel=0.1)


def test_one_image_has_none():
    assert Interval(0.9).standard_error == 0.0
