"""OpenVINO: a graph of ONNX, or an .xml with its weights, on the CPU, in float32 or bfloat16."""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.device import Precision
from pixelwise.errors import ModelFileError
from pixelwise.io import import_extra
from pixelwise.threads import most_threads

HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoRuntime:
    """Computes with a graph by OpenVINO.

    Shapes stay free: compiled for one shape a network of 7.8 million parameters was no faster, and
    it takes a fifth of a second to compile, too little to be worth a cache (docs/log.md).

    Args:
        graph: an ONNX file, or an .xml.
        weights: the .bin of an .xml.
        precision: to compute in; bfloat16 where the processor has it.
        takes_stored: whether it takes images as they are stored, see `Runtime`.

    Raises:
        MissingExtraError: openvino is not installed.
        ModelFileError: it cannot be read.
    """

    name = "openvino"
    device = torch.device("cpu")

    def __init__(
        self,
        graph: bytes,
        weights: bytes | None = None,
        *,
        precision: Precision = "float32",
        takes_stored: bool = False,
    ) -> None:
        self.precision, self.takes_stored = precision, takes_stored
        core, self._graph = read_graph(graph, weights)
        options = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": most_threads(),
        }
        self._compiled = core.compile_model(self._graph, "CPU", options)

    def __call__(self, batch: Tensor) -> Tensor:
        """Give the probabilities (B, K, H, W) of a batch (B, C, H, W)."""
        return torch.from_numpy(self.run(batch.numpy()))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for arrays."""
        return np.array(self._compiled(np.ascontiguousarray(batch))[0], np.float32)


def read_graph(graph: bytes, weights: bytes | None = None) -> tuple[Any, Any]:
    """OpenVINO's core, and the graph as it was read."""
    openvino = import_extra("openvino", "openvino", "OpenVINO models", "run")
    core = core_of(openvino)
    try:
        return core, core.read_model(graph, weights or b"")
    except Exception as error:  # RuntimeError, and whatever its readers raise
        lines = [line for line in str(error).splitlines() if line.strip()] or [repr(error)]
        raise ModelFileError(
            f"OpenVINO {openvino.__version__} cannot read this graph: {lines[-1][:300]}. Export "
            "the model again, or update openvino."
        ) from error


@cache
def core_of(openvino: ModuleType) -> Any:  # noqa: ANN401  (openvino has no types)
    """OpenVINO's core: one, and for the life of the process.

    The first model that a core compiles changes the stack on which this thread handles signals, and
    the end of the core frees that stack. With a second core, or an end in another thread, it is
    freed while it is set, and the next Ctrl-C is a segmentation fault (OpenVINO 2026.4).
    """
    return openvino.Core()
