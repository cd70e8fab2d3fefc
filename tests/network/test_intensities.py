"""Units of intensities: what is taken as it is, converted, refused, or far outside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.network import compare_intensities, join_facts, look_at_intensities
from pixelwise.network.intensities import units_of


def picture(low: float, high: float, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """A picture (1, 12, 15) of noise whose lowest and highest intensities are these."""
    values = np.random.default_rng(seed).random((1, 12, 15))
    values[0, 0] = 0
    values[0, 1] = 1
    values = low + values * (high - low)
    return (values if dtype.startswith("float") else np.rint(values)).astype(dtype)


def facts(low: float, high: float, dtype: str = "float32"):
    return look_at_intensities([picture(low, high, dtype)])


SETS = {
    "8 bits": join_facts([facts(5, 200, "uint8"), facts(0, 255, "uint8"), facts(9, 90, "uint8")]),
    "8 bits in 16": facts(0, 240, "uint16"),
    "12 bits": facts(100, 3900, "uint16"),
    "16 bits": join_facts([facts(90, 60000, "uint16"), facts(100, 30000, "uint16")]),
    "0 to 1": join_facts([facts(0, 1), facts(0.1, 0.7)]),
    "floats to 255": facts(0, 251.5),
    "CT": join_facts([facts(-1000, 2800, "int16"), facts(-1000, 1200, "int16")]),
    "CT floats": join_facts([facts(-1000, 2800.5), facts(-990, 1200)]),
    "z-scores": join_facts([facts(-2.5, 4), facts(-1.9, 3)]),
    "reflectance": join_facts([facts(0, 1.6), facts(0.01, 0.3)]),
}


@pytest.mark.parametrize(
    ("trained", "low", "high", "dtype", "kind", "factor"),
    [
        # the same unit: nothing is done, however dark
        ("8 bits", 0, 255, "uint8", "as it is", 1),
        ("8 bits", 0, 3, "uint8", "as it is", 1),
        ("8 bits", 0, 1, "uint8", "as it is", 1),
        ("8 bits", 0, 250, "float32", "as it is", 1),
        ("8 bits", 0, 200, "uint16", "as it is", 1),
        ("8 bits", 0, 200, "int64", "as it is", 1),
        ("16 bits", 90, 300, "uint16", "as it is", 1),
        ("16 bits", 90, 30000, "float64", "as it is", 1),
        ("16 bits", 90, 30000, "int32", "as it is", 1),
        ("12 bits", 100, 900, "uint16", "as it is", 1),
        ("CT", -1000, 60, "int16", "as it is", 1),
        ("CT", 0, 80, "int16", "as it is", 1),
        ("CT", -900, 1500.5, "float32", "as it is", 1),
        ("CT floats", -1000, 900, "int16", "as it is", 1),
        ("CT floats", 0, 80, "float32", "as it is", 1),
        ("z-scores", -1.5, 6, "float64", "as it is", 1),
        ("z-scores", -0.2, 0.1, "float32", "as it is", 1),
        ("reflectance", 0, 0.9, "float32", "as it is", 1),
        ("reflectance", 0, 0.05, "float32", "as it is", 1),
        ("0 to 1", 0, 0.02, "float32", "as it is", 1),
        ("0 to 1", -0.01, 1.02, "float32", "as it is", 1),
        ("8 bits in 16", 0, 255, "uint8", "as it is", 1),
        ("floats to 255", 0, 255, "uint8", "as it is", 1),
        # another unit, of one reading
        ("8 bits", 0, 1, "float32", "converted", 255),
        ("8 bits", 0.1, 0.6, "float64", "converted", 255),
        ("8 bits", 0, 1.03, "float32", "converted", 255),
        ("8 bits", 0, 0.003, "float32", "converted", 255),
        ("8 bits", 0, 1, "bool", "converted", 255),
        ("8 bits", 90, 60000, "uint16", "converted", 255 / 65535),
        ("8 bits", 90, 60000, "float32", "converted", 255 / 65535),
        ("16 bits", 0, 255, "uint8", "converted", 257),
        ("16 bits", 0, 30, "uint8", "converted", 257),
        ("16 bits", 0, 1, "float32", "converted", 65535),
        ("16 bits", 0, 250, "float32", "converted", 257),
        ("0 to 1", 0, 255, "uint8", "converted", 1 / 255),
        ("0 to 1", 0, 3, "uint8", "converted", 1 / 255),
        ("0 to 1", 0, 251.5, "float32", "converted", 1 / 255),
        ("0 to 1", 0, 60000, "uint16", "converted", 1 / 65535),
        ("floats to 255", 0, 1, "float32", "converted", 255),
        # another unit, of several readings or of none
        ("8 bits", 0, 4012, "uint16", "refused", 1),
        ("8 bits", 0, 900, "uint16", "refused", 1),
        ("8 bits", -2.5, 2.5, "float32", "refused", 1),
        ("8 bits", -1000, 2000, "int16", "refused", 1),
        ("12 bits", 0, 255, "uint8", "refused", 1),
        ("12 bits", 0, 1, "float32", "refused", 1),
        ("0 to 1", 0, 900, "uint16", "refused", 1),
        ("0 to 1", 0, 1, "uint8", "refused", 1),
        ("CT", 0, 255, "uint8", "refused", 1),
        ("CT floats", 0, 255, "uint8", "refused", 1),
        ("z-scores", 0, 255, "uint8", "refused", 1),
        # taken, with a warning
        ("8 bits", 0, 3.5, "float32", "far", 1),
        ("12 bits", 90, 60000, "uint16", "far", 1),
        ("16 bits", 3, 250, "uint16", "far", 1),
        ("CT", 0, 1, "float32", "far", 1),
        ("CT floats", 0, 4000, "uint16", "far", 1),
        ("z-scores", 0, 1, "float32", "far", 1),
        ("z-scores", 0, 60000, "uint16", "far", 1),
        ("0 to 1", -2.5, 2.5, "float32", "far", 1),
        ("0 to 1", 0, 60.5, "float32", "far", 1),
        ("CT", -1000, 30000, "int16", "far", 1),
        ("reflectance", 0, 9000, "uint16", "far", 1),
    ],
)
def test_what_an_image_is_to_a_training_set(trained, low, high, dtype, kind, factor):
    verdict = compare_intensities(facts(low, high, dtype), SETS[trained])
    assert (verdict.kind, verdict.factor) == (kind, pytest.approx(factor))


def test_zeros_are_zeros_in_every_unit():
    zeros = look_at_intensities([np.zeros((1, 8, 8), np.float32)])
    for trained in SETS.values():
        assert compare_intensities(zeros, trained).kind == "as it is"


def test_a_set_of_several_types_has_no_one_unit():
    mixed = join_facts([SETS["8 bits"], SETS["16 bits"]])
    assert mixed.dtype == "mixed"
    assert compare_intensities(facts(0, 1), mixed).kind == "as it is"


def test_what_is_refused_says_the_readings_and_the_factor():
    advice = compare_intensities(facts(0, 4012, "uint16"), SETS["8 bits"]).advice
    assert "12 bits or 14 bits or 16 bits" in advice
    assert "multiply it by 255 / 4095" in advice
    advice = compare_intensities(facts(0, 255, "uint8"), SETS["12 bits"]).advice
    assert advice.startswith("The training images may be of 12 bits or")


def test_facts_are_the_range_of_the_images():
    one, other = picture(2, 10, "uint8"), picture(4, 30, "uint8")
    found = look_at_intensities([one, other])
    assert (found.dtype, found.lowest, found.highest, found.is_whole) == ("uint8", 2, 30, True)
    assert found.lows == (2, 3, 4)
    assert found.highs == (10, 20, 30)


def test_hot_pixels_do_not_say_the_unit():
    image = picture(0, 200, "uint16")
    image = np.concatenate([image] * 20, axis=1)
    image[0, 7, 7] = 60000
    assert look_at_intensities([image]).high == 200


def test_pixels_that_are_no_numbers_are_left_out():
    image = picture(0, 1)
    image[0, 5, :5] = np.nan, np.inf, -np.inf, np.nan, np.nan
    assert look_at_intensities([image]).high == pytest.approx(1)
    assert look_at_intensities([np.full((1, 4, 4), np.nan)]).highest == 0


def test_a_large_image_is_looked_at_in_a_grid():
    image = np.zeros((1, 2048, 2048), np.uint8)
    image[0, ::8, ::8] = 77
    assert look_at_intensities([image]).highs[0] == 77  # every 8th pixel each way is seen


UNITS = {"0 to 1": (1, "float32"), "8 bits": (255, "uint8"), "16 bits": (65535, "uint16")}


@given(
    trained=st.sampled_from(sorted(UNITS)),
    shown=st.sampled_from(sorted(UNITS)),
    top=st.floats(0.3, 1.0),
    seed=st.integers(0, 99),
)
def test_an_image_in_another_unit_becomes_what_it_would_be_in_the_unit_of_training(
    trained, shown, top, seed
):
    """Full scales known from the type or filled: always converted, by the ratio of the scales."""
    (target, target_type), (unit, unit_type) = UNITS[trained], UNITS[shown]
    known = join_facts([facts(0, 0.9 * target, target_type), facts(0, 0.6 * target, target_type)])
    verdict = compare_intensities(
        look_at_intensities([picture(0, top * unit, unit_type, seed)]), known
    )
    assert verdict.kind == ("as it is" if trained == shown else "converted")
    assert verdict.factor == pytest.approx(target / unit)


SCALES = {"uint8": (255,), "uint16": (255, 1023, 4095, 16383, 65535), "float32": (1, 255, 65535)}
SCALED = st.sampled_from([(dtype, scale) for dtype, scales in SCALES.items() for scale in scales])


@given(trained=SCALED, shown=SCALED, top=st.floats(0.55, 1.0), seed=st.integers(0, 99))
def test_no_image_of_another_unit_is_taken_in_silence(trained, shown, top, seed):
    """Bright images of any full scale in any type, given to sets of any other."""
    known = join_facts([facts(0, share * trained[1], trained[0]) for share in (0.55, 0.8, 1.0)])
    own = look_at_intensities([picture(0, top * shown[1], shown[0], seed)])
    verdict = compare_intensities(own, known)
    ratio = trained[1] / shown[1]
    if ratio == 1:
        assert verdict.kind == "as it is"
    elif verdict.kind == "as it is":
        assert 1 / 8 < ratio < 8  # as a dim or a bright image of the same unit would be
        assert "uint8" not in (trained[0], shown[0])  # whose full scale is known
        assert shown[1] > 1
    elif verdict.kind == "converted":
        assert verdict.factor == pytest.approx(ratio)


@given(
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    tops=st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    scale=st.sampled_from([1.0, 37.5, 255.0, 900.0, 4095.0, 20000.0, 32000.0]),
    low=st.sampled_from([0.0, 0.02, -0.4]),
    seed=st.integers(0, 99),
)
def test_no_image_of_the_training_set_itself_is_converted_refused_or_far(
    dtype, tops, scale, low, seed
):
    if dtype == "uint8":
        scale = min(scale, 255.0)
    if dtype.startswith("uint"):
        low = abs(low)
    images = [picture(low * top * scale, top * scale, dtype, seed) for top in tops]
    known = look_at_intensities(images)
    for image in images:
        assert compare_intensities(look_at_intensities([image]), known).kind == "as it is"


def test_units_that_a_range_may_have():
    assert units_of(facts(0, 3, "uint8")) == {255}
    assert units_of(facts(0, 1, "uint8"), is_training=True) == {1, 255}
    assert units_of(facts(0, 300, "uint16")) == {1023, 4095, 16383, 65535}
    assert units_of(facts(-900, 300, "int16")) == frozenset()
    assert units_of(facts(0, 70000, "int32")) == frozenset()
    assert units_of(facts(0.2, 0.3)) == {1}
    assert units_of(facts(0, 7.5)) == frozenset()
