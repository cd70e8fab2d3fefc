"""Small regions taken out of masks: by hand, against a plain loop, and in bands of any height."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label
from tests.objects.test_objects import MASKS, PLANES

from pixelwise.objects import clean_bands, clean_mask

AREAS = st.integers(1, 12)


def rows_of(text):
    return np.array([[int(value) for value in line.split()] for line in text.split("/")], np.uint8)


def plain_pass(mask, min_area):
    """One pass over a whole mask, pixel by pixel."""
    labels = np.zeros(mask.shape, int)
    for value in np.unique(mask):
        found = label(mask == value, connectivity=2)
        labels[found > 0] = found[found > 0] + labels.max()
    areas = np.bincount(labels.ravel())
    cleaned = mask.copy()
    for region in range(1, labels.max() + 1):
        if areas[region] >= min_area:
            continue
        votes = np.zeros(256, int)
        for row, column in np.argwhere(labels == region):
            for place in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ):
                is_inside = 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]
                if is_inside and labels[place] != region and areas[labels[place]] >= min_area:
                    votes[mask[place]] += 1
        if votes.any():
            cleaned[labels == region] = votes.argmax()
    return cleaned


def plain(mask, min_area):
    """Both passes; of classes that overlap, each class by itself."""
    if mask.dtype == bool:
        return np.stack([plain(plane.astype(np.uint8), min_area) > 0 for plane in mask])
    return plain_pass(plain_pass(mask, min_area), min_area)


@pytest.mark.parametrize(
    ("mask", "min_area", "expected"),
    [
        ("0 0 0 / 0 1 0 / 0 0 0", 2, "0 0 0 / 0 0 0 / 0 0 0"),  # a speck
        ("1 1 1 / 1 0 1 / 1 1 1", 2, "1 1 1 / 1 1 1 / 1 1 1"),  # a hole
        ("0 0 0 / 0 1 0 / 0 0 0", 1, "0 0 0 / 0 1 0 / 0 0 0"),
        ("0 0 0 0 / 0 1 0 0 / 0 0 1 0 / 0 0 0 0", 2, "0 0 0 0 / 0 1 0 0 / 0 0 1 0 / 0 0 0 0"),
        ("1 1 1 2 2 / 1 1 3 2 2 / 1 1 1 2 2", 3, "1 1 1 2 2 / 1 1 1 2 2 / 1 1 1 2 2"),  # most of it
        ("2 2 3 1 1 / 2 2 2 1 1", 2, "2 2 2 1 1 / 2 2 2 1 1"),
        ("2 2 3 1 1", 2, "2 2 1 1 1"),  # alike: the first class
        ("1 2", 5, "1 2"),  # nothing is large enough
    ],
)
def test_by_hand(mask, min_area, expected):
    np.testing.assert_array_equal(clean_mask(rows_of(mask), min_area), rows_of(expected))


def test_a_speck_in_a_hole_goes_with_the_hole():
    mask = np.ones((9, 9), np.uint8)
    mask[3:6, 3:6] = 0
    mask[4, 4] = 2
    assert (clean_mask(mask, 20) == 1).all()
    np.testing.assert_array_equal(clean_mask(mask, 2), np.where(mask == 2, 0, mask))


def test_of_classes_that_overlap_each_is_cleaned():
    planes = np.zeros((2, 5, 5), bool)
    planes[0, 2, 2] = True
    planes[1] = True
    planes[1, 2, 2] = False
    cleaned = clean_mask(planes, 2)
    assert cleaned.dtype == bool
    assert not cleaned[0].any()
    assert cleaned[1].all()


def test_without_an_area_it_is_left_as_it_is():
    mask = rows_of("0 1 / 1 0")
    np.testing.assert_array_equal(clean_mask(mask, 1), mask)


@settings(deadline=None, max_examples=60)
@given(st.one_of(MASKS, PLANES), AREAS)
def test_it_is_what_a_plain_loop_gives(mask, min_area):
    np.testing.assert_array_equal(clean_mask(mask, min_area), plain(mask, min_area))


@settings(deadline=None, max_examples=150)
@given(st.one_of(MASKS, PLANES), AREAS, st.data())
def test_in_bands_it_is_the_same(mask, min_area, data):
    height = mask.shape[-2]
    cuts = sorted(data.draw(st.lists(st.integers(0, height), max_size=height)))
    bands = list(clean_bands(iter(np.split(mask, cuts, -2)), min_area))
    np.testing.assert_array_equal(np.concatenate(bands, -2), clean_mask(mask, min_area))
    assert all(band.dtype == mask.dtype for band in bands)


def test_a_speck_waits_until_what_it_meets_is_known():
    """When the speck of 2 ends, the region of 3 around it has 5 pixels, and may still be small."""
    mask = rows_of("0 0 0 0 0 0 / 0 3 2 3 0 0 / 0 3 3 3 0 0 / 0 3 3 3 0 0")
    bands = list(clean_bands((row[None] for row in mask), 6))
    np.testing.assert_array_equal(np.concatenate(bands), np.where(mask == 2, 3, mask))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_no_more_rows_wait_than_the_area_tells(seed, min_area):
    mask = np.random.default_rng(seed).integers(0, 2, (60, 5), np.uint8)
    num_read = num_given = 0

    def rows():
        nonlocal num_read
        for row in mask:
            assert num_read - num_given <= 4 * min_area + 1
            num_read += 1
            yield row[None]

    for band in clean_bands(rows(), min_area):
        num_given += len(band)
    assert num_given == 60
