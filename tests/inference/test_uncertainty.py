"""How uncertain predictions are: entropies that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from pixelwise.inference import normalized_entropy
from pixelwise.task import Task


def of(task, *probabilities):
    return normalized_entropy(np.array(probabilities, np.float32)[:, np.newaxis], task).item()


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ((1, 0, 0, 0), 0),
        ((0.25, 0.25, 0.25, 0.25), 1),
        ((0.5, 0.5, 0, 0), 0.5),  # one bit of two
        ((0.5, 0.25, 0.25, 0), 0.75),  # 0.5 + 2 * 0.25 * 2 bits, of two
    ],
)
def test_of_four_classes(probabilities, expected):
    assert of(Task.MULTICLASS, *probabilities) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("probability", "expected"), [(0, 0), (1, 0), (0.5, 1), (0.25, 0.811278), (0.75, 0.811278)]
)
def test_of_one_probability_there_are_two_classes(probability, expected):
    assert of(Task.BINARY, probability) == pytest.approx(expected, abs=1e-6)


def test_of_classes_that_overlap_the_least_certain_counts():
    assert of(Task.MULTILABEL, 1, 0.25, 0) == pytest.approx(0.811278, abs=1e-6)
    assert of(Task.MULTILABEL, 1, 1, 1) == 0


@given(arrays(np.float32, (3, 2, 5), elements=st.floats(0.0625, 1, width=32)))
def test_it_is_that_of_scipy(values):
    probabilities = values / values.sum(0)
    found = normalized_entropy(probabilities, Task.MULTICLASS)
    np.testing.assert_allclose(found, entropy(probabilities, base=3), atol=1e-5)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
