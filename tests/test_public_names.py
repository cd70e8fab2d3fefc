"""The public names of the package: few, pinned here, and quick to import."""

import inspect
import pkgutil
import subprocess
import sys

import pytest

import pixelwise

PUBLIC_NAMES = {
    "__version__",
    # arrays
    "Segmenter",
    "History",
    "unet",
    "load",
    "from_keras",
    "wrap",
    "show",
    "callbacks",
    "optimizers",
    # folders
    "check",
    "train",
    "predict",
    "evaluate",
    # what can go wrong
    "PixelwiseError",
    "PixelwiseWarning",
    "DataError",
    "FileError",
    "LayoutError",
    "MaskError",
    "ArrayError",
    "PlanError",
    "TrainingError",
    "ModelFileError",
    "ExportError",
    "OutputError",
    "MissingExtraError",
}


def test_public_names_are_these_and_no_others():
    assert set(pixelwise.__all__) == PUBLIC_NAMES
    assert len(pixelwise.__all__) == len(PUBLIC_NAMES)


@pytest.mark.parametrize("name", sorted(PUBLIC_NAMES))
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(pixelwise, name)
    assert name in dir(pixelwise)
    if name != "__version__":
        assert inspect.getdoc(value)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="segmentation"):
        pixelwise.segmentation  # noqa: B018


def test_no_room_has_the_name_of_a_public_function():
    """`import pixelwise.train` would replace the function."""
    rooms = {room.name for room in pkgutil.iter_modules(pixelwise.__path__)}
    assert rooms & PUBLIC_NAMES == {"callbacks", "optimizers"}  # public as they are


HEAVY = ("torch", "numpy", "scipy", "skimage", "matplotlib", "PIL", "pydantic", "jinja2")


@pytest.mark.parametrize("module", ["pixelwise", "pixelwise.cli"])
def test_import_is_light(module):
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    assert run_python(code) == "[]"


def test_rooms_and_functions_are_found_in_any_order_of_import():
    code = (
        "import pixelwise.training.loop as loop, pixelwise.inference, pixelwise.metrics;"
        "import pixelwise as pw;"
        "print(callable(pw.train), callable(pw.predict), callable(pw.evaluate))"
    )
    assert run_python(code) == "True True True"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
