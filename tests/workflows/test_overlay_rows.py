"""Overlays that are drawn from rows are those of the whole image, wherever it is cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.data import Display, overlay
from pixelwise.workflows.prediction import overlay_rows
from pixelwise.workflows.prediction.overlay_rows import OverlayRows
from pixelwise.workflows.prediction.rows import Rows

COLORS = ("#000000", "#ff0000", "#00ff00")


def draw_in(image, mask, heights):
    drawing, drawn, top = OverlayRows(len(image), COLORS, Display.of(image)), [], 0
    for height in heights:
        part = slice(top, top + height)
        drawn += drawing.draw(Rows(image[part], mask[..., part, :]))
        top += height
    return np.concatenate(drawn)


@st.composite
def cuts(draw):
    heights = draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    overlapping, drawn_pixels = draw(st.booleans()), draw(st.integers(1, 20))
    return heights, overlapping, drawn_pixels, draw(st.integers(0, 99))


@given(cuts())
def test_no_cut_is_seen(cut):
    heights, overlapping, drawn_pixels, seed = cut
    random = np.random.default_rng(seed)
    size = sum(heights), 6
    image = random.integers(0, 900, (*size, 1)).astype(np.uint16)  # stretched as a whole
    mask = random.integers(0, 3, size, np.uint8)
    if overlapping:
        mask = random.random((3, *size)) < 0.4
    before, overlay_rows.DRAWN_PIXELS = overlay_rows.DRAWN_PIXELS, drawn_pixels
    try:
        found = draw_in(image, mask, heights)
    finally:
        overlay_rows.DRAWN_PIXELS = before
    np.testing.assert_array_equal(found, overlay(image, mask, COLORS))


def test_an_outline_across_a_cut_lies_on_both_sides():
    image, mask = np.full((4, 3, 3), (9, 50, 90), np.uint8), np.zeros((4, 3), np.uint8)
    mask[2:] = 1
    drawn = draw_in(image, mask, [2, 2])
    assert drawn[:, 0].tolist() == [[9, 50, 90], [9, 50, 90], [255, 0, 0], [107, 30, 54]]
