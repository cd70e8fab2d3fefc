"""The runtimes: what computes probabilities, so that all around need not know with what.

image -> scaled tile (B, C, *spatial) -> Runtime -> probabilities (B, K, *spatial) -> blended

torch      the network itself, on any device
onnx       its graph, by ONNX Runtime on the CPU
openvino   its graph, by OpenVINO on the CPU
"""

from pixelwise.inference.runtimes.choose import (
    AskedPrecision,
    AskedRuntime,
    Choice,
    Runtime,
    choose_runtime,
    make_runtime,
)
from pixelwise.inference.runtimes.exported import ExportedModel
from pixelwise.inference.runtimes.onnx import OnnxRuntime
from pixelwise.inference.runtimes.openvino import OpenVinoRuntime
from pixelwise.inference.runtimes.torch import TorchRuntime

__all__ = [
    "AskedPrecision",
    "AskedRuntime",
    "Choice",
    "ExportedModel",
    "OnnxRuntime",
    "OpenVinoRuntime",
    "Runtime",
    "TorchRuntime",
    "choose_runtime",
    "make_runtime",
]
