"""Bands: stitched by hand, and read from what is no array."""

import numpy as np
from hypothesis import given, settings

from pixelwise.inference import Band, join_bands, plan_tiles, predict_bands
from pixelwise.inference.bands import blend_tiles
from pixelwise.inference.tiles import plan_axes

from .plans import plans


class TestBlend:
    def test_by_hand(self):
        """Tiles of 4 with 1, 3 and 5 in them, overlap 1: halfway where two meet."""
        tiles = iter((1, 3, 5))
        found = list(
            blend_tiles(plan_axes([10], [4], 1), lambda tile: np.full((1, 4), next(tiles), "f4"))
        )
        assert [window for window, _ in found] == [(slice(0, 3),), (slice(3, 6),), (slice(6, 10),)]
        assert [values[0].tolist() for _, values in found] == [[1, 1, 1], [2, 3, 3], [4, 5, 5, 5]]

    @settings(deadline=None)
    @given(plans())
    def test_bands_are_the_sum_of_weighted_tiles_each_pixel_once(self, plan):
        size = plan[0]
        random, predicted = np.random.default_rng(0), {}

        def predict(tile):
            values = random.random((2, *tile.size), np.float32)
            predicted[tile.starts] = values.copy()
            return values

        found, times = np.zeros((2, *size), np.float32), np.zeros(size, int)
        for window, values in blend_tiles(plan_axes(*plan), predict):
            found[(slice(None), *window)] = values
            times[window] += 1
        expected = np.zeros((2, *size), np.float32)
        for tile in plan_tiles(*plan):
            expected[(slice(None), *tile.slices)] += predicted[tile.starts] * tile.blend_weights()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (times == 1).all()

    def test_bands_come_while_later_tiles_are_not_predicted(self):
        seen = []

        def predict(tile):
            seen.append(tile.starts)
            return np.zeros((1, *tile.size), np.float32)

        largest = 0
        for number, (_, values) in enumerate(
            blend_tiles(plan_axes((90, 90), (16, 16), 4), predict), start=1
        ):
            assert len(seen) == number
            largest = max(largest, values.size)
        assert largest <= 16 * 16


class OnDisk:
    """An image that can only be read in windows."""

    def __init__(self, image):
        self.image, self.shape, self.read = image, image.shape, []

    def __getitem__(self, window):
        self.read.append(tuple((one.start, one.stop) for one in window[1:]))
        return self.image[window]


class TestPredict:
    IMAGE = np.arange(16, dtype=np.float32).reshape(1, 4, 4) / 15

    def test_an_image_is_read_window_by_window_and_given_in_row_order(self):
        image = OnDisk(self.IMAGE)
        bands = list(predict_bands(image, (2, 4), 0, lambda window: window.copy()))
        assert image.read == [((0, 2), (0, 4)), ((2, 4), (0, 4))]
        assert [band.window for band in bands] == [
            (slice(0, 2), slice(0, 4)),
            (slice(2, 4), slice(0, 4)),
        ]
        np.testing.assert_array_equal(join_bands(bands, (4, 4)), self.IMAGE)

    def test_the_first_band_comes_before_the_rest_is_read(self):
        image = OnDisk(self.IMAGE)
        next(predict_bands(image, (2, 4), 0, lambda window: window.copy()))
        assert image.read == [((0, 2), (0, 4))]

    def test_a_probability_stays_one_at_most(self):
        bands = predict_bands(self.IMAGE, (3, 3), 1, lambda window: np.full_like(window, 1 + 1e-6))
        assert join_bands(bands, (4, 4)).max() == 1


class TestJoin:
    LEFT, RIGHT = (slice(0, 2), slice(0, 1)), (slice(0, 2), slice(1, 3))

    def test_masks(self):
        bands = [
            Band(self.LEFT, np.array([[1], [2]], np.uint8)),
            Band(self.RIGHT, np.array([[3, 4], [5, 6]], np.uint8)),
        ]
        whole = join_bands(iter(bands), (2, 3))
        assert whole.dtype == np.uint8
        assert whole.tolist() == [[1, 3, 4], [2, 5, 6]]

    def test_values_of_each_class(self):
        bands = [
            Band(self.RIGHT, np.array([[[3, 4], [5, 6]], [[0, 0], [7, 7]]], bool)),
            Band(self.LEFT, np.array([[[1], [0]], [[1], [0]]], bool)),
        ]
        whole = join_bands(bands, (2, 3))
        assert whole.dtype == bool
        assert whole.astype(int).tolist() == [[[1, 1, 1], [0, 1, 1]], [[1, 0, 0], [0, 1, 1]]]

    def test_a_band_that_is_the_whole_image_is_not_copied(self):
        values = np.zeros((2, 3), np.uint8)
        assert join_bands([Band((slice(0, 2), slice(0, 3)), values)], (2, 3)) is values
