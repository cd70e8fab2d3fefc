"""A folder of images and masks in, a segmentation model that can be trusted out.

    import pixelwise as pw

    run = pw.train("data", out="run", budget="10min")
    model = pw.load("run")
    mask = model.segment(image)

The public names are those of `__all__`. They are imported when first used, so that
`import pixelwise` and `pixelwise --help` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pixelwise.errors import (
    ArrayError,
    DataError,
    ExportError,
    FileError,
    LayoutError,
    MaskError,
    MissingExtraError,
    ModelFileError,
    OutputError,
    PixelwiseError,
    PixelwiseWarning,
    PlanError,
    TrainingError,
)

if TYPE_CHECKING:
    from pixelwise.segmenter import History, Segmenter, from_keras, load, show, unet, wrap
    from pixelwise.workflows import check, evaluate, predict, train

__version__ = "0.1.0"

__all__ = [
    "ArrayError",
    "DataError",
    "ExportError",
    "FileError",
    "History",
    "LayoutError",
    "MaskError",
    "MissingExtraError",
    "ModelFileError",
    "OutputError",
    "PixelwiseError",
    "PixelwiseWarning",
    "PlanError",
    "Segmenter",
    "TrainingError",
    "__version__",
    "callbacks",
    "check",
    "evaluate",
    "from_keras",
    "load",
    "optimizers",
    "predict",
    "show",
    "train",
    "unet",
    "wrap",
]

_HOMES = {
    "History": "pixelwise.segmenter",
    "Segmenter": "pixelwise.segmenter",
    "check": "pixelwise.workflows",
    "evaluate": "pixelwise.workflows",
    "from_keras": "pixelwise.segmenter",
    "load": "pixelwise.segmenter",
    "predict": "pixelwise.workflows",
    "show": "pixelwise.segmenter",
    "train": "pixelwise.workflows",
    "unet": "pixelwise.segmenter",
    "wrap": "pixelwise.segmenter",
}

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> object:
        if name in ("callbacks", "optimizers"):
            return import_module(f"pixelwise.{name}")
        if name not in _HOMES:
            from pixelwise.elsewhere import OF_PACKAGE, missing

            said = missing("pixelwise", name, OF_PACKAGE, __all__)
            raise AttributeError(said, name=name)
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
