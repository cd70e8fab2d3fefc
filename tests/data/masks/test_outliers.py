"""Most masks decide; the few that are made in another way are set apart and named."""

import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.data.masks.facts import describe_mask, unify_forms
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.outliers import foreign_values, is_photograph, set_apart
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.errors import MaskError

RANDOM = np.random.default_rng(0)
COLORS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 0, 128], [200, 200, 0]], np.uint8)
PHOTO = RANDOM.integers(0, 201, (40, 40)).astype(np.uint8)


def blocks(*values, dtype=np.uint8):
    """(40, 40) in four columns, which hold the values in turn."""
    row = np.repeat(np.resize(np.array(values, dtype), 4), 10)
    return np.tile(row, (40, 1))


def facts_of(masks, path, suffix=".png"):
    source = MaskFile(path / f"a{suffix}")
    return unify_forms([describe_mask(to_stored(mask, source.path), source) for mask in masks])


def odd_of(masks, path):
    """Positions of the masks that are set apart."""
    facts = facts_of(masks, path)
    usual = {id(mask) for mask in set_apart(facts)}
    return [place for place, mask in enumerate(facts) if id(mask) not in usual]


@pytest.mark.parametrize("count", [11, 999])
@pytest.mark.parametrize(
    ("usual", "odd", "unknown"),
    [
        ((0, 255), (0, 7), [7]),
        ((0, 3), (0, 255), [255]),
        ((0, 255), (0, 128, 255), [128]),
        ((0, 1, 2, 3), (0, 1, 2, 200), [200]),
        ((0, 1, 2, 3), (0, 255), [255]),
        ((0, 60, 120, 180), (0, 1, 2, 3), [1, 2, 3]),
        ((0, 1), (0, 2), [2]),
    ],
)
def test_one_mask_in_other_values_is_named_and_changes_nothing(
    count, usual, odd, unknown, tmp_path
):
    facts = facts_of([blocks(*usual)] * count + [blocks(*odd)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert [entry.value for entry in encoding.classes] == list(usual)
    assert encoding.ignore == ()
    assert foreign_values(facts[-1], encoding).tolist() == unknown
    assert not foreign_values(facts[0], encoding).size


@pytest.mark.parametrize("usual", [(0, 255), (0, 1), (0, 1, 2, 3), (0, 60, 120, 180)])
def test_one_photograph_is_named_and_changes_nothing(usual, tmp_path):
    facts = facts_of([blocks(*usual)] * 999 + [PHOTO], tmp_path)
    encoding = understand_masks(facts).encoding
    assert [entry.value for entry in encoding.classes] == list(usual)
    assert not encoding.snap
    assert len(foreign_values(facts[-1], encoding)) > 190


def test_a_photograph_among_masks_with_soft_edges_is_not_thresholded(tmp_path):
    soft = blocks(0, 255)
    soft[:, 9], soft[:, 19], soft[:, 29] = 80, 160, 120
    facts = facts_of([soft] * 30 + [PHOTO], tmp_path)
    encoding = understand_masks(facts).encoding
    assert encoding.snap
    assert not foreign_values(facts[0], encoding).size
    assert len(foreign_values(facts[-1], encoding)) > 190


@pytest.mark.parametrize(("odd", "unknown"), [(blocks(0, 1), []), (blocks(0, 2), [2])])
def test_a_mask_of_low_numbers_among_damaged_masks_is_not_emptied(odd, unknown, tmp_path):
    damaged = blocks(0, 255)
    damaged[:, 9], damaged[:, 10] = 3, 250
    facts = facts_of([damaged] * 30 + [odd], tmp_path, ".jpg")
    encoding = understand_masks(facts).encoding
    assert encoding.snap
    assert foreign_values(facts[-1], encoding).tolist() == unknown
    if not unknown:
        assert encoding.index_of(facts[-1].values).tolist() == [0, 1]


@pytest.mark.parametrize("area", [3, 15])
def test_a_few_pixels_of_1_among_damaged_masks_may_be_either_and_are_named(area, tmp_path):
    damaged = blocks(0, 255)
    damaged[:, 9], damaged[:, 10] = 3, 250
    odd = np.zeros((40, 40), np.uint8)
    odd[0, :area] = 1
    facts = facts_of([damaged] * 30 + [odd], tmp_path)
    assert foreign_values(facts[-1], understand_masks(facts).encoding).tolist() == [1]


@pytest.mark.parametrize(
    ("usual", "rare", "values", "ignore"),
    [
        ((0, 1, 2, 3), (0, 1, 4), [0, 1, 2, 3, 4], ()),  # rare damage
        ((0, 1, 2, 3), (0, 4, 5), [0, 1, 2, 3, 4, 5], ()),
        ((0, 1), (0, 1, 2), [0, 1, 2], ()),
        ((0, 1, 2, 3), (0, 1, 7), [0, 1, 2, 3, 7], ()),
        ((0, 60, 120, 180), (0, 60, 240), [0, 60, 120, 180, 240], ()),
        ((0, 1, 2), (0, 1, 255), [0, 1, 2], (255,)),
    ],
)
def test_rare_classes_stay_classes(usual, rare, values, ignore, tmp_path):
    facts = facts_of([blocks(*usual)] * 99 + [blocks(*rare)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert [entry.value for entry in encoding.classes] == values
    assert encoding.ignore == ignore


def test_without_a_majority_nothing_is_set_apart(tmp_path):
    assert odd_of([blocks(0, 255)] * 3 + [blocks(0, 1)], tmp_path) == []
    assert odd_of([blocks(0, 255)] * 10 + [blocks(0, 1)] * 10, tmp_path) == []
    assert odd_of([blocks(0)] * 11 + [blocks(0, 255)], tmp_path) == []


def test_empty_masks_do_not_count(tmp_path):
    masks = [blocks(0)] * 500 + [blocks(0, 255)] * 20 + [blocks(0, 1)] * 2
    assert odd_of(masks, tmp_path) == []
    assert odd_of(masks[:-1], tmp_path) == [520]


@pytest.mark.parametrize(
    ("odd", "unknown"),
    [
        (COLORS[blocks(0, 1)] + np.uint8(1), ["#010101", "#810101"]),  # off by one
        (blocks(0, 1, 2), ["#010101", "#020202"]),  # class indices among colours
    ],
)
def test_one_mask_near_the_colours_is_named(odd, unknown, tmp_path):
    facts = facts_of([COLORS[blocks(0, 1, 2, 3)]] * 20 + [odd], tmp_path)
    encoding = understand_masks(facts).encoding
    assert len(encoding.classes) == 4
    values = foreign_values(facts[-1], encoding).tolist()
    assert encoding.show_values(values) == ", ".join(unknown)


def test_a_photograph_among_colours_is_named(tmp_path):
    photo = RANDOM.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    facts = facts_of([COLORS[blocks(0, 1, 2, 3)]] * 20 + [photo], tmp_path)
    encoding = understand_masks(facts).encoding
    assert len(encoding.classes) == 4
    assert not encoding.snap
    assert foreign_values(facts[-1], encoding).size


def test_a_third_colour_is_named_and_a_fifth_is_a_class(tmp_path):
    two = facts_of([COLORS[blocks(0, 1)]] * 20 + [COLORS[blocks(0, 3)]], tmp_path)
    assert len(understand_masks(two).encoding.classes) == 2
    four = facts_of([COLORS[blocks(0, 1, 2, 3)]] * 20 + [COLORS[blocks(0, 1, 4)]], tmp_path)
    assert len(understand_masks(four).encoding.classes) == 5


def ids(number):
    """(40, 40) with 36 objects of 4 x 4 pixels, numbered in an order of their own."""
    mask = np.zeros((40, 40), np.uint16)
    order = np.random.default_rng(number).permutation(np.arange(1, 37))
    for place, value in enumerate(order):
        row, column = divmod(place, 6)
        mask[row * 6 : row * 6 + 4, column * 6 : column * 6 + 4] = value
    return mask


def test_a_photograph_among_object_ids_is_named(tmp_path):
    facts = facts_of([ids(number) for number in range(20)] + [PHOTO.astype(np.uint16)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert encoding.task == "instances"
    assert not any(foreign_values(mask, encoding).size for mask in facts[:-1])
    assert foreign_values(facts[-1], encoding).size
    assert is_photograph(facts[-1])
    assert not is_photograph(facts[0])


def test_255_beside_others_than_1_is_an_error_that_asks(tmp_path):
    facts = facts_of([blocks(0, 255)] * 6 + [blocks(0, 1, 2)] * 7, tmp_path)
    message = r"6 masks hold 255 and no 1, 2, 7 hold 1, 2: .* --ignore 255"
    with pytest.raises(MaskError, match=message):
        understand_masks(facts)
    encoding = understand_masks(facts, ignore=(255,)).encoding
    assert encoding.ignore == (255,)


def test_the_odd_file_is_named_from_a_folder(save_pairs, disc):
    root = save_pairs([np.roll(disc, n, 0) * 255 for n in range(11)] + [disc * 7])
    with pytest.raises(MaskError, match=r"011.png holds the values 7, .* classes \(0, 255\)"):
        read_dataset(root)


def test_a_photograph_among_ids_that_are_never_the_same_is_named(tmp_path):
    masks = [ids(n) + np.uint16(1000 * n + 500) * (ids(n) > 0) for n in range(20)]
    facts = facts_of([*masks, PHOTO.astype(np.uint16)], tmp_path)
    encoding = understand_masks(facts).encoding
    assert encoding.task == "instances"
    assert foreign_values(facts[-1], encoding).size
