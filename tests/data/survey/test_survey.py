"""The survey: facts that are known beforehand, in order, with progress and few items under way."""

import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.doctor.conftest import draw_pair

from pixelwise.data.layouts.found import FoundSample
from pixelwise.data.masks.sources import MaskFile
from pixelwise.data.masks.stored import StoredMask
from pixelwise.data.survey.image_facts import describe_image, digest_of
from pixelwise.data.survey.pair_facts import count_regions, describe_pair, to_plane
from pixelwise.data.survey.sample_facts import survey_samples
from pixelwise.errors import FileError
from pixelwise.io.image_files import Pixels
from pixelwise.parallel import map_in_threads


class TestThreads:
    def test_results_keep_their_order(self):
        def wait(number):
            time.sleep(0.001 * (number % 3))
            return number**2

        assert map_in_threads(wait, range(50), 4) == [number**2 for number in range(50)]
        assert map_in_threads(wait, [], 4) == []

    def test_progress_counts_up(self):
        calls = []
        map_in_threads(abs, range(5), 2, lambda *call: calls.append(call))
        assert calls == [(number, 5) for number in range(1, 6)]

    def test_an_error_is_raised_and_the_rest_is_not_begun(self):
        begun = []

        def fail(number):
            begun.append(number)
            time.sleep(0.001)
            if number == 3:
                raise FileError("no.")

        with pytest.raises(FileError):
            map_in_threads(fail, range(1000), 2)
        assert len(begun) < 50

    @pytest.mark.parametrize("bad", [0, 15, 16, 17, 40])
    @pytest.mark.parametrize("seconds", [0, 0.005])
    def test_an_error_is_raised_wherever_it_is(self, bad, seconds):
        def fail(number):
            time.sleep(seconds)
            if number == bad:
                raise FileError("no.")
            return number

        with pytest.raises(FileError):
            map_in_threads(fail, range(60), 2)
        assert map_in_threads(fail, range(bad), 2) == list(range(bad))

    def test_short_items_are_done_by_the_thread_that_calls(self):
        def short(_):
            time.sleep(0.001)
            return threading.get_ident()

        assert set(map_in_threads(short, range(200), 2)[100:]) == {threading.get_ident()}

    def test_long_items_are_shared(self):
        def slow(_):
            time.sleep(0.01)
            return threading.get_ident()

        assert len(set(map_in_threads(slow, range(60), 3))) == 3

    def test_few_items_are_handed_out_ahead(self):
        gate, taken = threading.Event(), []

        class Items(list):
            def __iter__(self):
                for item in range(1000):
                    taken.append(item)
                    if len(taken) > 20:
                        gate.set()
                    yield item

        threading.Timer(0.1, gate.set).start()
        map_in_threads(lambda _: gate.wait(), Items(range(1000)), 2)
        assert len(taken) == 1000


class TestImages:
    def facts(self, values):
        return describe_image(Pixels(values, values.nbytes))

    def test_levels_are_percentiles_of_each_channel(self):
        ramp = np.arange(10000, dtype=np.uint16).reshape(100, 100)
        levels = self.facts(np.dstack([ramp, 2 * ramp, ramp + 7])).levels
        assert levels.tolist() == [[100, 5000, 9899], [200, 10000, 19798], [107, 5007, 9906]]

    def test_grey_stored_as_colour_has_one_level(self):
        image = draw_pair(0)[0]
        facts = self.facts(np.dstack([image] * 3))
        assert facts.is_grey
        assert facts.levels.shape == (1, 3)

    def test_one_pixel_in_colour_is_enough(self):
        image = np.repeat(np.repeat(draw_pair(0)[0], 8, 0), 8, 1)  # far larger than what is sampled
        color = np.dstack([image] * 3)
        color[5, 5, 0] += 1
        assert not self.facts(color).is_grey

    def test_saturated_share(self):
        image = np.zeros((10, 10, 1), np.uint8)
        image[:3] = 255
        assert self.facts(image).saturated == pytest.approx(0.3)
        assert self.facts(image.astype(np.float32)).saturated == 0

    def test_nan_is_left_out_of_the_levels(self):
        image = np.ones((10, 10, 1), np.float32)
        image[0, 0] = np.nan
        facts = self.facts(image)
        assert not facts.is_finite
        assert facts.levels.tolist() == [[1, 1, 1]]
        assert self.facts(np.full((4, 4, 1), np.nan, np.float32)).levels.tolist() == [[0, 0, 0]]

    def test_digest_is_of_pixels_type_and_shape(self):
        one = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        assert digest_of(one) == digest_of(one.copy())
        assert (
            len({digest_of(one), digest_of(one.reshape(3, 2, 1)), digest_of(one.astype("i1"))}) == 3
        )

    def test_a_volume(self):
        volume = np.random.default_rng(0).integers(0, 255, (6, 40, 50, 1), np.uint8)
        facts = self.facts(volume)
        assert facts.size == (6, 40, 50)
        assert facts.thumbnail.shape == (32, 32)


class TestPairs:
    def test_regions_by_value(self):
        plane = np.zeros((12, 12), np.uint8)
        plane[2:8, 2:8] = 5  # 36 pixels
        plane[10, 10] = 5  # touches the other at no corner
        plane[9, 3:5] = 7
        regions = count_regions(plane, np.array([0, 5, 7]))
        assert regions.tolist() == [[1, 2, 1], [0, 1, 1], [0, 1, 2], [144 - 39, 37, 2]]

    def test_regions_that_the_border_cuts_are_not_tiny(self):
        plane = np.zeros((12, 12), np.uint8)
        plane[0, 3] = plane[5, 11] = 1
        assert count_regions(plane, np.array([0, 1]))[1].tolist() == [0, 0]

    def test_objects_that_touch_are_counted_apart(self):
        objects = np.zeros((8, 8), np.int32)
        objects[1:7, 1:4], objects[1:7, 4:7] = 1, 2
        regions = count_regions((objects > 0).astype(np.uint8), np.array([0, 1]), objects)
        assert regions[0].tolist() == [1, 2]

    def test_layers_become_a_plane(self):
        layers = np.zeros((2, 3, 2), bool)
        layers[0, :2, 0] = layers[0, 1:, 1] = True
        assert to_plane(StoredMask(layers, "layers")).tolist() == [[1, 2, 2], [0, 0, 0]]

    def test_border_and_brightness(self):
        mask = np.zeros((10, 10), np.uint8)
        mask[:, :5] = 9
        image = np.where(mask == 9, 200, 100)[..., np.newaxis].astype(np.uint8)
        facts = describe_pair(image, StoredMask(mask))
        assert facts.values.tolist() == [0, 9]
        assert facts.border.tolist() == [0.5, 0.5]
        assert facts.brightness.tolist() == [-1, 1]

    def test_object_ids_are_taken_together(self):
        ids = np.arange(100, dtype=np.uint16).reshape(10, 10)
        facts = describe_pair(np.zeros((10, 10, 1), np.uint8), StoredMask(ids))
        assert facts.values.tolist() == [0, 1]
        assert facts.num_regions.tolist() == [1, 99]

    def test_other_sizes_and_volumes(self):
        mask = StoredMask(np.zeros((4, 20, 30), np.uint8))
        assert describe_pair(np.zeros((4, 20, 30, 1), np.uint8), mask).brightness is not None
        assert describe_pair(np.zeros((4, 20, 20, 1), np.uint8), mask).brightness is None


def test_facts_stay_small(tmp_path):
    """Below 4 kB a sample, whatever the size of the image."""
    random = np.random.default_rng(0)
    samples = []
    for number, side in enumerate((40, 900)):
        paths = [tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"]
        Image.fromarray(random.integers(0, 255, (side, side, 3), np.uint8)).save(paths[0])
        Image.fromarray(random.integers(0, 30, (side, side), np.uint8)).save(paths[1])
        samples.append(FoundSample(str(number), (paths[0],), MaskFile(paths[1])))
    for facts in survey_samples(samples):
        assert len(pickle.dumps(facts)) < 4096


def test_bad_files_raise_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    Image.fromarray(draw_pair(0)[1]).save(tmp_path / "m.png")
    missing = FoundSample("b", (Path("nowhere.png"),), None)
    first, second = survey_samples(
        [FoundSample("a", (tmp_path / "a.png",), MaskFile(tmp_path / "m.png")), missing]
    )
    assert isinstance(first.image, FileError)
    assert first.mask.size == (72, 96)
    assert first.pair is None
    assert isinstance(second.image, FileError)
    assert second.mask is None
