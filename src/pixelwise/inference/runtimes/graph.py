"""A computation of torch -> an ONNX message; and the graphs of networks, kept beside their model.

    input   "image"          (batch, channels, height, width) float32
    output  "probabilities"  (batch, K, height, width) float32 in [0, 1]; K is 1 for a binary model

torch takes some ten seconds to follow a network. So what was made is kept:

    RUN/.compiled/KEY.graph     digest of all that follows (32 bytes), ONNX

The key stands for the weights, what is computed with them, and the versions of the libraries; the
digest for the key and the content, so that a damaged or renamed file is made again.
"""

import hashlib
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pixelwise.errors import DataError, ExportError, OutputError
from pixelwise.io import import_extra, make_folder, read_bytes, write_bytes
from pixelwise.network import Model
from pixelwise.network.plain import PlainNetwork

OPSET = 20
INPUT, OUTPUT = "image", "probabilities"
EXAMPLE = (2, 37, 45)  # batch, height and width while torch follows the computation
AXES = {0: "batch", 2: "height", 3: "width"}
CACHE_FOLDER = ".compiled"
DIGEST_BYTES = 32


def to_onnx(module: nn.Module, in_channels: int) -> Any:  # noqa: ANN401
    """The graph of a computation as an ONNX message.

    Args:
        module: takes pictures (B, C, H, W) of any size, and gives probabilities (B, K, H, W).
        in_channels: C.

    Raises:
        MissingExtraError: a package is not installed.
        ExportError: torch cannot follow the computation.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(package, "onnx", "ONNX files", "written")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of packages, about themselves
            program = torch.onnx.export(
                module.eval(),
                (example_of(in_channels),),
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
            "Please report this; `predict --runtime torch` uses the model as it is."
        ) from error
    _tidy(proto)
    return proto


def example_of(in_channels: int) -> torch.Tensor:
    """Pictures (B, C, H, W) for torch to follow a computation with."""
    batch, *size = EXAMPLE
    return torch.rand(batch, in_channels, *size)


def reason_of(error: Exception) -> str:
    """The kind of an error that torch raised, and the first line of its text."""
    cause = error.__cause__ or error
    first_line = (str(cause).strip().splitlines() or [""])[0]
    return f"{type(cause).__name__}: {first_line[:300]}"


def network_graph(model: Model, folder: Path | None) -> bytes:
    """The graph of a model's network, softmax or sigmoid included, as ONNX.

    Args:
        model: a model of pictures.
        folder: in which it is kept for the next time; None, or one that cannot be written to: it
            is not kept.

    Raises:
        MissingExtraError: a package is not installed.
        ModelFileError: it is a model of volumes.
        ExportError: torch cannot follow the network.
    """
    key = _key(model)
    path = None if folder is None else folder / CACHE_FOLDER / f"{key}.graph"
    kept = None if path is None else _read(path, key)
    if kept is not None:
        return kept
    proto = to_onnx(PlainNetwork(model), model.config.network.in_channels)
    data: bytes = proto.SerializeToString()
    if path is not None:
        _keep(path, key, data)
    return data


def _key(model: Model) -> str:
    """Hexadecimal digits for the network with its weights, and for what turns it into a graph."""
    package = import_module("pixelwise")  # which imports this room: by its name, in no circle
    config = model.config
    parts = (
        *(model.fingerprint, config.network.model_dump_json(), config.num_members, config.task),
        *(OPSET, package.__version__, torch.__version__),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + data).digest()


def _read(path: Path, key: str) -> bytes | None:
    """The graph in a file; None where there is none, or not this one, whole."""
    try:
        content = read_bytes(path)
    except DataError:
        return None
    digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return data if digest == _digest(key, data) else None


def _keep(path: Path, key: str, data: bytes) -> None:
    """Write a graph for the next time; where that is not possible, it is made again then."""
    try:
        make_folder(path.parent)
        write_bytes(path, _digest(key, data) + data)
    except OutputError:
        return


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
