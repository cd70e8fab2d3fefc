"""Which runtime computes a model, where, and in which number format; and the making of it."""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol, get_args

import torch
from torch import Tensor

from pixelwise.device import Precision, has_bfloat16, pick_device
from pixelwise.errors import PlanError
from pixelwise.inference.runtimes.exported import ExportedModel
from pixelwise.inference.runtimes.graph import network_graph
from pixelwise.inference.runtimes.onnx import OnnxRuntime
from pixelwise.inference.runtimes.openvino import OpenVinoRuntime
from pixelwise.inference.runtimes.torch import TorchRuntime
from pixelwise.io import import_extra
from pixelwise.network import Model

RuntimeName = Literal["torch", "openvino", "onnx"]
AskedRuntime = Literal["auto", RuntimeName]
AskedPrecision = Literal["auto", Precision]
OF_MODEL_FILES: RuntimeName = "torch"  # what "auto" is
OF_EXPORTS: dict[str, tuple[RuntimeName, ...]] = {  # what "auto" is, and others that read them
    "onnx": ("onnx", "openvino"),
    "openvino": ("openvino",),
}
LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino"}


class Runtime(Protocol):
    """Computes probabilities on one device; for one thread at a time."""

    @property
    def name(self) -> str:
        """As `--runtime` has it."""

    @property
    def device(self) -> torch.device:
        """On which batches are expected, and probabilities come back."""

    @property
    def precision(self) -> Precision:
        """That it computes in."""

    @property
    def takes_stored(self) -> bool:
        """Whether it scales and resizes images itself, and takes them as they are stored."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Give the probabilities of a batch.

        Args:
            batch: (B, C, *spatial) float32, scaled as the model says, at its working size; or as
                stored, see `takes_stored`.

        Returns:
            (B, K, *spatial) float32 in [0, 1].
        """


class Choice(NamedTuple):
    """What computes, where, and in which number format."""

    name: RuntimeName
    device: torch.device
    precision: Precision


def choose_runtime(
    model: Model,
    *,
    runtime: AskedRuntime = "auto",
    device: str | torch.device = "auto",
    precision: AskedPrecision = "auto",
) -> Choice:
    """Choose what was left open.

    Raises:
        PlanError: the three do not go together, or not with the model.
    """
    name = _choose_name(model, runtime)
    if name == "torch":
        chosen = pick_device(device)
    else:
        chosen = pick_device("cpu" if device == "auto" else device)
        if chosen.type != "cpu":
            raise PlanError(
                f"--runtime {name} computes on the CPU, but --device {device} was given. Take "
                "--runtime torch there, or --device cpu."
            )
    has_short = name != "onnx" and has_bfloat16(chosen)
    if precision == "bfloat16" and name == "onnx":
        raise PlanError(
            "--precision bfloat16 is not for ONNX Runtime, which computes in float32. Take "
            "--runtime openvino or torch, or leave the precision out."
        )
    if precision == "auto" and model.config.scores:
        precision = model.config.precision
    return Choice(name, chosen, "bfloat16" if has_short and precision != "float32" else "float32")


def _choose_name(model: Model, asked: AskedRuntime) -> RuntimeName:
    if asked not in get_args(AskedRuntime) + get_args(RuntimeName):
        raise PlanError(f"{asked!r} is no runtime. Choose auto, torch, openvino or onnx.")
    if not isinstance(model, ExportedModel):
        return OF_MODEL_FILES if asked == "auto" else asked
    own = OF_EXPORTS[model.format]
    if asked == "auto":
        return own[0]
    if asked not in own:
        raise PlanError(
            f"--runtime {asked} cannot run an exported {model.format} file. Take "
            f"{' or '.join(own)}, or give the run folder or model file that it was exported from."
        )
    return asked


def make_runtime(model: Model, choice: Choice, folder: Path | None = None) -> Runtime:
    """Make the runtime of a model that nobody else uses and whose weights will not change.

    Args:
        model: its network may be moved and changed in place.
        choice: by `choose_runtime`.
        folder: in which what was made of the network is kept for the next time; None: it is not.

    Raises:
        MissingExtraError: the library is not installed.
        ModelFileError: an exported file cannot be read.
        ExportError: torch cannot follow the network.
    """
    name, device, precision = choice
    if name == "torch":
        return TorchRuntime(model, device, in_place=True, fold=True, precision=precision)
    import_extra(LIBRARIES[name], name, f"Predictions with --runtime {name}", "made")
    is_export = isinstance(model, ExportedModel)
    graph = model.graph if isinstance(model, ExportedModel) else network_graph(model, folder)
    if name == "onnx":
        return OnnxRuntime(graph, takes_stored=is_export)
    weights = model.weights if isinstance(model, ExportedModel) else None
    return OpenVinoRuntime(graph, weights, precision=precision, takes_stored=is_export)
