"""Samples: what they hold, what is kept in memory, and many threads at once."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.data import CachedSamples, FolderSamples, LazySamples, Sample, SampleFiles
from pixelwise.data.masks.sources import MaskParts
from pixelwise.errors import DataError, FileError, MaskError

PIXELS = 100  # bytes of each sample of `Noting`


class Noting(CachedSamples):
    """Four samples that note how each was given."""

    def __init__(self, room):
        super().__init__(memory_limit=room * PIXELS)
        self.made, self.mapped = [], []

    def __len__(self):
        return 4

    @property
    def sizes(self):
        return [(10, 10)] * 4

    def _make(self, index):
        self.made.append(index)
        return Sample(str(index), np.zeros((1, 10, 10), np.uint8), None, None)

    def _map_from_disk(self, index):
        self.mapped.append(index)
        return Sample(f"disk {index}", np.zeros((1, 10, 10), np.uint8), None, None)


def test_what_is_made_is_kept_until_memory_is_full():
    samples = Noting(room=2)
    assert [sample.name for sample in samples] == ["0", "1", "2", "disk 3"]
    assert [sample.name for sample in samples[::-1]] == ["disk 3", "disk 2", "1", "0"]
    assert (samples.made, samples.mapped) == ([0, 1, 2], [3, 3, 2])
    assert repr(samples) == "Noting(4 samples, 2 in memory)"


def test_one_that_fits_exactly_is_kept():
    samples = Noting(room=4)
    assert all(samples[index] is samples[index] for index in range(4))
    assert (samples.made, samples.mapped) == ([0, 1, 2, 3], [])


def test_loading_ahead_ends_when_memory_is_full():
    samples = Noting(room=1)
    assert samples.load(num_threads=1) is samples
    assert (samples.made, samples.mapped) == ([0, 1], [])


def test_samples_are_asked_for_as_of_a_list():
    class Numbers(LazySamples):
        def __len__(self):
            return 5

        def _sample_at(self, index):
            return index

    numbers, expected = Numbers(), list(range(5))
    assert list(numbers) == expected
    for index in (0, 4, -1, -5, slice(1, 3), slice(None, None, -2), slice(9, 2)):
        assert numbers[index] == expected[index]
    for index in (5, -6):
        with pytest.raises(IndexError):
            numbers[index]


@pytest.fixture
def dataset(save_pairs, disc):
    return read_dataset(save_pairs([disc * 255] * 12))


def test_a_sample_is_image_and_mask_as_stored(dataset, disc):
    samples = dataset.samples("train")
    sample = samples[0]
    assert sample.image.shape == (1, 32, 32)
    assert sample.image.dtype == np.uint8
    assert sample.mask.dtype == np.uint8
    np.testing.assert_array_equal(sample.mask, disc)
    assert sample.path.name == f"{sample.name}.png"


def test_samples_are_a_sequence(dataset):
    samples = dataset.samples("train")
    assert len(samples) == 9
    assert samples[-1].name == samples[8].name
    assert [sample.name for sample in samples[2:4]] == [samples[2].name, samples[3].name]
    assert len(list(samples)) == 9
    with pytest.raises(IndexError):
        samples[9]


def test_samples_are_decoded_once_up_to_the_limit(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "cache"))
    two = 2 * 2 * 32 * 32  # bytes of two images with their masks
    samples = dataset.samples("train", memory_limit=two)
    assert samples[0] is samples[0]
    assert samples[1] is samples[1]
    assert samples[2] is not samples[2]
    assert samples[0] is samples[0]
    assert "2 in memory" in repr(samples)
    assert len(list((tmp_path / "cache").iterdir())) == 2  # image and mask of the third


def test_load_decodes_ahead(dataset):
    samples = dataset.samples("train").load(num_threads=2)
    assert "9 in memory" in repr(samples)
    assert isinstance(samples, FolderSamples)


def test_threads_share_one_copy(dataset):
    samples = dataset.samples("train")
    seen, start = [], threading.Barrier(8)

    def read():
        start.wait()
        seen.extend((index, id(samples[index])) for index in range(8))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 64
    assert len(set(seen)) == 8


def test_ignored_pixels_are_255(save_pairs, disc):
    mask = disc.copy()
    mask[0, :5] = 255
    sample = read_dataset(save_pairs([mask] * 3)).samples("train")[0]
    assert np.bincount(sample.mask.ravel())[255] == 5


def test_an_absent_split_says_which_there_are(save_pairs, disc):
    dataset = read_dataset(save_pairs([disc] * 3))
    with pytest.raises(DataError, match="no samples in the split 'test', only 2 train, 1 val"):
        dataset.samples("test")
    with pytest.raises(DataError, match="'tset' is not a split"):
        dataset.samples("tset")


def test_files_that_go_bad_after_the_survey_are_named(dataset, save, tmp_path):
    samples = dataset.samples("train")
    first, second, third = samples.files[:3]
    first.image.unlink()
    with pytest.raises(FileError, match=first.image.name):
        samples[0]
    save(f"masks/{second.name}.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(MaskError, match=r"is 8x8 but .* is 32x32"):
        samples[1]
    save(f"masks/{third.name}.png", np.full((32, 32), 77, np.uint8))
    with pytest.raises(MaskError, match="holds the values 77"):
        samples[2]


def test_unlabelled_images_have_no_mask(save_pairs, save, disc, tmp_path):
    save_pairs([disc] * 3)
    save("images/extra.png", disc)
    dataset = read_dataset(tmp_path)
    assert dataset.splits == {"train": 2, "val": 1, "unlabelled": 1}
    assert dataset.samples("unlabelled")[0].mask is None


def test_object_ids_come_from_files_of_objects(dataset, save):
    first, second = np.zeros((2, 32, 32), np.uint8)
    first[2:5, 2:5], second[10:12, 10:12] = 255, 255
    image = save("a/a.png", first)
    parts = MaskParts((save("a/1.png", first), save("a/2.png", second)), values=(1, 1))
    files = (SampleFiles("a", (image,), parts, "train", (32, 32)), replace(dataset.files[0]))
    samples = FolderSamples(files, 1, dataset.encoding)
    ids = samples.instances(0)
    assert ids.dtype == np.int32
    assert np.bincount(ids.ravel()).tolist() == [1024 - 9 - 4, 9, 4]
    assert (ids[3, 3], ids[10, 10]) == (1, 2)
    assert samples.instances(1) is None  # a mask of classes


def test_object_ids_of_an_unlabelled_image(dataset):
    files = replace(dataset.files[0], mask=None)
    assert FolderSamples([files], 1, dataset.encoding).instances(0) is None


def test_sizes_are_known_without_reading(dataset):
    samples = dataset.samples("train")
    assert samples.sizes == [(32, 32)] * 9
    assert "0 in memory" in repr(samples)


def test_what_a_data_set_is_for(dataset):
    assert (dataset.task, dataset.spatial_dims, dataset.groups) == ("binary", 2, ())
