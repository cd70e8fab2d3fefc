"""A model in whole numbers of 8 bits, as far as its Dice allows: a quarter of the size, and faster.

    images, without masks      ── how large the numbers of each layer become
    held-out ones, with masks  ── Dice in float32 and in INT8; layers that cost too much of it stay
                                  in float32, until the loss is small enough

Convolutions alone are changed: scaling of intensities, working scale and norms stay as they are.
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data import Sample
from pixelwise.errors import ExportError, LayoutError
from pixelwise.export.onnx import build_onnx, onnx_runner, write_onnx
from pixelwise.export.openvino import write_openvino
from pixelwise.export.verify import Run, exact_predictor, run_trials
from pixelwise.inference.evaluate import Counted, summarize_samples
from pixelwise.io import import_extra
from pixelwise.metrics import count_pixels
from pixelwise.network import Model, ModelConfig
from pixelwise.text import count_of

MAX_CALIBRATION = 300  # images
IN_FLOAT = ["MatMul", "Gemm", "Mul", "Add", "Sub", "Div"]  # of the steps around the network


@dataclass(frozen=True, slots=True)
class Loss:
    """What INT8 costs, on held-out images.

    Attributes:
        num_calibrated: images that set the ranges of the layers.
        num_held_out: images that the rest was measured on.
        dice: mean Dice in float32.
        dice_int8: mean Dice of what was written.
        equal_share: share of the pixels that get the same class; where classes can overlap, of the
            answers yes and no.
        num_bytes: of the graph in float32.
        num_bytes_int8: of the graph that was written.
        num_layers: convolutions.
        num_layers_int8: convolutions that compute in INT8.
    """

    num_calibrated: int
    num_held_out: int
    dice: float
    dice_int8: float
    equal_share: float
    num_bytes: int
    num_bytes_int8: int
    num_layers: int
    num_layers_int8: int

    @property
    def loss(self) -> float:
        """How much Dice is lost; below 0 where some is gained."""
        return self.dice - self.dice_int8

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return {name: getattr(self, name) for name in self.__slots__} | {"loss": self.loss}

    def describe(self) -> str:
        """The figures in a line."""
        return (
            f"INT8 in {self.num_layers_int8} of {self.num_layers} convolutions: Dice "
            f"{self.dice_int8:.4f} in place of {self.dice:.4f} on {self.num_held_out} held-out "
            f"images (loss {self.loss:.4f}), classes equal in {self.equal_share:.3%} of pixels, "
            f"{self.num_bytes_int8 / self.num_bytes:.0%} of the size in float32; calibrated on "
            f"{count_of(self.num_calibrated, 'image')}"
        )


WRITERS: dict[str, Callable[..., Loss]] = {"onnx": write_onnx, "openvino": write_openvino}


def export_int8(
    model: Model,
    path: Path,
    to: str,
    calibration: Sequence[Sample],
    held_out: Sequence[Sample],
    allow_loss: float,
) -> Loss:
    """Write a model in INT8, unless that costs too much.

    Args:
        model: a model of pictures.
        path: file to write.
        to: "onnx" or "openvino", the name of a writer.
        calibration: whose ranges are taken, of the first 300.
        held_out: with masks.
        allow_loss: Dice that may be lost on those that are held out.

    Raises:
        MissingExtraError: a package is not installed.
        LayoutError: there is nothing to find in those held out.
        ModelFileError: it is a model of volumes.
        ExportError: more is lost, no layer can be in INT8, or the model finds nothing as it is, so
            that it has nothing to lose; nothing is written.
        OutputError: the file cannot be written.
    """
    import_extra("nncf", "int8", "INT8 models", "written")
    proto = build_onnx(model)
    dice = dice_of(onnx_runner(proto.SerializeToString()), held_out, model.config)
    _refuse_no_measure(dice)
    changed = quantize(proto, calibration, held_out, model.config, allow_loss)
    num_layers, num_int8 = count_layers(changed)
    if num_int8 == 0:
        raise ExportError(
            f"{path} was not written: no layer of this network can be in INT8 within a loss of "
            f"{allow_loss:g} Dice. Export in float32, or allow more by --allow-loss."
        )

    def measure(run: Run) -> Loss:
        run_trials(run, model, str(path))
        found = Loss(
            num_calibrated=min(len(calibration), MAX_CALIBRATION),
            num_held_out=len(held_out),
            dice=dice,
            dice_int8=dice_of(run, held_out, model.config),
            equal_share=equal_share(run, held_out, model),
            num_bytes=proto.ByteSize(),
            num_bytes_int8=changed.ByteSize(),
            num_layers=num_layers,
            num_layers_int8=num_int8,
        )
        _judge(found, str(path), allow_loss)
        return found

    return WRITERS[to](changed, model.config, path, measure)


def quantize(
    proto: Any,  # noqa: ANN401
    calibration: Sequence[Sample],
    held_out: Sequence[Sample],
    config: ModelConfig,
    allow_loss: float,
) -> Any:  # noqa: ANN401
    """An ONNX graph in INT8, but for layers that cost more Dice than is allowed."""
    import nncf

    def validate(graph: Any, items: Iterable[Sample]) -> tuple[float, None]:  # noqa: ANN401
        return dice_of(onnx_runner(graph.SerializeToString()), items, config), None

    number = min(len(calibration), MAX_CALIBRATION)  # read one by one: a slice would hold them all
    level = logging.getLogger("nncf").level
    nncf.set_log_level(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # its bars of progress
            warnings.simplefilter("ignore")  # of packages, about themselves
            return nncf.quantize_with_accuracy_control(
                deepcopy(proto),
                nncf.Dataset(range(number), lambda index: {"image": _batch(calibration[index])}),
                nncf.Dataset(held_out, lambda sample: {"image": _batch(sample)}),
                validate,
                max_drop=allow_loss,
                drop_type=nncf.DropType.ABSOLUTE,
                subset_size=number,
                ignored_scope=nncf.IgnoredScope(types=IN_FLOAT, validate=False),
            )
    finally:
        nncf.set_log_level(level)


def count_layers(proto: Any) -> tuple[int, int]:  # noqa: ANN401
    """Convolutions of an ONNX graph, and those among them whose input is in INT8."""
    made_by = {name: node.op_type for node in proto.graph.node for name in node.output}
    layers = [node for node in proto.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    in_int8 = [node for node in layers if made_by.get(node.input[0]) == "DequantizeLinear"]
    return len(layers), len(in_int8)


def dice_of(run: Run, samples: Iterable[Sample], config: ModelConfig) -> float:
    """Mean Dice of an export on samples with masks."""
    found = []
    for sample in samples:
        assert sample.mask is not None
        mask = config.task.to_mask(run(_batch(sample))[0], config.threshold)
        counts = count_pixels(mask, sample.mask, config.num_classes)
        found.append(Counted(sample.name, counts, sample.group))
    return summarize_samples(found, config).mean_dice


def equal_share(run: Run, samples: Sequence[Sample], model: Model) -> float:
    """Share of the classes of pixels that an export finds as the model does."""
    config, predictor = model.config, exact_predictor(model)
    equal = total = 0
    for sample in samples:
        mask = config.task.to_mask(run(_batch(sample))[0], config.threshold)
        same = mask == predictor.to_mask(predictor.probabilities(sample.image))
        equal, total = equal + int(np.sum(same)), total + same.size
    return equal / total


def _batch(sample: Sample) -> Any:  # noqa: ANN401
    """A picture (1, C, H, W) float32."""
    return np.ascontiguousarray(sample.image[None], np.float32)


def _refuse_no_measure(dice: float) -> None:
    """Refuse a Dice in float32 that says nothing about INT8, whatever INT8 computes."""
    if np.isnan(dice):
        raise LayoutError("No held-out image has anything to find, so that INT8 has no measure.")
    if dice == 0:
        raise ExportError(
            "The model finds nothing that is right in the held-out images (Dice 0 in float32), so "
            "that no loss of INT8 can be seen. Train longer, or give the data it was trained for."
        )


def _judge(found: Loss, name: str, allow_loss: float) -> None:
    """Refuse what costs more than is allowed."""
    if found.loss > allow_loss:
        raise ExportError(
            f"{name} was not written: {found.describe()}. More than {allow_loss:g} Dice is lost. "
            f"Calibrate on more images, or allow it by --allow-loss {found.loss:.2g}."
        )
