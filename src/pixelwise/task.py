"""Class indices: how many there are, and the one that is left out.

Masks are 8-bit: 0 to 253 are classes, 254 is kept for values without a meaning, 255 is ignored.
Wider masks exist for separate objects only.
"""

IGNORE_INDEX = 255  # class index of pixels that are left out of loss and scores
UNKNOWN_INDEX = 254  # marks a value without a meaning while masks are decoded
MAX_CLASSES = 254  # background included
BACKGROUND_NAMES = ("background", "bg")  # in any case, between any of the characters " _-"


def too_many_classes(num_classes: int) -> str:
    """What every door says to more than MAX_CLASSES classes."""
    return (
        f"There are {num_classes:,} classes, and {MAX_CLASSES} are the most that masks of 8 bits "
        f"hold beside {IGNORE_INDEX} for pixels to ignore. Join classes, or train several models."
    )


def names_background(name: str) -> bool:
    """Whether a name says background: "background", "BG", "_background_", "__background__".

    >>> names_background("__Background__"), names_background("sky"), names_background("")
    (True, False, False)
    """
    return _bare(name) in BACKGROUND_NAMES


def is_background(name: str) -> bool:
    """Whether the first class (index 0) is background, by its name: it says so, or is no name.

    >>> is_background("_bg_"), is_background("-"), is_background("sky")
    (True, True, False)
    """
    return not _bare(name) or names_background(name)


def _bare(name: str) -> str:
    return name.strip(" _-").casefold()
