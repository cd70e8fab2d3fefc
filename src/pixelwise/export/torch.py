"""Model -> files that torch alone runs: a `torch.export` program (.pt2), and TorchScript.

Input, output and what the numbers mean are those of `pixelwise.export.onnx`; the texts stand as
JSON in the file, as its extra file "pixelwise.json".
"""

import io
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from pixelwise.errors import ExportError
from pixelwise.export.onnx import describe_model
from pixelwise.export.verify import Agreement, Picture, Run, verify
from pixelwise.export.whole_model import WholeModel
from pixelwise.inference.runtimes.graph import AXES, example_of, reason_of
from pixelwise.io import write_bytes
from pixelwise.network import Model

ABOUT = "pixelwise.json"  # extra file with the texts


def export_torch(model: Model, path: Path, given: Mapping[str, Picture] | None = None) -> Agreement:
    """Write a model as a program of `torch.export`, after it has been compared with the model.

    Args:
        model: a model of pictures.
        path: .pt2 file to write.
        given: pictures (C, H, W) by name, to compare on beside random ones.

    Raises:
        ModelFileError: it is a model of volumes.
        ExportError: torch cannot follow the computation, or the file does not agree with the
            model; nothing is written.
        OutputError: the file cannot be written.
    """
    program = build_program(model)
    loaded = torch.export.load(io.BytesIO(_save_program(program, {})))
    agreement = verify(_runner(loaded.module()), model, str(path), given)
    write_bytes(path, _save_program(program, describe_model(model.config, agreement)))
    return agreement


def build_program(model: Model) -> ExportedProgram:
    """The computation of a model as torch exports it; errors as for `export_torch`."""
    whole, example = WholeModel(model).eval(), example_of(model.config.network.in_channels)
    sizes = {axis: torch.export.Dim.AUTO for axis in AXES}
    try:
        with torch.no_grad():
            program = torch.export.export(whole, (example,), dynamic_shapes=(sizes,))
    except Exception as error:  # whatever torch raises where it cannot follow
        raise ExportError(
            f"torch {torch.__version__} cannot export this network ({reason_of(error)}). Please "
            "report this; `predict` uses the model as it is."
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where the source lies on this machine
    return program


def build_torchscript(
    model: Model, name: str, given: Mapping[str, Picture] | None = None
) -> tuple[bytes, Agreement]:
    """The content of a TorchScript file that agrees with the model, and how well it does.

    Args:
        model: a model of pictures.
        name: of the file, for messages.
        given: pictures (C, H, W) by name, to compare on beside random ones.

    Raises:
        ModelFileError: it is a model of volumes.
        ExportError: the file does not agree with the model.
    """
    whole, example = WholeModel(model).eval(), example_of(model.config.network.in_channels)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that TorchScript is old, and sizes might be constants
        traced = torch.jit.trace(whole, (example,), check_trace=False)  # type: ignore[no-untyped-call]
        loaded = torch.jit.load(io.BytesIO(_save_script(traced, {})))  # type: ignore[no-untyped-call]
        agreement = verify(_runner(loaded), model, name, given)
        return _save_script(traced, describe_model(model.config, agreement)), agreement


def _runner(compute: Callable[[Tensor], Tensor]) -> Run:
    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            return compute(torch.from_numpy(np.ascontiguousarray(batch))).numpy()

    return run


def _save_program(program: ExportedProgram, about: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={ABOUT: json.dumps(about)})
    return file.getvalue()


def _save_script(script: torch.jit.ScriptModule, about: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    torch.jit.save(script, file, _extra_files={ABOUT: json.dumps(about)})
    return file.getvalue()
