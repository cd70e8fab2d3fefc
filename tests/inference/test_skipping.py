"""Tiles that are not computed: nothing of the result changes, and they are counted."""

import numpy as np
import pytest
import torch

from pixelwise.inference import Predictor
from pixelwise.inference.skipping import TileComputer, TileCounts, constant_value
from pixelwise.task import Task

from .test_predictor import model_for


class CountingRuntime:
    """Probabilities that depend on the neighbours and on where they lie in the tile."""

    name, precision, takes_stored = "counting", "float32", False

    def __init__(self, num_classes=1):
        self.device, self.num_calls, self._num_classes = torch.device("cpu"), 0, num_classes

    def __call__(self, batch):
        self.num_calls += 1
        near = batch.roll(1, 2) + batch.roll(1, 3)
        ramp = torch.linspace(0, 1, batch.shape[3])
        return (near.mean(1, keepdim=True) + ramp).sigmoid().repeat(1, self._num_classes, 1, 1)


def predictor_of(runtime, **options):
    return Predictor(model_for(**options), runtime=runtime, tile_size=16)


def glass_with_a_cell(value=240):
    image = np.full((1, 64, 64), value, np.uint8)
    image[0, 20:24, 20:24] = 7
    return image


class TestConstantTiles:
    def test_are_computed_once(self, monkeypatch):
        """Tiles of 16 that overlap by 4 stand at 0, 12, 24, 36, 48 (25 in all); the cell at rows
        and columns 20 to 23 is in the one at (12, 12) alone."""
        runtime, image = CountingRuntime(), glass_with_a_cell()
        predictor = predictor_of(runtime)
        monkeypatch.setattr(Predictor, "overlap", property(lambda self: 4))
        found = predictor.probabilities(image)
        assert runtime.num_calls == 2
        assert (predictor.tiles.total, predictor.tiles.constant) == (25, 23)
        assert "23 of 25 tiles (92%) of one value" in predictor.tiles.describe()
        monkeypatch.setattr("pixelwise.inference.skipping.constant_value", lambda tile: None)
        np.testing.assert_array_equal(predictor.probabilities(image), found)
        assert runtime.num_calls == 2 + 25

    def test_of_another_value_are_computed(self):
        """Black at the left, white at the right, in tiles that do not overlap."""
        image = np.zeros((1, 16, 64), np.float32)
        image[..., 32:] = 1
        runtime = CountingRuntime()
        predictor = predictor_of(runtime)
        predictor.probabilities(image)
        assert runtime.num_calls >= 2
        assert predictor.tiles.total == runtime.num_calls + predictor.tiles.constant

    def test_are_never_those_of_an_earlier_image_or_of_other_weights(self):
        """Each image is scaled in its own way, and in training the weights change in between."""
        runtime = CountingRuntime()
        predictor = predictor_of(runtime)
        for number in range(1, 4):
            predictor.probabilities(np.zeros((1, 16, 16), np.uint8))
            assert runtime.num_calls == number

    def test_their_results_are_not_shared(self):
        """What one tile adds to its own result is not in the next one's."""
        compute = TileComputer(lambda tile: np.zeros((1, 2, 2), np.float32), TileCounts())
        for _ in range(3):
            found = compute(np.ones((1, 2, 2)))
            assert found.sum() == 0
            found += 1

    @pytest.mark.parametrize("place", [(0, 0, 0), (1, 99, 99), (1, 61, 61), (0, 50, 3)])
    def test_one_pixel_makes_the_difference(self, place):
        tile = np.full((2, 100, 100), 5, np.uint8)
        tile[1] = 9
        np.testing.assert_array_equal(constant_value(tile), [5, 9])
        tile[place] = 6
        assert constant_value(tile) is None

    def test_nan_is_no_value(self):
        assert constant_value(np.full((1, 4, 4), np.nan)) is None

    def test_sizes_and_types_are_told_apart(self):
        seen = []
        compute = TileComputer(
            lambda tile: seen.append(tile.shape) or tile.astype("f4"), TileCounts()
        )
        for tile in (
            np.ones((1, 2, 2), np.uint8),
            np.ones((1, 2, 3), np.uint8),
            np.ones((1, 2, 3)),
        ):
            assert compute(tile).shape == tile.shape
        assert len(seen) == 3


class LeavesOut:
    """An image whose right half is left out."""

    def __init__(self, image):
        self._image, self.shape, self.overview = image, image.shape, image

    def __getitem__(self, window):
        return None if window[2].start >= 32 else self._image[window]


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL])
def test_tiles_that_are_left_out_are_background(task):
    num_classes = 1 if task == Task.BINARY else 3
    runtime = CountingRuntime(num_classes)
    predictor = predictor_of(runtime, task=task)
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 64), np.uint8)
    (*_, last) = list(predictor.bands(LeavesOut(image)))
    expected = [1, 0, 0] if task == Task.MULTICLASS else [0] * num_classes
    np.testing.assert_array_equal(last.values[:, 0, -1], expected)
    assert not predictor.to_mask(last.values)[..., -1].any()
    assert predictor.tiles.left_out > 0
    assert "were left out as no-data or background" in predictor.tiles.describe()
