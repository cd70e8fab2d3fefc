"""What can go wrong, for a caller to catch.

    PixelwiseError
    ├── DataError (ValueError)        the files or arrays are not what was asked for
    │   ├── FileError                 one file cannot be read as what it should be
    │   ├── LayoutError               no images, no masks, or no pairs of them
    │   ├── MaskError                 mask values that cannot be understood
    │   └── ArrayError                arrays of the wrong shape, type, range or number
    ├── PlanError (ValueError)        a plan, budget or setting that cannot be carried out
    ├── TrainingError                 training stopped: the reason, and what was kept
    ├── ModelFileError (ValueError)   not a model file, or one that cannot be used here
    ├── ExportError                   an export does not compute what the model does
    ├── OutputError (OSError)         a result cannot be written: exists, read-only, disk full
    └── MissingExtraError (ImportError)   an optional dependency is not installed

    PixelwiseWarning (UserWarning)    carried on, but a person should look

Every message says what was wrong, what arrived and what to do.
"""


class PixelwiseError(Exception):
    """Base class of every error that pixelwise raises on purpose."""


class DataError(PixelwiseError, ValueError):
    """The files or arrays are not what was asked for."""


class FileError(DataError):
    """One file cannot be read as what it should be; the message names it."""


class LayoutError(DataError):
    """A folder holds no images, no masks, or no pairs of them."""


class MaskError(DataError):
    """Mask values cannot be understood."""


class ArrayError(DataError):
    """Arrays have the wrong shape, type, range or number."""


class PlanError(PixelwiseError, ValueError):
    """A plan, budget or setting cannot be carried out."""


class TrainingError(PixelwiseError):
    """Training stopped; the message says why and what was kept."""


class ModelFileError(PixelwiseError, ValueError):
    """A file is not a pixelwise model, or one that cannot be used here."""


class ExportError(PixelwiseError):
    """An export does not compute what the model computes, so it was not written."""


class OutputError(PixelwiseError, OSError):
    """A result cannot be written: it exists, the folder is read-only, the disk is full."""


class MissingExtraError(PixelwiseError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class PixelwiseWarning(UserWarning):
    """Something was carried on with that a person should look at."""
