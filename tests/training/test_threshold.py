"""The threshold: counted at several at once, chosen where another is clearly better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.inference.evaluate import Counted
from pixelwise.metrics import count_pixels
from pixelwise.task import IGNORE_INDEX
from pixelwise.training.threshold import (
    MIN_IMAGES,
    THRESHOLDS,
    ThresholdCounts,
    choose_threshold,
    counts_at,
)

PROBABILITIES = st.sampled_from([0.0, 0.2, 0.25, 0.3, 0.5, 0.55, 0.9, 0.95, 1.0])


@given(
    hnp.arrays(np.float32, (6, 5), elements=PROBABILITIES.map(np.float32)),
    hnp.arrays(np.uint8, (6, 5), elements=st.sampled_from([0, 1, IGNORE_INDEX])),
)
def test_counts_are_those_of_masks_at_each_threshold(probabilities, target):
    counted = ThresholdCounts()
    counted.add(probabilities[:2], target[:2])  # in parts
    counted.add(probabilities[2:], target[2:])
    counted.end_image("a", None)
    counted.add(probabilities[:1], target[:1])
    counted.end_image("b", "group")
    assert [(one.name, one.group) for one in counted.images] == [("a", None), ("b", "group")]
    for rows, image in ((6, counted.images[0]), (1, counted.images[1])):
        for threshold in THRESHOLDS:
            mask = (probabilities[:rows] >= threshold).astype(np.uint8)
            (found,) = counts_at([image], threshold)
            np.testing.assert_array_equal(found.counts, count_pixels(mask, target[:rows], 2))


def image(name, dice_at, group=None):
    """An image whose foreground has these Dice at THRESHOLDS (None: nothing there or found)."""
    counts = np.zeros((len(THRESHOLDS), 2, 3), np.int64)
    for index, dice in enumerate(dice_at):
        if dice is not None:
            counts[index, 1] = [round(100 * dice), round(200 * (1 - dice)), 0]
    return Counted(str(name), counts, group)


def falling_false_alarms(number, until=0.6):
    """Images without foreground, in which something is found up to a threshold."""
    return [
        image(f"empty {i}", [0 if t <= until else None for t in THRESHOLDS]) for i in range(number)
    ]


def equal_ones(number):
    return [image(i, [0.8] * len(THRESHOLDS)) for i in range(number)]


def test_false_alarms_raise_the_threshold():
    chosen = choose_threshold(equal_ones(10) + falling_false_alarms(10))
    assert chosen.value == pytest.approx(0.7)
    assert chosen.gain == pytest.approx(0.4)
    assert 0 < chosen.low < 0.4 < chosen.high
    assert "0.7 on in place of 0.5" in chosen.describe()
    assert "+0.400" in chosen.describe()


def test_the_usual_one_is_kept_where_nothing_is_better():
    assert choose_threshold(equal_ones(20)) is None


def test_luck_of_one_image_is_not_enough():
    assert choose_threshold(equal_ones(19) + falling_false_alarms(1)) is None


def test_few_images_are_not_enough():
    half = MIN_IMAGES // 2
    assert choose_threshold(equal_ones(half) + falling_false_alarms(half - 1)) is None
    assert choose_threshold([]) is None


def test_a_group_counts_once():
    alike = [one._replace(group="film") for one in falling_false_alarms(10)]
    assert choose_threshold(equal_ones(10) + alike) is None


def test_images_with_nothing_at_all_are_left_out():
    nothing = [image(f"n{i}", [None] * len(THRESHOLDS)) for i in range(30)]
    with_them = choose_threshold(equal_ones(10) + falling_false_alarms(10) + nothing)
    assert with_them.gain == pytest.approx(0.4)
    assert choose_threshold(nothing) is None
