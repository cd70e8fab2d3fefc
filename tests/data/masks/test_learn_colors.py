"""Masks in colours: classes, soft edges, photographs."""

import numpy as np
import pytest

from pixelwise.data.masks.class_file import ClassDeclaration
from pixelwise.data.masks.facts import describe_mask, unify_forms
from pixelwise.data.masks.learn import understand_masks
from pixelwise.data.masks.learn_colors import learn_colors, snap_to_known
from pixelwise.data.masks.outliers import foreign_values
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import to_stored
from pixelwise.errors import MaskError

BLACK, RED, BLUE, WHITE = (0, 0, 0), (200, 0, 0), (0, 0, 200), (255, 255, 255)
ROAD = {"classes": [{"name": "sky", "color": "#0000c8"}, {"name": "road", "color": "#c80000"}]}


@pytest.fixture
def facts_of(tmp_path):
    """Facts of a mask (20, N, 3) whose columns have the colours given, so many times."""

    def describe(*columns, suffix=".png"):
        row = [color for color, number in columns for _ in range(number)]
        mask = np.tile(np.array(row, np.uint8), (20, 1, 1))
        source = MaskFile(tmp_path / f"a{suffix}")
        return [describe_mask(to_stored(mask, source.path), source)]

    return describe


def codes(reading):
    return [remark.code for remark in reading.remarks]


def test_colours_become_classes_black_first(facts_of):
    reading = learn_colors(facts_of((RED, 5), (BLACK, 5), (BLUE, 5)), None)
    assert reading.encoding.class_names == ("background", "class 1", "class 2")
    assert reading.encoding.class_colors == ("#000000", "#0000c8", "#c80000")
    assert codes(reading) == ["mapped-values"]
    assert reading.encoding.classes[2].source == "#c80000"


def test_without_black_there_is_no_background_and_it_is_said(facts_of):
    reading = learn_colors(facts_of((RED, 5), (BLUE, 5)), None)
    assert reading.encoding.class_names == ("class 0", "class 1")
    assert "none is black, so that none is taken for background" in reading.remarks[0].message


def test_names_and_colours_come_in_the_order_declared(facts_of):
    declared = ClassDeclaration.model_validate(ROAD)
    reading = learn_colors(facts_of((RED, 5), (BLUE, 5)), declared)
    assert [(c.name, c.value) for c in reading.encoding.classes] == [
        ("sky", 200),
        ("road", 13107200),
    ]
    assert not reading.remarks


def test_a_colour_that_is_not_declared_stays_unknown(facts_of):
    declared = ClassDeclaration.model_validate(ROAD)
    reading = learn_colors(facts_of((RED, 5), (BLUE, 5), (WHITE, 5)), declared)
    assert len(reading.encoding.classes) == 2
    assert not reading.encoding.snap
    assert reading.encoding.unknown_values(np.array([0xFFFFFF])).tolist() == [0xFFFFFF]


def test_soft_edges_go_to_the_nearest_colour(facts_of):
    edges = [((40, 0, 0), 1), ((100, 0, 0), 1), ((160, 0, 0), 1)]
    reading = learn_colors(facts_of((BLACK, 10), *edges, (RED, 10)), None)
    assert reading.encoding.snap
    assert reading.encoding.class_colors == ("#000000", "#c80000")
    assert codes(reading) == ["snapped-values", "mapped-values"]
    assert "13 % of their pixels" in reading.remarks[0].message  # 3 of 23 columns
    values = np.array([(40 << 16), (160 << 16)])
    assert reading.encoding.index_of(values).tolist() == [0, 1]


def test_one_colour_along_edges_between_two_is_a_tie(facts_of):
    with pytest.raises(MaskError, match="#640000 in the masks lies only along edges"):
        learn_colors(facts_of((BLACK, 10), ((100, 0, 0), 1), (RED, 10)), None)
    line = learn_colors(facts_of((BLACK, 10), (WHITE, 1), (RED, 10)), None)  # on no line: a class
    assert len(line.encoding.classes) == 3


def test_names_without_colours_are_refused(facts_of):
    names = ClassDeclaration.model_validate({"classes": ["sky", "road"]})
    with pytest.raises(MaskError, match=r"in 2 colours \(#0000c8, #c80000\), and 2 names"):
        learn_colors(facts_of((RED, 5), (BLUE, 5)), names)


def test_one_hot_channels_keep_their_order_and_names(facts_of):
    hot = facts_of(((255, 0, 0), 5), ((0, 255, 0), 5), ((0, 0, 255), 5))
    reading = learn_colors(hot, None)
    assert [c.source for c in reading.encoding.classes] == ["#ff0000", "#00ff00", "#0000ff"]
    assert codes(reading) == ["one-hot"]
    names = ClassDeclaration.model_validate({"classes": ["r", "g", "b"]})
    assert learn_colors(hot, names).encoding.class_names == ("r", "g", "b")


def test_one_colour_and_photographs_are_refused(facts_of):
    with pytest.raises(MaskError, match="only one colour"):
        learn_colors(facts_of((RED, 5)), None)
    ramp = [((number, 255 - number, number // 2), 1) for number in range(0, 250, 3)]
    with pytest.raises(MaskError, match="photographs, or badly damaged"):
        learn_colors(facts_of(*ramp), None)


def test_known_colours_are_kept_and_damage_goes_to_them(facts_of):
    known = learn_colors(facts_of((BLACK, 5), (RED, 5)), None).encoding
    assert not snap_to_known(known, facts_of((BLACK, 5), (RED, 5))).encoding.snap
    jpeg = facts_of((BLACK, 9), ((4, 0, 2), 1), ((196, 2, 1), 1), (RED, 9), suffix=".jpg")
    assert snap_to_known(known, jpeg).encoding.snap
    assert not snap_to_known(known, facts_of((BLACK, 5), (BLUE, 5))).encoding.snap


def drawn(tmp_path, *masks):
    """Facts of masks (40, 40) in colours or numbers, as a data set gives them."""
    source = MaskFile(tmp_path / "a.tif")
    return unify_forms([describe_mask(to_stored(mask, source.path), source) for mask in masks])


def halves(*values, dtype=np.uint8):
    """(40, 40, ...): columns of the values."""
    return np.repeat(np.array([values] * 40, dtype), 40 // len(values), axis=1)


INK = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [200, 200, 0]]


@pytest.mark.parametrize(
    "other",
    [
        halves(0, 1),  # class indices, or a foreground
        halves(0, 2),
        halves(0, 90),
        halves(0, 255),
        halves(0, 65535, dtype=np.uint16),  # as a colour it would be cyan
        halves(0, 1000, dtype=np.uint16),
    ],
)
def test_numbers_alone_among_colours_are_refused(other, tmp_path):
    facts = drawn(tmp_path, halves(*INK), halves(*INK), other)
    with pytest.raises(MaskError, match="Save all masks in one way"):
        understand_masks(facts)


def test_greys_and_white_beside_colours_are_classes(tmp_path):
    ink = [*INK, [128, 128, 128], [255, 255, 255]][:5]
    facts = drawn(tmp_path, halves(*ink), halves(*ink), halves(ink[0], ink[4]))
    assert len(understand_masks(facts).encoding.classes) == 5


def test_one_wide_mask_among_colours_is_named(tmp_path):
    facts = drawn(tmp_path, *[halves(*INK)] * 8, halves(0, 65535, dtype=np.uint16))
    encoding = understand_masks(facts).encoding
    assert foreign_values(facts[-1], encoding).tolist() == [65535]


def test_dots_of_several_colours_are_refused(tmp_path):
    mask = halves(*INK)
    mask[0, 0], mask[10, 0], mask[20, 0] = [9, 80, 200], [70, 200, 90], [200, 20, 190]
    with pytest.raises(MaskError, match=r"3 colours in the masks .* only dots of up to 4 pixels"):
        understand_masks(drawn(tmp_path, mask, halves(*INK)))
