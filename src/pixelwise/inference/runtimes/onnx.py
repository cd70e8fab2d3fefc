"""ONNX Runtime: a graph of ONNX on the CPU, in float32."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.device import Precision
from pixelwise.errors import ModelFileError
from pixelwise.inference.runtimes.graph import INPUT
from pixelwise.io import import_extra
from pixelwise.threads import most_threads


class OnnxRuntime:
    """Computes with a graph of ONNX.

    Args:
        graph: an ONNX file.
        takes_stored: whether it takes images as they are stored, see `Runtime`.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelFileError: it cannot be read.
    """

    name = "onnx"
    device = torch.device("cpu")
    precision: Precision = "float32"

    def __init__(self, graph: bytes, *, takes_stored: bool = False) -> None:
        self.takes_stored = takes_stored
        self._session = open_session(graph)

    def __call__(self, batch: Tensor) -> Tensor:
        """Give the probabilities (B, K, H, W) of a batch (B, C, H, W)."""
        return torch.from_numpy(self.run(batch.numpy()))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for arrays."""
        (found,) = self._session.run(None, {INPUT: np.ascontiguousarray(batch)})
        return np.asarray(found, np.float32)


def open_session(graph: bytes) -> Any:  # noqa: ANN401
    """Onnxruntime's session of a graph, with as many threads as torch uses."""
    onnxruntime = import_extra("onnxruntime", "onnx", "ONNX files", "run")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    options.intra_op_num_threads = most_threads()
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class of their own in common
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"ONNX Runtime {onnxruntime.__version__} cannot read this graph: {reason[:300]}. "
            "Export the model again, or update onnxruntime."
        ) from error
