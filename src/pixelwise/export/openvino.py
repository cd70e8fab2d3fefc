"""Model -> OpenVINO's .xml with its .bin beside it, from the ONNX graph, proven equal.

Input, output and what the numbers mean are those of `pixelwise.export.onnx`; the texts stand in
the model's `rt_info` under "pixelwise".
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.export.onnx import build_onnx, describe_model
from pixelwise.export.verify import Agreement, Found, Measure, Picture, Run, verify
from pixelwise.inference.runtimes import OpenVinoRuntime
from pixelwise.inference.runtimes.exported import METADATA_KEY
from pixelwise.io import import_extra, read_bytes, write_bytes
from pixelwise.network import Model, ModelConfig


def export_openvino(
    model: Model, path: Path, given: Mapping[str, Picture] | None = None
) -> Agreement:
    """Write a model for OpenVINO, after it has been compared with the model.

    Args:
        model: a model of pictures.
        path: .xml file to write; the weights go into a .bin file of the same name.
        given: pictures (C, H, W) by name, to compare on beside random ones.

    Raises:
        MissingExtraError: a package is not installed.
        ModelFileError: it is a model of volumes.
        ExportError: torch cannot follow the computation, or the files do not agree with the
            model; nothing is written.
        OutputError: the files cannot be written.
    """
    import_openvino()
    proto = build_onnx(model)

    def measure(run: Run) -> Agreement:
        return verify(run, model, str(path), given)

    return write_openvino(proto, model.config, path, measure)


def write_openvino(proto: Any, config: ModelConfig, path: Path, measure: Measure[Found]) -> Found:  # noqa: ANN401
    """Write an ONNX graph as .xml and .bin, with what is measured when OpenVINO runs it.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ExportError: from `measure`; nothing is written.
        OutputError: the files cannot be written.
    """
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "model.onnx"), Path(folder, "model.xml")
        source.write_bytes(proto.SerializeToString())
        graph = openvino.convert_model(source)
        openvino.save_model(graph, target, compress_to_fp16=False)
        found = measure(openvino_runner(target))
        for name, text in describe_model(config, found).items():
            graph.set_rt_info(text, [METADATA_KEY, name])
        openvino.save_model(graph, target, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):  # the one that is opened comes last
            write_bytes(path.with_suffix(suffix), read_bytes(target.with_suffix(suffix)))
    return found


def openvino_runner(path: Path) -> Run:
    """Run an .xml file by OpenVINO on the CPU, in float32."""
    return OpenVinoRuntime(read_bytes(path), read_bytes(path.with_suffix(".bin"))).run


def import_openvino() -> Any:  # noqa: ANN401
    """The openvino package, or MissingExtraError."""
    return import_extra("openvino", "openvino", "OpenVINO models", "written and run")
