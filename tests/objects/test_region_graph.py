"""Many least areas at once: the same classes as masks that are cleaned pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.objects import RegionGraph, clean_mask

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
MASKS = SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 3)))


def test_regions_of_a_small_mask():
    mask = np.array([[0, 0, 1, 0], [0, 2, 1, 1], [2, 1, 1, 0]], np.uint8)
    graph = RegionGraph(mask)
    assert len(graph) == 5  # the zeros on the right do not meet, the ones and the twos do
    np.testing.assert_array_equal(graph.classes[graph.labels], mask)
    np.testing.assert_array_equal(graph.clean(1), graph.classes)
    np.testing.assert_array_equal(graph.clean(3)[graph.labels], clean_mask(mask, 3))


@settings(max_examples=300)
@given(MASKS, st.integers(1, 20))
def test_cleaned_as_the_mask_is(mask, min_area):
    graph = RegionGraph(mask)
    np.testing.assert_array_equal(graph.clean(min_area)[graph.labels], clean_mask(mask, min_area))


@pytest.mark.parametrize("min_area", [2, 16, 64])
def test_cleaned_as_a_mask_of_smooth_shapes_is(min_area):
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 3, (20, 30))
    mask = np.kron(coarse, np.ones((5, 5))).astype(np.uint8)
    mask[rng.random(mask.shape) < 0.05] = 2
    graph = RegionGraph(mask)
    np.testing.assert_array_equal(graph.clean(min_area)[graph.labels], clean_mask(mask, min_area))
