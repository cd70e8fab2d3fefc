"""Augmentation: masks stay masks, geometry moves both.

The trick of most tests: an image that equals its mask. Whatever geometry does, they must agree.
"""

import pytest
import torch

from pixelwise.planning import Augmentation
from pixelwise.training import augment as augment_module
from pixelwise.training.augment import BatchRandom, augment, crop_size_for
from pixelwise.training.batches import Batch, Moved
from pixelwise.training.ranks import Share

GEOMETRY = {
    "rotation": {"rotation_degrees": 30},
    "scale": {"scale": 1.5},
    "elastic": {"elastic_px": 3},
    "all": {"rotation_degrees": 180, "scale": 2, "elastic_px": 2},
}
INTENSITY = {
    "brightness": {"brightness": 1},
    "contrast": {"contrast": 2},
    "gamma": {"gamma": 2},
    "noise": {"noise": 0.5},
    "blur": {"blur_px": 2},
    "color": {"color": 0.5},
    "invert": {"invert": 0.7},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blocks(batch_size, size, values=(0, 1, 2, 255), block=8):
    """Targets (B, *size) of blocks of random values."""
    coarse = [-(-side // block) for side in size]
    index = torch.randint(len(values), (batch_size, *coarse), generator=generator(1))
    target = torch.tensor(values, dtype=torch.uint8)[index]
    for axis in range(1, len(size) + 1):
        target = target.repeat_interleave(block, axis)
    return target[(slice(None), *[slice(side) for side in size])].contiguous()


def batch_of(size, batch_size=8, channels=1, **options):
    """A batch whose image equals its mask."""
    targets = blocks(batch_size, size, **options)
    return Batch(targets[:, None].float().repeat(1, channels, *[1] * len(size)), targets)


def noise_batch(size=(12, 12), batch_size=32, channels=2):
    images = torch.randn(batch_size, channels, *size, generator=generator(2))
    return Batch(images, blocks(batch_size, size))


def vary(crops, size, augmentation, generator):
    """Augment crops that have room for moves, each an image of the batch."""
    window = [
        slice((crop - side) // 2, (crop + side) // 2)
        for crop, side in zip(crops.images.shape[2:], size, strict=True)
    ]
    images, targets = (each[(..., *window)] for each in (crops.images, crops.targets))
    moved = None
    is_chosen = torch.rand(len(images), generator=generator) < augmentation.moved_share
    if augmentation.has_free_moves and is_chosen.any():
        moved = Moved(is_chosen, crops.images[is_chosen], crops.targets[is_chosen])
    return augment(Batch(images, targets, crops.share, moved), augmentation, generator)


def all_equal(one, other):
    return torch.equal(one.images, other.images) and torch.equal(one.targets, other.targets)


class TestMasks:
    @pytest.mark.parametrize("change", GEOMETRY.values(), ids=GEOMETRY)
    @pytest.mark.parametrize("size", [(32, 24), (12, 16, 16)])
    def test_stay_class_indices_and_255(self, change, size):
        augmentation = Augmentation(**change)
        batch = batch_of(crop_size_for(size, augmentation))
        result = vary(batch, size, augmentation, generator())
        assert result.targets.dtype == torch.uint8
        assert result.targets.shape == (8, *size)
        assert set(result.targets.unique().tolist()) <= {0, 1, 2, 255}

    @pytest.mark.parametrize("change", GEOMETRY.values(), ids=GEOMETRY)
    @pytest.mark.parametrize("size", [(32, 32), (16, 24, 24)])
    def test_move_with_the_image(self, change, size):
        augmentation = Augmentation(**change)
        batch = batch_of(crop_size_for(size, augmentation), values=(0, 1), block=11)
        result = vary(batch, size, augmentation, generator())
        rounded = (result.images[:, 0] > 0.5).to(torch.uint8)
        # pixels between two classes may go either way, by rounding
        is_clear = (result.images[:, 0] - 0.5).abs() > 0.26
        assert is_clear.float().mean() > 0.7
        assert torch.equal(rounded[is_clear], result.targets[is_clear])

    @pytest.mark.parametrize("change", GEOMETRY.values(), ids=GEOMETRY)
    def test_something_moves(self, change):
        augmentation = Augmentation(**change)
        size = (32, 32)
        crop = crop_size_for(size, augmentation)
        batch = batch_of(crop)
        margins = [(long - short) // 2 for long, short in zip(crop, size, strict=True)]
        middle = batch.targets[:, margins[0] : margins[0] + 32, margins[1] : margins[1] + 32]
        assert not torch.equal(vary(batch, size, augmentation, generator()).targets, middle)

    def test_of_many_labels_move_together(self):
        augmentation = Augmentation(**GEOMETRY["all"])
        crop = crop_size_for((24, 24), augmentation)
        single = batch_of(crop, values=(0, 1))
        labels = torch.stack([single.targets, 1 - single.targets], 1)  # (B, 2, *crop)
        result = vary(Batch(single.images, labels), (24, 24), augmentation, generator())
        assert result.targets.shape == (8, 2, 24, 24)
        assert result.targets.dtype == torch.uint8
        assert (result.targets.sum(1) == 1).all()
        alone = vary(single, (24, 24), augmentation, generator())
        assert torch.equal(result.targets[:, 0], alone.targets)


class TestZoom:
    def test_largest_zooms_find_their_pixels_in_the_crop(self):
        # a crop with a bright rim of one pixel: no patch may see it
        augmentation = Augmentation(scale=1.5, rotation_degrees=15)
        crop = crop_size_for((32, 32), augmentation)
        images = torch.zeros(200, 1, *crop)
        images[..., 0, :] = images[..., -1, :] = images[..., 0] = images[..., -1] = 1
        targets = torch.zeros(200, *crop, dtype=torch.uint8)
        result = vary(Batch(images, targets), (32, 32), augmentation, generator())
        assert result.images.max() < 1e-3

    def test_crops_are_not_larger_than_needed(self):
        assert crop_size_for((32, 48), Augmentation()) == (32, 48)
        flips = Augmentation(flip_vertical=True, right_angles=True, noise=1)
        assert crop_size_for((32, 48), flips) == (32, 48)
        assert crop_size_for((10, 20), Augmentation(scale=2)) == (20, 40)

    @pytest.mark.parametrize("side", [7, 8, 31])
    def test_margins_are_even(self, side):
        augmentation = Augmentation(scale=1.3, rotation_degrees=20)
        (crop,) = crop_size_for((side,), augmentation)
        assert (crop - side) % 2 == 0

    def test_zoom_goes_both_ways(self):
        # a disc of 13 pixels across in the middle: its area grows and shrinks by up to 4
        augmentation = Augmentation(scale=2)
        crop = crop_size_for((32, 32), augmentation)
        axis = torch.arange(crop[0]) - (crop[0] - 1) / 2
        disc = ((axis[:, None] ** 2 + axis**2) < 6.5**2).to(torch.uint8)
        targets = disc.repeat(100, 1, 1)
        result = vary(Batch(targets[:, None].float(), targets), (32, 32), augmentation, generator())
        areas = result.targets.flatten(1).sum(1) / disc.sum()
        assert 0.2 < areas.min() < 0.4
        assert 2.5 < areas.max() < 4.3


FREE = {"rotation_degrees": 30, "scale": 1.5, "elastic_px": 3}


class TestMovedShare:
    @staticmethod
    def changed(augmentation, batch_size=400):
        """Which patches of a batch are other pixels than the middle of their crops."""
        crop = crop_size_for((12, 12), augmentation)
        batch = noise_batch(crop, batch_size)
        result = vary(batch, (12, 12), augmentation, generator())
        margin = (crop[0] - 12) // 2
        middle = (slice(None), slice(None), *[slice(margin, margin + 12)] * 2)
        return ((result.images - batch.images[middle]).abs() > 1e-3).flatten(1).any(1)

    @pytest.mark.parametrize("name", FREE)
    def test_that_share_is_moved_and_the_others_keep_their_pixels(self, name):
        augmentation = Augmentation(**{name: FREE[name]}, moved_share=0.3)
        assert 0.22 < self.changed(augmentation).float().mean() < 0.38

    def test_one_choice_for_all_three(self):
        assert 0.22 < self.changed(Augmentation(**FREE, moved_share=0.3)).float().mean() < 0.38

    @pytest.mark.parametrize("share", [0, 1])
    def test_none_and_all(self, share):
        changed = self.changed(Augmentation(**FREE, moved_share=share), 50)
        assert changed.all() if share else not changed.any()

    def test_mirrors_and_right_angles_are_left_to_the_crops(self):
        augmentation = Augmentation(flip_vertical=True, flip_horizontal=True, right_angles=True)
        assert not self.changed(augmentation, 50).any()


class TestNothingAsked:
    def test_is_the_identity(self):
        batch = noise_batch()
        assert all_equal(vary(batch, (12, 12), Augmentation(), generator()), batch)

    @pytest.mark.parametrize("change", (GEOMETRY | INTENSITY).values(), ids=GEOMETRY | INTENSITY)
    def test_the_batch_that_came_is_left_as_it_was(self, change):
        augmentation = Augmentation(**change)
        batch = noise_batch(crop_size_for((12, 12), augmentation))
        images, targets = batch.images.clone(), batch.targets.clone()
        vary(batch, (12, 12), augmentation, generator())
        assert all_equal(batch, Batch(images, targets))


class TestRandomState:
    ALL = Augmentation(
        **GEOMETRY["all"], **{k: v for c in INTENSITY.values() for k, v in c.items()}
    )

    @pytest.mark.parametrize("size", [(16, 16), (8, 12, 12)])
    def test_the_same_state_gives_the_same(self, size):
        batch = noise_batch(crop_size_for(size, self.ALL), batch_size=6)
        once = vary(batch, size, self.ALL, generator(5))
        again = vary(batch, size, self.ALL, generator(5))
        other = vary(batch, size, self.ALL, generator(6))
        assert all_equal(once, again)
        assert not torch.equal(once.images, other.images)

    def test_the_global_state_plays_no_part(self):
        batch = noise_batch(crop_size_for((16, 16), self.ALL))
        results = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            results.append(vary(batch, (16, 16), self.ALL, generator(5)))
        assert all_equal(*results)

    def test_samples_of_a_batch_differ(self):
        images = torch.randn(1, 1, 16, 16, generator=generator()).repeat(6, 1, 1, 1)
        batch = Batch(images, torch.zeros(6, 16, 16, dtype=torch.uint8))
        result = vary(batch, (16, 16), Augmentation(rotation_degrees=90), generator())
        assert len({round(float(image.sum()), 4) for image in result.images}) == 6


class TestIntensities:
    @pytest.mark.parametrize("change", INTENSITY.values(), ids=INTENSITY)
    def test_leave_targets_alone(self, change):
        batch = noise_batch()
        result = vary(batch, (12, 12), Augmentation(**change), generator())
        assert torch.equal(result.targets, batch.targets)
        assert result.images.shape == batch.images.shape

    @pytest.mark.parametrize("change", INTENSITY.values(), ids=INTENSITY)
    def test_change_some_images_and_leave_others(self, change):
        batch = noise_batch()
        result = vary(batch, (12, 12), Augmentation(**change), generator())
        is_changed = (result.images != batch.images).flatten(1).any(1)
        assert 0 < is_changed.sum() < len(is_changed)

    @pytest.mark.parametrize("change", INTENSITY.values(), ids=INTENSITY)
    @pytest.mark.parametrize("value", [0.0, -3.5, 1e4])
    @pytest.mark.parametrize("size", [(8, 8), (1, 1), (2, 3, 4)])
    def test_stay_finite_on_constant_images(self, change, value, size):
        batch = Batch(torch.full((16, 2, *size), value), torch.zeros(16, *size, dtype=torch.uint8))
        result = vary(batch, size, Augmentation(**change), generator())
        assert result.images.isfinite().all()
        assert (result.images - value).abs().max() <= 3

    def apply(self, name, strength, images):
        change = getattr(augment_module, name)
        draws = BatchRandom(generator(0), Share(0, len(images), len(images)))
        return change(images, Augmentation(**strength), draws)

    def test_brightness_shifts_a_whole_image(self):
        images = noise_batch().images
        shift = self.apply("_change_brightness", {"brightness": 0.5}, images) - images
        assert (shift.flatten(1).std(1) < 1e-6).all()
        assert 0.3 < shift.abs().max() <= 0.5 + 1e-6

    def test_color_shifts_each_channel(self):
        images = noise_batch().images
        shift = self.apply("_change_color", {"color": 0.5}, images) - images
        assert (shift.flatten(2).std(2) < 1e-6).all()
        assert not torch.allclose(shift[:, 0], shift[:, 1])

    def test_contrast_keeps_the_mean(self):
        images = noise_batch().images
        result = self.apply("_change_contrast", {"contrast": 2}, images)
        torch.testing.assert_close(result.flatten(1).mean(1), images.flatten(1).mean(1))
        ratio = result.flatten(1).std(1) / images.flatten(1).std(1)
        assert 0.5 <= ratio.min() < 1 < ratio.max() <= 2

    def test_gamma_keeps_darkest_and_brightest_and_the_order(self):
        images = noise_batch().images
        result = self.apply("_change_gamma", {"gamma": 2}, images)
        torch.testing.assert_close(result.flatten(1).amin(1), images.flatten(1).amin(1))
        torch.testing.assert_close(result.flatten(1).amax(1), images.flatten(1).amax(1))
        order = images.flatten(1).argsort(1)
        assert (result.flatten(1).gather(1, order).diff(dim=1) >= -1e-5).all()

    def test_blur_keeps_the_sum_of_a_dot_and_spreads_it(self):
        images = torch.zeros(1, 1, 21, 21)
        images[..., 10, 10] = 1
        result = self.apply("_blur", {"blur_px": 3}, images)
        assert result.sum() == pytest.approx(1, abs=1e-5)
        assert result.max() < 0.9
        torch.testing.assert_close(result, result.mT)

    def test_noise_has_no_more_than_the_asked_strength(self):
        images = torch.zeros(64, 1, 32, 32)
        deviations = self.apply("_add_noise", {"noise": 0.5}, images).flatten(1).std(1)
        assert 0.3 < deviations.max() < 0.55
        assert deviations.min() < 0.1

    def test_invert_swaps_darkest_and_brightest(self):
        images = torch.tensor([[[[1.0, 2.0, 5.0]]]])
        result = self.apply("_invert", {"invert": 1}, images)
        assert result.tolist() == [[[[5, 4, 1]]]]
