"""Intensity scaling: numbers worked out by hand, and what must hold for every image."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pixelwise.network import IntensityScaling, scaling

PERCENTILES = IntensityScaling(scheme="percentiles")
WHOLE_RANGE = IntensityScaling(scheme="percentiles", low=0, high=100)


def random_image(*shape, low=0, high=250, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape)


class TestByHand:
    def test_none_leaves_intensities(self):
        image = np.array([[[0, 7, 255]]], np.uint8)
        scaled = IntensityScaling().apply(image)
        assert scaled.dtype == np.float32
        assert scaled.tolist() == [[[0, 7, 255]]]

    def test_statistics_per_channel(self):
        scheme = IntensityScaling(scheme="statistics", mean=(10, 100), std=(2, 50))
        image = np.array([[[10, 14]], [[0, 200]]], np.uint8)  # (C, H, W) = (2, 1, 2)
        assert scheme.apply(image).tolist() == [[[0, 2]], [[-2, 2]]]

    def test_a_channel_without_spread_is_only_shifted(self):
        scheme = IntensityScaling(scheme="statistics", mean=(5,), std=(0,))
        assert scheme.apply(np.array([[[5, 6]]])).tolist() == [[[0, 1]]]

    def test_percentiles_map_to_minus_1_and_1(self):
        image = np.arange(101).reshape(1, 1, 101)  # the p-th percentile is p
        scheme = IntensityScaling(scheme="percentiles", low=10, high=90)
        scaled = scheme.apply(image)[0, 0]
        np.testing.assert_allclose(scaled[[10, 50, 90]], [-1, 0, 1], atol=1e-6)
        np.testing.assert_allclose(scaled[[0, 100]], [-1.25, 1.25], atol=1e-6)  # not cut off

    def test_coefficients_are_offset_and_gain(self):
        offset, gain = WHOLE_RANGE.coefficients(np.array([[[10, 30]]]))
        assert (offset.tolist(), gain.tolist()) == ([20], [np.float32(0.1)])
        assert offset.dtype == gain.dtype == np.float32

    @pytest.mark.parametrize("dims", [1, 2, 3])
    def test_any_number_of_spatial_axes(self, dims):
        image = random_image(2, *[6] * dims)
        assert WHOLE_RANGE.apply(image).shape == image.shape


class TestConstantImages:
    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            (0, np.uint8),
            (7, np.uint8),
            (65535, np.uint16),
            (65504, np.float16),
            (0.1, np.float32),
            (1e30, np.float64),
        ],
    )
    def test_become_zeros(self, value, dtype):
        image = np.full((3, 4, 5), value, dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scaled = PERCENTILES.apply(image)
        np.testing.assert_array_equal(scaled, np.zeros((3, 4, 5)))

    def test_one_pixel(self):
        np.testing.assert_array_equal(PERCENTILES.apply(np.array([[[9]]])), [[[0]]])

    def test_a_dark_field_with_a_few_specks_keeps_a_modest_range(self):
        image = np.full((1, 100, 100), 3, np.uint16)
        image[0, 50, 50:53] = 60_003  # 0.03 % of the pixels: both percentiles are 3
        scaled = PERCENTILES.apply(image)
        assert np.unique(scaled).tolist() == [-1, 1]


class TestColours:
    def test_percentiles_keep_the_ratios_of_channels(self):
        image = random_image(3, 20, 20).astype(np.float32)
        image[1] /= 2
        image[2] /= 4
        scaled = PERCENTILES.apply(image)
        offset, gain = PERCENTILES.coefficients(image)
        assert len(set(offset.tolist())) == len(set(gain.tolist())) == 1
        back = scaled / gain[0] + offset[0]
        np.testing.assert_allclose(back, image, atol=1e-3)

    def test_statistics_do_not(self):
        image = np.repeat(random_image(1, 20, 20), 2, axis=0) / [[[1]], [[2]]]
        means, stds = image.mean((1, 2)), image.std((1, 2))
        scheme = IntensityScaling(scheme="statistics", mean=tuple(means), std=tuple(stds))
        np.testing.assert_allclose(scheme.apply(image)[0], scheme.apply(image)[1], atol=1e-4)


class TestStorage:
    """An image means the same in 8 and 16 bits, as float, brighter or with more gain."""

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
    def test_percentiles_do_not_depend_on_the_type(self, dtype):
        image = random_image(1, 30, 30)
        expected = PERCENTILES.apply(image.astype(np.uint8))
        np.testing.assert_allclose(PERCENTILES.apply(image.astype(dtype)), expected, atol=1e-5)

    def test_half_precision_near_its_largest_value(self):
        image = (random_image(1, 30, 30, low=160) * 256).astype(np.float16)  # 40,960 to 63,744
        expected = PERCENTILES.apply(image.astype(np.float32))
        np.testing.assert_allclose(PERCENTILES.apply(image), expected, atol=1e-5)

    @given(st.floats(1e-3, 200), st.floats(-1000, 1000), st.integers(0, 5))
    def test_percentiles_do_not_depend_on_gain_and_offset(self, gain, offset, seed):
        image = random_image(2, 12, 12, seed=seed).astype(np.float64)
        np.testing.assert_allclose(
            PERCENTILES.apply(image * gain + offset), PERCENTILES.apply(image), atol=5e-3
        )

    def test_16_bits_of_an_8_bit_image(self):
        image = random_image(3, 30, 30).astype(np.uint8)
        np.testing.assert_allclose(
            PERCENTILES.apply(image.astype(np.uint16) * 257), PERCENTILES.apply(image), atol=1e-5
        )

    def test_statistics_do_depend_since_they_are_those_of_the_training_set(self):
        scheme = IntensityScaling(scheme="statistics", mean=(10,), std=(1,))
        image = random_image(1, 4, 4)
        assert np.abs(scheme.apply(image * 2) - scheme.apply(image)).max() > 1

    def test_the_image_is_left_as_it_was(self):
        image = random_image(1, 9, 9).astype(np.float32)
        before = image.copy()
        PERCENTILES.apply(image)
        np.testing.assert_array_equal(image, before)


class TestHugeImages:
    def test_percentiles_of_every_nth_pixel_are_near_those_of_all(self, monkeypatch):
        image = random_image(2, 90, 120, high=60_000)
        exact = PERCENTILES.apply(image)
        monkeypatch.setattr(scaling, "MAX_PIXELS_FOR_PERCENTILES", 1200)
        assert np.abs(PERCENTILES.apply(image) - exact).max() < 0.05

    def test_every_nth_along_each_axis(self, monkeypatch):
        monkeypatch.setattr(scaling, "MAX_PIXELS_FOR_PERCENTILES", 100)
        assert scaling.subsample(np.zeros((3, 30, 30))).shape == (3, 10, 10)
        assert scaling.subsample(np.zeros((1, 20, 10, 20))).shape == (1, 7, 4, 7)


class TestValue:
    def test_frozen(self):
        with pytest.raises(ValidationError, match="frozen"):
            PERCENTILES.low = 3

    def test_an_unknown_scheme_is_refused(self):
        with pytest.raises(ValidationError, match="scheme"):
            IntensityScaling(scheme="by guess")

    def test_json_round_trip(self):
        scheme = IntensityScaling(scheme="statistics", mean=(0.1, 1 / 3), std=(2, 1e-9))
        assert IntensityScaling.model_validate_json(scheme.model_dump_json()) == scheme
