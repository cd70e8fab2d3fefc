"""Sizes of pictures that an exported graph computes for itself, by whole numbers alone.

A graph has no `if`: what depends on the size is arithmetic here. All of it works on `int` and on
the symbols that stand for sizes while torch follows a computation.
"""

from typing import cast

import torch
from torch import Tensor

from pixelwise.network.resampling import is_zero


def num_blocks(height: int, width: int, multiple: int, *, needs_spread: bool) -> tuple[int, int]:
    """How many blocks of pixels a network extends a picture to, as `UNet` does.

    >>> num_blocks(5, 9, 8, needs_spread=True), num_blocks(5, 8, 8, needs_spread=True)
    ((1, 2), (1, 2))

    Args:
        height: height of the picture.
        width: width of the picture.
        multiple: side of a block.
        needs_spread: whether one single block is too small.
    """
    rows, columns = (height + multiple - 1) // multiple, (width + multiple - 1) // multiple
    if needs_spread:
        columns = columns + is_zero(rows - 1) * is_zero(columns - 1)
    return forget_origin(rows), forget_origin(columns)


def forget_origin(number: int) -> int:
    """The same number, of which torch does not know while it follows how it came about.

    Else it carries the formula through every layer, and an export takes a minute.
    """
    return known_positive(torch.full((), number, dtype=torch.int64))


def known_positive(number: Tensor) -> int:
    """A whole number that a graph computes, and that torch may take to be 1 or more."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return cast(int, number)  # TorchScript would keep .item() as the number of one picture
    found = cast(int, number.item())
    torch._check(found >= 1)  # type: ignore[no-untyped-call]
    return found
