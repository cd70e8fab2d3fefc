"""The working scale: as large as the time allows, never so small that much is lost."""

import numpy as np
import pytest

from pixelwise.data import Sample
from pixelwise.planning import take_fingerprint
from pixelwise.planning.fingerprint import SCALES, mean_ceilings
from pixelwise.planning.working_scale import choose_scale, scale_ceilings
from pixelwise.task import Task

BINARY, MULTICLASS = Task.BINARY, Task.MULTICLASS


def fingerprint_of(draw, num_classes=2, size=(96, 96), number=3):
    """Of samples whose masks are drawn by `draw(mask)`."""
    samples = []
    for index in range(number):
        mask = np.zeros(size, np.uint8)
        draw(mask)
        samples.append(Sample(str(index), np.zeros((1, *size), np.uint8), mask, None))
    return take_fingerprint(samples, [], num_classes)


def blob(mask):
    mask[11:80, 13:84] = 1  # edges that no smaller image has


def line(mask):
    np.fill_diagonal(mask, 1)  # one pixel thick


def passes_of(passes):
    """Of pictures, at full size so many: at half the size four times as many."""
    return lambda scale: passes / scale**2


class TestCeilings:
    def test_at_full_size_nothing_is_lost(self):
        assert fingerprint_of(line).scale_ceilings[0] == (1, 1)

    def test_a_thin_line_is_lost_and_a_blob_is_not(self):
        thin, thick = (np.array(fingerprint_of(d).scale_ceilings)[:, 1] for d in (line, blob))
        assert (np.diff(thin) <= 0).all()
        assert thin[-1] < 0.8
        assert thick[-1] > 0.97

    def test_ignored_pixels_count_nowhere(self):
        def draw(mask):
            blob(mask)
            mask[:, 84:] = mask[80:] = 255

        assert np.array(fingerprint_of(draw).scale_ceilings).min() > 0.97

    def test_classes_that_overlap(self):
        planes = np.zeros((2, 64, 64), bool)
        planes[0, 8:56, 8:56], planes[1, 20:22] = True, True
        found = take_fingerprint([Sample("a", np.zeros((1, 64, 64)), planes, None)], [], 2)
        assert found.scale_ceilings[-1][0] > 0.95
        assert found.scale_ceilings[-1][1] < 0.8

    def test_the_mean_of_the_images_that_have_a_class(self):
        scores = np.full((3, 1, 3), np.nan)
        scores[:, 0, 0] = 0.5, 0.7, 0.9
        scores[1, 0, 1] = 0.25
        assert mean_ceilings(scores) == ((0.7, 0.25, 1.0),)

    def test_of_two_classes_the_background_is_left_out(self):
        found = fingerprint_of(line)
        ceilings = np.array(found.scale_ceilings)
        assert scale_ceilings(found, BINARY) == pytest.approx(ceilings[:, 1].tolist())
        assert scale_ceilings(found, MULTICLASS) == pytest.approx(ceilings.mean(1).tolist())


class TestChoice:
    def test_without_a_time_limit_images_stay_as_they_are(self):
        assert choose_scale(fingerprint_of(blob), BINARY, None)[0] == 1.0

    def test_large_objects_in_little_time_are_seen_small(self):
        found = fingerprint_of(blob)
        scale, reason = choose_scale(found, BINARY, passes_of(0.05))
        assert scale == SCALES[-1]
        assert "Dice 0.9" in reason

    def test_fine_lines_stay_as_they_are_in_less_time(self):
        found = fingerprint_of(line)
        assert choose_scale(found, BINARY, passes_of(1))[0] == 1.0
        assert choose_scale(fingerprint_of(blob), BINARY, passes_of(1))[0] < 1.0

    def test_more_time_gives_larger_images(self):
        found = fingerprint_of(blob)
        chosen = [
            choose_scale(found, BINARY, passes_of(passes))[0]
            for passes in 10.0 ** np.arange(-1, 13)
        ]
        assert chosen == sorted(chosen)
        assert chosen[-1] == 1.0
        assert len(set(chosen)) > 2

    def test_more_classes_want_smaller_images(self):
        """Each of them is harder to tell from the others."""
        ceilings = (1, 0.99, 0.98, 0.97, 0.96, 0.95)
        few = fingerprint_of(blob).model_copy(
            update={"scale_ceilings": tuple((value,) * 2 for value in ceilings)}
        )
        many = few.model_copy(
            update={"num_classes": 8, "scale_ceilings": tuple((value,) * 8 for value in ceilings)}
        )
        pixels = passes_of(20)
        assert choose_scale(many, MULTICLASS, pixels)[0] < choose_scale(few, BINARY, pixels)[0]

    def test_what_is_expected_by_hand(self):
        """Ceilings 1 and 0.98 ** 1.5; exp(-0.22) and exp(-0.22 / 4 ** 0.25): 0.803 and 0.830."""
        found = fingerprint_of(blob).model_copy(
            update={"scale_ceilings": ((1, 1), (1, 0.1), (1, 0.98), (1, 0.1), (1, 0.1), (1, 0.1))}
        )
        assert choose_scale(found, BINARY, passes_of(1 / 16))[0] == 0.5
        assert choose_scale(found, BINARY, passes_of(256))[0] == 1.0  # 0.973 and 0.952

    def test_where_scales_promise_alike_the_largest_is_taken(self):
        """Nothing is lost at half the size: 0.0005 more are expected of it, and that is no gain."""
        found = fingerprint_of(blob).model_copy(update={"scale_ceilings": ((1, 1),) * 6})
        assert choose_scale(found, BINARY, lambda scale: 5.0 if scale == 1 else 5.2)[0] == 1.0
        assert choose_scale(found, BINARY, lambda scale: 5.0 if scale == 1 else 10.0)[0] == 0.71

    def test_the_reason_says_how_often_a_pixel_is_seen(self):
        found = fingerprint_of(line)
        assert "about 7.5 times" in choose_scale(found, BINARY, passes_of(7.5))[1]

    @pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.71), (1.0, 0.71, 0.5)])
    def test_of_the_scales_that_are_given_one_is_chosen(self, scales):
        """The smallest of them where all of SCALES would give a smaller one."""
        found = fingerprint_of(blob)
        assert choose_scale(found, BINARY, passes_of(0.05))[0] < scales[-1]
        assert choose_scale(found, BINARY, passes_of(0.05), scales)[0] == scales[-1]
