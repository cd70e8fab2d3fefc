"""Where Segmenters come from: built new, read from a model file, read from Keras."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from pixelwise.colors import default_color
from pixelwise.errors import PlanError
from pixelwise.export.keras import read_keras
from pixelwise.network import (
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    WrappedConfig,
    load_encoder,
    load_model,
    refuse_weights_alone,
    wrap_module,
)
from pixelwise.planning import check_number, check_seed
from pixelwise.segmenter.segmenter import Segmenter
from pixelwise.task import MAX_CLASSES, Task, is_background, too_many_classes

TUTORIAL_WIDTHS = (16, 32, 64)


def unet(
    input_shape: Sequence[int | None],
    num_classes: int = 1,
    *,
    widths: Sequence[int] = TUTORIAL_WIDTHS,
    normalization: str = "none",
    upsampling: str = "nearest",
    multilabel: bool = False,
    class_names: Sequence[str] | None = None,
    skips: bool = True,
    encoder: str | None = None,
    encoder_weights: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    device: str = "auto",
) -> Segmenter:
    """Build a U-Net for arrays. The defaults are the common tutorial network.

    Args:
        input_shape: (H, W, C), or (D, H, W, C) for volumes. Only C matters: images of any size can
            be trained on and predicted.
        num_classes: 1 gives one sigmoid probability; K from 2 to 254 a softmax over K classes, of
            which class 0 is the background.
        widths: channels per level from the full resolution down; the last is the bottleneck's.
        normalization: "none", "batch", "instance" or "group".
        upsampling: "nearest", "linear" or "transposed".
        multilabel: a sigmoid for each of the classes, which may overlap.
        class_names: of the classes; the background's included where there is a softmax, and left
            out or included where there is one class.
        skips: False leaves out the skip connections, to show what they are good for.
        encoder: a network of the timm library, as "resnet34", with pretrained weights as the
            encoder; `widths` are then the decoder's, the last its bottleneck's.
        encoder_weights: its weight file; without, timm's own, from its cache or downloaded.
        seed: seed of the first weights; None takes torch's own random state.
        device: "auto", "cpu", "cuda", "mps".

    Example:
        >>> import pixelwise as pw
        >>> pw.unet(input_shape=(128, 128, 1)).count_params()
        117985

    Raises:
        PlanError: a setting or weight file cannot be used.
        MissingExtraError: an encoder was asked for, and timm is not installed.
    """
    task = _check_classes(input_shape, num_classes, class_names, multilabel=multilabel)
    refuse_weights_alone(encoder, encoder_weights)
    try:
        network = UNetConfig(
            in_channels=input_shape[-1],
            out_channels=num_classes,
            widths=tuple(widths),
            spatial_dims=len(input_shape) - 1,
            normalization=normalization,
            upsampling=upsampling,
            skips=skips,
            encoder=encoder,
        )
        config = array_config(network, task, class_names)
    except ValueError as error:
        raise PlanError(_first_line(error)) from error
    if seed is not None:
        torch.manual_seed(check_seed(seed))
    built = UNet(network)
    if built.backbone is not None and encoder is not None:
        load_encoder(built.backbone, encoder, network.in_channels, encoder_weights)
    return Segmenter(Model(config, built), device)


def wrap(
    module: nn.Module,
    input_shape: Sequence[int | None],
    num_classes: int = 1,
    *,
    multilabel: bool = False,
    class_names: Sequence[str] | None = None,
    device: str = "auto",
) -> Segmenter:
    """Make a Segmenter of a torch module: of another library's network, or of your own.

    It is tried on a few images. What it is saved to holds its weights and the name of its code;
    `pixelwise.load(path, module=module)` needs it again, built as it was.

    Args:
        module: takes images (B, C, H, W) float32 and gives logits (B, K, H, W), or (B, K, H/n,
            W/n) for n of 2, 4, ... 32, which are enlarged; in a dict as "out" or "logits", or as
            the first of several outputs.
        input_shape: (H, W, C), or (D, H, W, C) for volumes. Only C matters.
        num_classes: K. 1 is a sigmoid for one class; more are a softmax, with the background.
        multilabel: a sigmoid for each of the classes, which may overlap.
        class_names: of the classes, as for `unet`.
        device: "auto", "cpu", "cuda", "mps".

    Example:
        >>> import torch
        >>> import pixelwise as pw
        >>> model = pw.wrap(torch.nn.Conv2d(3, 2, 3, padding=1), (256, 256, 3), num_classes=2)
        >>> model.count_params()
        56

    Raises:
        PlanError: it takes no such images, or gives no such logits.
    """
    if not isinstance(module, nn.Module):
        raise PlanError(
            f"{module!r} is no torch module. Give an object such as "
            'segmentation_models_pytorch.Unet("resnet34", classes=1).'
        )
    task = _check_classes(input_shape, num_classes, class_names, multilabel=multilabel)
    network = wrap_module(
        module,
        in_channels=check_number("channels", input_shape[-1]),
        out_channels=num_classes,
        spatial_dims=len(input_shape) - 1,
    )
    try:
        config = array_config(network.config, task, class_names)
    except ValueError as error:
        raise PlanError(_first_line(error)) from error
    return Segmenter(Model(config, network), device)


def load(
    path: str | os.PathLike[str], device: str = "auto", *, module: nn.Module | None = None
) -> Segmenter:
    """Read a model file, or a run folder's model.

    Args:
        path: file or folder.
        device: "auto", "cpu", "cuda", "mps".
        module: of a model made by `wrap`: the module, built as it was then.

    Example:
        >>> import pixelwise as pw
        >>> pw.unet((64, 64, 1), class_names=["cell"]).save("model.safetensors")
        >>> pw.load("model.safetensors").class_names
        ('background', 'cell')

    Raises:
        ModelFileError: it is not a model, or one that cannot be used here.
    """
    return Segmenter(load_model(Path(path), module=module), device, Path(path))


def from_keras(
    path: Any,  # noqa: ANN401
    architecture: UNetConfig | None = None,
    *,
    class_names: Sequence[str] | None = None,
    device: str = "auto",
) -> Segmenter:
    """Read a U-Net that Keras 3 saved, without Keras or TensorFlow.

    Args:
        path: a `.keras` file, or a `.weights.h5` file with its architecture given; or the Keras
            model itself.
        architecture: of a `.weights.h5` file: `model.model.config.network` of a `pixelwise.unet`
            that is built like it.
        class_names: names of the classes, if they should have names.
        device: "auto", "cpu", "cuda", "mps".

    Example:
        Of a network that a Keras program built or loaded::

            model = pw.from_keras(keras_model)
            model = pw.from_keras("model.keras")

    Raises:
        ModelFileError: it is not such a file, or holds layers that are no part of a U-Net; the
            message names the layer.
        MissingExtraError: h5py is not installed.
    """
    if not isinstance(path, str | os.PathLike) and hasattr(path, "save"):
        with TemporaryDirectory() as folder:
            saved = Path(folder) / "model.keras"
            path.save(saved)
            return from_keras(saved, architecture, class_names=class_names, device=device)
    network, head = read_keras(Path(path), architecture)
    is_softmax = head == "softmax"
    num_logits = network.config.out_channels
    task = Task.MULTICLASS if is_softmax else Task.of_logits(num_logits, exclusive=False)
    return Segmenter(Model(array_config(network.config, task, class_names), network), device)


def _check_classes(
    input_shape: Sequence[int | None],
    num_classes: int,
    class_names: Sequence[str] | None,
    *,
    multilabel: bool,
) -> Task:
    """The task of a number of classes; PlanError where it, the shape or the names are none."""
    is_shape = isinstance(input_shape, Sequence) and len(input_shape) in (3, 4)
    if not is_shape or input_shape[-1] is None:
        raise PlanError(
            f"input_shape={input_shape!r} should be (height, width, channels), for example "
            "(128, 128, 1) for grey and (128, 128, 3) for colour images."
        )
    num_classes = check_number("num_classes", num_classes)
    if class_names is not None and not _are_names(class_names):
        raise PlanError(f"class_names={class_names!r} should be a list of texts, one a class.")
    if num_classes > MAX_CLASSES:
        raise PlanError(too_many_classes(num_classes))
    return Task.MULTILABEL if multilabel else Task.of_logits(num_classes, exclusive=True)


def array_config(
    network: UNetConfig | WrappedConfig, task: Task, class_names: Sequence[str] | None
) -> ModelConfig:
    """How a network for arrays is used: intensities as they are, default names and colours."""
    count = task.num_classes(network.out_channels)
    if class_names is None:
        class_names = [f"class {i}" for i in range(count)]
        if not task.can_overlap:
            class_names[0] = "background"
        if task.has_one_logit:
            class_names[1] = "foreground"
    if task.has_one_logit and len(class_names) == 1 and not is_background(class_names[0]):
        class_names = ["background", *class_names]
    if len(class_names) != count:
        raise ValueError(
            f"class_names={list(class_names)!r} are {len(class_names)}, but the model has {count} "
            f"classes{', with the background' if not task.can_overlap else ''}. Name each once."
        )
    return ModelConfig(
        network=network,
        task=task,
        class_names=tuple(class_names),
        class_colors=tuple(default_color(i, name) for i, name in enumerate(class_names)),
    )


def _are_names(names: object) -> bool:
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def _first_line(error: ValueError) -> str:
    """The first problem that pydantic found, in a line."""
    lines = str(error).splitlines()
    return " ".join(line.strip() for line in lines[1:3]) if len(lines) > 2 else lines[0]
