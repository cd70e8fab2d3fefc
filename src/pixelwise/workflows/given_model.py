"""A model as callers give it: a Segmenter, a run, a run folder, a model file or an exported one."""

import os
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from pixelwise.errors import ModelFileError, PlanError
from pixelwise.inference.runtimes.exported import load_any_model
from pixelwise.network import MODEL_FILE_NAME, Model
from pixelwise.workflows.run import Run


class HoldsModel(Protocol):
    """What a Segmenter has: a model, and the path that it was loaded from, if it is still that."""

    @property
    def model(self) -> Model:
        """The model."""

    @property
    def path(self) -> Path | None:
        """Run folder or model file."""


AnyModel = str | os.PathLike[str] | HoldsModel | Run


class GivenModel(NamedTuple):
    """A model, and where it came from.

    Attributes:
        model: the model.
        name: its path, or words for one that has none.
        path: run folder or file; None for a model of this program alone.
    """

    model: Model
    name: str
    path: Path | None

    @property
    def folder(self) -> Path | None:
        """The run folder, or that in which the file lies."""
        if self.path is None or self.path.is_dir():
            return self.path
        return self.path.absolute().parent


def refuse_swapped(model: object, other: object) -> None:
    """PlanError where the second of two paths is the model, and the first is none."""
    if _names_model(other) and isinstance(model, str | os.PathLike) and not _names_model(model):
        raise PlanError(
            f"{other} is a model, and {model} is none. The model comes first: give {other} and "
            f"then {model}."
        )


def _names_model(given: object) -> bool:
    """Whether it is the path of a run folder or a model file that is there."""
    if not isinstance(given, str | os.PathLike):
        return False
    path = Path(given)
    file = path / MODEL_FILE_NAME if path.is_dir() else path
    return file.suffix == Path(MODEL_FILE_NAME).suffix and file.is_file()


def take_model(given: AnyModel) -> GivenModel:
    """Load a model, or take it as it is.

    Raises:
        ModelFileError: it cannot be used, or is one for volumes, which files of masks cannot hold.
        PlanError: it is something else.
    """
    if isinstance(given, Run):
        given = given.folder
    if isinstance(given, str | os.PathLike):
        path: Path | None = Path(given)
        model = load_any_model(Path(given))
    elif isinstance(getattr(given, "model", None), Model):
        # predictors change networks for good, and this one may be trained on
        path, model = given.path, replace(given.model, network=deepcopy(given.model.network))
    else:
        raise PlanError(
            f"A {type(given).__name__} is no model. Give a run folder, a model file, what "
            "`train` returned, or a Segmenter."
        )
    name = "This model" if path is None else str(path)
    if model.config.network.spatial_dims != 2:
        raise ModelFileError(
            f"{name} is a model for volumes, which files of masks cannot hold yet. Use it in "
            "Python: pixelwise.load(...).predict(arrays)."
        )
    return GivenModel(model, name, path)
