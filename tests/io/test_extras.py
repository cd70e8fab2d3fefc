"""Formats of an extra that is not installed say how to install it."""

import subprocess
import sys

import numpy as np
import pytest
from tests.reading import check_dataset

from pixelwise.errors import MissingExtraError
from pixelwise.io import read_image
from pixelwise.io.extras import import_extra


def test_an_installed_library_is_imported():
    assert import_extra("json", "volumes", "Texts").loads("1") == 1


@pytest.mark.parametrize(
    ("module", "reporter"),
    [("openvino", "openvino.tools.ovc.telemetry_utils"), ("nncf", "nncf.telemetry.wrapper")],
)
def test_nothing_is_reported_to_the_makers_of_a_library(module, reporter):
    """In a process of its own: NNCF reports nothing where pytest is imported."""
    pytest.importorskip(module)
    code = (
        "import importlib, sys\n"
        "from pixelwise.io import import_extra\n"
        f"import_extra({module!r}, 'x', 'Models')\n"
        f"module = importlib.import_module({reporter!r})\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "found = getattr(module, 'tm', None) or module.telemetry\n"
        "print(getattr(found, '__name__', type(found).__name__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "stub" in done.stdout.lower() or "Mock" in done.stdout, done.stdout


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
