"""Two tones with soft edges or JPEG damage: what is damage, and what is a class."""

import numpy as np
import pytest

from pixelwise.data.masks.binary_artifacts import (
    find_two_tones,
    fits_two_tones,
    refuse_lines,
    snap_remark,
)
from pixelwise.data.masks.facts import describe_mask
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.outliers import foreign_values
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import StoredMask
from pixelwise.data.masks.value_counts import add_counts
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
        ([*DARK * 4, 128, 128, 128, *BRIGHT * 4], False),  # an area between, though a small one
    ],
)
def test_whether_one_mask_can_be_damage(facts_of, columns, fits):
    assert fits_two_tones(facts_of(*columns), (0, 255)) is fits


def test_the_share_that_moves_is_said(facts_of):
    remark = snap_remark(add_counts([facts_of(*[0] * 9, 90, *[255] * 10)]), (0, 255))
    assert "5 % of their pixels" in remark.message
    assert remark.values == (90,)


def specks(rng, values, area=(3, 9)):
    """(96, 128) of 0 with a square of 255, and one patch of values drawn at random."""
    mask = np.zeros((96, 128), np.uint8)
    mask[40:80, 30:90] = 255
    row, column = rng.integers(0, 30), rng.integers(0, 100)
    mask[row : row + area[0], column : column + area[1]] = rng.choice(values, area)
    return mask


def understood(masks, tmp_path):
    source = MaskFile(tmp_path / "a.png")
    return understand_masks([describe_mask(StoredMask(mask), source) for mask in masks])


def test_specks_change_nothing_and_their_share_is_said(tmp_path):
    rng = np.random.default_rng(0)
    masks = [specks(rng, [8, 9, 10, 11, 11, 11, 17, 24]) for _ in range(6)]
    masks += [specks(rng, [0]) for _ in range(18)]
    reading = understood(masks, tmp_path)
    assert [entry.value for entry in reading.encoding.classes] == [0, 255]
    assert reading.encoding.ignore == ()
    assert [remark.code for remark in reading.remarks] == ["snapped-values"]
    assert "0.055 %" in reading.remarks[0].message  # 6 x 27 of 24 x 96 x 128


def test_specks_in_few_of_the_masks_leave_no_doubt_about_255(tmp_path):
    rng = np.random.default_rng(0)
    masks = [specks(rng, [8, 9, 10, 11, 17, 24]) for _ in range(2)]
    masks += [specks(rng, [0]) for _ in range(22)]
    reading = understood(masks, tmp_path)
    assert [entry.value for entry in reading.encoding.classes] == [0, 255]
    assert [remark.code for remark in reading.remarks] == ["snapped-values"]


def test_specks_in_masks_without_foreground_go_along(tmp_path):
    rng = np.random.default_rng(0)
    masks = [specks(rng, [8, 9, 10, 11, 17, 24]) for _ in range(20)]
    masks[3][masks[3] == 255] = 0
    reading = understood(masks, tmp_path)
    facts = describe_mask(StoredMask(masks[3]), MaskFile(tmp_path / "a.png"))
    assert not foreign_values(facts, reading.encoding).size
    assert set(reading.encoding.index_of(facts.values)) == {0}


def test_specks_beside_soft_edges_go_along(tmp_path):
    rng = np.random.default_rng(0)
    masks = [specks(rng, [8, 9, 10, 11, 17, 24]) for _ in range(10)]
    masks[0][2:8, 100:106] = 11  # a speck that fills 36 pixels
    for mask in masks[5:]:
        mask[40:80, 29], mask[40:80, 90], mask[39, 30:90] = 60, 200, 130
    encoding = understood(masks, tmp_path).encoding
    assert (encoding.snap, [entry.value for entry in encoding.classes]) == (True, [0, 255])


def defect(value, height, width):
    """(96, 128) of 0 with a square of 255, and one small area of a value."""
    mask = specks(np.random.default_rng(0), [0])
    mask[5 : 5 + height, 100 : 100 + width] = value
    return mask


@pytest.mark.parametrize(
    ("value", "height", "width"),
    [
        (128, 4, 5),  # a defect of 20 pixels
        (128, 1, 25),  # a crack, one pixel wide
        (200, 25, 1),
    ],
)
@pytest.mark.parametrize("count", [2, 6])
def test_a_small_class_between_two_tones_stays_a_class(value, height, width, count, tmp_path):
    masks = [defect(value, height, width)] * count + [defect(0, 1, 1)] * 20
    reading = understood(masks, tmp_path)
    assert [entry.value for entry in reading.encoding.classes] == [0, value, 255]
    assert not reading.encoding.snap


def test_two_classes_of_thin_lines_between_two_tones_stay_classes(tmp_path):
    masks = [defect(90, 1, 25), defect(170, 25, 1), defect(0, 1, 1)] * 4
    reading = understood(masks, tmp_path)
    assert [entry.value for entry in reading.encoding.classes] == [0, 90, 170, 255]


@pytest.mark.parametrize(("height", "width"), [(4, 5), (1, 25)])
@pytest.mark.parametrize("high", [3, 255])
def test_small_classes_numbered_from_1_stay_classes(height, width, high, tmp_path):
    masks = [defect(value, height, width) for value in (1, 2)] * 5
    for mask in masks:
        mask[mask == 255] = high
    reading = understood(masks, tmp_path)
    found = [entry.value for entry in reading.encoding.classes]
    assert (found, reading.encoding.ignore) == (
        ([0, 1, 2, 3], ()) if high == 3 else ([0, 1, 2], (255,))
    )
    if high == 255:
        remark = next(remark for remark in reading.remarks if remark.code == "ignored-values")
        assert remark.severity == "warning"
        assert "255 has more pixels than these" in remark.message


def test_255_that_is_smaller_than_the_classes_is_ignored_with_a_note(tmp_path):
    mask = defect(1, 30, 20)
    mask[(mask == 255)] = 2
    mask[90:] = 255
    reading = understood([mask] * 4, tmp_path)
    remark = next(remark for remark in reading.remarks if remark.code == "ignored-values")
    assert remark.severity == "note"


def test_255_beside_a_small_number_with_a_gap_is_an_error_that_asks(tmp_path):
    masks = [defect(8, 4, 5)] * 3 + [defect(11, 4, 5)] * 3
    with pytest.raises(MaskError, match=r"--ignore 255 if .* first, --ignore 8 --ignore 11 if"):
        understood(masks, tmp_path)


def test_dots_of_one_value_are_no_class(tmp_path):
    masks = [defect(128, 1, 3)] * 2 + [defect(0, 1, 1)] * 4
    assert understood(masks, tmp_path).encoding.snap


def test_dots_between_numbers_with_gaps_are_refused(tmp_path):
    mask = defect(120, 20, 20)
    mask[5:25, :20] = 180
    for place, value in enumerate((8, 11, 24)):
        mask[90, 10 * place] = value
    with pytest.raises(MaskError, match=r"8, 11, 24 only in dots .*--ignore 8 --ignore 11"):
        understood([mask] * 4, tmp_path)


@pytest.mark.parametrize(
    ("grey", "pixels", "is_refused"),
    [
        (225, 40, False),  # near to 255: no class of its own, however long the edge
        (20, 40, False),
        (150, 16, False),  # 16 pixels beside 2,384 of the rarer tone
        (150, 40, True),
    ],
)
def test_one_grey_along_an_edge_is_refused_where_it_may_be_a_class(
    grey, pixels, is_refused, tmp_path
):
    mask = defect(0, 1, 1)
    mask[40 : 40 + pixels, 30] = grey
    if is_refused:
        with pytest.raises(MaskError, match=f"{grey} only along edges"):
            understood([mask], tmp_path)
    else:
        encoding = understood([mask], tmp_path).encoding
        assert [entry.value for entry in encoding.classes] == [0, 255]
        assert (encoding.snap, encoding.ignore) == (True, ())


def test_a_ring_of_255_around_thin_objects_is_still_ignored(tmp_path):
    mask = np.zeros((96, 128), np.uint8)
    mask[19:24, 19:61] = 255
    mask[20:23, 20:60] = 7  # three pixels wide: each has 0 and 255 within two
    encoding = understood([mask] * 3, tmp_path).encoding
    assert encoding.ignore == (255,)
    assert [entry.value for entry in encoding.classes] == [0, 7]


def test_specks_of_masks_without_foreground_are_specks_beside_soft_edges(tmp_path):
    """Such a mask has dark values alone; its specks passed for areas, all values for object ids."""
    random, facts = np.random.default_rng(0), []
    for number in range(8):
        mask = np.zeros((48, 64), np.uint8)
        if number % 4 == 0:
            mask[20:30, 20:40] = 255
            mask[20:30, 19], mask[20:30, 40] = random.integers(5, 250, (2, 10))
        mask[5:8, 5:10] = random.integers(5, 31, (3, 5))
        facts.append(describe_mask(StoredMask(mask), MaskFile(tmp_path / "a.png")))
    reading = understand_masks(facts)
    assert [entry.value for entry in reading.encoding.classes] == [0, 255]
    assert reading.encoding.snap
    assert reading.encoding.form == "numbers"
