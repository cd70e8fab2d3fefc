"""Colours of classes, packed and unpacked."""

import numpy as np
import pytest

from pixelwise.colors import (
    CLASS_COLORS,
    color_table,
    default_color,
    hex_of,
    pack_colors,
    packed_of,
    parse_color,
    unpack_colors,
)
from pixelwise.task import is_background, names_background


def test_packing_is_red_green_blue():
    colors = np.array([[255, 0, 0], [0, 16, 1]], np.uint8)
    assert pack_colors(colors).tolist() == [0xFF0000, 0x001001]
    assert unpack_colors(pack_colors(colors)).tolist() == colors.tolist()
    assert hex_of(0x001001) == "#001001"
    assert packed_of("#001001") == 0x001001


@pytest.mark.parametrize("text", ["ff0000", "#ff00", "#ff00000", "red", "#gg0000"])
def test_other_texts_are_no_colours(text):
    with pytest.raises(ValueError, match=r"#rrggbb|invalid literal"):
        parse_color(text)


def test_background_is_black_and_the_first_60_classes_differ():
    for name in ("background", "Background", " bg ", "_background_", "__background__", "_bg_", ""):
        assert default_color(0, name) == "#000000"
    assert default_color(0, "sky") == CLASS_COLORS[-1]
    assert len({default_color(index, "x") for index in range(58)}) == 58


def test_background_names_are_one_table():
    for name in (
        "background",
        "BG",
        "_background_",
        "__Background__",
        "_bg_",
        " bg",
        "back-ground",
    ):
        assert names_background(name) == is_background(name) == (name != "back-ground")
    for name in (
        "",
        "-",
        "__",
    ):  # no name says nothing of an object, and of class 0 that it is none
        assert is_background(name)
        assert not names_background(name)
    assert default_color(1, "") != "#000000"


def test_a_palette_has_the_classes_then_defaults_then_white():
    table = color_table(["#000000", "#ff0000"], 256)
    assert table.shape == (256, 3)
    assert table[:2].tolist() == [[0, 0, 0], [255, 0, 0]]
    assert table[255].tolist() == [255, 255, 255]
    assert table[2].tolist() == list(parse_color(default_color(2, "")))
