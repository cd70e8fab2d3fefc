"""Threshold and least area: counted in several ways at once, chosen where one is clearly better."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.inference.evaluate import Counted
from pixelwise.metrics import count_pixels
from pixelwise.network import ModelConfig, UNetConfig
from pixelwise.objects import clean_mask
from pixelwise.task import IGNORE_INDEX, Task
from pixelwise.training import postprocessing
from pixelwise.training.postprocessing import (
    AREAS,
    MIN_IMAGES,
    THRESHOLDS,
    USUAL,
    Way,
    WayCounts,
    choose_way,
    counts_of,
    ways_of,
)

PROBABILITIES = st.sampled_from([0.0, 0.2, 0.25, 0.3, 0.5, 0.55, 0.9, 0.95, 1.0])
SIZE = (9, 12)


def config_for(task=Task.BINARY, num_classes=2, first="background"):
    names = (first, *(f"class {number}" for number in range(1, num_classes)))
    return ModelConfig(
        network=UNetConfig(in_channels=1, out_channels=task.num_logits(num_classes), widths=(4, 8)),
        task=task,
        class_names=names,
        class_colors=("#000000",) * num_classes,
    )


BINARY, THREE = config_for(), config_for(Task.MULTICLASS, 3)


def count(config, probabilities, target, name="a", group=None):
    """The counts of an image that comes in two parts."""
    counted, mask = WayCounts(config), config.task.to_mask(probabilities)
    for window in ((slice(0, 4), slice(None)), (slice(4, None), slice(None))):
        counted.add(target, window, probabilities[:, window[0]], mask[window])
    usual = count_pixels(mask, target, config.num_classes)
    counted.end_image(Counted(name, usual, group), target)
    (image,) = counted.images
    assert (image.name, image.group) == (name, group)
    return image


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, (1, *SIZE), elements=PROBABILITIES.map(np.float32)),
    hnp.arrays(np.uint8, SIZE, elements=st.sampled_from([0, 1, IGNORE_INDEX])),
)
def test_counts_are_those_of_masks_made_in_each_way(probabilities, target):
    image = count(BINARY, probabilities, target)
    assert len(image.counts) == len(THRESHOLDS) + len(AREAS)
    for way in ways_of(BINARY):
        mask = clean_mask((probabilities[0] >= way.threshold).astype(np.uint8), way.min_area)
        (found,) = counts_of(way, [image], BINARY)
        np.testing.assert_array_equal(found.counts, count_pixels(mask, target, 2), str(way))


@settings(deadline=None)
@given(
    hnp.arrays(np.uint8, SIZE, elements=st.integers(0, 2)),
    hnp.arrays(np.uint8, SIZE, elements=st.sampled_from([0, 1, 2, IGNORE_INDEX])),
)
def test_of_several_classes_only_areas_are_tried(mask, target):
    image = count(THREE, np.eye(3, dtype=np.float32)[mask].transpose(2, 0, 1), target)
    assert ways_of(THREE) == [USUAL, *(Way(min_area=area) for area in AREAS)]
    for way in ways_of(THREE):
        (found,) = counts_of(way, [image], THREE)
        expected = count_pixels(clean_mask(mask, way.min_area), target, 3)
        np.testing.assert_array_equal(found.counts, expected, str(way))


@pytest.mark.parametrize(("name", "limit"), [("MAX_PIXELS", 50), ("MAX_REGIONS", 3)])
def test_regions_of_large_images_and_of_noise_are_left_as_they_are(monkeypatch, name, limit):
    monkeypatch.setattr(postprocessing, name, limit)
    rng = np.random.default_rng(0)
    probabilities = rng.random((1, *SIZE), np.float32)
    target = rng.integers(0, 2, SIZE).astype(np.uint8)
    image = count(BINARY, probabilities, target)
    for way in ways_of(BINARY):
        mask = (probabilities[0] >= way.threshold).astype(np.uint8)
        (found,) = counts_of(way, [image], BINARY)
        np.testing.assert_array_equal(found.counts, count_pixels(mask, target, 2))


def test_where_classes_overlap_nothing_is_tried():
    config = config_for(Task.MULTILABEL, 3)
    assert ways_of(config) == [USUAL]
    counted = WayCounts(config)
    target = np.zeros((3, *SIZE), np.uint8)
    nothing = np.zeros((3, *SIZE), np.float32)
    counted.add(target, (slice(None), slice(None)), nothing, nothing.astype(bool))
    usual = np.ones((3, 3), np.int64)
    counted.end_image(Counted("a", usual), target)
    np.testing.assert_array_equal(counted.images[0].counts, usual[None])
    assert choose_way(counted.images * 20, config) is None


def image(name, dice_of, group=None):
    """An image whose foreground has a Dice by way (None: nothing there or found)."""
    counts = np.zeros((len(ways_of(BINARY)), 2, 3), np.int64)
    for index, way in enumerate(ways_of(BINARY)):
        dice = dice_of(way)
        if dice is not None:
            counts[index, 1] = [round(100 * dice), round(200 * (1 - dice)), 0]
    return Counted(str(name), counts, group)


def false_alarms(number, is_seen=lambda way: way.threshold <= 0.6 and way.min_area < 100):
    """Images without foreground, in which something is found in some ways."""
    return [image(f"empty {i}", lambda way: 0 if is_seen(way) else None) for i in range(number)]


def equal_ones(number, dice_of=lambda way: 0.8):
    return [image(i, dice_of) for i in range(number)]


def by_threshold(way):
    """Larger regions are real ones, and lost at large areas."""
    return 0.8 if way.min_area < 100 else 0.5


def by_area(way):
    return 0.8 if way.threshold == USUAL.threshold else 0.5


def test_faint_false_alarms_raise_the_threshold():
    gain = choose_way(equal_ones(10, by_threshold) + false_alarms(10), BINARY)
    assert gain.way == Way(threshold=0.7)
    assert gain.mean == pytest.approx(0.4)
    assert 0 < gain.low < 0.4 < gain.high
    assert "0.7 on in place of 0.5" in gain.describe()
    assert "+0.400" in gain.describe()


def test_small_false_alarms_raise_the_least_area():
    gain = choose_way(equal_ones(10, by_area) + false_alarms(10), BINARY)
    assert gain.way == Way(min_area=128)
    assert "Regions of fewer than 128 pixels get the class around them" in gain.describe()


def test_background_counts_for_nothing_where_it_is_a_class():
    """Class 0 of these counts is perfect in the usual way alone."""
    images = equal_ones(10, by_area) + false_alarms(10)
    for one in images:
        one.counts[0, 0] = [100, 0, 0]
        one.counts[1:, 0] = [0, 100, 100]
    assert choose_way(images, BINARY).way == Way(min_area=128)


def test_all_classes_count_alike():
    config = config_for(Task.MULTICLASS, 3)
    counts = np.zeros((len(ways_of(config)), 3, 3), np.int64)
    counts[:, 1], counts[:, 2] = [8, 2, 2], [5, 5, 5]
    counts[2, 1], counts[2, 2] = [7, 3, 3], [8, 2, 2]  # 0.1 less and 0.3 more
    gain = choose_way([Counted(str(n), counts) for n in range(20)], config)
    assert gain.way == Way(min_area=AREAS[1])
    assert gain.mean == pytest.approx(0.1)


def test_the_usual_way_is_kept_where_nothing_is_better():
    assert choose_way(equal_ones(20), BINARY) is None


def test_luck_of_one_image_is_not_enough():
    assert choose_way(equal_ones(19) + false_alarms(1), BINARY) is None


@pytest.mark.parametrize(("invented", "is_worth_it"), [(3990, False), (3900, True)])
def test_a_certain_gain_that_hardly_counts_is_left(invented, is_worth_it):
    """Dice 0.8004 in place of 0.8, and 0.804."""
    counts = np.zeros((len(ways_of(BINARY)), 2, 3), np.int64)
    counts[:, 1], counts[3, 1] = [8000, 4000, 0], [8000, invented, 0]
    gain = choose_way([Counted(str(n), counts) for n in range(20)], BINARY)
    assert (gain is not None) == is_worth_it


def test_few_images_are_not_enough():
    half = MIN_IMAGES // 2
    assert choose_way(equal_ones(half) + false_alarms(half - 1), BINARY) is None
    assert choose_way([], BINARY) is None


def test_a_group_counts_once():
    alike = [one._replace(group="film") for one in false_alarms(10)]
    assert choose_way(equal_ones(10) + alike, BINARY) is None


def test_images_with_nothing_at_all_are_left_out():
    nothing = [image(f"n{i}", lambda way: None) for i in range(30)]
    with_them = choose_way(equal_ones(10) + false_alarms(10) + nothing, BINARY)
    assert with_them.mean == pytest.approx(0.4)
    assert choose_way(nothing, BINARY) is None
