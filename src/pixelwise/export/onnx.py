"""Model -> one ONNX file: pictures of any size in, probabilities out, proven equal.

    input   "image"          (batch, channels, height, width) float32, intensities as stored
    output  "probabilities"  (batch, K, height, width) float32 in [0, 1]; K is 1 for a binary model

The file's metadata say what the numbers mean: task, classes, colors, threshold, channels, version
and how far the file agrees with the model.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.export.verify import Agreement, Figures, Found, Measure, Picture, Run, verify
from pixelwise.export.whole_model import WholeModel
from pixelwise.inference.runtimes import OnnxRuntime
from pixelwise.inference.runtimes.exported import CONFIG_KEY
from pixelwise.inference.runtimes.graph import to_onnx
from pixelwise.io import import_extra, write_bytes
from pixelwise.network import Model, ModelConfig


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
    return to_onnx(WholeModel(model), model.config.network.in_channels)


def onnx_runner(data: bytes) -> Run:
    """Run an ONNX file by onnxruntime on the CPU."""
    return OnnxRuntime(data).run


def describe_model(config: ModelConfig, agreement: Figures) -> dict[str, str]:
    """What whoever runs an export must know: texts, of which lists and figures are JSON."""
    from pixelwise import __version__

    return {
        "task": str(config.task),
        "classes": json.dumps(config.class_names),
        "colors": json.dumps(config.class_colors),
        "threshold": repr(config.threshold),
        "min_area": str(config.min_area),
        "channels": str(config.network.in_channels),
        "input": "float32 (batch, channels, height, width), intensities as they are stored",
        "agreement": json.dumps(agreement.to_json()),
        "version": __version__,
        CONFIG_KEY: config.model_dump_json(),
    }


def set_metadata(proto: Any, values: Mapping[str, str]) -> None:  # noqa: ANN401
    """Store texts in an ONNX message."""
    onnx = import_extra("onnx", "onnx", "ONNX files", "written")
    onnx.helper.set_model_props(proto, dict(values))
    proto.producer_name, proto.producer_version = "pixelwise", values["version"]
