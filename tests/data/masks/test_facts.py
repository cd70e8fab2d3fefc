"""What is kept of a mask, counted by hand, and what is summed over all."""

import tracemalloc

import numpy as np
import pytest
from tests.reading import survey_mask

from pixelwise.data.masks import facts
from pixelwise.data.masks.facts import count_values, describe_mask, unify_forms
from pixelwise.data.masks.sources import MaskFile, MaskParts
from pixelwise.data.masks.stored import StoredMask
from pixelwise.data.masks.value_counts import add_counts, num_pixels


@pytest.fixture
def describe(tmp_path):
    def of(values, suffix=".png", **options):
        return describe_mask(StoredMask(values, **options), MaskFile(tmp_path / f"a{suffix}"))

    return of


def test_values_pixels_insides_and_regions(describe):
    mask = np.zeros((5, 8), np.uint8)
    mask[1:4, 1:4] = 200  # nine pixels, one of which has four equal neighbours
    mask[0, 7], mask[4, 7] = 90, 90  # two regions
    facts = describe(mask)
    assert facts.values.tolist() == [0, 90, 200]
    assert facts.counts.tolist() == [29, 2, 9]
    assert facts.interior.tolist() == [6, 0, 1]  # of 0: rows 1 to 3 of columns 5 and 6
    assert (facts.num_values, facts.num_regions, facts.num_instances) == (3, 3, 2)
    assert (facts.size, facts.is_jpeg) == ((5, 8), False)


def test_many_values_keep_the_most_frequent(describe):
    mask = np.arange(900, dtype=np.uint16).reshape(30, 30)
    mask[:3] = 7
    facts = describe(mask, ".jpeg")
    assert (len(facts.values), facts.num_values) == (256, 811)
    assert facts.counts[facts.values == 7].tolist() == [90]
    assert facts.is_jpeg


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64])
def test_counts_of_every_type(dtype):
    values, counts = count_values(np.array([[3, 0], [3, 3]], dtype))
    assert (values.tolist(), counts.tolist()) == ([0, 3], [1, 3])


def test_planes_are_counted_from_1_and_none_as_0(describe):
    layers = np.zeros((2, 4, 3), bool)
    layers[0, :, 0] = layers[:, 0, 2] = True
    facts = describe(layers, form="layers", num_overlap=1)
    assert facts.values.tolist() == [0, 1, 3]
    assert facts.counts.tolist() == [3, 4, 2]
    assert (facts.form, facts.num_overlap) == ("layers", 1)


def test_grey_masks_become_colours_among_colours(describe):
    colors = describe(np.array([[0xFF0000, 0]], np.int32), form="colors")
    grey = describe(np.array([[0, 255]], np.uint8))
    palette = np.array([[9, 9, 9], [255, 0, 0], [255, 0, 0]], np.uint8)
    indexed = describe(np.array([[0, 1, 2]], np.uint8), palette=palette)
    unified = unify_forms([colors, grey, indexed])
    assert [mask.form for mask in unified] == ["colors"] * 3
    assert unified[1].values.tolist() == [0, 0xFFFFFF]
    assert unified[2].values.tolist() == [0x090909, 0xFF0000]
    assert unified[2].counts.tolist() == [1, 2]
    assert unify_forms([grey, indexed]) == [grey, indexed]


def test_a_palette_that_lacks_values_is_left_aside(describe):
    short = np.array([[0, 0, 0], [255, 0, 0]], np.uint8)
    mask = np.array([[0, 1, 2]], np.uint8)
    assert describe(mask, palette=short).palette is None
    assert describe(mask[:, :2], palette=short).palette.tolist() == [0, 0xFF0000]


def test_sums_over_all_masks(describe):
    first = describe(np.array([[0, 0, 5]], np.uint8))
    second = describe(np.array([[5, 7]], np.uint8), ".jpg")
    total = add_counts([first, second])
    assert (total.values.tolist(), total.counts.tolist()) == ([0, 5, 7], [2, 2, 1])
    assert total.is_jpeg
    assert total.without([5]).values.tolist() == [0, 7]
    assert num_pixels([first, second]) == 5


def test_objects_in_files_that_overlap_are_counted(save):
    parts = np.zeros((2, 4, 4), np.uint8)
    parts[0, :, :3] = parts[1, :, 2:] = 255  # a column of four pixels in both
    paths = [save(f"{number}.png", part) for number, part in enumerate(parts)]
    facts = survey_mask(MaskParts(tuple(paths), (1, 1)), None)
    assert (facts.num_instances, facts.num_overlap) == (2, 4)
    assert facts.counts.tolist() == [16]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("highest", [2, 200])
def test_values_counted_band_by_band_are_those_of_the_whole(monkeypatch, dtype, highest):
    monkeypatch.setattr(facts, "BAND_VALUES", 50)
    stored = np.random.default_rng(0).integers(0, highest, (37, 11)).astype(dtype)
    values, counts = facts.count_values(stored)
    assert [values.tolist(), counts.tolist()] == [
        part.tolist() for part in np.unique(stored, return_counts=True)
    ]


def test_counting_values_takes_little_memory(monkeypatch):
    """A whole mask of uint8 took eight bytes a pixel."""
    monkeypatch.setattr(facts, "BAND_VALUES", 2**14)
    stored = np.zeros((1024, 1024), np.uint8)
    tracemalloc.start()
    assert facts.count_values(stored)[1].tolist() == [2**20]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored.nbytes / 2
