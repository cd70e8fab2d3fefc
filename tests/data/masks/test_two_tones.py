"""Two tones with soft edges or JPEG damage: what is damage, and what is a class."""

import numpy as np
import pytest

from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.reading import add_counts
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import StoredMask
from pixelwise.data.masks.two_tones import find_two_tones, fits_two_tones, refuse_lines, snap_remark
from pixelwise.errors import MaskError


@pytest.fixture
def facts_of(tmp_path):
    """Facts of a mask (20, N) whose columns have the values given."""

    def describe(*columns, suffix=".png"):
        values = np.tile(np.array(columns, np.uint8), (20, 1))
        return describe_mask(StoredMask(values), MaskFile(tmp_path / f"a{suffix}"))

    return describe


DARK, BRIGHT = [0] * 10, [255] * 10


@pytest.mark.parametrize(
    ("columns", "tones"),
    [
        ([*DARK, 90, 170, *BRIGHT], (0, 255)),  # soft edges: no column among equals
        ([*DARK, 4, 251, *BRIGHT], (0, 255)),  # JPEG: near to both tones
        ([*DARK, 128, 128, 128, *BRIGHT], None),  # an area between: a class
        ([*DARK, *[251] * 8, *BRIGHT], None),  # an area near a tone: a class
        ([*DARK, 90, 60, *[99] * 10], None),  # 99 apart: class indices
    ],
)
def test_tones_are_found_where_the_rest_is_damage(facts_of, columns, tones):
    assert find_two_tones(add_counts([facts_of(*columns)])) == tones


def test_one_grey_along_edges_is_a_tie(facts_of):
    lines = add_counts([facts_of(*DARK, 128, *BRIGHT, 128, *DARK)])
    with pytest.raises(MaskError, match=r"128 only along edges .* --ignore 128"):
        refuse_lines(lines, (0, 255))
    refuse_lines(add_counts([facts_of(*DARK, 90, 170, *BRIGHT)]), (0, 255))
    refuse_lines(add_counts([facts_of(*DARK, 128, *BRIGHT, suffix=".jpg")]), (0, 255))


@pytest.mark.parametrize(
    ("columns", "fits"),
    [
        ([*DARK, 90, 170, *BRIGHT], True),
        ([*DARK, *DARK], True),
        ([*DARK, *[1] * 10], False),  # the foreground is 1 here
        (range(0, 200, 10), False),  # a ramp, as in photographs
        ([*DARK, *DARK, *DARK, 50, 60, 70, 80], False),  # grey objects without a bright inside
    ],
)
def test_whether_one_mask_can_be_damage(facts_of, columns, fits):
    assert fits_two_tones(facts_of(*columns), (0, 255)) is fits


def test_the_share_that_moves_is_said(facts_of):
    remark = snap_remark(add_counts([facts_of(*[0] * 9, 90, *[255] * 10)]), (0, 255))
    assert "5 % of their pixels" in remark.message
    assert remark.values == (90,)
