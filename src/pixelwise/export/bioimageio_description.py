"""What a bioimage.io package says of its model: the description, and the text for people."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import torch

from pixelwise.export.onnx import describe_model
from pixelwise.export.verify import Agreement
from pixelwise.inference.predictor import TILINGS
from pixelwise.inference.runtimes.graph import INPUT, OPSET, OUTPUT
from pixelwise.metrics.scores import Scores
from pixelwise.network import ModelConfig
from pixelwise.text import count_of

MOST_HALO = 256  # pixels that a tool computes around a tile and throws away
SHORTEST_NAME, LONGEST_NAME, LONGEST_DESCRIPTION = 5, 64, 512  # letters
UNET = {
    "text": "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation. MICCAI 2015.",
    "doi": "10.1007/978-3-319-24574-4_28",
}


def smallest_side(config: ModelConfig) -> tuple[int, int, int]:
    """Pixels that a tool must give at least, in steps of how many more, and the halo.

    The weights take any size. But at a border a tile is less exact, so that a tool which cuts
    pictures into tiles throws away the overlap with which `predict` does.
    """
    step = config.network.multiple
    halo = min(ceil(TILINGS["normal"].overlap / config.working_scale), MOST_HALO)
    return (2 * halo // step + 1) * step, step, halo


def read_me(config: ModelConfig, name: str, agreement: Agreement) -> str:
    """The documentation: what goes in and comes out, and the scores, as Markdown."""
    rows = [f"| {n} | {text} |" for n, text in enumerate(output_names(config))]
    lines = [
        f"# {name}",
        "",
        summary(config),
        "",
        f"- Input `{INPUT}`: float32 (batch, {config.network.in_channels} channels, y, x), "
        "intensities as they are stored. Scaling is part of the weights.",
        f"- Output `{OUTPUT}`: float32 (batch, channel, y, x), probabilities from 0 to 1. "
        f"{reading_of(config)}",
        "",
        "| channel | class |",
        "|---|---|",
        *rows,
        "",
        "## Validation",
        "",
        scores_of(config),
        "",
        "To validate it on other pictures, compare its masks with masks drawn by hand, class by "
        "class, by their Dice (`pixelwise evaluate` does).",
        "",
        f"Both weights were compared with the model that they were made from: "
        f"{agreement.describe()}.",
    ]
    return "\n".join(lines) + "\n"


def summary(config: ModelConfig) -> str:
    """What the model is, in a sentence."""
    names = ", ".join(config.class_names)
    return f"A U-Net of pixelwise that tells apart: {names}."


def output_names(config: ModelConfig) -> list[str]:
    """The class that each channel of the output is the probability of."""
    return list(config.class_names[-config.network.out_channels :])


def reading_of(config: ModelConfig) -> str:
    """How probabilities become classes."""
    if config.task.is_exclusive:
        reading = "A pixel is of the most probable class."
    else:
        what = config.class_names[1] if config.task.has_one_logit else "each class"
        reading = f"A pixel is of {what} where its probability is at least {config.threshold:g}."
    if config.min_area > 1:
        reading += f" Regions of fewer than {config.min_area} pixels get the class around them."
    return reading


def scores_of(config: ModelConfig) -> str:
    """The scores that the model file has."""
    if not config.scores:
        return "The model file has no scores."
    scores = Scores.from_json(config.scores)
    of = scores.of or count_of(scores.num_images, "image")
    return f"Mean Dice {scores.mean['dice'] or 'none'} on {of}."


def describe(
    config: ModelConfig, name: str, folder: Path, agreement: Agreement, credits: dict[str, Any]
) -> Any:  # noqa: ANN401
    """The description of the files of a folder; ValueError for what it may not say."""
    from bioimageio.spec.model import v0_5

    def file(name: str) -> Any:  # noqa: ANN401
        return v0_5.FileDescr(source=folder / name)

    image, probabilities = _tensors(config, file)
    return v0_5.ModelDescr(
        name=allowed_name(name),
        description=summary(config)[:LONGEST_DESCRIPTION],
        covers=[file("cover.png")],
        documentation=file("README.md"),
        cite=[v0_5.CiteEntry(**UNET)],
        tags=["unet", "semantic-segmentation", "2d", "pixelwise", "pytorch"],
        inputs=[image],
        outputs=[probabilities],
        weights=v0_5.WeightsDescr(
            onnx=v0_5.OnnxWeightsDescr(source=folder / "weights.onnx", opset_version=OPSET),
            torchscript=v0_5.TorchscriptWeightsDescr(
                source=folder / "weights.pt",
                pytorch_version=v0_5.Version(torch.__version__.partition("+")[0]),
                parent="onnx",  # of the same network; the specification asks for one origin
            ),
        ),
        config=v0_5.Config(pixelwise=describe_model(config, agreement)),
        **credits,
    )


def _tensors(config: ModelConfig, file: Callable[[str], Any]) -> tuple[Any, Any]:
    """Descriptions of the input and the output."""
    from bioimageio.spec.model import v0_5

    least, step, halo = smallest_side(config)
    size = v0_5.ParameterizedSize(min=least, step=step)
    channels = [f"channel{n}" for n in range(config.network.in_channels)]

    def same(axis: str) -> Any:  # noqa: ANN401
        return v0_5.SizeReference(tensor_id=v0_5.TensorId(INPUT), axis_id=v0_5.AxisId(axis))

    image = v0_5.InputTensorDescr(
        id=v0_5.TensorId(INPUT),
        description="intensities as they are stored",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=channels),
            *(v0_5.SpaceInputAxis(id=v0_5.AxisId(axis), size=size) for axis in "yx"),
        ],
        test_tensor=file("test_input.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32"),
    )
    probabilities = v0_5.OutputTensorDescr(
        id=v0_5.TensorId(OUTPUT),
        description=f"probabilities. {reading_of(config)}",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=output_names(config)),
            *(
                v0_5.SpaceOutputAxisWithHalo(id=v0_5.AxisId(axis), size=same(axis), halo=halo)
                for axis in "yx"
            ),
        ],
        test_tensor=file("test_output.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0.0, 1.0)),
    )
    return image, probabilities


def allowed_name(text: str) -> str:
    """A name of 5 to 64 letters, digits, spaces, underscores and hyphens.

    >>> allowed_name("nuclei.v2"), allowed_name("run")
    ('nuclei-v2', 'pixelwise run')
    """
    name = "".join(c if (c.isascii() and c.isalnum()) or c in "_- ()" else "-" for c in text)
    return (name if len(name) >= SHORTEST_NAME else f"pixelwise {name}")[:LONGEST_NAME]
