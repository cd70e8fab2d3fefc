"""Following Keras's layers without Keras: hand-written layers, and the order of a weights file."""

import pytest
from torch.nn.modules.conv import _ConvNd

from pixelwise.errors import ModelFileError
from pixelwise.export.keras_graph import Walk, follow_layers, sources_in_order
from pixelwise.export.keras_layers import Layer, read_layers
from pixelwise.network.unet import UNet, UNetConfig

SETTINGS = {
    "InputLayer": {"batch_shape": [None, 8, 8, 1]},
    "Conv2D": {
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "same",
        "activation": "relu",
        "filters": 4,
    },
    "MaxPooling2D": {"pool_size": [2, 2], "strides": [2, 2]},
    "UpSampling2D": {"size": [2, 2], "interpolation": "nearest"},
    "Concatenate": {"axis": -1},
    "Dropout": {"rate": 0.5},
    "Activation": {"activation": "linear"},
}


def entry(name, kind, *inputs, **settings):
    """A layer as ``config.json`` writes it."""
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
        for name in inputs
    ]
    args = [tensors] if len(tensors) > 1 else tensors
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": SETTINGS.get(kind, {}) | {"name": name} | settings,
        "inbound_nodes": [{"args": args, "kwargs": {}}] if inputs else [],
    }


def model_of(*entries, output="head"):
    layers = {"layers": list(entries), "output_layers": [output, 0, 0]}
    return {"class_name": "Functional", "config": layers}


def smallest():
    """One level: a and b, down, c and d, up, join with b, e and f, head; by name."""
    entries = [
        entry("image", "InputLayer"),
        entry("a", "Conv2D", "image"),
        entry("b", "Conv2D", "a"),
        entry("down", "MaxPooling2D", "b"),
        entry("c", "Conv2D", "down", filters=6),
        entry("d", "Conv2D", "c", filters=6),
        entry("up", "UpSampling2D", "d"),
        entry("join", "Concatenate", "up", "b"),
        entry("e", "Conv2D", "join"),
        entry("f", "Conv2D", "e"),
        entry("head", "Conv2D", "f", kernel_size=[1, 1], filters=2, activation="softmax"),
    ]
    return {each["config"]["name"]: each for each in entries}


def test_smallest_unet():
    config, sources, head = follow_layers(model_of(*smallest().values()))
    assert config == UNetConfig(
        in_channels=1, out_channels=2, widths=(4, 6), normalization="none", upsampling="nearest"
    )
    assert head == "softmax"
    assert [(source.module, source.layer.name) for source in sources] == [
        ("encoder.0.conv1", "a"),
        ("encoder.0.conv2", "b"),
        ("bottleneck.conv1", "c"),
        ("bottleneck.conv2", "d"),
        ("decoder.0.conv1", "e"),
        ("decoder.0.conv2", "f"),
        ("head", "head"),
    ]
    assert [source.layer.group for source in sources][:3] == ["conv2d", "conv2d_1", "conv2d_2"]
    assert all(source.skip_channels == 0 for source in sources)


def test_order_of_concatenation_is_kept():
    layers = smallest() | {"join": entry("join", "Concatenate", "b", "up")}
    _, sources, _ = follow_layers(model_of(*layers.values()))
    assert {source.module: source.skip_channels for source in sources}["decoder.0.conv1"] == 4


def test_layers_that_do_nothing_are_passed_over():
    layers = [
        *(entry("image", "InputLayer"), entry("drop", "Dropout", "image")),
        *(entry("plain", "Activation", "drop"), entry("a", "Conv2D", "plain")),
        entry("last", "Dropout", "a"),
    ]
    read, outputs = read_layers(model_of(*layers, output="last"))
    assert [(layer.name, layer.inputs) for layer in read] == [("image", ()), ("a", ("image",))]
    assert outputs == ["a"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"join": entry("join", "Concatenate", "up", "a")}, '"join" .* joins up, a, but .* and b'),
        ({"join": entry("join", "Concatenate", "up", "up")}, "the end, after"),
        ({"d": entry("d", "Conv2D", "c", activation="linear")}, '"d" .* activation linear'),
        ({"e": entry("e", "Conv2D", "up")}, '"e" .* where a pixelwise U-Net has Concatenate'),
        ({"more": entry("more", "Conv2D", "d")}, '"d" .* feeds .*"up".*"more"'),
        ({"more": entry("more", "InputLayer")}, "2 inputs"),
        ({"f": entry("f", "Dropout", "e")}, r'"head" .* kernel_size \[1, 1\] .* \[3, 3\]'),
        ({"more": entry("more", "Activation", "head", activation="relu")}, '"more" .* not part'),
    ],
)
def test_what_is_no_unet_is_refused_by_name(changes, message):
    layers = smallest() | changes
    with pytest.raises(ModelFileError, match=message):
        follow_layers(model_of(*layers.values()))


def test_two_kinds_of_upsampling_are_refused():
    layers = smallest()
    names = ("image", "a", "b", "down", "c", "d")
    deeper = [
        *(layers[name] for name in names),
        *(entry("down2", "MaxPooling2D", "d"), entry("c2", "Conv2D", "down2")),
        *(entry("d2", "Conv2D", "c2"), entry("up2", "UpSampling2D", "d2")),
        *(entry("join2", "Concatenate", "up2", "d"), entry("e2", "Conv2D", "join2")),
        *(entry("f2", "Conv2D", "e2"),),
        entry("up", "UpSampling2D", "f2", interpolation="bilinear"),
        *(layers[name] for name in ("join", "e", "f", "head")),
    ]
    with pytest.raises(ModelFileError, match=r"\['nearest', 'linear'\]"):
        follow_layers(model_of(*deeper))


def test_walk_needs_one_input_and_one_output():
    image = Layer("image", "InputLayer", {})
    with pytest.raises(ModelFileError, match="1 inputs and 2 outputs"):
        Walk([image], ["image", "image"])


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_order_of_a_weights_file_names_every_convolution_once(normalization, upsampling):
    config = UNetConfig(
        in_channels=1,
        out_channels=1,
        widths=(4, 6, 8),
        normalization=normalization,
        upsampling=upsampling,
    )
    sources = sources_in_order(config)
    convolutions = [
        name for name, module in UNet(config).named_modules() if isinstance(module, _ConvNd)
    ]
    assert sorted(source.module for source in sources) == sorted(convolutions)
    by_module = {source.module: source for source in sources}
    assert by_module["encoder.0.conv1"].layer.group == "conv2d"
    assert by_module["bottleneck.conv2"].layer.group == "conv2d_5"
    assert by_module["decoder.1.conv1"].layer.group == "conv2d_6"
    assert by_module["head"].layer.group == "conv2d_10"
    if upsampling == "transposed":
        assert by_module["upsample.1"].layer.group == "conv2d_transpose"
    if normalization == "batch":
        assert by_module["decoder.0.conv2"].normalization.group == "batch_normalization_9"
    assert by_module["head"].normalization is None
