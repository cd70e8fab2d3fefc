"""Volumes and the size of pixels, seen through the whole check."""

import numpy as np
import pytest
import tifffile
from tests.reading import check_dataset, read_dataset


def save_pair(root, name, size, spacing_um=None, axes=None):
    """An ImageJ image with a bright block, and its mask."""
    random = np.random.default_rng(ord(name) + sum(size))
    mask = np.zeros(size, np.uint8)
    mask[..., 4:14, 5:15] = 1
    image = (random.integers(0, 60, size) + 100 * mask).astype(np.uint8)
    metadata = {"axes": axes or "ZYX"[-len(size) :]}
    options = {}
    if spacing_um is not None:
        metadata |= {"unit": "um", "spacing": spacing_um}
        options = {"resolution": (1 / spacing_um, 1 / spacing_um)}
    for folder, values in (("images", image), ("masks", mask)):
        (root / folder).mkdir(exist_ok=True)
        path = root / folder / f"{name}.tif"
        tifffile.imwrite(path, values, imagej=True, metadata=metadata, **options)


def found(root):
    return {finding.code: finding for finding in check_dataset(root)}


def test_spacing_on_which_all_agree_is_shown(tmp_path):
    for name in "abc":
        save_pair(tmp_path, name, (20, 24), 0.65)
    dataset = read_dataset(tmp_path)
    assert dataset.spacing_um == (0.65, 0.65)
    assert dataset.describe().endswith("; spacing 0.65 x 0.65 um")
    assert "mixed-spacing" not in found(tmp_path)


@pytest.mark.parametrize(("other", "severity"), [(0.7, "note"), (1.3, "warning"), (0.4, "warning")])
def test_mixed_spacing_is_said_from_to_with_the_files_that_differ(tmp_path, other, severity):
    for name in "abc":
        save_pair(tmp_path, name, (20, 24), 0.65)
    save_pair(tmp_path, "d", (20, 24), other)
    finding = found(tmp_path)["mixed-spacing"]
    assert finding.severity == severity
    assert [path.name for path in finding.files] == ["d.tif"]
    low, high = sorted([0.65, other])
    assert f"from {low} x {low} um to {high} x {high} um" in finding.message
    assert read_dataset(tmp_path).spacing_um is None


def test_spacing_that_some_do_not_say_is_not_claimed_for_all(tmp_path):
    save_pair(tmp_path, "a", (20, 24), 0.65)
    save_pair(tmp_path, "b", (20, 24))
    assert "spacing" not in read_dataset(tmp_path).describe()
    assert "mixed-spacing" not in found(tmp_path)


def test_a_folder_of_volumes(tmp_path):
    for name in "abcd":
        save_pair(tmp_path, name, (9, 20, 24), 2.0)
    dataset = read_dataset(tmp_path)
    assert (dataset.spatial_dims, dataset.files[0].size) == (3, (9, 20, 24))
    assert dataset.spacing_um == (2, 2, 2)
    sample = dataset.samples("train")[0]
    assert (sample.image.shape, sample.mask.shape) == ((1, 9, 20, 24), (9, 20, 24))
    assert set(found(tmp_path)) == {"few-images"}


def test_volumes_among_pictures_are_named(tmp_path):
    for name in "abc":
        save_pair(tmp_path, name, (20, 24))
    save_pair(tmp_path, "d", (9, 20, 24))
    finding = found(tmp_path)["mixed-sizes"]
    assert finding.severity == "warning"
    assert [path.name for path in finding.files] == ["d.tif"]
    assert "d.tif has the shape of volumes, where the other images are pictures" in finding.message


def test_assumed_axes_of_masks_are_said_too(tmp_path):
    for name in "abc":
        save_pair(tmp_path, name, (9, 20, 24))
        path = tmp_path / "masks" / f"{name}.tif"
        tifffile.imwrite(path, tifffile.imread(path), metadata=None)
    finding = found(tmp_path)["assumed-axes"]
    assert {path.parent.name for path in finding.files} == {"masks"}
    assert "the first was taken for slices of a volume" in finding.message
