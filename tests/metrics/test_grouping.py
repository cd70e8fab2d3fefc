"""Images by what is wrong with them, and by how much they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.metrics import summarize
from pixelwise.metrics.grouping import group_by_error, group_by_size


def scores_of(*counts, class_names=("background", "cell")):
    """Of the found, invented and missed pixels of each image; background is of no matter."""
    counts = np.array(counts, np.int64).reshape(len(counts), -1, 3)
    nothing = np.zeros((len(counts), 1, 3), np.int64)
    return summarize(
        np.concatenate([nothing, counts], axis=1),
        [f"i{n}" for n in range(len(counts))],
        class_names,
        background=True,
        num_resamples=10,
    )


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ((0, 0, 9), "Nothing found, though there is something"),
        ((0, 5, 9), "Nothing found, though there is something"),
        ((0, 5, 0), "False alarm: something found where there is nothing"),
        ((95, 5, 5), "Dice of 0.9 or more"),
        ((0, 0, 0), "Nothing there and nothing found"),
        ((40, 5, 60), "Half of it or more is missed"),
        ((60, 70, 10), "Half of what is marked or more is wrong"),
        ((10, 40, 40), "Marked in the wrong places"),
        ((60, 20, 20), "Found, but the outlines are off"),
        ((55, 20, 45), "Found, but the outlines are off"),
        ((55, 45, 20), "Found, but the outlines are off"),
    ],
)
def test_one_image(counts, name):
    (group,) = group_by_error(scores_of(counts))
    assert (group.name, group.indices) == (name, (0,))


def test_the_worst_come_first_and_good_groups_last():
    scores = scores_of((99, 0, 0), (70, 15, 15), (60, 20, 20), (0, 0, 4), (0, 0, 0))
    groups = group_by_error(scores)
    assert [group.indices for group in groups] == [(3,), (2, 1), (0,), (4,)]
    assert groups[1].dice == pytest.approx((0.75 + 140 / 170) / 2)
    assert groups[-1].dice is None


def test_classes_are_taken_together():
    """One class is missed, the other found: half of all pixels."""
    scores = scores_of([(50, 0, 0), (0, 0, 51)], class_names=("background", "a", "b"))
    assert group_by_error(scores)[0].name == "Half of it or more is missed"


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=30))
def test_every_image_is_in_one_group(counts):
    scores = scores_of(*counts)
    found = [index for group in group_by_error(scores) for index in group.indices]
    assert sorted(found) == list(range(len(counts)))
    sizes = [index for group in group_by_size(scores) for index in group.indices]
    assert len(sizes) == len(set(sizes))
    assert all(counts[index][0] + counts[index][2] > 0 for index in sizes)


def test_by_size():
    """Twelve images with 10 to 120 pixels, of which all but 10 are found; one holds nothing."""
    scores = scores_of(*[(10 * n - 10, 0, 10) for n in range(1, 13)], (0, 3, 0))
    small, middle, large = group_by_size(scores)
    assert [len(group.indices) for group in (small, middle, large)] == [4, 4, 4]
    assert small.name == "up to 47 pixels"
    assert small.indices == (0, 1, 2, 3)
    assert small.dice < middle.dice < large.dice
    assert large.dice == pytest.approx(np.mean([2 * n / (2 * n + 1) for n in (8, 9, 10, 11)]))


def test_few_images_are_not_divided():
    assert group_by_size(scores_of(*[(5, 0, 5)] * 11)) == []
