"""The cache on disk: whole or not at all, noticed changes, damage, room, threads and processes."""

import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.data import cache as cache_room
from pixelwise.data import samples as samples_room
from pixelwise.data.cache import ArrayCache, cache_at, default_folder, make_key
from pixelwise.data.masks.sources import MaskShapes, Shape
from pixelwise.data.samples import FolderSamples
from pixelwise.errors import PixelwiseWarning

ARRAY = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
FILE_BYTES = 128 + 48 + 4  # header of .npy, 24 numbers of two bytes, checksum


def unexpected():
    raise AssertionError("made again")


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


def again(cache, **options):
    """The cache as another process finds it."""
    return ArrayCache(cache.folder, **options)


def files_in(cache):
    return sorted(path.name for path in cache.folder.iterdir())


@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        np.moveaxis(ARRAY, -1, 0),
        np.asfortranarray(ARRAY),
        ARRAY.astype(">f4"),
        ARRAY > 5,
        np.zeros((3, 0), np.uint8),
    ],
)
def test_an_array_comes_back_as_it_was_mapped_and_read_only(cache, array):
    first = cache.get_or_make("k", lambda: array)
    for found in (first, again(cache).get_or_make("k", unexpected)):
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
        assert type(found) is np.ndarray
        assert not found.flags.writeable
    assert files_in(cache) == ["k.npy"]


def test_nothing_touches_the_disk_before_an_array_is_kept(cache):
    assert not cache.folder.exists()


def test_errors_of_making_are_passed_on_and_leave_nothing(cache):
    def fail():
        raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        cache.get_or_make("k", fail)
    assert not cache.folder.exists()


@pytest.mark.parametrize("place", [0, 20, 100, 130, 170, FILE_BYTES - 1])
def test_a_flipped_byte_anywhere_is_noticed(cache, place):
    cache.get_or_make("k", lambda: ARRAY)
    path = cache.folder / "k.npy"
    data = bytearray(path.read_bytes())
    assert len(data) == FILE_BYTES
    data[place] ^= 1
    path.write_bytes(data)
    np.testing.assert_array_equal(again(cache).get_or_make("k", lambda: ARRAY), ARRAY)
    np.testing.assert_array_equal(again(cache).get_or_make("k", unexpected), ARRAY)


@pytest.mark.parametrize("length", [0, 2, 4, 60, 128, 150, FILE_BYTES - 1])
def test_a_truncated_file_is_noticed(cache, length):
    cache.get_or_make("k", lambda: ARRAY)
    path = cache.folder / "k.npy"
    path.write_bytes(path.read_bytes()[:length])
    np.testing.assert_array_equal(again(cache).get_or_make("k", lambda: ARRAY), ARRAY)
    assert path.stat().st_size == FILE_BYTES


def test_a_file_that_is_no_array_is_replaced_and_nothing_in_it_is_run(cache):
    import pickle
    import zlib

    cache.folder.mkdir()
    data = pickle.dumps({"a": 1})
    checksum = zlib.crc32(data).to_bytes(4, "little")
    (cache.folder / "k.npy").write_bytes(data + checksum)
    np.testing.assert_array_equal(cache.get_or_make("k", lambda: ARRAY), ARRAY)
    np.testing.assert_array_equal(again(cache).get_or_make("k", unexpected), ARRAY)


def test_a_file_that_another_process_removed_is_made_again(cache):
    cache.get_or_make("k", lambda: ARRAY)
    (cache.folder / "k.npy").unlink()
    np.testing.assert_array_equal(cache.get_or_make("k", lambda: ARRAY), ARRAY)
    assert files_in(cache) == ["k.npy"]


# --- interruption -----------------------------------------------------------------------------


def test_a_process_killed_while_writing_leaves_no_array(cache):
    script = (
        "import os, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from pixelwise.data.cache import ArrayCache\n"
        "os.fsync = lambda file: os._exit(9)\n"  # dies when the part file is written
        "ArrayCache(Path(sys.argv[1])).get_or_make('k', lambda: np.zeros(1000))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(cache.folder)], check=False)
    assert done.returncode == 9
    (left,) = files_in(cache)
    assert left.endswith(".tmp")
    np.testing.assert_array_equal(cache.get_or_make("k", lambda: ARRAY), ARRAY)
    assert set(files_in(cache)) == {left, "k.npy"}  # it may be of a process at work


def test_part_files_of_long_ago_are_removed(cache):
    cache.folder.mkdir()
    old, new = cache.folder / ".a.npy.1-1.tmp", cache.folder / ".b.npy.2-2.tmp"
    for path in (old, new):
        path.write_bytes(b"part")
    os.utime(old, (time.time() - 5000,) * 2)
    cache.get_or_make("k", lambda: ARRAY)
    assert files_in(cache) == [new.name, "k.npy"]


# --- room -------------------------------------------------------------------------------------


def keep(cache, *keys):
    for key in keys:
        np.testing.assert_array_equal(cache.get_or_make(key, lambda: ARRAY), ARRAY)


def test_the_oldest_files_of_earlier_processes_make_room(cache):
    keep(cache, "a", "b", "c")
    for age, name in enumerate(("b", "c", "a")):  # b is the newest
        os.utime(cache.folder / f"{name}.npy", (time.time() - 100 * (age + 1),) * 2)
    later = again(cache, max_bytes=3 * FILE_BYTES)
    keep(later, "d")
    assert files_in(cache) == ["b.npy", "c.npy", "d.npy"]


def test_what_was_used_lately_stays(cache):
    keep(cache, "a", "b")
    os.utime(cache.folder / "a.npy", (time.time() - 200,) * 2)
    os.utime(cache.folder / "b.npy", (time.time() - 100,) * 2)
    keep(again(cache), "a")  # a is the newest now
    keep(again(cache, max_bytes=2 * FILE_BYTES), "c")
    assert files_in(cache) == ["a.npy", "c.npy"]


def test_a_set_that_does_not_fit_is_kept_in_part_and_this_is_said_once(cache):
    small = again(cache, max_bytes=2 * FILE_BYTES)
    with pytest.warns(PixelwiseWarning, match="no room left. Free some disk space") as said:
        keep(small, "a", "b", "c", "d")
        keep(small, "a", "b", "c", "d")
    assert len(said) == 1
    assert files_in(cache) == ["a.npy", "b.npy"]


def test_a_fifth_of_the_free_disk_is_the_limit(cache, monkeypatch):
    usage = type("Usage", (), {"free": 10 * 2**30})
    monkeypatch.setattr(cache_room.shutil, "disk_usage", lambda folder: usage)
    keep(cache, "a")
    usage.free = 5 * FILE_BYTES
    monkeypatch.setattr(cache_room, "MIN_FREE", 0)
    with pytest.warns(PixelwiseWarning, match="no room left"):
        keep(cache, "b")  # two files would be more than a fifth of 5 + 1
    assert files_in(cache) == ["a.npy"]


def test_a_disk_that_is_nearly_full_is_left_alone(cache, monkeypatch):
    usage = type("Usage", (), {"free": cache_room.MIN_FREE + 100})
    monkeypatch.setattr(cache_room.shutil, "disk_usage", lambda folder: usage)
    with pytest.warns(PixelwiseWarning, match="no room left"):
        keep(cache, "a")
    assert files_in(cache) == []


def test_a_folder_that_cannot_be_made_is_said_once_and_work_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ArrayCache(tmp_path / "file" / "cache")
    with pytest.warns(PixelwiseWarning, match=r"not kept on disk: .*file.*PIXELWISE_CACHE") as said:
        keep(cache, "a", "b", "a")
    assert len(said) == 1


def test_a_write_that_fails_is_said_once(cache, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_room, "write_bytes", full)
    with pytest.warns(PixelwiseWarning, match="No space left") as said:
        keep(cache, "a", "b")
    assert len(said) == 1


# --- threads ----------------------------------------------------------------------------------


def test_many_threads_and_two_caches_on_one_folder(cache):
    caches, failures = [cache, again(cache)], []
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        for key in range(12):
            value = np.full((50, 50), key)
            found = caches[number % 2].get_or_make(f"{key}", lambda value=value: value)
            if not np.array_equal(found, value):
                failures.append(key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files_in(cache) == sorted(f"{key}.npy" for key in range(12))


# --- keys and places --------------------------------------------------------------------------


def test_a_key_changes_with_files_and_how_they_are_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    key = make_key([path], ("image", 3))
    assert make_key([tmp_path / "." / "a.png"], ("image", 3)) == key
    assert make_key([path], ("image", 1)) != key
    assert make_key([path, path], ("image", 3)) != key
    os.utime(path, ns=(1, 1))
    later = make_key([path], ("image", 3))
    assert later != key
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1))
    assert make_key([path], ("image", 3)) != later
    path.unlink()
    with pytest.raises(OSError, match=r"a\.png"):
        make_key([path], ())


def test_a_folder_stands_for_all_files_in_it(tmp_path):
    (tmp_path / "v.zarr" / "c").mkdir(parents=True)
    chunk = tmp_path / "v.zarr" / "c" / "0"
    chunk.write_bytes(b"1")
    key = make_key([tmp_path / "v.zarr"], ())
    chunk.write_bytes(b"12")
    assert make_key([tmp_path / "v.zarr"], ()) != key


def test_shapes_count_in_a_key(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")

    def key(*corners, value=1):
        polygon = np.array(corners, dtype=float)
        return make_key([path], MaskShapes(path, (Shape(value, (polygon,)),)))

    one = key((0, 0), (0, 5), (5, 5))
    assert key((0, 0), (0, 5), (5, 5)) == one
    assert key((0, 0), (0, 5), (5, 6)) != one
    assert key((0, 0), (0, 5), (5, 5), value=2) != one
    assert make_key([path], MaskShapes(path, ())) != one


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PIXELWISE_CACHE", str(tmp_path / "own"))
    assert default_folder() == tmp_path / "own"
    monkeypatch.delenv("PIXELWISE_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "pixelwise" / "samples"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "pixelwise" / "samples"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == Path.home() / "Library" / "Caches" / "pixelwise" / "samples"
    assert cache_at(tmp_path) is cache_at(tmp_path)


# --- samples ----------------------------------------------------------------------------------

TWO = 2 * 2 * 32 * 32  # bytes of two images with their masks


@pytest.fixture
def dataset(save_pairs, disc):
    return read_dataset(save_pairs([disc * 255] * 12))


def samples_of(dataset, cache, memory_limit=TWO):
    files = [entry for entry in dataset.files if entry.split == "train"]
    return FolderSamples(files, dataset.in_channels, dataset.encoding, memory_limit, cache)


def test_samples_beyond_the_limit_come_from_the_cache_as_they_are(dataset, cache, disc):
    plain = samples_of(dataset, cache, memory_limit=2**30)
    expected = list(plain)
    assert not cache.folder.exists()
    samples = samples_of(dataset, cache)
    for _ in range(2):
        for sample, right in zip(samples, expected, strict=True):
            np.testing.assert_array_equal(sample.image, right.image)
            np.testing.assert_array_equal(sample.mask, right.mask)
            assert (sample.name, sample.path) == (right.name, right.path)
    assert not samples[5].image.flags.writeable
    assert not samples[5].mask.flags.writeable
    assert len(files_in(cache)) == 2 * (9 - 2)


def test_a_second_process_decodes_nothing_again(dataset, cache, monkeypatch):
    list(samples_of(dataset, cache))
    list(samples_of(dataset, cache))  # the first one that did not fit is kept now
    samples = samples_of(dataset, again(cache), memory_limit=0)
    first = samples[0]  # tells that memory is full
    monkeypatch.setattr(samples_room, "read_source", unexpected)
    assert samples[5].image.shape == first.image.shape


def test_a_source_that_changes_is_decoded_again(dataset, cache, save):
    samples = samples_of(dataset, cache, memory_limit=0)
    for _ in range(2):
        before = samples[1].image.copy()
    files = samples.files[1]
    save(f"images/{files.name}.png", 255 - before[0])
    save(f"masks/{files.name}.png", np.zeros((32, 32), np.uint8))
    np.testing.assert_array_equal(samples[1].image, 255 - before)
    assert not samples[1].mask.any()


def test_a_source_that_is_gone_is_named_though_its_array_is_kept(dataset, cache):
    samples = samples_of(dataset, cache, memory_limit=0)
    for _ in range(2):
        samples[0]
    samples.files[0].image.unlink()
    with pytest.raises(ValueError, match=rf"{samples.files[0].image.name} does not exist"):
        samples[0]


def test_an_unwritable_cache_does_not_stop_reading(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    samples = samples_of(dataset, ArrayCache(tmp_path / "file" / "cache"), memory_limit=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert [sample.image.shape for sample in samples] == [(1, 32, 32)] * 9
        assert [sample.image.shape for sample in samples] == [(1, 32, 32)] * 9
    assert len(said) == 1


def test_another_encoding_is_another_mask_but_the_same_image(dataset, cache, disc):
    inverted = dataset.encoding.with_values([255, 0])
    for encoding, foreground in ((dataset.encoding, disc), (inverted, 1 - disc)):
        samples = FolderSamples(dataset.files[:2], 1, encoding, 0, cache)
        for _ in range(2):
            for sample in samples:
                np.testing.assert_array_equal(sample.mask, foreground)
    assert len(files_in(cache)) == 2 + 2 * 2  # two images, and their masks twice
