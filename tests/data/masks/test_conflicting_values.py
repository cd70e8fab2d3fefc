"""Class numbers that some masks store in another way than the others are never taken for more."""

import numpy as np
import pytest

from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.errors import MaskError


@pytest.fixture
def facts_of(tmp_path):
    """Facts of masks of 0 with two squares (8, 8) of each value given."""

    def describe(*masks):
        facts = []
        for values in masks:
            mask = np.zeros((24, 80), np.uint16)
            for place, value in enumerate(values):
                mask[2:10, 10 * place : 10 * place + 8] = value
                mask[14:22, 10 * place : 10 * place + 8] = value
            facts.append(describe_mask(to_stored(mask, tmp_path), MaskFile(tmp_path / "a.png")))
        return facts

    return describe


@pytest.mark.parametrize(
    "masks",
    [
        [[65535], [1, 2]],  # one class alone as 0 and 65535
        [[65535], [1], [2]],
        [[40, 90], [1, 2]],  # tones to look at
        [[1], [40, 90]],
        [[1, 3, 4, 5], [40, 90, 140, 190, 240], [40, 140]],
        [[40, 255], [1, 2], [1]],  # 255 is to be ignored or not
        [[255], [40, 90]],
        [[65535], [40, 90]],
        [[255], [40], [90, 140]],
    ],
)
def test_masks_in_two_ways_are_refused(facts_of, masks):
    with pytest.raises(MaskError, match=r"none holds both: .* Write all masks in one way"):
        understand_masks(facts_of(*masks))


@pytest.mark.parametrize(
    ("masks", "values"),
    [
        ([[1], [2], [3]], [0, 1, 2, 3]),  # one class a mask
        ([[1, 2], [2, 5]], [0, 1, 2, 5]),  # a gap
        ([[85], [170], [255]], [0, 85, 170, 255]),  # even steps
        ([[40, 90], [90, 255]], [0, 40, 90, 255]),  # 255 beside the others
        ([[1, 2, 255], [1, 2]], [0, 1, 2]),  # 255 ignored
        ([[1, 40], [2, 90]], [0, 1, 2, 40, 90]),
    ],
)
def test_classes_stay_classes(facts_of, masks, values):
    reading = understand_masks(facts_of(*masks))
    assert [entry.value for entry in reading.encoding.classes] == values


def test_a_person_may_leave_values_out(facts_of):
    facts = facts_of([65535], [1, 2])
    reading = understand_masks(facts, ignore=[65535])
    assert [entry.value for entry in reading.encoding.classes] == [0, 1, 2]
