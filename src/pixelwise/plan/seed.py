"""Seeds: whole numbers from 0 to 4,294,967,295, for NumPy and torch alike."""

import operator

from pixelwise.errors import PlanError

NUM_SEEDS = 2**32


def check_seed(seed: object) -> int:
    """Return a seed as it is.

    Raises:
        PlanError: it is no whole number from 0 to 4,294,967,295.

    >>> check_seed(7)
    7
    """
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number < NUM_SEEDS:
        raise PlanError(
            f"seed={str(seed)[:40]!s} is not a whole number from 0 to {NUM_SEEDS - 1}. Give for "
            "example seed=0."
        )
    return number
