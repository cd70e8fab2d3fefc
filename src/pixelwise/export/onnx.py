"""Model -> one ONNX file: pictures of any size in, probabilities out, proven equal.

    input   "image"          (batch, channels, height, width) float32, intensities as stored
    output  "probabilities"  (batch, K, height, width) float32 in [0, 1]; K is 1 for a binary model

The file's metadata say what the numbers mean: task, classes, colors, threshold, channels, version
and how far the file agrees with the model.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pixelwise.errors import ExportError
from pixelwise.export.verify import (
    Agreement,
    Figures,
    Found,
    Measure,
    Picture,
    Run,
    verify,
)
from pixelwise.export.whole_model import WholeModel
from pixelwise.io import import_extra, write_bytes
from pixelwise.network import Model, ModelConfig

OPSET = 20
INPUT, OUTPUT = "image", "probabilities"
EXAMPLE = (2, 37, 45)  # batch, height and width while torch follows the computation
AXES = {0: "batch", 2: "height", 3: "width"}


def export_onnx(model: Model, path: Path, given: Mapping[str, Picture] | None = None) -> Agreement:
    """Write a model as ONNX, after it has been compared with the model.

    Args:
        model: a model of pictures.
        path: file to write.
        given: pictures (C, H, W) by name, to compare on beside random ones.

    Raises:
        MissingExtraError: a package is not installed.
        ModelFileError: it is a model of volumes.
        ExportError: torch cannot follow the computation, or the file does not agree with the
            model; nothing is written.
        OutputError: the file cannot be written.
    """
    proto = build_onnx(model)
    return write_onnx(proto, model.config, path, lambda run: verify(run, model, str(path), given))


def write_onnx(proto: Any, config: ModelConfig, path: Path, measure: Measure[Found]) -> Found:  # noqa: ANN401
    """Write a graph as ONNX, with what is measured when onnxruntime runs it.

    Raises:
        ExportError: from `measure`; nothing is written.
        OutputError: the file cannot be written.
    """
    found = measure(onnx_runner(proto.SerializeToString()))
    set_metadata(proto, describe_model(config, found))
    write_bytes(path, proto.SerializeToString())
    return found


def build_onnx(model: Model) -> Any:  # noqa: ANN401
    """The graph of a model as an ONNX message, not yet compared; errors as for `export_onnx`."""
    for module in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(module, "onnx", "ONNX files", "written")
    whole, example = WholeModel(model).eval(), example_of(model.config)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of packages, about themselves
            program = torch.onnx.export(
                whole,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({axis: torch.export.Dim.AUTO for axis in AXES},),
                external_data=False,
                verbose=False,
            )
        assert program is not None
        proto = program.model_proto
    except Exception as error:  # whatever torch raises where it cannot follow
        raise ExportError(
            f"torch {torch.__version__} cannot write this network as ONNX ({reason_of(error)}). "
            "Please report this; `predict` uses the model as it is."
        ) from error
    _tidy(proto)
    return proto


def example_of(config: ModelConfig) -> torch.Tensor:
    """Pictures (B, C, H, W) for torch to follow a computation with."""
    batch, *size = EXAMPLE
    return torch.rand(batch, config.network.in_channels, *size)


def reason_of(error: Exception) -> str:
    """The kind of an error that torch raised, and the first line of its text."""
    cause = error.__cause__ or error
    first_line = (str(cause).strip().splitlines() or [""])[0]
    return f"{type(cause).__name__}: {first_line[:300]}"


def onnx_runner(data: bytes) -> Run:
    """Run an ONNX file by onnxruntime on the CPU."""
    onnxruntime = import_extra("onnxruntime", "onnx", "ONNX files", "run")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        (found,) = session.run(None, {INPUT: np.ascontiguousarray(batch)})
        return np.asarray(found, np.float32)

    return run


def describe_model(config: ModelConfig, agreement: Figures) -> dict[str, str]:
    """What whoever runs an export must know: texts, of which lists and figures are JSON."""
    from pixelwise import __version__

    return {
        "task": str(config.task),
        "classes": json.dumps(config.class_names),
        "colors": json.dumps(config.class_colors),
        "threshold": repr(config.threshold),
        "channels": str(config.network.in_channels),
        "input": "float32 (batch, channels, height, width), intensities as they are stored",
        "agreement": json.dumps(agreement.to_json()),
        "version": __version__,
    }


def set_metadata(proto: Any, values: Mapping[str, str]) -> None:  # noqa: ANN401
    """Store texts in an ONNX message."""
    onnx = import_extra("onnx", "onnx", "ONNX files", "written")
    onnx.helper.set_model_props(proto, dict(values))
    proto.producer_name, proto.producer_version = "pixelwise", values["version"]


def _tidy(proto: Any) -> None:  # noqa: ANN401
    """Name the axes, and leave out notes on where in the source each step came from."""
    graph = proto.graph
    for value in (*graph.input, *graph.output):
        for axis, name in AXES.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    del graph.value_info[:]  # sizes in between, which runtimes find themselves
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
