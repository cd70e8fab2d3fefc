"""Masks of classes that overlap, in files."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.errors import MaskError
from pixelwise.io import is_result
from pixelwise.io.planes import read_planes, write_planes


def layers(num_classes):
    """(K, 4, 6): class k fills the columns from k to k + 2."""
    mask = np.zeros((num_classes, 4, 6), bool)
    for k in range(num_classes):
        mask[k, :, k : k + 3] = True
    return mask


@pytest.mark.parametrize("num_classes", [1, 2, 3, 4, 5, 6])
def test_planes_come_back(tmp_path, num_classes):
    path = write_planes(tmp_path / "a.b", layers(num_classes))
    assert path == tmp_path / "a.b.tif"
    np.testing.assert_array_equal(read_planes(path, num_classes), layers(num_classes))
    assert tifffile.imread(path).shape == (max(5, num_classes), 4, 6)


def test_planes_of_other_programs(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", layers(2).astype(np.uint8) * 255, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_planes(tmp_path / "a.tif", 2), layers(2))


def test_other_numbers_of_planes_are_refused(tmp_path):
    path = write_planes(tmp_path / "a", layers(6))
    with pytest.raises(MaskError, match="has 6 planes, but there are 4 classes"):
        read_planes(path, 4)
    Image.fromarray(layers(1)[0]).save(tmp_path / "b.png")
    with pytest.raises(MaskError, match="has 1 planes, but there are 2 classes"):
        read_planes(tmp_path / "b.png", 2)


def test_planes_are_told_from_other_files(tmp_path):
    assert is_result(write_planes(tmp_path / "a", layers(2)))
    tifffile.imwrite(tmp_path / "b.tif", np.full((4, 6), 7, np.uint8))
    (tmp_path / "c.tif").write_text("notes")
    assert not is_result(tmp_path / "b.tif")
    assert not is_result(tmp_path / "c.tif")
