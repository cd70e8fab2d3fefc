"""Colours of classes: background black, then colours that stay apart on screen and in print."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwise.task import is_background, names_background

BACKGROUND_COLOR = "#000000"
GREY = 0x010101  # times a grey value: the same as a colour 0xRRGGBB
IGNORE_COLOR = "#ffffff"

# Colours of high contrast by Sasha Trubetskoy (2017), most distinct first, no black and white.
CLASS_COLORS = (
    "#e6194b", "#3cb44b", "#4363d8", "#ffe119", "#f58231", "#911eb4", "#42d4f4", "#f032e6",
    "#bfef45", "#fabed4", "#469990", "#dcbeff", "#9a6324", "#fffac8", "#800000", "#aaffc3",
    "#808000", "#ffd8b1", "#000075", "#a9a9a9",
)  # fmt: skip


def default_color(index: int, name: str) -> str:
    """Colour "#rrggbb" of a class: black for background, then a fixed one for each index."""
    if names_background(name) or (index == 0 and is_background(name)):
        return BACKGROUND_COLOR
    if index == 0:
        return CLASS_COLORS[-1]
    round_, place = divmod(index - 1, len(CLASS_COLORS) - 1)
    red, green, blue = (value * 3 // (3 + round_) for value in parse_color(CLASS_COLORS[place]))
    return f"#{red:02x}{green:02x}{blue:02x}"


def parse_color(color: str) -> tuple[int, int, int]:
    """Turn "#rrggbb" into (red, green, blue), each 0..255; ValueError for anything else."""
    if len(color) != 7 or color[0] != "#":
        raise ValueError(f"{color!r} is not a colour of the form #rrggbb")
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def color_table(colors: Sequence[str], num_entries: int) -> NDArray[np.uint8]:
    """Palette (num_entries, 3) uint8: the colours given, then defaults; index 255 is white."""
    table = [parse_color(color) for color in colors[:num_entries]]
    for index in range(len(table), num_entries):
        table.append(
            parse_color(
                IGNORE_COLOR
                if index == 255
                else default_color(index, "" if index else "background")
            )
        )
    return np.array(table, dtype=np.uint8).reshape(num_entries, 3)


def pack_colors(values: NDArray[Any]) -> NDArray[np.int32]:
    """Turn (*S, 3) red, green, blue in 0..255 into (*S) int32 0xRRGGBB."""
    red, green, blue = (values[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def unpack_colors(packed: NDArray[Any]) -> NDArray[np.int64]:
    """Turn 0xRRGGBB into red, green and blue on a new last axis, int64 in 0..255."""
    return np.stack([(packed >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.int64)


def hex_of(packed: int) -> str:
    """The colour "#rrggbb" of 0xRRGGBB."""
    return f"#{packed:06x}"


def packed_of(color: str) -> int:
    """0xRRGGBB of a colour "#rrggbb"; ValueError for anything else."""
    parse_color(color)
    return int(color[1:], 16)
