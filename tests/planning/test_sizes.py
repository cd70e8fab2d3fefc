"""Sizes by hand: how many patches there is time for, and what follows from that."""

import math

import pytest

from pixelwise.planning.draft import Decision, Draft
from pixelwise.planning.plan import Augmentation
from pixelwise.planning.sizes import (
    CHEAPEST,
    MIN_STEPS,
    WIDTHS,
    Extent,
    Sizes,
    batch_sizes,
    choose_sizes,
    first_sizes,
)
from pixelwise.planning.speed import Speed
from pixelwise.task import Task

NARROW, WIDE, WIDEST = WIDTHS
BY_PIXELS, BY_STEPS = Speed(1e-9, 1e-6), Speed(0.1, 1e-12)


@pytest.fixture
def draft():
    """What follows from the data."""
    return Draft({"augmentation": Decision(Augmentation(), "of the data")})


@pytest.fixture
def sizes_for(make_fingerprint, draft):
    """Return a maker of sizes for an extent."""

    def make(extent, task=Task.BINARY, most=8, kept=None, min_batch=2, **changes):
        fingerprint = make_fingerprint(**{"median_size": (64, 64), "mean_pixels": 4096} | changes)
        own = draft.with_(kept or {})
        first = first_sizes(fingerprint, most, own)
        return choose_sizes(fingerprint, task, first, own, extent, min_batch=min_batch)

    return make


class TestExtent:
    def test_seconds_at_a_speed(self):
        """A step of 2 patches of 100 pixels takes 0.1 s + 200 times 0.001 s."""
        extent = Extent(30.0, Speed(0.1, 1e-3))
        assert extent.num_patches(2, (10, 10), CHEAPEST) == pytest.approx(200)

    def test_larger_batches_see_more_patches_where_steps_have_a_fixed_part(self):
        extent = Extent(60.0, Speed(0.1, 1e-6))
        seen = [extent.num_patches(size, (32, 32), CHEAPEST) for size in (2, 4, 8)]
        assert seen == sorted(seen)
        assert seen[-1] > 3 * seen[0]

    def test_without_a_fixed_part_they_see_as_many(self):
        extent = Extent(60.0, BY_PIXELS)
        seen = [extent.num_patches(size, (32, 32), CHEAPEST) for size in (2, 4, 8)]
        assert seen == pytest.approx([seen[0]] * 3, rel=1e-3)

    def test_a_number_of_patches_is_that_number(self):
        assert Extent(patches=500.0).num_patches(8, (99, 99), WIDEST) == 500

    def test_nothing_said_has_no_end(self):
        assert Extent().num_patches(8, (99, 99), WIDEST) == math.inf


class TestBatch:
    @pytest.mark.parametrize(
        ("most", "least", "sizes"),
        [(8, 2, [8, 4, 2]), (7, 2, [7, 4, 2]), (2, 2, [2]), (8, 3, [8, 4]), (12, 12, [12])],
    )
    def test_what_there_is_to_choose_from(self, most, least, sizes):
        assert batch_sizes(most, least) == sizes

    @pytest.mark.parametrize(("steps", "batch"), [(1.0, 8), (0.99, 4), (0.49, 2), (0.01, 2)])
    def test_the_largest_that_leaves_enough_steps(self, sizes_for, steps, batch):
        """Time for so many times MIN_STEPS steps of eight patches."""
        seconds = steps * MIN_STEPS * 8 * 64**2 * 1e-6
        sizes, _ = sizes_for(Extent(seconds * 1.0001, BY_PIXELS))
        assert sizes.batch_size == batch

    def test_of_four_classes_half_as_many_are_enough(self, sizes_for):
        seconds = 0.51 * MIN_STEPS * 8 * 64**2 * 1e-6
        four = {"num_classes": 4, "class_shares": (0.25,) * 4}
        assert sizes_for(Extent(seconds, BY_PIXELS))[0].batch_size == 4
        found, chosen = sizes_for(Extent(seconds, BY_PIXELS), Task.MULTICLASS, **four)
        assert found.batch_size == 8
        assert f"{MIN_STEPS // 2} steps" in chosen["batch_size"].reason

    def test_ranks_have_one_each(self, sizes_for):
        assert sizes_for(Extent(0.001, BY_PIXELS), most=6, min_batch=3)[0].batch_size == 4


class TestWidths:
    def test_the_widest_that_sees_enough_patches(self, sizes_for):
        """Fixed parts of 0.1, 0.142 and 0.478 s a step of eight patches."""
        enough = {w: least / 8 for w, least in WIDTHS.items()}
        for widths, seconds in ((WIDE, 0.143), (WIDEST, 0.479)):
            found, _ = sizes_for(Extent(enough[widths] * seconds, BY_STEPS))
            assert found.widths == widths
            less, _ = sizes_for(Extent(0.9 * enough[widths] * seconds, BY_STEPS))
            assert less.widths < widths

    def test_nine_classes_need_a_twenty_seventh(self, sizes_for):
        seconds = WIDTHS[WIDE] / 8 * 0.143 / 26
        nine = {"num_classes": 9, "class_shares": (1 / 9,) * 9}
        assert sizes_for(Extent(seconds, BY_STEPS))[0].widths == NARROW
        assert sizes_for(Extent(seconds, BY_STEPS), Task.MULTICLASS, **nine)[0].widths == WIDE

    def test_those_of_an_earlier_model_are_kept(self, sizes_for):
        kept = {"widths": Decision(WIDEST, "its own")}
        assert sizes_for(Extent(1.0, BY_STEPS), kept=kept)[0].widths == WIDEST


class TestScale:
    CEILINGS = tuple((1.0, value) for value in (1, 0.999, 0.998, 0.997, 0.996, 0.995))

    def test_small_patches_are_hardly_faster_where_the_fixed_part_counts(self, sizes_for):
        """So that images as they are promise as much."""
        large = {"median_size": (512, 512), "mean_pixels": 512**2, "scale_ceilings": self.CEILINGS}
        by_pixels, _ = sizes_for(Extent(20.0, BY_PIXELS), **large)
        small = {"median_size": (256, 256), "mean_pixels": 256**2, "scale_ceilings": self.CEILINGS}
        by_steps, _ = sizes_for(Extent(20.0, BY_STEPS), **small)
        assert by_pixels.working_scale < 0.5
        assert by_steps.working_scale > by_pixels.working_scale

    @pytest.mark.parametrize(
        ("size", "scale", "patch"),
        [
            ((101, 101), 1.0, (96, 96)),
            ((128, 128), 0.71, (96, 96)),
            ((200, 200), 0.5, (96, 96)),
            ((512, 300), 0.35, (176, 112)),
            ((40, 512), 1.0, (32, 192)),
            ((32, 32, 32), 0.18, (16, 16, 16)),
        ],
    )
    def test_in_little_time_patches_keep_96_pixels_a_side(self, size, scale, patch, sizes_for):
        """Those of volumes may be smaller."""
        pixels = math.prod(size)
        found, _ = sizes_for(
            Extent(1e-6 * pixels, BY_PIXELS),
            median_size=size, mean_pixels=pixels, scale_ceilings=self.CEILINGS,
        )  # fmt: skip
        assert (found.working_scale, found.patch_size) == (scale, patch)

    def test_that_of_an_earlier_model_is_kept(self, sizes_for):
        kept = {"working_scale": Decision(0.3, "its own")}
        found, _ = sizes_for(Extent(20.0, BY_PIXELS), kept=kept, scale_ceilings=self.CEILINGS)
        assert found.working_scale == 0.3

    def test_epochs_leave_images_as_they_are(self, sizes_for):
        found, _ = sizes_for(Extent(patches=100.0), scale_ceilings=self.CEILINGS)
        assert found.working_scale == 1.0


def test_what_is_measured_first_is_the_cheapest_network_at_full_size(make_fingerprint, draft):
    first = first_sizes(make_fingerprint(median_size=(64, 64)), 8, draft)
    assert first == Sizes(1.0, (64, 64), 8, CHEAPEST)
