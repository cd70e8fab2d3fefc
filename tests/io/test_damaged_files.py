"""Damaged files: whatever bytes are cut or changed, a reader gives pixels or a FileError.

2,000 of them, and some with absurd headers, are read by `damage.py` in processes of their own, so
that a crash inside a library is seen, and memory has a ceiling.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.files import load_file
from tests.reading import check_dataset

from pixelwise.errors import FileError

SCRIPT = Path(__file__).parent / "damage.py"
NUM_DAMAGED = 2000
NUM_PROCESSES = 4
MAX_PEAK_BYTES = 2**29  # far more than any of the files needs


@pytest.mark.parametrize("part", range(NUM_PROCESSES))
def test_damaged_files_end_in_pixels_or_a_file_error(tmp_path, part):
    each = NUM_DAMAGED // NUM_PROCESSES
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    arguments = [str(tmp_path), str(part * each), str((part + 1) * each)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")  # no noise of libraries either
    found = json.loads(done.stdout)
    counts = found["counts"]
    assert sum(counts.values()) == each
    for outcome in ("pixels", "refused"):
        assert sum(n for kind, n in counts.items() if kind.endswith(outcome)) > each // 5
    assert found["peak_bytes"] < MAX_PEAK_BYTES


def test_absurd_headers_are_refused_and_bombs_are_not_unpacked_beyond_their_claim(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "0", "0"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout)
    counts = found["counts"]
    assert len(counts) == 15
    assert found["peak_bytes"] < MAX_PEAK_BYTES
    assert {kind for kind in counts if not kind.endswith(", refused")} == {
        "absurd gzip bomb, pixels",  # 80 MB of zeros that are truly there
        "absurd zip bomb, pixels",
    }


@pytest.fixture(scope="module")
def damage():
    """The functions of `damage.py`."""
    return load_file(SCRIPT)


def test_a_data_set_with_damaged_files_is_checked_to_the_end(tmp_path, damage):
    """Half of 36 images and a third of their masks are damaged, in every format."""
    random = np.random.default_rng(7)
    damaged = set()
    for number in range(36):
        kind = list(damage.FILES)[number % len(damage.FILES)]
        mask = np.zeros((24, 30), np.uint8)
        mask[4:12, number % 20 : number % 20 + 5] = 255
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        image_path = tmp_path / "images" / f"{number:02}.png"
        content = damage.FILES[kind]
        if number % 2:
            content = damage.damage(content, random)
            damaged.add(image_path)
        image_path.write_bytes(content)
        mask_path = tmp_path / "masks" / f"{number:02}.png"
        Image.fromarray(mask).save(mask_path)
        if number % 3 == 0:
            mask_path.write_bytes(damage.damage(mask_path.read_bytes(), random))
            damaged.add(mask_path)
    findings = {finding.code: finding for finding in check_dataset(tmp_path)}
    unreadable = set(findings["unreadable"].files)
    unreadable |= set(findings["not-an-image"].files) if "not-an-image" in findings else set()
    assert len(unreadable) > 12
    assert unreadable <= damaged


def test_a_file_that_changes_its_kind_is_read_as_what_it_is(tmp_path, damage):
    from pixelwise.io import read_image

    for number, content in enumerate(damage.FILES.values()):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(content)
        assert read_image(path).shape[-3:-1] == (24, 30)


def test_what_is_not_a_picture_at_all(tmp_path):
    from pixelwise.io import read_image

    path = tmp_path / "a.nii.gz"
    for content in (b"\x1f\x8b" + bytes(60), b"PK\x03\x04" + bytes(60), b"II*\0", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"a\.nii\.gz"):
            read_image(path)
