"""Pictures for people: stretched images, tinted and outlined masks, colours."""

import numpy as np
import pytest

from pixelwise.colors import CLASS_COLORS, color_table, default_color, parse_color
from pixelwise.data import Display, overlay, to_rgb
from pixelwise.data.display import find_outlines
from pixelwise.errors import ArrayError


def test_dark_16_bit_image_is_stretched_to_black_and_white():
    image = np.linspace(100, 300, 10_000).reshape(100, 100, 1).astype(np.uint16)
    shown = to_rgb(image)
    assert shown.shape == (100, 100, 3)
    assert shown.dtype == np.uint8
    assert (shown[0, 0], shown[-1, -1]) == (pytest.approx([0] * 3), pytest.approx([255] * 3))
    assert abs(int(shown[50, 0, 0]) - 128) <= 2


def test_colour_of_8_bits_stays_as_it_is():
    image = np.random.default_rng(0).integers(50, 99, (5, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_rgb(image), image)
    opaque = np.dstack([image, np.full((5, 6), 255, np.uint8)])
    np.testing.assert_array_equal(to_rgb(opaque), image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_any_number_of_channels_can_be_shown(channels):
    image = np.random.default_rng(0).random((5, 6, channels), dtype=np.float32)
    assert to_rgb(image).shape == (5, 6, 3)
    assert to_rgb(image[:, :, 0]).shape == (5, 6, 3)


def test_nan_and_constant_images_are_black():
    image = np.array([[0.0, 1.0], [np.nan, np.inf]], dtype=np.float32)
    assert to_rgb(image)[:, :, 0].tolist() == [[0, 255], [0, 0]]
    assert to_rgb(np.full((3, 3), np.nan)).max() == 0
    assert to_rgb(np.full((3, 3), 7, np.uint8)).max() == 0


def test_outlines_lie_on_both_sides_of_a_border():
    mask = np.array([[0, 0, 0, 1, 1, 1]] * 2)
    assert find_outlines(mask)[0].tolist() == [False, False, True, True, False, False]
    assert find_outlines(mask.T)[:, 0].tolist() == [False, False, True, True, False, False]


def test_overlay_tints_inside_outlines_fully_and_leaves_background_and_ignored():
    image = np.full((1, 9, 3), (100, 100, 0), dtype=np.uint8)
    image[0, 0] = (0, 0, 0)
    mask = np.array([[0, 0, 1, 1, 1, 255, 255, 255, 0]], dtype=np.uint8)
    shown = overlay(image, mask, ("#000000", "#ff0064"), alpha=0.4)
    assert shown[0, 1].tolist() == [100, 100, 0]
    assert shown[0, 2].tolist() == [255, 0, 100]
    assert shown[0, 3].tolist() == [162, 60, 40]  # 100 + 0.4 (255 - 100), 100 - 40, 0.4 * 100
    assert shown[0, 6].tolist() == [100, 100, 0]


def test_overlay_refuses_another_size():
    with pytest.raises(ArrayError, match="pixel for pixel"):
        overlay(np.zeros((4, 4)), np.zeros((4, 5), np.uint8), ())


def test_colours_of_classes_differ_and_background_is_black():
    assert default_color(0, "background") == default_color(0, "BG") == "#000000"
    colors = [default_color(index, f"class {index}") for index in range(60)]
    assert colors[1] == CLASS_COLORS[0]
    assert len(set(colors)) == 60
    assert "#000000" not in colors


def test_colour_table_is_filled_up():
    table = color_table(["#010203"], 256)
    assert table.shape == (256, 3)
    assert table[0].tolist() == [1, 2, 3]
    assert table[255].tolist() == [255, 255, 255]
    assert color_table([], 1).tolist() == [[0, 0, 0]]
    for wrong in ("red", "#12345", "#gggggg"):
        with pytest.raises(ValueError, match=r"colour|literal"):
            parse_color(wrong)


def test_classes_that_overlap_are_drawn_one_over_the_other():
    image = np.full((1, 9, 3), 100, np.uint8)
    mask = np.zeros((2, 1, 9), bool)
    mask[0, 0, :6] = mask[1, 0, 3:] = True
    drawn = overlay(image, mask, ["#ff0000", "#0000ff"], alpha=0.5)[0]
    assert drawn[0].tolist() == [128, 0, 0]  # half of red over a constant, black image
    assert drawn[8].tolist() == [0, 0, 128]
    assert drawn[4].tolist() == [64, 0, 128]  # half of blue over that
    with pytest.raises(ArrayError, match="pixel for pixel"):
        overlay(image, mask[:, :, :5], ["#ff0000", "#0000ff"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_part_is_shown_as_in_its_image(channels, dtype):
    image = np.random.default_rng(0).integers(0, 200, (20, 6, channels)).astype(dtype)
    image[10:] //= 4
    display = Display.of(image)
    np.testing.assert_array_equal(display.show(image[10:]), to_rgb(image)[10:])
    drawn = overlay(image[10:], np.zeros((10, 6), np.uint8), (), display=display)
    np.testing.assert_array_equal(drawn, to_rgb(image)[10:])
    spread = image[::2, ::2].reshape(-1, 1, channels)  # as an overview of a large image
    assert (display.limits is None) == (Display.of(spread).limits is None)
