"""Crops and batches: which step gets which pixels."""

import itertools
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.reading import read_dataset
from tests.training.conftest import make_source

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling
from pixelwise.task import IGNORE_INDEX
from pixelwise.training import centres
from pixelwise.training.batches import BatchQueue, WaitTime
from pixelwise.training.patches import mirrored, take_grid
from pixelwise.training.ranks import Ranks

NO_SCALING = IntensityScaling()
CPU = torch.device("cpu")


def sample(image, mask=None):
    image = np.asarray(image, np.float32)
    mask = np.zeros(image.shape[1:], np.uint8) if mask is None else np.asarray(mask)
    return Sample("a", image, mask, None)


def numbered(number, size=(8, 8)):
    """Samples whose pixels are all their own index."""
    return [sample(np.full((1, *size), index)) for index in range(number)]


def ramp(height, width):
    """An image of 10 * row + column, so that a pixel tells where it was."""
    return 10.0 * np.arange(height)[:, None] + np.arange(width)


def source(samples, crop_size=(8, 8), batch_size=4, scaling=NO_SCALING, **options):
    return make_source(
        samples, crop_size=crop_size, batch_size=batch_size, scaling=scaling, **options
    )


def equal(one, other):
    return torch.equal(one.images, other.images) and torch.equal(one.targets, other.targets)


def indices(batch):
    return batch.images[:, 0, 0, 0].int().tolist()


class TestOrder:
    def test_each_sample_once_an_epoch(self):
        patches = source(numbered(10))
        assert patches.steps_per_epoch == 3
        for epoch in range(4):
            seen = [indices(patches.batch(3 * epoch + step)) for step in range(3)]
            assert [len(batch) for batch in seen] == [4, 4, 2]
            assert sorted(index for batch in seen for index in batch) == list(range(10))

    def test_epochs_differ(self):
        patches = source(numbered(10), batch_size=10)
        assert indices(patches.batch(0)) != indices(patches.batch(1))

    def test_seeds_differ(self):
        first, second = (source(numbered(10), batch_size=10, seed=seed) for seed in (0, 1))
        assert indices(first.batch(0)) != indices(second.batch(0))

    def test_large_samples_come_as_often_as_the_root_of_their_crops(self):
        samples = [sample(np.zeros((1, 8, 8))), sample(np.ones((1, 24, 24)))]  # 1 and 9 crops
        patches = source(samples, batch_size=4)
        assert patches.steps_per_epoch == 1
        assert sorted(indices(patches.batch(0))) == [0, 1, 1, 1]

    def test_samples_smaller_than_a_crop_come_once(self):
        patches = source([sample(np.zeros((1, 2, 2))), sample(np.ones((1, 8, 8)))])
        assert sorted(indices(patches.batch(0))) == [0, 1]


class TestSameSeed:
    def make(self, seed=3):
        rng = np.random.default_rng(0)
        samples = [
            sample(rng.normal(size=(1, 20, 17)), rng.integers(0, 3, (20, 17), dtype=np.uint8))
            for _ in range(7)
        ]
        scaling = IntensityScaling(scheme="percentiles")
        return source(samples, foreground_share=0.5, seed=seed, scaling=scaling)

    def test_the_same_batches(self):
        first, second = self.make(), self.make()
        assert all(equal(first.batch(step), second.batch(step)) for step in range(9))

    def test_whatever_was_asked_before(self):
        forwards, backwards = self.make(), self.make()
        there = [forwards.batch(step) for step in range(9)]
        back = [backwards.batch(step) for step in reversed(range(9))]
        assert all(equal(one, other) for one, other in zip(there, reversed(back), strict=True))

    def test_whatever_order_threads_have(self):
        expected, threaded = self.make(), self.make()
        results = {}

        def prepare(step):
            results[step] = threaded.batch(step)

        threads = [threading.Thread(target=prepare, args=(step,)) for step in (5, 3, 8, 0, 1, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 6
        assert all(equal(results[step], expected.batch(step)) for step in results)

    def test_another_seed_gives_others(self):
        assert not equal(self.make(3).batch(0), self.make(4).batch(0))


class TestCrops:
    def test_image_and_mask_are_cut_at_the_same_place(self):
        image = ramp(20, 30)
        patches = source([sample(image[None], (image % 7).astype(np.uint8))] * 8)
        batch = patches.batch(0)
        assert torch.equal((batch.images[:, 0] % 7).to(torch.uint8), batch.targets)
        assert batch.images.dtype == torch.float32
        assert batch.targets.dtype == torch.uint8

    def test_where_there_is_room_crops_are_inside(self):
        image = ramp(12, 15)
        patches = source([sample(image[None])], crop_size=(9, 8), batch_size=50)
        corners = set()
        for step in range(120):
            for crop in patches.batch(step).images[:, 0].numpy():
                assert crop.shape == (9, 8)
                assert (np.diff(crop, axis=1) == 1).all()  # columns never turn back
                assert (np.diff(crop, axis=0) == 10).all()
                corners.add(float(crop[0, 0]))
        assert min(corners) == 0
        assert max(corners) == 10 * 3 + 7

    def test_an_image_of_the_crops_size_is_taken_whole(self):
        image = ramp(8, 8)
        batch = source([sample(image[None])]).batch(0)
        np.testing.assert_array_equal(batch.images[0, 0], image)

    def test_a_small_image_is_mirrored_at_its_edges_without_repeating_them(self):
        batch = source([sample([[[0, 1, 2]]])], crop_size=(1, 7)).batch(0)
        assert batch.images[0, 0, 0].tolist() == [2, 1, 0, 1, 2, 1, 0]

    def test_one_pixel_fills_the_crop(self):
        batch = source([sample([[[4]]], np.array([[1]], np.uint8))], crop_size=(3, 5)).batch(0)
        assert (batch.images == 4).all()
        assert (batch.targets == 1).all()
        assert batch.targets.shape == (1, 3, 5)

    @pytest.mark.parametrize(
        ("start", "side", "length", "expected"),
        [
            (-2, 8, 4, [2, 1, 0, 1, 2, 3, 2, 1]),
            (0, 3, 3, [0, 1, 2]),
            (5, 3, 4, [1, 0, 1]),
            (-5, 2, 2, [1, 0]),
            (-1, 3, 1, [0, 0, 0]),
        ],
    )
    def test_mirrored_coordinates(self, start, side, length, expected):
        assert mirrored(start, side, length).tolist() == expected

    @given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 20))
    def test_mirroring_is_that_of_numpy(self, start, side, length):
        before, after = max(0, -start), max(0, start + side - length)
        padded = np.pad(
            np.arange(length), (before, after), mode="reflect" if length > 1 else "edge"
        )
        expected = padded[start + before : start + before + side]
        np.testing.assert_array_equal(mirrored(start, side, length), expected)

    @given(
        st.lists(st.tuples(st.integers(1, 6), st.integers(-9, 9), st.integers(1, 9)),
                 min_size=2, max_size=3),
        st.booleans(),
    )  # fmt: skip
    def test_taking_is_indexing_by_a_grid(self, axes, has_channels):
        sizes = [length for length, _, _ in axes]
        values = np.random.default_rng(0).random(([2] if has_channels else []) + sizes)
        coordinates = [mirrored(start, side, length)[::-1] for length, start, side in axes]
        expected = values[(Ellipsis, *np.ix_(*coordinates))]
        np.testing.assert_array_equal(take_grid(values, coordinates), expected)

    def test_volumes(self):
        volume = np.arange(6 * 7 * 8).reshape(1, 6, 7, 8)
        patches = source([sample(volume, (volume[0] % 5).astype(np.uint8))], crop_size=(4, 4, 4))
        batch = patches.batch(0)
        assert batch.images.shape[2:] == batch.targets.shape[1:] == (4, 4, 4)
        assert torch.equal((batch.images[:, 0] % 5).to(torch.uint8), batch.targets)

    def test_the_scale_is_that_of_the_whole_image(self):
        image = np.zeros((1, 4, 40), np.float32)
        image[..., 20:] = 8  # -1 and 1 after scaling, whichever half the crop shows
        scaling = IntensityScaling(scheme="percentiles", low=0, high=100)
        patches = source([sample(image)], crop_size=(4, 4), scaling=scaling)
        values = {v for step in range(30) for v in patches.batch(step).images.unique().tolist()}
        assert values == {-1, 1}

    def test_samples_are_left_as_they_were(self):
        one = sample(ramp(8, 8)[None])
        before = one.image.copy()
        source([one]).batch(0).images.zero_()
        np.testing.assert_array_equal(one.image, before)


def symmetries(array):
    """The eight mirror images and right-angle turns of an array (..., n, n)."""
    for turns, is_flipped in itertools.product(range(4), (False, True)):
        turned = np.rot90(array, turns, (-2, -1))
        yield turned[..., ::-1] if is_flipped else turned


FLIPS = {"mirror_axes": (-2, -1)}
TURNS = {"right_angles": True}


class TestExactMoves:
    @pytest.mark.parametrize("side", [8, 9])
    @pytest.mark.parametrize(
        "moves", [FLIPS, TURNS, FLIPS | TURNS], ids=["flips", "right angles", "both"]
    )
    def test_of_a_whole_image_are_its_symmetries(self, side, moves):
        values = np.arange(side * side).reshape(side, side)
        one = sample(values[None], (values % 251).astype(np.uint8))
        batch = source([one] * 60, crop_size=(side, side), batch_size=60, **moves).batch(0)
        found = [tuple(image.int().flatten().tolist()) for image in batch.images]
        allowed = {tuple(turned.flatten().tolist()) for turned in symmetries(values)}
        assert set(found) <= allowed
        assert len(set(found)) == (8 if len(moves) == 2 else 4)
        assert torch.equal((batch.images[:, 0] % 251).to(torch.uint8), batch.targets)

    def test_right_angles_alone_are_turns(self):
        values = np.arange(16).reshape(4, 4)
        patches = source([sample(values[None])] * 40, (4, 4), 40, **TURNS)
        found = {tuple(image.int().flatten().tolist()) for image in patches.batch(0).images}
        turns = {tuple(np.rot90(values, number).flatten().tolist()) for number in range(4)}
        assert found == turns

    @pytest.mark.parametrize("axis", [-2, -1])
    def test_each_axis_is_mirrored_for_half_of_the_crops(self, axis):
        values = np.arange(6.0).reshape(1, 2, 3)
        patches = source([sample(values)] * 400, (2, 3), 400, mirror_axes=(axis,))
        images = patches.batch(0).images.numpy()
        is_mirrored = (images == np.flip(values, axis)).all((1, 2, 3))
        assert (is_mirrored | (images == values).all((1, 2, 3))).all()
        assert 160 < is_mirrored.sum() < 240

    def test_crops_that_are_not_square_are_turned_within_the_image(self):
        image = ramp(40, 40)  # a step of 10 along columns after a turn, of 1 before
        patches = source([sample(image[None])] * 40, (6, 12), 40, **TURNS)
        across = np.abs(np.diff(patches.batch(0).images[:, 0].numpy(), axis=2))
        assert across.shape == (40, 6, 11)
        assert {tuple(np.unique(steps)) for steps in across} == {(1.0,), (10.0,)}

    @pytest.mark.parametrize("crop_size", [(8, 8), (9, 7), (12, 16)])
    def test_a_centre_on_the_foreground_stays_at_the_centre(self, crop_size):
        mask = np.zeros((40, 40), np.uint8)
        mask[19, 23] = 1
        patches = source(
            [sample(mask[None], mask)] * 30, crop_size, 30, foreground_share=1, **FLIPS, **TURNS
        )
        for target in patches.batch(0).targets.numpy():
            ((row, column),) = np.argwhere(target)
            assert abs(row - (crop_size[0] - 1) / 2) <= 0.5
            assert abs(column - (crop_size[1] - 1) / 2) <= 0.5

    def test_volumes_turn_in_the_plane_of_rows_and_columns(self):
        values = np.arange(3 * 16).reshape(3, 4, 4)
        one = sample(values[None], values.astype(np.uint8))
        patches = source([one] * 60, (3, 4, 4), 60, **FLIPS, **TURNS)
        found = {tuple(target.flatten().tolist()) for target in patches.batch(0).targets}
        assert found == {tuple(turned.flatten().tolist()) for turned in symmetries(values)}

    def test_many_labels_move_with_the_image(self):
        image = ramp(8, 8)
        labels = np.stack([image % 2, 1 - image % 2]).astype(np.uint8)
        patches = source([sample(image[None], labels)] * 20, (8, 8), 20, **FLIPS, **TURNS)
        batch = patches.batch(0)
        assert torch.equal((batch.images[:, 0] % 2).to(torch.uint8), batch.targets[:, 0])
        assert torch.equal(batch.targets[:, 1], 1 - batch.targets[:, 0])


def centre_of(batch):
    """Value of each target's centre pixel."""
    middle = [side // 2 for side in batch.targets.shape[-2:]]
    return batch.targets[..., middle[0], middle[1]]


class TestForeground:
    def dots(self, values=(1,), size=(40, 40)):
        """A mask of 0 with one pixel of each value, near a corner and far from others."""
        mask = np.zeros(size, np.uint8)
        for index, value in enumerate(values):
            mask[3 + 10 * index, 5] = value
        return sample(np.zeros((1, *size)), mask)

    @pytest.mark.parametrize("crop_size", [(8, 8), (9, 7), (16, 16)])
    def test_all_crops_are_centred_on_it(self, crop_size):
        patches = source([self.dots()], crop_size=crop_size, foreground_share=1)
        assert all((centre_of(patches.batch(step)) == 1).all() for step in range(6))

    def test_none_are_where_none_is_asked(self):
        patches = source([self.dots()], foreground_share=0)
        assert not any((centre_of(patches.batch(step)) == 1).any() for step in range(6))

    def test_each_class_has_its_turn_whatever_its_size(self):
        one = self.dots((1, 2))
        one.mask[20:] = 3
        patches = source([one], foreground_share=1)
        centres = torch.cat([centre_of(patches.batch(step)) for step in range(60)]).tolist()
        assert set(centres) == {1, 2, 3}
        assert min(centres.count(value) for value in (1, 2, 3)) > 30

    def test_the_share_is_that_of_the_crops(self):
        patches = source([self.dots(size=(200, 200))], foreground_share=0.5, batch_size=32)
        centres = torch.cat([centre_of(patches.batch(step)) for step in range(12)]).float()
        assert 0.4 < centres.mean() < 0.6

    def test_another_sample_stands_in_for_one_without_any(self):
        samples = [self.dots(()), self.dots(()), self.dots(), self.dots(())]
        patches = source(samples, foreground_share=1)
        assert all((centre_of(patches.batch(step)) == 1).all() for step in range(6))

    def test_empty_samples_are_still_seen_where_no_centre_is_asked(self):
        samples = [
            sample(np.full((1, 8, 8), number), np.full((8, 8), number == 0)) for number in range(4)
        ]
        patches = source(samples, foreground_share=0.5, batch_size=4)
        seen = [number for step in range(100) for number in indices(patches.batch(step))]
        assert 200 < seen.count(0) < 300  # its own 100 times, and for half of the others
        assert all(30 < seen.count(number) < 70 for number in (1, 2, 3))

    def test_samples_that_are_all_empty_are_taken_as_they_are(self):
        patches = source([self.dots(()), self.dots(())], foreground_share=1, batch_size=2)
        assert patches.batch(0).targets.sum() == 0

    def test_ignored_pixels_are_no_centre(self):
        one = self.dots((1,))
        one.mask[20:] = IGNORE_INDEX
        patches = source([one], foreground_share=1)
        assert all((centre_of(patches.batch(step)) == 1).all() for step in range(6))

    def test_class_0_is_a_centre_where_it_is_no_background(self):
        one = self.dots((1,))
        patches = source([one], foreground_share=1, background=False)
        centres = torch.cat([centre_of(patches.batch(step)) for step in range(20)]).tolist()
        assert set(centres) == {0, 1}

    def test_a_mask_without_class_0_loses_no_class(self):
        one = sample(np.zeros((1, 20, 20)), np.ones((20, 20), np.uint8))
        one.mask[10:] = 2
        patches = source([one], foreground_share=1)
        centres = torch.cat([centre_of(patches.batch(step)) for step in range(20)]).tolist()
        assert set(centres) == {1, 2}

    @pytest.mark.parametrize("value", [0, IGNORE_INDEX])
    def test_a_mask_without_any_gets_any_crop(self, value):
        one = sample(np.zeros((1, 20, 20)), np.full((20, 20), value, np.uint8))
        batch = source([one], crop_size=(20, 20), foreground_share=1).batch(0)
        assert (batch.targets == value).all()

    def test_of_many_pixels_of_a_class_some_are_remembered(self, monkeypatch):
        monkeypatch.setattr(centres, "MAX_CENTRES", 3)
        image = ramp(40, 40)[None] * 10  # 100 * row + 10 * column
        one = sample(image, np.ones((40, 40), np.uint8))
        patches = source([one], crop_size=(1, 1), foreground_share=1, batch_size=40)
        assert len(patches.batch(0).images.unique()) == 3


class TestMoved:
    """Crops that augmentation moves have pixels to spare around; others are exactly the patch."""

    def make(self, size=(60, 60), **options):
        rng = np.random.default_rng(0)
        samples = [
            sample(rng.normal(size=(2, *size)), rng.integers(0, 3, size, dtype=np.uint8))
            for _ in range(3)
        ]
        options = {"moved_size": (20, 24), "foreground_share": 0.5} | FLIPS | TURNS | options
        return source(samples, crop_size=(12, 16), batch_size=40, **options)

    def test_only_these_are_larger(self):
        patches = self.make(moved_share=0.2)
        batches = [patches.batch(step) for step in range(20)]
        assert {batch.images.shape[2:] for batch in batches} == {(12, 16)}
        moved = [batch.moved for batch in batches if batch.moved is not None]
        assert {each.images.shape[1:] for each in moved} == {(2, 20, 24)}
        assert {each.targets.shape[1:] for each in moved} == {(20, 24)}
        total = sum(batch.num_images for batch in batches)
        assert 0.15 < sum(len(each.images) for each in moved) / total < 0.25

    def test_their_middle_is_the_patch(self):
        batch = self.make(moved_share=0.5).batch(0)
        chosen = batch.moved.is_chosen
        assert 0 < chosen.sum() < len(chosen)
        assert torch.equal(batch.moved.images[..., 4:16, 4:20], batch.images[chosen])
        assert torch.equal(batch.moved.targets[..., 4:16, 4:20], batch.targets[chosen])

    def test_patches_are_the_same_with_and_without(self):
        alone, moved = self.make(moved_size=None), self.make(moved_share=0.4)
        for step in range(4):
            assert alone.batch(step).moved is None
            assert equal(moved.batch(step), alone.batch(step))

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_none_and_all(self, share):
        batch = self.make(moved_share=share).batch(0)
        assert (batch.moved is None) == (share == 0)
        assert share == 0 or len(batch.moved.images) == len(batch.images)

    def test_which_follows_from_seed_and_step(self):
        def chosen(seed, step):
            return self.make(moved_share=0.5, seed=seed).batch(step).moved.is_chosen.tolist()

        assert chosen(1, 2) == chosen(1, 2)
        assert chosen(1, 2) != chosen(1, 3)
        assert chosen(1, 2) != chosen(2, 2)

    def test_every_place_of_an_image_is_seen_by_moved_crops_too(self):
        """An image smaller than the crop around a patch, and larger than the patch."""
        image = ramp(10, 9)
        patches = source([sample(image[None])], (6, 6), 1, moved_size=(12, 12))
        corners = {float(patches.batch(step).images[0, 0, 0, 0]) for step in range(200)}
        assert corners == {10.0 * row + column for row in range(5) for column in range(4)}

    def test_ranks_share_them(self):
        whole = self.make(moved_share=0.5)
        parts = [self.make(moved_share=0.5, ranks=Ranks(rank, 2)) for rank in range(2)]
        batch, shares = whole.batch(0), [part.batch(0) for part in parts]
        assert all(torch.equal(s.moved.is_chosen, batch.moved.is_chosen) for s in shares)
        assert torch.equal(torch.cat([s.moved.images for s in shares]), batch.moved.images)


class TestManyLabels:
    def overlapping(self):
        """Class 0 everywhere, class 1 at one pixel, class 2 nowhere."""
        mask = np.zeros((3, 30, 30), bool)
        mask[0] = True
        mask[1, 4, 6] = True
        return sample(np.zeros((1, 30, 30)), mask)

    def test_targets_have_a_plane_a_class(self):
        batch = source([self.overlapping()] * 2, crop_size=(30, 30), background=False).batch(0)
        assert batch.targets.shape == (2, 3, 30, 30)
        assert batch.targets.dtype == torch.uint8

    @pytest.mark.parametrize("background", [True, False])
    def test_every_class_that_is_there_is_a_centre(self, background):
        patches = source([self.overlapping()], foreground_share=1, background=background)
        centres = torch.cat([centre_of(patches.batch(step)) for step in range(40)])  # (B, 3)
        assert centres[:, 0].all()
        assert 0.3 < centres[:, 1].float().mean() < 0.7  # half of them are its own
        assert not centres[:, 2].any()

    def test_ignored_pixels_of_a_class_are_no_centre(self):
        mask = np.zeros((2, 30, 30), np.uint8)
        mask[0, 4, 6] = 1
        mask[:, 20:] = IGNORE_INDEX
        patches = source(
            [sample(np.zeros((1, 30, 30)), mask)], foreground_share=1, background=False
        )
        batch = patches.batch(0)
        assert (centre_of(batch)[:, 0] == 1).all()
        assert set(batch.targets.unique().tolist()) <= {0, 1, IGNORE_INDEX}


class TestMemoryMaps:
    """Samples may be read-only maps of files that do not fit in memory."""

    def mapped(self, folder, name, array):
        np.save(folder / name, array)
        return np.load(folder / name, mmap_mode="r")

    @pytest.fixture(params=["index", "many labels"])
    def pair(self, request, tmp_path):
        """The same sample in memory and as maps."""
        rng = np.random.default_rng(0)
        image = rng.integers(0, 255, (2, 40, 50), dtype=np.uint8)
        size = (40, 50) if request.param == "index" else (3, 40, 50)
        mask = rng.integers(0, 2, size).astype(np.uint8 if request.param == "index" else bool)
        maps = (self.mapped(tmp_path, "image.npy", image), self.mapped(tmp_path, "mask.npy", mask))
        return Sample("a", image, mask, None), Sample("a", *maps, None)

    @pytest.mark.parametrize("crop_size", [(8, 8), (64, 8), None])
    @pytest.mark.parametrize("scheme", ["none", "percentiles"])
    def test_give_the_same_batches(self, pair, crop_size, scheme):
        options = {"crop_size": crop_size, "scaling": IntensityScaling(scheme=scheme)}
        in_memory, mapped = (source([one] * 4, foreground_share=0.5, **options) for one in pair)
        for step in range(3):
            batch = mapped.batch(step)
            assert equal(batch, in_memory.batch(step))
            batch.images.zero_()  # what training does to a batch stays there
            batch.targets.zero_()

    def test_of_a_large_image_only_the_crop_is_read(self, tmp_path):
        """A crop costs memory of its own size, not of the image's."""
        image = self.mapped(tmp_path, "image.npy", np.zeros((1, 2000, 2000), np.uint8))
        mask = self.mapped(tmp_path, "mask.npy", np.zeros((2000, 2000), np.uint8))
        patches = source([Sample("a", image, mask, None)], crop_size=(16, 16), batch_size=1)
        patches.batch(0)
        tracemalloc.start()
        patches.batch(1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200_000  # bytes; the image has 4,000,000


class TestWholeImages:
    def test_are_taken_as_they_are(self):
        image = ramp(6, 9)
        batch = source([sample(image[None], image.astype(np.uint8))], crop_size=None).batch(0)
        np.testing.assert_array_equal(batch.images[0, 0], image)
        np.testing.assert_array_equal(batch.targets[0], image)

    def test_each_once_an_epoch(self):
        patches = source(numbered(6, (40, 40)), crop_size=None)
        assert sorted(indices(patches.batch(0)) + indices(patches.batch(1))) == list(range(6))


class TestQueue:
    def test_gives_batches_in_order(self):
        patches = source(numbered(10))
        with BatchQueue(patches, CPU) as queue:
            for step in range(12):
                assert equal(queue.take(), patches.batch(step))

    def test_starts_where_it_is_told(self):
        patches = source(numbered(10))
        with BatchQueue(patches, CPU, first_step=7) as queue:
            assert equal(queue.take(), patches.batch(7))
            assert equal(queue.take(), patches.batch(8))

    def test_keeps_the_order_when_threads_do_not(self):
        class Uneven:
            """The earlier of two batches takes longer."""

            def __init__(self):
                self.events = [threading.Event() for _ in range(40)]

            def batch(self, step):
                if step % 2 == 0:
                    self.events[step + 1].wait(0.2)
                self.events[step].set()
                return step

        with BatchQueue(Uneven(), CPU) as queue:
            assert [queue.take() for _ in range(20)] == list(range(20))

    def test_raises_an_error_where_its_batch_is_taken(self):
        class Broken:
            def batch(self, step):
                if step == 2:
                    raise ValueError("sample 7 cannot be read")
                return step

        with BatchQueue(Broken(), CPU) as queue:
            assert [queue.take(), queue.take()] == [0, 1]
            with pytest.raises(ValueError, match="sample 7 cannot be read"):
                queue.take()

    def test_torch_computes_with_one_thread_in_each_and_as_before_elsewhere(self):
        class Telling:
            def batch(self, step):
                return torch.get_num_threads()

        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            with BatchQueue(Telling(), CPU) as queue:
                assert [queue.take() for _ in range(6)] == [1] * 6
                assert torch.get_num_threads() == 3
                with ThreadPoolExecutor() as others:
                    assert others.submit(torch.get_num_threads).result() == 3
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)

    def test_leaves_no_thread_behind(self):
        before = threading.active_count()
        with BatchQueue(source(numbered(4)), CPU) as queue:
            queue.take()
        assert threading.active_count() == before

    def test_a_sample_without_a_mask_is_named(self):
        nameless = Sample("field 3", np.zeros((1, 8, 8)), None, None)
        with (
            BatchQueue(source([nameless]), CPU) as queue,
            pytest.raises(ValueError, match="field 3"),
        ):
            queue.take()


class TestWaitTime:
    def test_the_share_is_that_of_all_seconds(self):
        wait = WaitTime()
        assert wait.share == 0
        wait.add(waited=0.5, total=1.0)
        wait.add(waited=0.0, total=4.0)
        assert wait.share == 0.1


class TestFiles:
    def test_an_epoch_is_planned_without_reading_a_file(self, tmp_path):
        rng = np.random.default_rng(0)
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for name, size in (("a", (16, 16)), ("b", (48, 48)), ("c", (16, 16))):
            pixels = rng.integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
            Image.fromarray((pixels > 99).astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
        split = dict.fromkeys("abc", "train")
        samples = read_dataset(tmp_path, split=split).samples("train")
        patches = make_source(
            samples,
            crop_size=(16, 16),
            batch_size=5,
            scaling=IntensityScaling(scheme="percentiles"),
        )
        assert patches.steps_per_epoch == 1
        assert "0 in memory" in repr(samples)
        assert patches.batch(0).images.shape == (5, 1, 16, 16)  # b has room for nine, comes thrice
