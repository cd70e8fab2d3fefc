"""Regions measured band by band are those of the whole."""

import tracemalloc

import numpy as np
import pytest
from skimage.measure import label

from pixelwise.data.masks import regions
from pixelwise.data.masks.regions import measure_regions


@pytest.mark.parametrize(("values_in_a_band", "rows"), [(4, 1), (8, 2), (100, 25)])
def test_a_region_across_bands_is_one(monkeypatch, values_in_a_band, rows):
    """The ones touch by a corner, the two and the three do not count as one."""
    monkeypatch.setattr(regions, "BAND_VALUES", values_in_a_band)
    values = np.array([[1, 0, 0, 2], [0, 1, 0, 3], [1, 0, 0, 3], [0, 0, 2, 0]])
    sizes, found = measure_regions(values)
    assert sorted(zip(found.tolist(), sizes.tolist(), strict=True)) == [
        (1, 3),
        (2, 1),
        (2, 1),
        (3, 2),
    ]


def test_a_region_that_meets_itself_twice_is_one(monkeypatch):
    monkeypatch.setattr(regions, "BAND_VALUES", 3)
    sizes, found = measure_regions(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]))
    assert (sizes.tolist(), found.tolist()) == ([8], [1])


@pytest.mark.parametrize("shape", [(13, 9), (1, 20), (20, 1), (5, 4, 6), (7, 1, 3)])
@pytest.mark.parametrize("band", [1, 20, 50])
def test_it_agrees_with_labelling_the_whole(monkeypatch, shape, band):
    monkeypatch.setattr(regions, "BAND_VALUES", band)
    random = np.random.default_rng(0)
    for num_values in (1, 2, 3, 30):
        values = random.integers(0, num_values + 1, shape).astype(np.uint8)
        whole = label(values, background=0)
        expected = [(values[whole == n][0], (whole == n).sum()) for n in range(1, whole.max() + 1)]
        sizes, found = measure_regions(values)
        assert sorted(zip(found, sizes, strict=True)) == sorted(expected)


def test_memory_grows_with_the_band_alone(monkeypatch):
    monkeypatch.setattr(regions, "BAND_VALUES", 2**14)
    values = np.zeros((1024, 1024), np.uint8)
    values[::4] = 1
    tracemalloc.start()
    assert measure_regions(values)[0].tolist() == [1024] * 256
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < values.nbytes  # labelling the whole takes more than ten times as much
