"""Regions of masks in bands: hand-checked figures, scikit-image's own, and every split alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from pixelwise.io import NOWHERE
from pixelwise.objects import (
    RegionFinder,
    coco_format,
    find_regions,
    geojson_format,
    table_format,
)

NAMES, COLORS = ("background", "cell", "rim"), ("#000000", "#ff0000", "#00ff00")
MASK = np.array(
    [
        [1, 1, 0, 0, 0, 2],
        [1, 1, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 0, 1, 0, 255],
        [0, 1, 1, 1, 0, 0],
    ],
    np.uint8,
)
SIZES = st.tuples(st.integers(1, 14), st.integers(1, 14))
SEEDS = st.integers(0, 2**32)


def random_mask(size, seed):
    """Noise of classes that are more or less frequent."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet((1, 1, 1, 0.3))
    return random.choice(np.array([0, 1, 2, 255], np.uint8), size, p=shares)


MASKS = st.builds(random_mask, SIZES, SEEDS)
PLANES = st.builds(
    lambda *given: np.stack([random_mask(*given) == c for c in (0, 1)]), SIZES, SEEDS
)


def regions(mask=MASK, has_background=True):
    return find_regions(mask, has_background=has_background)


def paint(region, size):
    """The pixels of a region, from its runs."""
    painted = np.zeros(size, bool)
    for row, start, stop in region.runs.tolist():
        assert not painted[row, start:stop].any()
        painted[row, start:stop] = True
    return painted


def found_in(mask, image, heights):
    """Regions that each band finishes, and those left at the end."""
    finder = RegionFinder(has_background=True)
    cuts = np.cumsum(heights)
    bands = zip(np.split(mask, cuts, -2), np.split(image, cuts), strict=True)
    return [*(finder.add(*band) for band in bands), finder.finish()]


def texts_of(batches, size):
    """What all files hold, written batch by batch."""
    formats = (
        table_format(NAMES, 2, (0.5, 0.25)),
        geojson_format(NAMES, COLORS, NOWHERE),
        coco_format(NAMES, "a.png", size, has_background=True),
    )
    return [one.start + "".join(map(one.write, batches)) + one.end for one in formats]


class TestRegions:
    def test_in_the_order_of_their_last_rows(self):
        found = [(r.number, r.class_index, r.area, r.box) for r in regions()]
        assert found == [(1, 1, 4, (0, 0, 2, 2)), (2, 2, 2, (0, 4, 2, 6)), (3, 1, 8, (3, 1, 6, 4))]

    def test_their_order_is_not_that_of_the_bands(self):
        mask = np.array([[2], [0], [1], [0], [0], [0]], np.uint8)
        assert [r.class_index for r in regions(mask)] == [2, 1]

    def test_without_background_class_0_has_regions_too(self):
        assert [r.class_index for r in regions(has_background=False)] == [1, 2, 0, 0, 1]

    def test_of_classes_that_overlap(self):
        planes = np.stack([MASK == 1, MASK > 0])
        found = [(r.class_index, r.area) for r in regions(planes)]
        assert found == [(0, 4), (1, 4), (1, 2), (1, 1), (0, 8), (1, 8)]

    def test_pixels_that_touch_by_a_corner_across_bands_are_one(self):
        mask = np.eye(4, dtype=np.uint8)
        *_, (only,) = found_in(mask, mask[..., None], [1, 1, 1])
        assert only.runs.tolist() == [[0, 0, 1], [1, 1, 2], [2, 2, 3], [3, 3, 4]]

    def test_two_arms_that_meet_below_are_one(self):
        mask = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
        assert [len(found) for found in found_in(mask, mask[..., None], [1, 1])] == [0, 0, 0, 1]

    def test_one_is_given_as_soon_as_two_rows_below_it_are_known(self):
        batches = found_in(MASK, MASK[..., None], [3, 2])
        assert [[r.number for r in found] for found in batches] == [[], [1, 2], [], [3]]

    @settings(deadline=None)
    @given(MASKS)
    def test_they_are_the_mask(self, mask):
        painted = np.zeros(mask.shape, int)
        for region in regions(mask):
            inside = paint(region, mask.shape)
            assert label(inside, connectivity=2).max() == 1
            painted += inside * region.class_index
        np.testing.assert_array_equal(painted, np.where(mask == 255, 0, mask))

    @settings(deadline=None, max_examples=200)
    @given(st.one_of(MASKS, PLANES), st.data())
    def test_how_many_rows_come_at_once_changes_no_letter(self, mask, data):
        height, width = mask.shape[-2:]
        image = np.random.default_rng(0).normal(0, 1e3, (height, width, 2)).astype(np.float32)
        cuts = data.draw(st.lists(st.integers(0, height), max_size=height))
        heights = np.diff(sorted(cuts), prepend=0)
        whole = find_regions(mask, image, has_background=True)
        assert texts_of(found_in(mask, image, heights), (height, width)) == texts_of(
            [whole], (height, width)
        )

    def test_only_what_is_not_finished_is_kept(self):
        """A thousand rows of dots: what waits is of the last rows, and not of all."""
        finder = RegionFinder(has_background=True)
        dots = np.zeros((10, 40), np.uint8)
        dots[::2, ::2] = 1
        for _ in range(100):
            finder.add(dots)
            assert len(finder._open._runs.row) <= 20
            assert finder._planes.shape[1] == 4
        assert len(finder.finish()) == 20
        assert finder._number == 100 * 5 * 20

    def test_of_no_rows(self):
        assert RegionFinder(has_background=True).finish() == []


class TestMeasures:
    """Against scikit-image, which measures one region in its box."""

    @settings(deadline=None, max_examples=200)
    @given(MASKS)
    def test_are_those_of_regionprops(self, mask):
        image = np.random.default_rng(1).integers(0, 60000, (*mask.shape, 2), np.uint16)
        for region in find_regions(mask, image, has_background=True):
            inside = paint(region, mask.shape)
            (expected,) = regionprops(inside.astype(np.uint8), image)
            assert (region.area, region.box) == (expected.area, expected.bbox)
            assert region.centroid == pytest.approx(expected.centroid)
            assert region.perimeter == pytest.approx(expected.perimeter)
            # a line has no second axis, of which the root of a rounding error is 1e-8
            assert region.eccentricity == pytest.approx(expected.eccentricity, abs=1e-6)
            assert region.means == pytest.approx(expected.intensity_mean)

    def test_of_a_large_region_far_from_the_corner(self):
        """Coordinates of some thousands, squared, would lose what a small ellipse is like."""
        mask = np.zeros((3000, 2000), np.uint8)
        rows, columns = np.ogrid[:3000, :2000]
        mask[(rows - 2900) ** 2 / 400 + (columns - 1900) ** 2 / 100 <= 1] = 1
        (region,) = regions(mask)
        (expected,) = regionprops(mask)
        assert region.eccentricity == pytest.approx(expected.eccentricity, abs=1e-9)
        assert region.centroid == (2900, 1900)

    def test_a_square_by_hand(self):
        (square, *_) = find_regions(MASK, MASK[..., None], has_background=True)
        assert square.centroid == (0.5, 0.5)
        assert square.perimeter == 4  # from pixel centre to pixel centre
        assert square.eccentricity == 0
        assert square.means == (1,)

    def test_a_line_is_all_eccentric_and_a_pixel_is_round(self):
        line, pixel = regions(np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0]], np.uint8))
        assert (line.eccentricity, pixel.eccentricity) == (1, 0)
