"""Class indices: how many there are, and the one that is left out.

Masks are 8-bit: 0 to 253 are classes, 254 is kept for values without a meaning, 255 is ignored.
Wider masks exist for separate objects only.
"""

IGNORE_INDEX = 255  # class index of pixels that are left out of loss and scores
UNKNOWN_INDEX = 254  # marks a value without a meaning while masks are decoded
MAX_CLASSES = 254  # background included


def too_many_classes(num_classes: int) -> str:
    """What every door says to more than MAX_CLASSES classes."""
    return (
        f"There are {num_classes:,} classes, and {MAX_CLASSES} are the most that masks of 8 bits "
        f"hold beside {IGNORE_INDEX} for pixels to ignore. Join classes, or train several models."
    )
