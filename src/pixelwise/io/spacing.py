"""Physical size of pixels: units of files to micrometres, and back to words.

Only what is meant as the size of a pixel counts: the dots per inch of a photograph are not.
"""

import math
from collections.abc import Mapping, Sequence

UNITS_UM = {
    "pm": 1e-6, "picometer": 1e-6, "angstrom": 1e-4, "nm": 1e-3, "nanometer": 1e-3, "um": 1.0,
    "micron": 1.0, "micrometer": 1.0, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4,
    "dm": 1e5, "m": 1e6, "meter": 1e6, "km": 1e9, "kilometer": 1e9,
}  # fmt: skip
SHOWN_UNITS = (("m", 1e6), ("mm", 1e3), ("um", 1.0), ("nm", 1e-3))
SAME_WITHIN = 0.01
SMALLEST_SHOWN = 0.1  # of a unit: 0.065 um are shown as 65 nm


def unit_to_um(unit: str | None) -> float | None:
    """Micrometres of a unit of length, or None where it is none.

    >>> unit_to_um("millimetre"), unit_to_um("pixel")
    (1000.0, None)
    """
    name = (unit or "").strip().lower().replace("\\u00b5", "u")
    name = name.replace("\u00b5", "u").replace("\u03bc", "u").replace("metre", "meter")
    return UNITS_UM.get(name) or UNITS_UM.get(name.removesuffix("s"))


def spacing_of(axes: str, sizes_um: Mapping[str, float | None]) -> tuple[float, ...] | None:
    """Spacing along the spatial axes ("YX" or "ZYX"); None unless all sizes are known and sane."""
    sizes = [sizes_um.get(axis) for axis in axes]
    known = [float(size) for size in sizes if size is not None]
    if len(known) < len(axes) or not all(math.isfinite(size) and size > 0 for size in known):
        return None
    return tuple(float(f"{size:.6g}") for size in known)


def show_spacing(spacing_um: tuple[float, ...]) -> str:
    """Say a spacing in the unit that suits it.

    >>> show_spacing((0.65, 0.65)), show_spacing((1000.0, 1000.0, 1000.0))
    ('0.65 x 0.65 um', '1 x 1 x 1 mm')
    """
    unit, size = next(
        ((unit, size) for unit, size in SHOWN_UNITS if min(spacing_um) >= SMALLEST_SHOWN * size),
        SHOWN_UNITS[-1],
    )
    return f"{' x '.join(f'{length / size:.4g}' for length in spacing_um)} {unit}"


def same_spacing(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two spacings agree to a hundredth."""
    return len(first) == len(second) and all(
        math.isclose(a, b, rel_tol=SAME_WITHIN) for a, b in zip(first, second, strict=True)
    )


def common_spacing(spacings: Sequence[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    """The spacing on which all agree; None where one is unknown or differs."""
    first = spacings[0] if spacings else None
    if first is None or not all(one and same_spacing(one, first) for one in spacings):
        return None
    return first
