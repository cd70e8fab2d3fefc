"""Write a model in another format, proven equal to it before it is written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pixelwise.data import DataSource, find_images, to_channels
from pixelwise.doctor import ReadOptions
from pixelwise.errors import ModelFileError, OutputError, PlanError
from pixelwise.export.bioimageio import export_bioimageio
from pixelwise.export.int8 import Loss, export_int8
from pixelwise.export.onnx import export_onnx
from pixelwise.export.openvino import export_openvino
from pixelwise.export.torch import export_torch
from pixelwise.export.verify import Agreement, Picture
from pixelwise.inference import IntensityCheck
from pixelwise.inference.runtimes.exported import ExportedModel
from pixelwise.io import read_image
from pixelwise.network import ModelConfig
from pixelwise.text import show_number
from pixelwise.workflows.given_model import AnyModel, take_model
from pixelwise.workflows.intensities import CheckedSamples
from pixelwise.workflows.model_samples import read_for_model, samples_of
from pixelwise.workflows.prediction.inputs import expand_inputs

ExportFormat = Literal["onnx", "openvino", "torch", "bioimageio"]
AnyPath = str | os.PathLike[str]
WRITERS = {
    "onnx": (export_onnx, ".onnx"),
    "openvino": (export_openvino, ".xml"),
    "torch": (export_torch, ".pt2"),
    "bioimageio": (export_bioimageio, ".zip"),
}
INT8_FORMATS = ("onnx", "openvino")
ALLOWED_LOSS = 0.005  # of Dice, in INT8


@dataclass(frozen=True, slots=True)
class Export:
    """What an export wrote, and how well it agrees with the model.

    Attributes:
        files: that were written; the one to open first.
        agreement: with the model, by the format's own runtime; of INT8 what is lost.
    """

    files: tuple[Path, ...]
    agreement: Agreement | Loss

    def describe(self) -> str:
        """The files with their sizes, and the figures."""
        sizes = (f"{path} ({show_number(path.stat().st_size / 1e6)} MB)" for path in self.files)
        return f"{' and '.join(sizes)}; {self.agreement.describe()}."


def export(
    model: AnyModel,
    to: ExportFormat,
    out: AnyPath,
    *,
    check_on: AnyPath | Sequence[AnyPath] | None = None,
    calibrate: DataSource | None = None,
    allow_loss: float = ALLOWED_LOSS,
    authors: Sequence[str] = (),
    license: str | None = None,
) -> Export:
    """Write a model of pictures in another format.

    The file takes pictures of any size as they are stored and gives probabilities; all that
    pixelwise does in between is part of it. Before it is written it is run by its own runtime on
    random pictures of many sizes, and compared with the model.

    Args:
        model: run folder, model file, run, or Segmenter.
        to: "onnx", "openvino" for .xml with .bin, "torch" for a program of `torch.export`, or
            "bioimageio" for a package.
        out: file to write; an earlier export there is replaced.
        check_on: pictures and folders of pictures to compare on, beside the random ones; not with
            `calibrate`, whose validation images are compared.
        calibrate: data to write convolutions in INT8 (whole numbers of 8 bits) by: training images
            set the ranges, validation images say what is lost. None: the model stays in float32.
        allow_loss: Dice that INT8 may lose, from 0 to 1.
        authors: names of the authors of a bioimage.io package.
        license: its SPDX name, such as "CC-BY-4.0".

    Returns:
        The files and how well they agree.

    Raises:
        PlanError: the format is unknown, or the name of the file or an option does not fit it.
        MissingExtraError: a package of the format is not installed.
        ModelFileError: it is no model, or one of volumes.
        DataError: a picture cannot be read, or is none for this model.
        ExportError: the export does not agree with the model, or loses too much in INT8; nothing
            was written.
        OutputError: the file cannot be written.
    """
    if to not in get_args(ExportFormat):
        raise PlanError(f"{to!r} is no format of exports. Choose {', '.join(WRITERS)}.")
    write, suffix = WRITERS[to]
    path = Path(out)
    if path.suffix.lower() != suffix:
        raise PlanError(f"{path} is no name for {to}, which ends in {suffix}.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OutputError(f"{path} cannot be written: give a file in a folder that exists.")
    _refuse_int8_options(to, calibrate, check_on, allow_loss)
    if (authors or license) and to != "bioimageio":
        raise PlanError(f"Authors and a licence are for bioimageio, but {to} was asked for.")
    source = take_model(model)
    loaded = source.model
    if isinstance(loaded, ExportedModel):
        raise ModelFileError(f"{source.name} is an export. Give the model that it was made of.")
    files = (path, path.with_suffix(".bin")) if to == "openvino" else (path,)
    if calibrate is not None:
        dataset = read_for_model(calibrate, ReadOptions(for_training=False), source)
        check = IntensityCheck(loaded.config)
        ranges, held_out = (
            CheckedSamples(samples_of(dataset, split), check) for split in ("train", "val")
        )
        return Export(files, export_int8(loaded, path, to, ranges, held_out, allow_loss))
    given = _read_pictures(check_on, loaded.config) if check_on is not None else {}
    if to == "bioimageio":
        found = export_bioimageio(loaded, path, given, authors=authors, license=license)
    else:
        found = write(loaded, path, given)
    return Export(files, found)


def _refuse_int8_options(
    to: str,
    calibrate: DataSource | None,
    check_on: AnyPath | Sequence[AnyPath] | None,
    allow_loss: float,
) -> None:
    """PlanError for what cannot be done, or would be left out, with INT8 or without it."""
    if not 0 <= allow_loss <= 1:  # nan, too
        raise PlanError(f"A loss of {allow_loss:g} Dice cannot be allowed. Give 0 to 1.")
    if calibrate is None:
        if allow_loss != ALLOWED_LOSS:
            raise PlanError(
                "Only INT8 may lose Dice. Leave out the loss that is allowed, or give data to "
                "calibrate INT8 on."
            )
        return
    if to not in INT8_FORMATS:
        raise PlanError(f"INT8 is for {' and '.join(INT8_FORMATS)}, but {to} was asked for.")
    if check_on is not None:
        raise PlanError(
            "INT8 is compared on the validation images of the data it is calibrated on. Leave out "
            "the pictures to check on, or export in float32."
        )


def _read_pictures(inputs: AnyPath | Sequence[AnyPath], config: ModelConfig) -> dict[str, Picture]:
    """The pictures to compare on, (C, H, W) by name, in the intensities of training."""
    listed = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    check, in_channels = IntensityCheck(config), config.network.in_channels
    pictures = {}
    for path in find_images(expand_inputs(listed), recursive=True, take_all=False).places:
        channels = to_channels(read_image(path), in_channels, str(path))
        pictures[str(path)] = check.take(channels, str(path)).astype(np.float32)
    return pictures
