"""Samples at the working scale: what the predictor would show the network."""

import numpy as np
import pytest
import torch
from PIL import Image
from tests.reading import read_dataset
from tests.training.conftest import make_source

import pixelwise as pw
from pixelwise.data import FolderSamples, Sample
from pixelwise.data.cache import ArrayCache
from pixelwise.network import IntensityScaling, resize_images, resize_masks, scale_intensities
from pixelwise.training import working_samples
from pixelwise.training.working_samples import WorkingSamples, sizes_of

SCALING = IntensityScaling(scheme="statistics", mean=(50.0,), std=(50.0,))


def samples(number=3, size=(20, 30)):
    random = np.random.default_rng(0)
    return [
        Sample(str(i), random.integers(0, 255, (1, *size), np.uint8),
               random.integers(0, 3, size, np.uint8), None)
        for i in range(number)
    ]  # fmt: skip


def seen(small, index=0):
    """What a crop of a small sample shows the network."""
    return scale_intensities(small[index].image, *small.coefficients.of(index))


def test_images_are_scaled_in_intensity_and_size_as_the_predictor_does():
    (one,) = samples(1)
    small = WorkingSamples([one], SCALING, 0.5)
    expected = resize_images(torch.from_numpy(SCALING.apply(one.image))[None], (10, 15))[0]
    np.testing.assert_allclose(seen(small), expected.numpy(), atol=0.5 / 50 + 1e-6)
    assert small[0].mask.shape == (10, 15)
    assert small[0].mask.dtype == np.uint8
    expected = resize_masks(torch.from_numpy(one.mask), (10, 15))
    np.testing.assert_array_equal(small[0].mask, expected.numpy())


def test_percentiles_are_those_of_the_image_in_its_own_size():
    (one,) = samples(1)
    scaling = IntensityScaling(scheme="percentiles")
    small = WorkingSamples([one], scaling, 0.5)
    offset, gain = scaling.coefficients(one.image)
    whole = torch.from_numpy((one.image.astype(np.float32) - offset[0]) * gain[0])[None]
    expected = resize_images(whole, (10, 15))[0].numpy()
    np.testing.assert_allclose(seen(small), expected, atol=0.5 * gain[0] + 1e-6)


@pytest.mark.parametrize(
    ("dtype", "std", "kept"),
    [
        (np.uint8, 50.0, np.uint8),
        (np.uint16, 900.0, np.uint16),
        (np.uint8, 5.0, np.float32),  # few grey levels: rounding would show
        (np.float32, 50.0, np.float32),
    ],
)
def test_images_keep_their_type_where_it_is_fine_enough(dtype, std, kept):
    scaling = IntensityScaling(scheme="statistics", mean=(50.0,), std=(std,))
    one = Sample("a", np.arange(64, dtype=dtype).reshape(1, 8, 8), None, None)
    small = WorkingSamples([one], scaling, 0.5)
    assert small[0].image.dtype == kept
    expected = resize_images(torch.from_numpy(scaling.apply(one.image))[None], (4, 4))[0]
    np.testing.assert_allclose(seen(small), expected.numpy(), atol=1 / 32)


def test_masks_of_classes_that_overlap():
    mask = np.zeros((2, 20, 30), bool)
    mask[1, :10] = True
    small = WorkingSamples([Sample("a", np.zeros((1, 20, 30)), mask, None)], SCALING, 0.5)[0]
    assert small.mask.dtype == bool
    assert small.mask.shape == (2, 10, 15)
    assert small.mask[1, :5].all()
    assert not small.mask[1, 5:].any()


def test_they_are_a_sequence_with_sizes():
    small = WorkingSamples(samples(), SCALING, 0.5)
    assert len(small) == 3
    assert [one.name for one in small[1:]] == ["1", "2"]
    assert small[-1].name == "2"
    assert small.sizes == sizes_of(small) == [(10, 15)] * 3
    with pytest.raises(IndexError):
        small[3]


def test_arrays_that_a_caller_has_are_kept_beside_them():
    made = []

    class Counting(list):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    small = WorkingSamples(Counting(samples()), SCALING, 0.5, memory_limit=0)
    first = [one.image for one in small[:]]
    made.clear()
    assert all(one.image is other for one, other in zip(small, first, strict=True))
    assert made == []


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path):
        """Three images of files of which two small ones fit, and a cache."""
        random = np.random.default_rng(0)
        for name in "abc":
            for kind, values in (
                ("images", random.integers(0, 255, (20, 30))),
                ("masks", random.integers(0, 2, (20, 30))),
            ):
                path = tmp_path / "data" / kind / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values.astype(np.uint8)).save(path)
        dataset = read_dataset(tmp_path / "data", split=dict.fromkeys("abc", "train"))
        cache = ArrayCache(tmp_path / "cache")
        return FolderSamples(dataset.samples("train").files, 1, dataset.encoding, cache=cache)

    def test_beyond_the_limit_they_come_from_disk_in_their_own_type(self, folder, tmp_path):
        kept = WorkingSamples(folder, SCALING, 0.5)
        small = WorkingSamples(folder, SCALING, 0.5, memory_limit=2 * kept[0].num_bytes)
        for _ in range(2):
            for one, expected in zip(small, kept, strict=True):
                np.testing.assert_array_equal(one.image, expected.image)
                np.testing.assert_array_equal(one.mask, expected.mask)
                assert (one.name, one.path) == (expected.name, expected.path)
        assert isinstance(small[2].image.base, np.memmap)
        assert small[2].image.dtype == small[2].mask.dtype == np.uint8
        assert len(list((tmp_path / "cache").glob("*.npy"))) == 2  # image and mask of one

    def test_they_are_made_once(self, folder, monkeypatch):
        made = []
        monkeypatch.setattr(
            working_samples, "resize_images", lambda *given: made.append(1) or resize_images(*given)
        )
        for _ in range(2):  # the second is another training
            small = WorkingSamples(folder, SCALING, 0.5, memory_limit=0)
            small[0], made.clear()  # the first shows that there is no room
            for index in (1, 2, 1, 2, 0):
                assert small[index].image.shape == (1, 10, 15)
        assert made == []

    def test_batches_are_the_same_as_from_memory(self, folder):
        options = {"crop_size": (6, 6), "batch_size": 3, "foreground_share": 0.5}
        sources = [
            make_source(WorkingSamples(folder, SCALING, 0.5, limit), scaling=SCALING, **options)
            for limit in (2**20, 0)
        ]
        for step in range(6):
            one, other = (each.batch(step) for each in sources)
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.targets, other.targets)


def test_arrays_are_never_written(tmp_path):
    pairs = [(one.image[0], one.mask) for one in samples()]
    dataset = pw.check(pairs).dataset
    files = dataset.samples("train").files
    cache = ArrayCache(tmp_path / "cache")
    own = FolderSamples(files, 1, dataset.encoding, cache=cache)
    small = WorkingSamples(own, SCALING, 0.5, memory_limit=0)
    assert all(small[i].mask.shape == (10, 15) for i in [*range(len(files))] * 2)
    assert not (tmp_path / "cache").exists()
