"""Spacing: units to micrometres and back to words."""

import math

import pytest

from pixelwise.io.spacing import common_spacing, same_spacing, show_spacing, spacing_of, unit_to_um


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        ("um", 1), ("\u00b5m", 1), ("\u03bcm", 1), ("\\u00B5m", 1), ("micron", 1), ("microns", 1),
        ("micrometre", 1), ("Micrometer", 1), (" nm ", 0.001), ("mm", 1000), ("m", 1e6),
        ("millimeters", 1000), ("angstrom", 1e-4),
        ("pixel", None), ("inch", None), ("", None), (None, None), ("degree", None), ("s", None),
    ],
)  # fmt: skip
def test_units_of_length(unit, size):
    assert unit_to_um(unit) == size


def test_spacing_needs_every_axis_and_sane_numbers():
    assert spacing_of("YX", {"X": 0.5, "Y": 0.25}) == (0.25, 0.5)
    assert spacing_of("ZYX", {"X": 1, "Y": 2, "Z": 3}) == (3, 2, 1)
    assert spacing_of("ZYX", {"X": 1, "Y": 2}) is None
    for bad in (0.0, -1.0, math.nan, math.inf, None):
        assert spacing_of("YX", {"X": bad, "Y": 1.0}) is None


@pytest.mark.parametrize(
    ("spacing_um", "shown"),
    [
        ((0.65, 0.65), "0.65 x 0.65 um"),
        ((0.008, 0.008), "8 x 8 nm"),
        ((1000.0, 1000.0, 1000.0), "1 x 1 x 1 mm"),
        ((17000.0, 843.75, 843.75), "17 x 0.8438 x 0.8438 mm"),
        ((3e7, 3e7), "30 x 30 m"),
        ((2.0, 0.2, 0.2), "2 x 0.2 x 0.2 um"),
        ((1e-6, 1e-6), "1e-06 x 1e-06 nm".replace("1e-06", "0.001")),
    ],
)
def test_spacing_is_shown_in_a_fitting_unit(spacing_um, shown):
    assert show_spacing(spacing_um) == shown


def test_images_agree_to_a_hundredth_or_not_at_all():
    assert same_spacing((1.0, 2.0), (1.009, 2.0))
    assert not same_spacing((1.0, 2.0), (1.02, 2.0))
    assert not same_spacing((1.0, 2.0), (1.0, 1.0, 2.0))
    assert common_spacing([(1.0, 1.0), (1.001, 1.0)]) == (1.0, 1.0)
    assert common_spacing([(1.0, 1.0), (2.0, 1.0)]) is None
    assert common_spacing([(1.0, 1.0), None]) is None
    assert common_spacing([]) is None
