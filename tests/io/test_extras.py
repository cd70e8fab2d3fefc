"""Formats of an extra that is not installed say how to install it."""

import sys

import numpy as np
import pytest
from tests.reading import check_dataset

from pixelwise.errors import MissingExtraError
from pixelwise.io import read_image
from pixelwise.io.extras import import_extra


def test_an_installed_library_is_imported():
    assert import_extra("json", "volumes", "Texts").loads("1") == 1


def test_what_is_done_with_it_is_said():
    with pytest.raises(MissingExtraError, match=r"^Letters are written with no_such_module, which"):
        import_extra("no_such_module", "post", "Letters", "written")


@pytest.mark.parametrize(("name", "module"), [("a.nii", "nibabel"), ("a.zarr", "zarr")])
def test_a_missing_library_is_one_message_with_the_extra(tmp_path, monkeypatch, name, module):
    import nibabel
    import zarr

    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / name
        if module == "zarr":
            zarr.save_array(path, np.zeros((8, 9), np.uint8))
        else:
            nibabel.save(nibabel.Nifti1Image(np.zeros((8, 9, 10), np.uint8), np.eye(4)), path)
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'{name}: .* read with {module}, which is not installed.*"pixelwise\[volumes\]"'
    with pytest.raises(MissingExtraError, match=message):
        read_image(path)
    with pytest.raises(MissingExtraError, match=message):
        check_dataset(tmp_path)
