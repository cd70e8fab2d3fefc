"""The cache under several processes, of which some are killed; and the samples that it is for."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.reading import read_dataset

from pixelwise.data import FolderSamples, SampleFiles
from pixelwise.data.cache import ArrayCache
from pixelwise.data.masks.sources import MaskParts, MaskShapes, Shape

NUM_KEYS = 30
SIZE = 200_000  # numbers in an array: 1.6 MB, which takes several writes

WORK = f"""
import sys
import numpy as np
from pathlib import Path
from pixelwise.data.cache import ArrayCache
cache = ArrayCache(Path(sys.argv[1]))
print("at work", flush=True)
for key in range({NUM_KEYS}):
    value = np.arange({SIZE}) * key
    assert np.array_equal(cache.get_or_make(str(key), lambda: value), value), key
"""


def start(folder):
    command = [sys.executable, "-c", WORK, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_processes_killed_at_any_time_leave_whole_arrays_or_none(tmp_path):
    folder = tmp_path / "cache"
    for delay in (0.005, 0.02, 0.06, 0.1):
        process = start(folder)
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cache = ArrayCache(folder)
        for path in folder.glob("*.npy"):
            made = []
            found = cache.get_or_make(path.stem, lambda made=made: made.append(1) or np.zeros(1))
            assert not made, f"{path.name} was not whole"
            np.testing.assert_array_equal(found, np.arange(SIZE) * int(path.stem))
    process = start(folder)  # and the next one finishes the work
    assert process.communicate(timeout=100)[1] == b""
    assert len(list(folder.glob("*.npy"))) == NUM_KEYS


def test_several_processes_fill_one_cache_at_once(tmp_path):
    processes = [start(tmp_path / "cache") for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors.decode()
        assert errors == b""
    names = sorted(int(path.stem) for path in (tmp_path / "cache").iterdir())
    assert names == list(range(NUM_KEYS))  # and no part is left


# --- samples ----------------------------------------------------------------------------------


@pytest.fixture
def sources(save, tmp_path):
    """A mask of two files, and one of a polygon in an annotation file: the same square."""
    first, second = np.zeros((2, 32, 32), np.uint8)
    first[4:8, 4:12], second[8:12, 4:12] = 1, 1
    annotations = tmp_path / "annotations.json"
    annotations.write_text("{}")
    corners = np.array([(4.0, 4.0), (4.0, 12.0), (12.0, 12.0), (12.0, 4.0)])
    return (
        MaskParts((save("parts/1.png", first), save("parts/2.png", second)), values=(1, 1)),
        MaskShapes(annotations, (Shape(1, (corners,)),)),
    )


def test_masks_of_parts_and_shapes_are_made_once_and_mapped(
    save_pairs, disc, sources, tmp_path, monkeypatch
):
    dataset = read_dataset(save_pairs([disc] * 4))
    files = [
        SampleFiles(entry.name, entry.images, sources[number % 2], "train", (32, 32))
        for number, entry in enumerate(dataset.files)
    ]
    cache = ArrayCache(tmp_path / "cache")
    samples = FolderSamples(files, 1, dataset.encoding, memory_limit=0, cache=cache)
    for _ in range(2):  # the first sample tells that there is no room, and is kept the next time
        masks = [sample.mask for sample in samples]
    assert [int(mask.sum()) for mask in masks] == [64] * 4
    assert len(list((tmp_path / "cache").iterdir())) == 4 + 2  # equal masks are kept once

    def unexpected(files):
        raise AssertionError(f"{files.name} was decoded again")

    monkeypatch.setattr(samples, "_read_image", unexpected)
    monkeypatch.setattr(samples, "_read_mask", unexpected)
    for sample in [*samples, *samples]:
        assert int(sample.mask.sum()) == 64
        for array in (sample.image, sample.mask):
            assert is_mapped(array)


def is_mapped(array):
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base if isinstance(array, np.ndarray) else None
    return False


def test_a_part_or_an_annotation_file_that_changes_is_noticed(
    save_pairs, disc, sources, save, tmp_path
):
    dataset = read_dataset(save_pairs([disc] * 2))
    files = [
        SampleFiles(entry.name, entry.images, source, "train", (32, 32))
        for entry, source in zip(dataset.files, sources, strict=True)
    ]
    samples = FolderSamples(files, 1, dataset.encoding, 0, ArrayCache(tmp_path / "cache"))
    for _ in range(2):
        assert [int(sample.mask.sum()) for sample in samples] == [64, 64]
    save("parts/2.png", np.eye(32, dtype=np.uint8)[:, ::-1])
    assert int(samples[0].mask.sum()) == 32 + 32  # the other diagonal does not cross part 1
    before = len(list((tmp_path / "cache").iterdir()))
    (tmp_path / "annotations.json").write_text('{"info": "edited"}')
    samples[1]
    assert len(list((tmp_path / "cache").iterdir())) == before + 1
