"""The fingerprint of samples made by hand."""

import numpy as np
import pytest

from pixelwise.data import Sample
from pixelwise.planning import fingerprint as fingerprint_module
from pixelwise.planning import take_fingerprint
from pixelwise.planning.fingerprint import measure_extent
from pixelwise.task import IGNORE_INDEX


def sample(image, mask):
    return Sample("a", np.asarray(image), None if mask is None else np.asarray(mask), None)


def grey(size, mask=None, value=0):
    mask = np.zeros(size, np.uint8) if mask is None else mask
    return sample(np.full((1, *size), value, np.uint8), mask)


def half_and_half(axis, size=(10, 12)):
    """Class 0 in the upper (axis 0) or left (axis 1) half, class 1 in the other."""
    mask = np.zeros(size, np.uint8)
    mask.swapaxes(0, axis)[size[axis] // 2 :] = 1
    return grey(size, mask)


def two_tone(low, high):
    """Half the pixels low, half high: mean (low + high) / 2, deviation (high - low) / 2."""
    image = np.full((1, 4, 4), low, np.float32)
    image[:, ::2] = high
    return sample(image, np.zeros((4, 4), np.uint8))


class TestSizes:
    def test_of_three_images(self):
        found = take_fingerprint([grey((4, 30)), grey((6, 20)), grey((20, 10))], [grey((2, 2))], 2)
        assert (found.num_train, found.num_val) == (3, 1)
        assert found.median_size == (6, 20)
        assert found.min_size == (4, 10)
        assert found.max_size == (20, 30)
        assert found.mean_pixels == (120 + 120 + 200) // 3
        assert found.in_channels == 1
        assert found.num_classes == 2

    def test_volumes(self):
        mask = np.zeros((3, 8, 6), np.uint8)
        mask[:, 4:] = 1  # the lower rows of every plane
        found = take_fingerprint([sample(np.zeros((1, 3, 8, 6)), mask)], [], 2)
        assert found.median_size == (3, 8, 6)
        assert (found.vertical_order, found.horizontal_order) == (1, 0)

    def test_images_larger_than_what_is_looked_at_are_subsampled(self, monkeypatch):
        monkeypatch.setattr(fingerprint_module, "MAX_AXIS", 8)
        image = np.tile(np.array([[[5, 99]]], np.uint8), (1, 16, 8))  # every second column is 5
        found = take_fingerprint([sample(image, np.zeros((16, 16), np.uint8))], [], 2)
        assert found.median_size == (16, 16)
        assert found.intensity_mean == (5,)

    def test_samples_are_spread_over_a_large_set(self, monkeypatch):
        monkeypatch.setattr(fingerprint_module, "MAX_SAMPLES", 3)
        found = take_fingerprint([grey((2, 2), value=v) for v in range(11)], [], 2)
        assert found.num_train == 11
        assert found.intensity_mean == (5,)  # of 0, 5 and 10


class TestClasses:
    def test_shares_of_labelled_pixels(self):
        mask = np.array([[0, 0, 0, 1], [1, 2, IGNORE_INDEX, IGNORE_INDEX]], np.uint8)
        found = take_fingerprint([grey((2, 4), mask)], [], 4)
        assert found.class_shares == (0.5, 0.333333, 0.166667, 0)

    def test_shares_over_images_are_shares_of_pixels(self):
        ones = grey((2, 2), np.ones((2, 2), np.uint8))
        assert take_fingerprint([ones, grey((2, 6))], [], 2).class_shares == (0.75, 0.25)

    def test_classes_that_overlap_have_shares_of_the_pixels(self):
        mask = np.zeros((2, 4, 4), bool)
        mask[0] = True
        mask[1, :2, :2] = True  # 4 of 16 pixels, which class 0 has too
        found = take_fingerprint([sample(np.zeros((1, 4, 4)), mask)], [], 2)
        assert found.class_shares == (1, 0.25)

    def test_ignored_pixels_of_one_of_the_classes_that_overlap(self):
        mask = np.zeros((2, 2, 4), np.uint8)
        mask[0, 0] = 1  # 4 of 8
        mask[1, 0] = IGNORE_INDEX
        mask[1, 1, 0] = 1  # 1 of the 4 that are left
        found = take_fingerprint([sample(np.zeros((1, 2, 4)), mask)], [], 2)
        assert found.class_shares == (0.5, 0.25)

    def test_nothing_labelled(self):
        mask = np.full((4, 4), IGNORE_INDEX, np.uint8)
        found = take_fingerprint([grey((4, 4), mask)], [], 2)
        assert found.class_shares == (0, 0)
        assert (found.vertical_order, found.horizontal_order) == (0, 0)


class TestOrder:
    def test_upper_and_lower_halves(self):
        found = take_fingerprint([half_and_half(0)] * 3, [], 2)
        assert (found.vertical_order, found.horizontal_order) == (1, 0)

    def test_left_and_right_halves(self):
        found = take_fingerprint([half_and_half(1)] * 3, [], 2)
        assert (found.vertical_order, found.horizontal_order) == (0, 1)

    def test_a_quarter_more_of_a_class_above(self):
        mask = np.zeros((4, 4), np.uint8)
        mask[0, :2] = 1  # 2 of 8 pixels above, none below
        mask[1, 2:] = 1  # and 2 more to the right
        found = take_fingerprint([grey((4, 4), mask)], [], 2)
        assert (found.vertical_order, found.horizontal_order) == (0.5, 0)

    def test_classes_that_overlap_have_an_up_where_their_pixels_lie(self):
        """Both in the lower half only: their shares among labels are alike, but not of pixels."""
        mask = np.zeros((2, 4, 4), bool)
        mask[:, 2:] = True
        found = take_fingerprint([sample(np.zeros((1, 4, 4)), mask)], [], 2)
        assert (found.vertical_order, found.horizontal_order) == (1, 0)

    def test_a_half_that_is_ignored_says_nothing_of_order(self):
        mask = np.zeros((4, 4), np.uint8)
        mask[:, 2:] = 1  # left and right
        mask[:2] = IGNORE_INDEX
        found = take_fingerprint([grey((4, 4), mask)], [], 2)
        assert (found.vertical_order, found.horizontal_order) == (0, 1)

    def test_images_turned_either_way_have_none(self):
        one = half_and_half(0)
        other = sample(one.image, one.mask[::-1])
        assert take_fingerprint([one, other], [], 2).vertical_order == 0

    def test_what_chance_does_is_no_order(self):
        """Of few images with a spot each the halves always differ; an up must show in most."""
        rng = np.random.default_rng(0)
        differ, called = 0, 0
        for _ in range(40):
            rows = rng.integers(0, 8, 9)
            masks = np.zeros((9, 8, 8), np.uint8)
            masks[np.arange(9), rows] = 1
            differ += abs((rows < 4).mean() - 0.5) > 0.1
            called += (
                take_fingerprint([grey((8, 8), mask) for mask in masks], [], 2).vertical_order > 0
            )
        assert differ > 12
        assert called <= 6  # 5 % of 40 are expected

    def test_a_small_difference_that_most_images_show(self):
        mask = np.zeros((20, 20), np.uint8)
        mask[:4, :10] = 1  # 40 of the upper 200 pixels
        found = take_fingerprint([grey((20, 20), mask)] * 9 + [grey((20, 20), mask[::-1])], [], 2)
        assert found.vertical_order == pytest.approx(0.16)


class TestIntensities:
    def test_mean_and_deviation_per_channel(self):
        image = np.array([[[0, 10]], [[100, 100]]], np.uint16)
        found = take_fingerprint([sample(image, np.zeros((1, 2), np.uint8))], [], 2)
        assert found.in_channels == 2
        assert found.intensity_mean == (5, 100)
        assert found.intensity_std == (5, 0)

    def test_images_weigh_the_same_whatever_their_size(self):
        found = take_fingerprint([grey((2, 2), value=0), grey((20, 20), value=10)], [], 2)
        assert found.intensity_mean == (5,)
        assert found.intensity_std == (5,)

    def test_contrast_ratio_of_a_mixed_set(self):
        alike = take_fingerprint([two_tone(0, 10), two_tone(50, 60)], [], 2)
        assert alike.image_contrast_ratio == 1
        mixed = take_fingerprint([two_tone(0, 10)] * 5 + [two_tone(0, 80)] * 5, [], 2)
        assert mixed.image_contrast_ratio == 8

    def test_constant_images_count_as_another_contrast(self):
        found = take_fingerprint([two_tone(0, 10), grey((4, 4))] * 5, [], 2)
        assert found.image_contrast_ratio >= 1000
        assert np.isfinite(found.image_contrast_ratio)

    def test_large_integers_do_not_overflow(self):
        image = np.full((1, 64, 64), 65535, np.uint16)
        found = take_fingerprint([sample(image, np.zeros((64, 64), np.uint8))], [], 2)
        assert found.intensity_mean == (65535,)
        assert found.intensity_std == (0,)


def test_the_same_samples_give_the_same_fingerprint():
    samples = [half_and_half(0), grey((7, 9), value=3)] * 10
    assert take_fingerprint(samples, [], 2) == take_fingerprint(samples, [], 2)


def test_json_round_trip(make_fingerprint):
    fingerprint = make_fingerprint()
    assert type(fingerprint).model_validate_json(fingerprint.model_dump_json()) == fingerprint


class TestExtents:
    """Thickness and diameter of shapes that were drawn by hand."""

    @pytest.mark.parametrize("width", [3, 6, 12])
    def test_a_long_band_is_as_thick_as_it_is_wide(self, width):
        plane = np.zeros((40, 200), bool)
        plane[10 : 10 + width] = True
        thickness, diameter = measure_extent(plane)
        assert thickness == pytest.approx(width, rel=0.25)
        assert diameter == pytest.approx(2 * (200 * width / np.pi) ** 0.5)

    def test_a_disc_has_its_own_diameter_and_two_thirds_of_it_as_thickness(self):
        rows, columns = np.ogrid[:64, :64]
        disc = (rows - 32) ** 2 + (columns - 32) ** 2 <= 20**2
        thickness, diameter = measure_extent(disc)
        assert diameter == pytest.approx(40, rel=0.02)
        assert thickness == pytest.approx(40 * 2 / 3, rel=0.05)

    def test_specks_do_not_count(self):
        plane = np.zeros((60, 60), bool)
        plane[10:40, 10:40] = True
        alone = measure_extent(plane)[1]
        plane[::6, 50] = True
        assert measure_extent(plane)[1] == alone

    def test_of_each_class_as_the_median_of_the_images(self):
        masks = []
        for side in (4, 8, 12):
            mask = np.zeros((40, 40), np.uint8)
            mask[2 : 2 + side, 2 : 2 + side] = 1
            masks.append(grey((40, 40), mask))
        found = take_fingerprint(masks, [], 3)
        assert found.diameter_px[1] == pytest.approx(2 * 8 / np.pi**0.5, abs=0.1)
        assert found.diameter_px[2] == found.thickness_px[2] == 0

    def test_classes_that_overlap_and_volumes(self):
        planes = np.zeros((2, 30, 30), bool)
        planes[0, :10], planes[1, :, :4] = True, True
        (found,) = [take_fingerprint([sample(np.zeros((1, 30, 30)), planes)], [], 2)]
        assert found.thickness_px == pytest.approx((10, 4), rel=0.25)
        ball = np.zeros((20, 20, 20), np.uint8)
        ball[5:15, 5:15, 5:15] = 1
        found = take_fingerprint([sample(np.zeros((1, 20, 20, 20)), ball)], [], 2)
        assert found.diameter_px[1] == pytest.approx((1000 * 6 / np.pi) ** (1 / 3), abs=0.1)

    def test_large_images_are_measured_in_their_middle(self, monkeypatch):
        monkeypatch.setattr(fingerprint_module, "MAX_MEASURED", 20)
        mask = np.zeros((60, 60), np.uint8)
        mask[28:32, 28:32] = mask[:15, :15] = 1
        found = take_fingerprint([grey((60, 60), mask)], [], 2)
        assert found.diameter_px[1] == pytest.approx(2 * 4 / np.pi**0.5, abs=0.1)
