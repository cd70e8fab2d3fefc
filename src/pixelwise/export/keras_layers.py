"""The layers that Keras wrote into ``config.json``, each by itself.

They are read as data; nothing is run or imported that the file asks for. What a pixelwise U-Net
cannot have is refused by the layer's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pixelwise.errors import ModelFileError

IDENTITY = {"Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise"}  # at prediction
CHANNEL_AXES = (-1, 3, [-1], [3])
ACTIVATIONS = ("linear", "relu", "sigmoid", "softmax")
# What each layer may be set to; settings that are not listed do not change what is predicted.
SUPPORTED: dict[str, dict[str, tuple[Any, ...]]] = {
    "InputLayer": {},
    "Conv2D": {
        "kernel_size": ([3, 3], [1, 1]),
        "strides": ([1, 1],),
        "padding": ("same", "valid"),  # "valid" only where it makes no difference: 1x1
        "data_format": ("channels_last",),
        "dilation_rate": ([1, 1],),
        "groups": (1,),
        "activation": ACTIVATIONS,
    },
    "Conv2DTranspose": {
        "kernel_size": ([2, 2],),
        "strides": ([2, 2],),
        "padding": ("same", "valid"),
        "data_format": ("channels_last",),
        "dilation_rate": ([1, 1],),
        "output_padding": (None,),
        "activation": ("linear",),
    },
    "MaxPooling2D": {
        "pool_size": ([2, 2],),
        "strides": ([2, 2],),
        "data_format": ("channels_last",),
    },
    "UpSampling2D": {
        "size": ([2, 2],),
        "interpolation": ("nearest", "bilinear"),
        "data_format": ("channels_last",),
    },
    "Concatenate": {"axis": CHANNEL_AXES},
    "BatchNormalization": {"axis": CHANNEL_AXES, "renorm": (False,)},
    "Activation": {"activation": ACTIVATIONS},
    "ReLU": {"max_value": (None,), "negative_slope": (0,), "threshold": (0,)},
    "Softmax": {"axis": CHANNEL_AXES},
    **{kind: {} for kind in sorted(IDENTITY)},
}
# What Keras calls the weights of a layer: its type and a running number, whatever its name.
GROUPS = {
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "BatchNormalization": "batch_normalization",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the file: ``inputs`` are the layers that feed it, ``group`` holds its weights."""

    name: str
    kind: str
    settings: dict[str, Any]
    inputs: tuple[str, ...] = ()
    group: str = ""

    def __str__(self) -> str:
        """Write it as messages do."""
        return f'layer "{self.name}" ({self.kind})'


def read_layers(model: dict[str, Any]) -> tuple[list[Layer], list[str]]:
    """The layers of a functional model, each checked, and the names of those that give outputs.

    Layers that do nothing at prediction are left out; who they fed is fed by who fed them.
    """
    if model["class_name"] not in ("Functional", "Model"):
        raise ModelFileError(
            f"it is a {model['class_name']} model. Only functional models, made by "
            "keras.Model(inputs, outputs), say in the file how their layers are connected."
        )
    layers: list[Layer] = []
    replaced: dict[str, str] = {}  # a layer that does nothing -> the one that feeds it
    numbers: dict[str, int] = {}
    for entry in model["config"]["layers"]:
        kind, settings = str(entry["class_name"]), dict(entry["config"])
        numbers[kind] = numbers.get(kind, -1) + 1
        inputs = tuple(replaced.get(name, name) for name in _feeding(entry["inbound_nodes"]))
        layer = Layer(
            str(settings["name"]), kind, settings, inputs, group_name(kind, numbers[kind])
        )
        _check_layer(layer, entry)
        if kind in IDENTITY or (kind == "Activation" and settings["activation"] == "linear"):
            replaced[layer.name] = inputs[0]
        else:
            layers.append(layer)
    outputs = [replaced.get(name, name) for name in _strings(model["config"]["output_layers"])]
    return layers, outputs


def _check_layer(layer: Layer, entry: dict[str, Any]) -> None:
    """Refuse a layer that no `UNet` has, naming it and the setting."""
    if layer.kind not in SUPPORTED or entry.get("module") != "keras.layers":
        raise ModelFileError(
            f"{layer} has no place in a pixelwise U-Net. Supported are Keras's own "
            f"{', '.join(SUPPORTED)}."
        )
    for setting, allowed in SUPPORTED[layer.kind].items():
        if (value := layer.settings.get(setting, allowed[0])) not in allowed:
            raise ModelFileError(
                f"{layer} has {setting} {value!r}; supported: {', '.join(map(repr, allowed))}."
            )
    if any(node.get("kwargs", {}).get("training") for node in entry["inbound_nodes"]):
        raise ModelFileError(
            f"{layer} was called with training=True, so that its predictions are random or depend "
            "on the batch. Build the model again without it and load the weights into that."
        )
    if len(entry["inbound_nodes"]) > 1:
        raise ModelFileError(f"{layer} is used more than once; a U-Net uses each layer once.")


def group_name(kind: str, number: int) -> str:
    """Where Keras puts the weights of the n-th layer of a type: conv2d, conv2d_1, conv2d_2 ..."""
    return f"{GROUPS[kind]}_{number}".removesuffix("_0") if kind in GROUPS else ""


def _feeding(node: Any) -> Iterator[str]:  # noqa: ANN401  any JSON
    """Names of the layers whose tensors appear anywhere in a node of ``config.json``."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield str(node["config"]["keras_history"][0])
    elif isinstance(node, dict | list):
        for part in node.values() if isinstance(node, dict) else node:
            yield from _feeding(part)


def _strings(node: Any) -> list[str]:  # noqa: ANN401  any JSON
    """All strings in a nested list: ["name", 0, 0] and [["name", 0, 0]] are both written."""
    if isinstance(node, str):
        return [node]
    return [text for part in node for text in _strings(part)] if isinstance(node, list) else []
