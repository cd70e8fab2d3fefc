"""Sizes of pictures that an exported graph computes for itself, by whole numbers alone.

A graph has no `if`: what depends on the size is arithmetic here. All of it works on `int` and on
the symbols that stand for sizes while torch follows a computation.
"""


def is_zero(number: int) -> int:
    """1 for 0, and 0 for all that is greater.

    >>> is_zero(0), is_zero(7)
    (1, 0)
    """
    return 1 // (1 + number)


def extended_size(height: int, width: int, multiple: int, *, needs_spread: bool) -> tuple[int, int]:
    """The size to which a network extends a picture, as `UNet` does.

    >>> extended_size(5, 9, 8, needs_spread=True), extended_size(5, 8, 8, needs_spread=True)
    ((8, 16), (8, 16))

    Args:
        height: height of the picture.
        width: width of the picture.
        multiple: both sides become multiples of it.
        needs_spread: whether one single multiple is too small.
    """
    rows, columns = (height + multiple - 1) // multiple, (width + multiple - 1) // multiple
    if needs_spread:
        columns = columns + is_zero(rows - 1) * is_zero(columns - 1)
    return rows * multiple, columns * multiple
