"""Reading U-Nets that real Keras saved: the same predictions, and refusals that name the layer.

Keras runs on its torch backend here; the code under test never imports it.
"""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from pixelwise.errors import MissingExtraError, ModelFileError
from pixelwise.export.keras import read_keras
from pixelwise.network.unet import UNetConfig

h5py = pytest.importorskip("h5py")
os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")
layers = keras.layers
# Keras 3.15 on NumPy 2.4: it converts its own variables in a way that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def convolution(features, width, *, norm=False, bias=True, separate=False, dropout=False):
    """One convolution of a block, in the ways in which Keras users write it."""
    if not (norm or separate):
        return layers.Conv2D(width, 3, padding="same", activation="relu")(features)
    features = layers.Conv2D(width, 3, padding="same", use_bias=bias)(features)
    if norm:
        features = layers.BatchNormalization(**(norm if isinstance(norm, dict) else {}))(features)
    features = layers.ReLU()(features) if norm else layers.Activation("relu")(features)
    return layers.SpatialDropout2D(0.5)(features) if dropout else features


def unet(
    *,
    shape=(32, 32, 1),
    widths=(4, 6, 8),
    up="nearest",
    skip_first=False,
    head="sigmoid",
    num_classes=1,
    block=convolution,
    **options,
):
    """A Keras U-Net of small widths, with random weights and statistics."""
    features = image = keras.Input(shape)
    skips = []
    for width in widths[:-1]:
        skips.append(block(block(features, width, **options), width, **options))
        features = layers.Dropout(0.3)(layers.MaxPooling2D()(skips[-1]))
    features = block(block(features, widths[-1], **options), widths[-1], **options)
    for width in reversed(widths[:-1]):
        if up == "transposed":
            features = layers.Conv2DTranspose(width, 2, strides=2, padding="same")(features)
        else:
            features = layers.UpSampling2D(2, interpolation=up)(features)
        both = [skips.pop(), features] if skip_first else [features, skips.pop()]
        features = block(layers.Concatenate()(both), width, **options)
        features = block(features, width, **options)
    if head == "separate softmax":
        logits = layers.Softmax()(layers.Conv2D(num_classes, 1)(features))
    else:
        logits = layers.Conv2D(num_classes, 1, activation=head)(features)
    return randomized(keras.Model(image, logits))


def randomized(model, seed=0):
    """Every weight random: biases and statistics of fresh networks would hide a mistake."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith("kernel"):
            value = random.normal(0, (2 / np.prod(weight.shape[:3])) ** 0.5, weight.shape)
        elif weight.path.endswith(("gamma", "moving_variance")):
            value = random.uniform(0.1, 2.0, weight.shape)
        else:
            value = random.uniform(-0.1, 0.3, weight.shape)
        weight.assign(value.astype(np.float32))
    return model


def predict(network, head, images):
    """What the U-Net read from a file predicts, channel-last."""
    with torch.no_grad():
        logits = network(torch.from_numpy(images).movedim(-1, 1))
    activations = {"sigmoid": torch.sigmoid, "softmax": lambda logits: logits.softmax(1)}
    return activations.get(head, lambda logits: logits)(logits).movedim(1, -1).numpy()


def assert_agrees(model, network, head):
    """Both predict the same of an odd number of images, to 1e-5, and not a constant."""
    images = np.random.default_rng(1).random((3, *model.input_shape[1:]), dtype=np.float32)
    expected = model.predict(images, verbose=0)
    assert expected.std() > 0.01
    assert not network.training
    np.testing.assert_allclose(predict(network, head, images), expected, rtol=0, atol=1e-5)


def save(model, folder, name="model.keras"):
    path = folder / name
    model.save_weights(path) if name.endswith(".h5") else model.save(path)
    return path


TUTORIAL = UNetConfig(in_channels=1, out_channels=1, widths=(16, 32, 64), normalization="none")
RGB = UNetConfig(in_channels=3, out_channels=3, widths=(4, 6, 8), normalization="none")
DEEP = UNetConfig(in_channels=2, out_channels=1, widths=(4, 6, 8, 10, 12))
THREE_NETWORKS = {
    "tutorial": (TUTORIAL, {"widths": (16, 32, 64)}),
    "rgb softmax": (RGB, {"shape": (64, 48, 3), "num_classes": 3, "head": "softmax"}),
    "four levels, batch normalization": (
        DEEP,
        {"shape": (32, 48, 2), "widths": DEEP.widths, "norm": True, "bias": False},
    ),
}


@pytest.mark.parametrize("name", THREE_NETWORKS)
class TestThreeNetworks:
    def test_keras_file(self, name, tmp_path):
        config, options = THREE_NETWORKS[name]
        model = unet(**options)
        network, head = read_keras(save(model, tmp_path))
        assert network.config == config
        assert_agrees(model, network, head)

    def test_weights_file_with_the_architecture(self, name, tmp_path):
        config, options = THREE_NETWORKS[name]
        model = unet(**options)
        network, head = read_keras(save(model, tmp_path, "model.weights.h5"), config)
        assert head == options.get("head", "sigmoid")
        assert_agrees(model, network, head)


def test_tutorial_network_has_117985_parameters(tmp_path):
    model = unet(shape=(128, 128, 1), widths=(16, 32, 64))
    network, _ = read_keras(save(model, tmp_path))
    assert network.num_parameters == model.count_params() == 117_985


@pytest.mark.parametrize(
    "options",
    [
        {"up": "bilinear"},
        {"up": "transposed"},
        {"up": "transposed", "skip_first": True, "norm": True},
        {"skip_first": True},
        {"norm": True, "bias": True},
        {"norm": {"scale": False, "center": False, "epsilon": 0.1}},
        {"norm": {"scale": False}, "bias": False},
        {"separate": True, "dropout": True, "head": None},
        {"num_classes": 4, "head": "separate softmax"},
        {"widths": (3, 5)},
        {"shape": (None, None, 1)},
    ],
    ids=str,
)
def test_other_ways_to_write_a_unet(options, tmp_path):
    model = unet(**options)
    network, head = read_keras(save(model, tmp_path))
    assert head == {None: "linear"}.get(options.get("head", "sigmoid"), head)
    if model.input_shape[1] is None:
        model = keras.models.clone_model(model, keras.Input((16, 24, 1)))
        randomized(model)
    assert_agrees(model, network, head)


def test_some_convolutions_with_normalization_and_some_without(tmp_path):
    numbers = iter(range(100))

    def block(features, width):
        return convolution(features, width, norm=next(numbers) % 3 == 0)

    model = unet(block=block)
    network, head = read_keras(save(model, tmp_path))
    assert network.config.normalization == "batch"
    assert_agrees(model, network, head)


def test_after_training_a_step(tmp_path):
    model = unet(norm=True)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    random = np.random.default_rng(0)
    images = random.random((4, 32, 32, 1), dtype=np.float32)
    model.fit(images, (images > 0.5).astype(np.float32), verbose=0)
    network, head = read_keras(save(model, tmp_path))  # a file with the optimizer's state in it
    assert_agrees(model, network, head)


def test_names_that_a_person_gave_the_layers(tmp_path):
    def block(features, width):
        name = f"a_{width}_{len(names)}"
        names.append(name)
        return layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(features)

    names = []
    model = unet(block=block)
    assert_agrees(model, *read_keras(save(model, tmp_path)))


def test_given_architecture_must_be_what_is_found(tmp_path):
    path = save(unet(shape=(32, 32, 3), num_classes=3, head="softmax"), tmp_path)
    assert read_keras(path, RGB)[0].config == RGB
    with pytest.raises(ModelFileError, match=r"widths=\(16, 32, 64\)"):
        read_keras(path, TUTORIAL)


def with_extra(extra, where):
    """A two-level U-Net with one layer too many: inside the block, before the skip or the end."""
    image = keras.Input((16, 16, 1))
    skip = features = convolution(convolution(image, 4), 4)
    if where == "skip":
        skip = extra(skip)
    features = convolution(layers.MaxPooling2D()(features), 6)
    if where == "block":
        features = extra(features)
    features = layers.UpSampling2D()(convolution(features, 6))
    features = layers.Concatenate()([features, skip])
    features = convolution(convolution(features, 4), 4)
    if where == "end":
        features = extra(features)
    logits = layers.Conv2D(1, 1, activation="sigmoid")(features)
    return keras.Model(image, logits)


def attention(features):
    return layers.Multiply(name="gate")([features, layers.Conv2D(1, 1)(features)])


def residual(features):
    return layers.Add(name="shortcut")([features, features])


@pytest.mark.parametrize(
    ("where", "extra", "message"),
    [
        ("skip", attention, r'"gate" \(Multiply\) has no place'),
        ("block", residual, r'"shortcut" \(Add\) has no place'),
        ("block", layers.Lambda(lambda x: x / 255, name="scale"), r'"scale" \(Lambda\)'),
        (
            "block",
            layers.SeparableConv2D(6, 3, padding="same", name="sep"),
            r'"sep" \(SeparableConv2D\)',
        ),
        ("block", layers.LeakyReLU(name="leaky"), r'"leaky" \(LeakyReLU\)'),
        ("block", layers.ReLU(6.0, name="six"), r'"six" \(ReLU\) has max_value 6'),
        (
            "block",
            layers.Conv2D(6, 3, padding="same", dilation_rate=2, name="wide"),
            r'"wide" \(Conv2D\) has dilation_rate \[2, 2\]; supported: \[1, 1\]',
        ),
        (
            "block",
            layers.Conv2D(6, 5, padding="same", name="five"),
            r'"five" \(Conv2D\) has kernel_size \[5, 5\]',
        ),
        (
            "block",
            layers.Conv2D(6, 3, padding="same", activation="elu", name="elu"),
            r'"elu" \(Conv2D\) has activation \'elu\'',
        ),
        ("block", layers.BatchNormalization(name="late"), r'"late" .* after the activation'),
        (
            "end",
            layers.Conv2D(4, 3, padding="same", name="third"),
            r'"third" \(Conv2D\) has kernel_size \[3, 3\] where .* \[1, 1\]',
        ),
        ("skip", layers.Conv2D(4, 1, name="side"), r'feeds .*"side"'),
        ("end", layers.MaxPooling2D(name="more"), r'"more" \(MaxPooling2D\) comes where'),
    ],
    ids=lambda value: value if value in ("skip", "block", "end") else "",
)
def test_other_layers_are_refused_by_name(where, extra, message, tmp_path):
    path = save(with_extra(extra, where), tmp_path)
    with pytest.raises(ModelFileError, match=message) as refusal:
        read_keras(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("conv2d_1", "strides", [2, 2]), r'"conv2d_1" \(Conv2D\) has strides \[2, 2\]'),
        (("conv2d_1", "padding", "valid"), r"\"conv2d_1\" .* padding 'valid' where .* 'same'"),
        (("conv2d_1", "groups", 2), r'"conv2d_1" .* groups 2'),
        (("conv2d_1", "data_format", "channels_first"), r'"conv2d_1" .* data_format'),
        (("conv2d_1", "activation", "sigmoid"), r'"conv2d_1" .* activation sigmoid'),
        (("conv2d_1", "activation", {"class_name": "function"}), r'"conv2d_1" .* activation'),
        (("max_pooling2d", "pool_size", [3, 3]), r'"max_pooling2d" .* pool_size'),
        (("up_sampling2d", "size", [4, 4]), r'"up_sampling2d" .* size'),
        (("up_sampling2d", "interpolation", "bicubic"), r'"up_sampling2d" .* interpolation'),
        (("concatenate", "axis", 1), r'"concatenate" .* axis 1'),
        (("conv2d_6", "activation", "relu"), r'relu follows layer "conv2d_6"'),
        (("conv2d_6", "activation", "softmax"), r'"conv2d_6" .* always 1'),
        (("conv2d_3", "filters", 7), r'"conv2d_2" .* \(3, 3, 4, 6\).* \(3, 3, 4, 7\)'),
        (("conv2d_3", "filters", 10**7), "widths go to 8192, but 10000000 arrived"),
        (("conv2d_3", "filters", 8000), "cannot hold"),
    ],
    ids=str,
)
def test_settings_that_no_unet_has_are_refused_by_name(changed, message, rewrite):
    name, setting, value = changed

    def change(config):
        (layer,) = (each for each in config["config"]["layers"] if each["name"] == name)
        assert setting in layer["config"]
        layer["config"][setting] = value

    with pytest.raises(ModelFileError, match=message):
        read_keras(rewrite(config=change))


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """A .keras file of seven convolutions, with the names a fresh Python gives them."""
    keras.utils.clear_session()
    return save(unet(shape=(16, 16, 1), widths=(4, 6)), tmp_path_factory.mktemp("keras"))


@pytest.fixture
def rewrite(small_file, tmp_path):
    """Write the small file again with one of its parts changed."""

    def write(*, config=None, metadata=None, weights=None, without=None):
        path = tmp_path / "changed.keras"
        with zipfile.ZipFile(small_file) as source, zipfile.ZipFile(path, "w") as archive:
            parts = {entry: source.read(entry) for entry in source.namelist() if entry != without}
            for entry, change in (("config.json", config), ("metadata.json", metadata)):
                if change is not None:
                    content = json.loads(parts[entry])
                    parts[entry] = json.dumps(change(content) or content).encode()
            if weights is not None:
                weights_path = tmp_path / "changed.h5"
                weights_path.write_bytes(parts["model.weights.h5"])
                with h5py.File(weights_path, "r+") as file:
                    weights(file)
                parts["model.weights.h5"] = weights_path.read_bytes()
            for entry, content in parts.items():
                archive.writestr(entry, content)
        return path

    return write


class TestDamagedFiles:
    def test_the_small_file_itself_is_read(self, rewrite):
        assert read_keras(rewrite())[0].config.widths == (4, 6)

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_cut_short(self, small_file, tmp_path, share):
        content = small_file.read_bytes()
        path = tmp_path / "cut.keras"
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ModelFileError, match=r"cut\.keras"):
            read_keras(path)

    @pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
    def test_something_else_under_this_name(self, name, tmp_path):
        (tmp_path / name).write_bytes(b"not a model at all" * 100)
        with pytest.raises(ModelFileError, match="not a Keras 3 file"):
            read_keras(tmp_path / name, TUTORIAL)
        (tmp_path / name).unlink()
        with pytest.raises(ModelFileError, match="no such file"):
            read_keras(tmp_path / name, TUTORIAL)
        (tmp_path / name).mkdir()
        with pytest.raises(ModelFileError, match="not a Keras 3 file"):
            read_keras(tmp_path / name, TUTORIAL)

    @pytest.mark.parametrize("entry", ["config.json", "metadata.json", "model.weights.h5"])
    def test_a_part_is_missing(self, rewrite, entry):
        with pytest.raises(ModelFileError, match=entry.replace(".", r"\.")):
            read_keras(rewrite(without=entry))

    @pytest.mark.parametrize("key", ["layers", "output_layers"])
    def test_config_without_a_key(self, rewrite, key):
        with pytest.raises(ModelFileError, match=key):
            read_keras(rewrite(config=lambda config: config["config"].pop(key) and config))

    @pytest.mark.parametrize("config", [[], "text", {"class_name": "Functional", "config": []}])
    def test_config_of_another_form(self, rewrite, config):
        with pytest.raises(ModelFileError, match="not a Keras 3 file"):
            read_keras(rewrite(config=lambda _: config or [0]))

    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_flipped_bytes_never_raise_anything_else(self, small_file, tmp_path, compression):
        path = tmp_path / "flipped.keras"
        with zipfile.ZipFile(small_file) as source, zipfile.ZipFile(path, "w") as archive:
            for entry in source.namelist():
                archive.writestr(entry, source.read(entry), compression)
        content = path.read_bytes()
        random = np.random.default_rng(0)
        for _ in range(60):
            flipped = bytearray(content)
            for place in random.integers(0, len(content), 20):
                flipped[place] ^= int(random.integers(1, 256))
            path.write_bytes(flipped)
            try:
                read_keras(path)
            except ModelFileError:
                continue

    def test_layers_in_a_circle(self, rewrite):
        def change(config):
            text = json.dumps(config).replace('["max_pooling2d", 0, 0]', '["conv2d_3", 0, 0]')
            return json.loads(text)

        with pytest.raises(ModelFileError):
            read_keras(rewrite(config=change))

    def test_weights_of_another_shape(self, rewrite):
        def change(file):
            del file["layers/conv2d_2/vars/0"]
            file["layers/conv2d_2/vars/0"] = np.zeros((3, 3, 4, 5), np.float32)

        with pytest.raises(ModelFileError, match=r'"conv2d_2".*\(3, 3, 4, 5\).*\(3, 3, 4, 6\)'):
            read_keras(rewrite(weights=change))

    def test_weights_that_lie_in_another_file(self, rewrite, small_file, tmp_path):
        other = save(unet(widths=(4, 6)), tmp_path, "other.weights.h5")

        def link(file):
            del file["layers/conv2d_2"]
            file["layers/conv2d_2"] = h5py.ExternalLink(str(other), "/layers/conv2d_2")

        def store(file):
            del file["layers/conv2d_2/vars/1"]
            parts = [(str(other), 0, 24)]
            file["layers/conv2d_2/vars"].create_dataset("1", (6,), "<f4", external=parts)

        for change in (link, store):
            with pytest.raises(ModelFileError, match="in the file itself"):
                read_keras(rewrite(weights=change))

    def test_a_zip_that_grows_beyond_measure(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.weights.h5", bytes(10_000_000))
        with pytest.raises(ModelFileError, match="10,000,000 bytes"):
            read_keras(tmp_path / "bomb.keras")


class TestOtherFiles:
    def test_keras_2(self, rewrite):
        with pytest.raises(ModelFileError, match=r"Keras 2\.15\.0"):
            read_keras(rewrite(metadata=lambda _: {"keras_version": "2.15.0"}))

    def test_sequential(self, tmp_path):
        model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 1)])
        with pytest.raises(ModelFileError, match="Sequential"):
            read_keras(save(model, tmp_path))

    def test_two_outputs(self, rewrite):
        def change(config):
            config["config"]["output_layers"] = [["conv2d_6", 0, 0], ["conv2d_3", 0, 0]]

        with pytest.raises(ModelFileError, match="2 outputs"):
            read_keras(rewrite(config=change))

    def test_output_before_the_end(self, rewrite):
        def change(config):
            config["config"]["output_layers"] = ["conv2d_5", 0, 0]

        with pytest.raises(ModelFileError, match='"conv2d_5"'):
            read_keras(rewrite(config=change))

    def test_a_layer_that_is_used_twice(self, tmp_path):
        shared = layers.Conv2D(6, 3, padding="same", activation="relu", name="shared")
        model = with_extra(lambda features: shared(shared(features)), "block")
        with pytest.raises(ModelFileError, match=r'"shared" .* more than once'):
            read_keras(save(model, tmp_path))

    @pytest.mark.parametrize("kind", ["dropout", "normalization"])
    def test_a_layer_that_trains_at_prediction(self, kind, tmp_path):
        make = {"dropout": layers.Dropout, "normalization": layers.BatchNormalization}[kind]
        layer = make(0.5, name="it") if kind == "dropout" else make(name="it")
        model = with_extra(lambda features: layer(features, training=True), "block")
        with pytest.raises(ModelFileError, match=r'"it" .* training=True'):
            read_keras(save(model, tmp_path))

    def test_a_layer_of_the_same_name_from_elsewhere(self, rewrite):
        def change(config):
            config["config"]["layers"][1]["module"] = "my_package"

        with pytest.raises(ModelFileError, match=r'"conv2d" \(Conv2D\) has no place'):
            read_keras(rewrite(config=change))

    def test_skips_between_the_wrong_levels(self, tmp_path):
        image = keras.Input((16, 16, 1))
        first = convolution(convolution(image, 4), 4)
        features = convolution(convolution(layers.MaxPooling2D()(first), 6), 6)
        features = layers.UpSampling2D()(features)
        features = layers.Concatenate(name="join")([features, image])
        features = convolution(convolution(features, 4), 4)
        model = keras.Model(image, layers.Conv2D(1, 1)(features))
        with pytest.raises(ModelFileError, match="input_layer"):
            read_keras(save(model, tmp_path))

    def test_input_of_another_number_of_channels(self, rewrite):
        def change(config):
            config["config"]["layers"][0]["config"]["batch_shape"] = [None, 16, 16, 2]

        with pytest.raises(ModelFileError, match=r'"conv2d" .*\(3, 3, 1, 4\).*\(3, 3, 2, 4\)'):
            read_keras(rewrite(config=change))

    def test_an_old_h5_file(self, tmp_path):
        (tmp_path / "model.h5").touch()
        with pytest.raises(ModelFileError, match=r"ends in \.keras or \.weights\.h5"):
            read_keras(tmp_path / "model.h5")


class TestWeightsFile:
    def test_needs_the_architecture(self, tmp_path):
        path = save(unet(), tmp_path, "model.weights.h5")
        with pytest.raises(ModelFileError, match="Give its architecture"):
            read_keras(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"widths": (4, 6)}, "conv2d_7"),
            ({"widths": (4, 6, 8, 10)}, r'"conv2d_11"'),
            ({"widths": (4, 6, 9)}, r'"conv2d_4" .*\(3, 3, 6, 8\).*\(3, 3, 6, 9\)'),
            ({"normalization": "batch"}, r'"batch_normalization"'),
            ({"upsampling": "transposed"}, r'"conv2d_transpose"'),
            ({"normalization": "group"}, "none or batch"),
            ({"spatial_dims": 3}, "2 spatial dimensions"),
        ],
        ids=str,
    )
    def test_of_another_architecture(self, change, message, tmp_path):
        config = UNetConfig(in_channels=1, out_channels=1, widths=(4, 6, 8), normalization="none")
        path = save(unet(), tmp_path, "model.weights.h5")
        assert read_keras(path, config)[0].config == config
        with pytest.raises(ModelFileError, match=message):
            read_keras(path, config.model_copy(update=change))

    @pytest.mark.parametrize("up", ["nearest", "bilinear", "transposed"])
    def test_upsamplings(self, up, tmp_path):
        config = UNetConfig(
            in_channels=1,
            out_channels=1,
            widths=(4, 6, 8),
            upsampling={"bilinear": "linear"}.get(up, up),
        )
        model = unet(up=up, norm=True)
        assert_agrees(model, *read_keras(save(model, tmp_path, "model.weights.h5"), config))


def test_without_h5py_the_message_names_the_extra(small_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pixelwise\[keras\]"'):
        read_keras(small_file)


def test_reads_without_importing_keras(small_file):
    code = (
        "import sys; from pixelwise.export.keras import read_keras; read_keras(sys.argv[1]); "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, small_file], check=True)
