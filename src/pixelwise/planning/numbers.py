"""Whole numbers that a caller gives, such as seeds: checked in one place."""

import operator
import sys

from pixelwise.errors import PlanError

NUM_SEEDS = 2**32  # which NumPy and torch take alike


def check_seed(seed: object) -> int:
    """Return a seed as it is; PlanError where it is no whole number from 0 to 4,294,967,295.

    >>> check_seed(7)
    7
    """
    return check_number("seed", seed, least=0, most=NUM_SEEDS - 1)


def check_number(name: str, value: object, *, least: int = 1, most: int = sys.maxsize) -> int:
    """Return a whole number as it is.

    Raises:
        PlanError: it is none, or lies outside of these.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if not least <= number <= most or isinstance(value, bool):
        ends = f"from {least} to {most}" if most < sys.maxsize else f"{least} or more"
        raise PlanError(f"{name}={str(value)[:40]} must be a whole number, {ends}.")
    return number
