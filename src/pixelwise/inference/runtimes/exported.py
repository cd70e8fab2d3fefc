"""Models that `pixelwise export` wrote, to predict with: .onnx, and OpenVINO's .xml with its .bin.

Scaling of intensities, working scale and all networks of an ensemble are inside the graph. What the
numbers mean stands in the file's metadata, the whole configuration of the model under "config".
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from pixelwise.errors import ModelFileError
from pixelwise.inference.runtimes.openvino import read_graph
from pixelwise.io import import_extra, read_bytes
from pixelwise.network import Model, load_model, make_network, parse_config

CONFIG_KEY = "config"
METADATA_KEY = "pixelwise"  # of an .xml, above all of the model's texts
FORMATS: dict[str, Literal["onnx", "openvino"]] = {".onnx": "onnx", ".xml": "openvino"}


@dataclass(frozen=True)
class ExportedModel(Model):
    """A model whose computation is a graph of another format.

    Its network says what was exported, and has no weights.

    Attributes:
        format: "onnx" or "openvino".
        graph: the content of the file.
        weights: the content of the .bin beside an .xml.
    """

    format: Literal["onnx", "openvino"]
    graph: bytes
    weights: bytes | None = None

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the files."""
        return hashlib.sha256(self.graph + (self.weights or b"")).hexdigest()[:12]


def load_any_model(path: Path) -> Model:
    """Load a run folder, a model file, or a file that `pixelwise export` wrote.

    Raises:
        ModelFileError: it is none of these, or cannot be used.
        FileError: a file cannot be read.
        MissingExtraError: a package that reads the format is not installed.
    """
    format = FORMATS.get(path.suffix.lower())
    if format is None or not path.is_file():
        return load_model(path)
    graph = read_bytes(path)
    weights = read_bytes(path.with_suffix(".bin")) if format == "openvino" else None
    text = _onnx_config(path, graph) if weights is None else _openvino_config(graph, weights)
    if text is None:
        raise ModelFileError(
            f"{path} was not written by `pixelwise export`, or by an older version: its metadata "
            f"have no `{CONFIG_KEY}`, which says what its numbers mean. Export the model again; "
            "models of other programs cannot be used."
        )
    config = parse_config(path, text)
    with torch.device("meta"):
        network = make_network(config)
    return ExportedModel(config, network, format, graph, weights)


def _onnx_config(path: Path, graph: bytes) -> str | None:
    onnx = import_extra("onnx", "onnx", "ONNX files")
    try:
        proto = onnx.load_model_from_string(graph)
    except Exception as error:  # of protobuf, which is nobody's dependency here
        raise ModelFileError(
            f"{path} is no ONNX file, or a damaged one ({error}). Export the model again."
        ) from error
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    return texts.get(CONFIG_KEY)


def _openvino_config(graph: bytes, weights: bytes) -> str | None:
    _, model = read_graph(graph, weights)
    place = [METADATA_KEY, CONFIG_KEY]
    return str(model.get_rt_info(place).value) if model.has_rt_info(place) else None
