"""The predictor: sizes, tiles, mirror images, what it refuses.

Tiny networks with random weights: what they predict is noise, but the same noise on every road.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.device import has_bfloat16
from pixelwise.errors import ArrayError
from pixelwise.inference import Predictor, predictor
from pixelwise.network import (
    IntensityScaling,
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    resize_images,
)
from pixelwise.task import Task
from pixelwise.threads import Threads

CPU = torch.device("cpu")
CLASSES = {Task.BINARY: 2, Task.MULTICLASS: 3, Task.MULTILABEL: 3}


def config_for(task=Task.BINARY, *, in_channels=1, dims=2, normalization="none", **changes):
    num_classes = CLASSES[task]
    network = UNetConfig(
        in_channels=in_channels,
        out_channels=1 if task == Task.BINARY else num_classes,
        widths=(4, 8),
        spatial_dims=dims,
        normalization=normalization,
    )
    return ModelConfig(
        network=network,
        task=task,
        class_names=tuple(f"class {k}" for k in range(num_classes)),
        class_colors=("#000000",) * num_classes,
        **changes,
    )


def model_for(task=Task.BINARY, *, seed=0, **options):
    torch.manual_seed(seed)
    config = config_for(task, **options)
    network = UNet(config.network)
    with torch.no_grad():
        network.head.weight.mul_(2)  # fresh heads are near 0.5
    return Model(config, network.eval())


class Pixelwise(nn.Module):
    """Logits of each pixel from that pixel alone: (B, 1, *s) -> (B, 1, *s)."""

    def forward(self, image):
        return image


def pixelwise_model(**changes):
    return Model(config_for(**changes), Pixelwise())


class TestWorkingScale:
    """A network that sees half-size images, and results in the image's own size."""

    def test_probabilities_have_the_size_of_the_image(self):
        predictor = Predictor(model_for(Task.MULTICLASS, working_scale=0.5), device="cpu")
        found = predictor.probabilities(random_image(1, 37, 50))
        assert found.shape == (3, 37, 50)
        np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)

    def test_the_network_sees_the_smaller_image(self):
        model, image = model_for(), random_image(1, 40, 60)
        small = resize_images(torch.from_numpy(image)[None], (20, 30))
        half = Predictor(model.with_config(working_scale=0.5), device="cpu").probabilities(image)
        whole = Predictor(model, device="cpu").predict_batch(small)
        np.testing.assert_allclose(half, resize_images(whole, (40, 60))[0].numpy(), atol=1e-6)

    def test_smooth_images_come_back_as_they_were(self):
        ramp = np.linspace(-2, 2, 64, dtype=np.float32)
        image = np.tile(ramp, (1, 48, 1))
        found = Predictor(pixelwise_model(working_scale=0.5), device="cpu").probabilities(image)
        np.testing.assert_allclose(
            found[0, :, 4:-4], 1 / (1 + np.exp(-image[0, :, 4:-4])), atol=0.01
        )

    def test_in_tiles_and_in_batches_as_in_one_piece(self):
        model = pixelwise_model(working_scale=0.5)
        image = np.tile(np.linspace(-2, 2, 64, dtype=np.float32), (1, 64, 1))
        whole = Predictor(model, device="cpu").probabilities(image)
        tiled = Predictor(model, device="cpu", tile_size=32).probabilities(image)
        np.testing.assert_allclose(tiled, whole, atol=0.02)
        batch = Predictor(model, device="cpu").batch_probabilities(np.stack([image, image]))
        np.testing.assert_allclose(batch[1], whole, atol=1e-6)


def random_image(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def predict(model, image, **options):
    return Predictor(model, device="cpu", **options).probabilities(image)


class TestSizes:
    @pytest.mark.parametrize("size", [(1, 1), (1, 7), (16, 16), (17, 23), (31, 2)])
    @pytest.mark.parametrize("tile_size", [None, 8])
    def test_results_have_the_size_of_the_image(self, size, tile_size):
        runner = Predictor(model_for(Task.MULTICLASS), device="cpu", tile_size=tile_size)
        probabilities = runner.probabilities(random_image(1, *size))
        assert probabilities.shape == (3, *size)
        assert probabilities.dtype == np.float32
        assert runner.to_mask(probabilities).shape == size

    @pytest.mark.parametrize("task", CLASSES)
    def test_probabilities_are_probabilities(self, task):
        probabilities = predict(model_for(task), random_image(1, 33, 40), tile_size=16)
        assert probabilities.min() >= 0
        assert probabilities.max() <= 1
        if task == Task.MULTICLASS:
            np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)

    def test_volumes(self):
        model, image = model_for(dims=3), random_image(1, 5, 9, 12)
        assert predict(model, image).shape == (1, 5, 9, 12)
        assert predict(model, image, tile_size=6).shape == (1, 5, 9, 12)

    def test_integers_are_taken_as_they_are_stored(self):
        model = model_for(scaling=IntensityScaling(scheme="statistics", mean=(100,), std=(50,)))
        stored = np.random.default_rng(0).integers(0, 255, (1, 12, 12), dtype=np.uint8)
        np.testing.assert_array_equal(predict(model, stored), predict(model, stored.astype(float)))


class TestTiles:
    """Tiles of 32 overlap by 8; on 80 pixels they start at 0, 24, 48: even, as pooling wants."""

    SIZE, SIDE, REACH = 80, 32, 12

    def is_far_from_tile_edges(self, size, starts):
        """Pixels whose receptive field (12 pixels either way) is inside every tile they are in."""
        far = np.ones(size, bool)
        for start in starts:
            for edge in (start, start + self.SIDE):
                if 0 < edge < size:
                    far &= np.abs(np.arange(size) + 0.5 - edge) > self.REACH
        return far

    @pytest.mark.parametrize(
        ("size", "starts", "least"), [(80, (0, 24, 48), 20), (81, (0, 16, 32, 50), 8)]
    )
    def test_far_from_tile_edges_tiling_changes_nothing(self, size, starts, least):
        """81 pixels spread evenly would be cut at 33 and 49, within what pooling joins."""
        model, image = model_for(), random_image(1, size, 20)
        whole, tiled = predict(model, image), predict(model, image, tile_size=self.SIDE)
        far = self.is_far_from_tile_edges(size, starts)
        assert far.sum() >= least
        np.testing.assert_allclose(tiled[:, far], whole[:, far], atol=1e-5)
        assert np.abs(tiled - whole).max() > 1e-4  # the tiles were there

    def test_everywhere_else_it_changes_little(self):
        model, image = model_for(), random_image(1, self.SIZE, self.SIZE)
        whole, tiled = predict(model, image), predict(model, image, tile_size=self.SIDE)
        assert np.abs(tiled - whole).mean() < 0.02
        assert whole.std() > 0.1

    @pytest.mark.parametrize("size", [(50, 70), (33, 9), (97, 12)])
    def test_no_seams(self, size):
        image = random_image(1, *size)
        whole = predict(pixelwise_model(), image)
        for tile_size in (5, 8, 32):
            tiled = predict(pixelwise_model(), image, tile_size=tile_size)
            np.testing.assert_allclose(tiled, whole, atol=1e-6)

    def test_no_seams_in_volumes(self):
        image = random_image(1, 7, 20, 13)
        whole = predict(pixelwise_model(dims=3), image)
        tiled = predict(pixelwise_model(dims=3), image, tile_size=6)
        np.testing.assert_allclose(tiled, whole, atol=1e-6)

    def test_a_scale_of_the_image_is_that_of_the_whole_image(self):
        # a bright corner: scaled by itself, each tile would look alike
        image = random_image(1, 64, 64)
        image[:, :32, :32] += 100
        model = pixelwise_model(scaling=IntensityScaling(scheme="percentiles"))
        np.testing.assert_allclose(
            predict(model, image, tile_size=16), predict(model, image), atol=1e-6
        )

    @pytest.mark.parametrize("task", CLASSES)
    def test_bands_are_the_image_part_by_part(self, task):
        runner = Predictor(model_for(task), device="cpu", tile_size=16)
        image = random_image(1, 45, 60)
        expected, mask = runner.probabilities(image), runner.segment(image)
        times = np.zeros((45, 60), int)
        for window, values in runner.bands(image):
            times[window] += 1
            np.testing.assert_array_equal(values, expected[(..., *window)])
            np.testing.assert_array_equal(runner.to_mask(values), mask[(..., *window)])
        assert (times == 1).all()

    def test_a_wrong_image_is_refused_before_the_first_band(self):
        with pytest.raises(ArrayError, match="2 channels"):
            Predictor(model_for(), device="cpu").bands(random_image(2, 8, 8))

    def test_memory_decides_where_nobody_does(self, monkeypatch):
        seen = self.watch_tile_sides(monkeypatch, (40, 200))
        assert seen == {(40, 200)}
        monkeypatch.setattr(predictor, "MAX_WHOLE_PIXELS", 4 * 32 * 32)  # widths[0] is 4
        assert self.watch_tile_sides(monkeypatch, (40, 200)) == {(32, 32)}

    def test_a_thin_image_overlaps_as_much_as_any(self):
        """Six tiles of 64 that overlap by 16 cover 300, as few as can; they begin evenly."""
        predictor = Predictor(pixelwise_model(), device="cpu", tile_size=64)
        bands = list(predictor.bands(random_image(1, 3, 300)))
        assert [band.window[1].start for band in bands] == [0, 46, 94, 140, 188, 236]

    def watch_tile_sides(self, monkeypatch, size):
        sides = set()

        class Watching(Pixelwise):
            def forward(self, image):
                sides.add(tuple(image.shape[2:]))
                return image

        predict(Model(config_for(), Watching()), random_image(1, *size))
        return sides


class TestMirrorImages:
    @pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
    @pytest.mark.parametrize("size", [(16, 16), (18, 32)])
    def test_averaging_makes_prediction_mirror_with_the_image(self, axes, size):
        model, image = model_for(Task.MULTICLASS), random_image(1, *size)
        runner = Predictor(model, device="cpu", tta=True)
        there = np.flip(runner.probabilities(image), axes)
        back = runner.probabilities(np.flip(image, axes))
        np.testing.assert_allclose(back, there, atol=1e-6)

    def test_without_averaging_it_does_not(self):
        model, image = model_for(), random_image(1, 16, 16)
        back = predict(model, image[:, ::-1])[:, ::-1]
        assert np.abs(back - predict(model, image)).max() > 1e-3

    def test_it_is_the_mean_over_the_four_mirror_images(self):
        model, image = model_for(), random_image(1, 16, 16)
        views = [
            np.flip(predict(model, np.flip(image, axes)), axes) for axes in ((), (1,), (2,), (1, 2))
        ]
        averaged = predict(model, image, tta=True)
        np.testing.assert_allclose(averaged, np.mean(views, axis=0), atol=1e-6)

    @pytest.mark.parametrize(("mirror_axes", "axes"), [((-1,), ((), (2,))), ((), ((),))])
    def test_copies_that_training_never_made_are_left_out(self, mirror_axes, axes):
        model, image = model_for().with_config(mirror_axes=mirror_axes), random_image(1, 16, 16)
        views = [np.flip(predict(model, np.flip(image, chosen)), chosen) for chosen in axes]
        averaged = predict(model, image, tta=True)
        np.testing.assert_allclose(averaged, np.mean(views, axis=0), atol=1e-6)

    def test_volumes_have_eight(self):
        calls = []

        class Counting(Pixelwise):
            def forward(self, image):
                calls.append(image)
                return image

        model = Model(config_for(dims=3), Counting())
        image = random_image(1, 4, 4, 4)
        averaged = predict(model, image, tta=True)
        assert len(calls) == 8
        np.testing.assert_allclose(averaged, predict(pixelwise_model(dims=3), image), atol=1e-6)


class TestMasks:
    def test_binary_by_the_threshold(self):
        runner = Predictor(pixelwise_model(threshold=0.7), device="cpu")
        mask = runner.to_mask(np.array([[[0.69, 0.7], [0.1, 1.0]]], np.float32))
        assert mask.dtype == np.uint8
        assert mask.tolist() == [[0, 1], [0, 1]]

    def test_multiclass_by_the_largest(self):
        runner = Predictor(model_for(Task.MULTICLASS), device="cpu")
        mask = runner.to_mask(np.array([[[0.2, 0.5]], [[0.5, 0.3]], [[0.3, 0.2]]], np.float32))
        assert mask.dtype == np.uint8
        assert mask.tolist() == [[1, 0]]

    def test_multilabel_class_by_class(self):
        runner = Predictor(model_for(Task.MULTILABEL), device="cpu")
        mask = runner.to_mask(np.array([[[0.9]], [[0.6]], [[0.4]]], np.float32))
        assert mask.dtype == bool
        assert mask[:, 0, 0].tolist() == [True, True, False]

    def test_segment_is_both_steps(self):
        runner, image = Predictor(model_for(), device="cpu"), random_image(1, 20, 20)
        np.testing.assert_array_equal(
            runner.segment(image), runner.to_mask(runner.probabilities(image))
        )

    def test_small_regions_get_the_class_around_them(self):
        image = np.full((1, 5, 5), -1, np.float32)
        image[0, 0, 0] = image[0, 3:, 3:] = 1
        expected = (image[0] > 0).astype(np.uint8)
        mask = Predictor(pixelwise_model(), device="cpu").segment(image)
        np.testing.assert_array_equal(mask, expected)
        expected[0, 0] = 0
        mask = Predictor(pixelwise_model(min_area=4), device="cpu").segment(image)
        np.testing.assert_array_equal(mask, expected)

    def test_the_scaling_of_the_model_comes_first(self):
        scaling = IntensityScaling(scheme="statistics", mean=(10,), std=(2,))
        image = np.array([[[10, 12], [8, 14]]], np.uint8)
        expected = 1 / (1 + np.exp(-np.array([[[0, 1], [-1, 2]]])))
        np.testing.assert_allclose(
            predict(pixelwise_model(scaling=scaling), image), expected, atol=1e-6
        )


class TestRefusals:
    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (np.zeros((8, 8)), r"shape \(8, 8\); expected \(channels, height, width\)"),
            (np.zeros((1, 1, 8, 8)), r"shape \(1, 1, 8, 8\); expected"),
            (np.zeros((1, 0, 8)), "none of them 0"),
            (np.zeros((3, 8, 8)), r"has 3 channels \(shape \(3, 8, 8\)\).*trained on 1"),
            (np.full((1, 2, 2), np.nan), "4 NaN or infinite values.*nan_to_num"),
            (np.array([[[np.inf, 1.0]]]), "1 NaN or infinite"),
        ],
    )
    def test_what_is_no_image_of_this_model(self, image, message):
        runner = Predictor(model_for(), device="cpu")
        with pytest.raises(ArrayError, match=message):
            runner.probabilities(image)
        with pytest.raises(ArrayError, match=message):
            runner.batch_probabilities(image[None])

    def test_a_picture_for_a_model_of_volumes(self):
        with pytest.raises(ArrayError, match=r"expected \(channels, depth, height, width\)"):
            Predictor(model_for(dims=3), device="cpu").probabilities(np.zeros((1, 8, 8)))


class TestBatches:
    @pytest.mark.parametrize("scheme", ["none", "percentiles"])
    def test_many_are_as_one_by_one(self, scheme):
        model = model_for(normalization="batch", scaling=IntensityScaling(scheme=scheme))
        runner = Predictor(model, device="cpu")
        images = random_image(3, 1, 17, 16)
        singly = np.stack([runner.probabilities(image) for image in images])
        np.testing.assert_allclose(runner.batch_probabilities(images), singly, atol=1e-6)

    def test_large_ones_run_one_after_the_other(self, monkeypatch):
        monkeypatch.setitem(predictor.BATCH_PIXELS, "cpu", 100)
        runner, images = Predictor(model_for(), device="cpu"), random_image(2, 1, 16, 16)
        singly = np.stack([runner.probabilities(image) for image in images])
        np.testing.assert_array_equal(runner.batch_probabilities(images), singly)


class TestSameAgain:
    @pytest.mark.parametrize("tile_size", [None, 16])
    def test_bit_for_bit(self, tile_size):
        model, image = model_for(normalization="batch"), random_image(1, 40, 40)
        once = predict(model, image, tile_size=tile_size)
        np.testing.assert_array_equal(once, predict(model, image, tile_size=tile_size))

    def test_the_image_is_left_as_it_was(self):
        image = random_image(1, 20, 20)
        before = image.copy()
        scaling = IntensityScaling(scheme="percentiles")
        predict(model_for(scaling=scaling), image, tile_size=8, tta=True)
        np.testing.assert_array_equal(image, before)

    def test_a_network_in_training_predicts_as_in_use_and_goes_on_training(self):
        model, image = model_for(normalization="batch"), random_image(1, 16, 16)
        expected = predict(model, image)
        model.network.train()
        np.testing.assert_array_equal(predict(model, image), expected)
        assert model.network.training
        assert int(model.network.encoder[0].norm1.num_batches_tracked) == 0

    @pytest.mark.skipif(not has_bfloat16(CPU), reason="this machine emulates bfloat16")
    def test_bfloat16_is_near_float32(self):
        image = random_image(1, 32, 32)
        exact, rough = (
            predict(model_for(precision=precision), image) for precision in ("float32", "bfloat16")
        )
        assert rough.dtype == np.float32
        assert 0 < np.abs(exact - rough).max() < 0.05


class TestThreads:
    """How many threads tiles are computed with."""

    def test_every_tile_is_a_piece_of_work(self, monkeypatch):
        sizes, threads = [], Threads(CPU)
        monkeypatch.setattr(
            Threads, "timed", lambda self, size: sizes.append(size) or nullcontext()
        )
        found = Predictor(model_for(), device=CPU, tile_size=16, threads=threads)
        found.probabilities(random_image(1, 16, 40))
        assert sizes == [16 * 16] * 3
        found.batch_probabilities(np.zeros((5, 1, 8, 8), np.uint8))
        assert sizes[3:] == [5 * 8 * 8]

    def test_results_are_the_same_with_any_number(self):
        image = np.random.default_rng(0).integers(0, 255, (1, 40, 56)).astype(np.uint8)
        one, three = (
            Predictor(model_for(), device=CPU, threads=Threads(CPU, number)).probabilities(image)
            for number in (1, 3)
        )
        np.testing.assert_allclose(one, three, atol=1e-5)

    def test_another_model_is_predicted_on_the_same_device_with_the_same_threads(self):
        found = Predictor(model_for(), device=CPU, tile_size=24, tta=True)
        other = model_for(seed=1)
        shown = found.with_model(other)
        assert (shown.model, shown.device, shown.threads) == (other, found.device, found.threads)
        assert (shown.tile_size, shown.tta) == (24, True)
