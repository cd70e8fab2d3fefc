"""From the layers that Keras wrote into ``config.json`` to the U-Net that they must be.

The layers are followed from input to output and must spell

    block, (pool, block) for each level, (upsample, concatenate, block) for each level, head

    block: twice (3x3 convolution, batch normalization or none, ReLU)
    head: 1x1 convolution, then sigmoid, softmax or nothing

Dropout and the like, which do nothing at prediction, have been left out before.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import ValidationError

from pixelwise.errors import ModelFileError
from pixelwise.export.keras_layers import GROUPS, Layer, group_name, read_layers
from pixelwise.network.unet import UNetConfig

Head = Literal["sigmoid", "softmax", "linear"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights of one convolution of a `UNet` come from.

    ``module`` is its name in the `UNet`, as ``encoder.0.conv1``. The first ``skip_channels``
    inputs of the kernel belong to the skip, whose channels are the last in a `UNet`.
    """

    module: str
    layer: Layer
    normalization: Layer | None = None
    skip_channels: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Two convolutions with their normalizations, and the last layer that belongs to them."""

    convolutions: tuple[tuple[Layer, Layer | None], ...]
    last: str

    @property
    def width(self) -> int:
        """Channels that come out."""
        return int(self.convolutions[-1][0].settings["filters"])

    def sources(self, module: str, skip_channels: int = 0) -> list[Source]:
        """The sources of a block's weights, named as in a `UNet`."""
        (first, first_norm), (second, second_norm) = self.convolutions
        return [
            Source(f"{module}.conv1", first, first_norm, skip_channels),
            Source(f"{module}.conv2", second, second_norm),
        ]


def follow_layers(model: dict[str, Any]) -> tuple[UNetConfig, list[Source], Head]:
    """Follow the layers of a functional Keras model, as the U-Net they must be.

    Args:
        model: the content of ``config.json``.

    Returns:
        The config of the network, the sources of all its weights, the activation of its head.

    Raises:
        ModelFileError: at a layer that is not supported, or not where a U-Net has it.
    """
    walk = Walk(*read_layers(model))
    image = walk.take("InputLayer")
    down = [walk.take_block()]
    while walk.sees("MaxPooling2D"):
        walk.take("MaxPooling2D")
        down.append(walk.take_block())
    *encoder, bottleneck = down
    sources = [
        source
        for level, block in enumerate(encoder)
        for source in block.sources(f"encoder.{level}")
    ]
    sources += bottleneck.sources("bottleneck")

    modes = []
    for level in reversed(range(len(encoder))):
        up = walk.take("UpSampling2D", "Conv2DTranspose")
        modes.append(_upsampling(up))
        if up.kind == "Conv2DTranspose":
            sources.append(Source(f"upsample.{level}", up))
        skip_first = _skip_is_first(walk.take("Concatenate"), up, encoder[level])
        skip_channels = encoder[level].width if skip_first else 0
        sources += walk.take_block().sources(f"decoder.{level}", skip_channels)
    head, activation = walk.take_head()
    walk.end()
    if len(set(modes)) != 1:
        raise ModelFileError(f"its upsamplings are {modes}; a pixelwise U-Net has one kind.")

    try:
        config = UNetConfig(
            in_channels=image.settings["batch_shape"][-1],
            out_channels=head.settings["filters"],
            widths=tuple(block.width for block in down),
            normalization="batch" if any(source.normalization for source in sources) else "none",
            upsampling=modes[0],
        )
    except ValidationError as error:
        raise ModelFileError(f"no U-Net of pixelwise: {error.errors()[0]['msg']}.") from error
    return config, [*sources, Source("head", head)], activation


def sources_in_order(config: UNetConfig) -> list[Source]:
    """The sources of a network's weights where Keras numbered its layers from input to output."""
    numbers = dict.fromkeys(GROUPS, -1)

    def following(kind: str) -> Layer:
        numbers[kind] += 1
        group = group_name(kind, numbers[kind])
        return Layer(group, kind, {}, group=group)

    def block(module: str) -> list[Source]:
        layers = [following("Conv2D"), following("Conv2D")]
        has_norm = config.normalization == "batch"
        norms = [following("BatchNormalization") if has_norm else None for _ in layers]
        return Block(tuple(zip(layers, norms, strict=True)), "").sources(module)

    sources = [source for level in range(config.depth) for source in block(f"encoder.{level}")]
    sources += block("bottleneck")
    for level in reversed(range(config.depth)):
        if config.upsampling == "transposed":
            sources.append(Source(f"upsample.{level}", following("Conv2DTranspose")))
        sources += block(f"decoder.{level}")
    return [*sources, Source("head", following("Conv2D"))]


class Walk:
    """A way through the layers from input to output, passing each skip where it starts."""

    def __init__(self, layers: list[Layer], outputs: list[str]) -> None:
        """Start before the only input layer."""
        inputs = [layer for layer in layers if layer.kind == "InputLayer"]
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelFileError(
                f"it has {len(inputs)} inputs and {len(outputs)} outputs; a U-Net has one of each."
            )
        self.readers: dict[str, list[Layer]] = {layer.name: [] for layer in layers}
        for layer in layers:
            for name in layer.inputs:
                self.readers[name].append(layer)
        self.left = {layer.name: layer for layer in layers}
        self.output = outputs[0]
        self.ahead: Layer | None = inputs[0]
        self.here: Layer = inputs[0]

    def sees(self, *kinds: str) -> bool:
        """Whether the next layer is of one of these types."""
        return self.ahead is not None and self.ahead.kind in kinds

    def take(self, *kinds: str) -> Layer:
        """Step onto the next layer, which must be of one of these types."""
        if self.ahead is None or self.ahead.kind not in kinds:
            found = f"{self.ahead}" if self.ahead else f"the end, after {self.here},"
            raise ModelFileError(
                f"{found} comes where a pixelwise U-Net has {' or '.join(kinds)}. It is made of "
                "blocks of two 3x3 convolutions, each with ReLU (and batch normalization before "
                "it), 2x2 max pooling, 2x upsampling, Concatenate with the skip, and a 1x1 head."
            )
        self.here = self.ahead
        del self.left[self.here.name]
        readers = self.readers[self.here.name]
        if len(readers) == 2:  # a skip starts here; the walk meets it again on its way up
            readers = [reader for reader in readers if reader.kind != "Concatenate"]
        if len(readers) > 1:
            names = ", ".join(map(str, readers))
            raise ModelFileError(
                f"{self.here} feeds {names}; a U-Net goes on to one, and one skip."
            )
        self.ahead = self.left[readers[0].name] if readers else None
        return self.here

    def take_convolution(self, size: int) -> tuple[Layer, Layer | None, str]:
        """Step over a convolution with its normalization and activation, and give the three."""
        convolution = self.take("Conv2D")
        for setting, wanted in (("kernel_size", [size, size]), ("padding", "same")):
            found = convolution.settings[setting]
            if found != wanted and (setting != "padding" or size > 1):
                raise ModelFileError(
                    f"{convolution} has {setting} {found!r} where a U-Net here has {wanted!r}."
                )
        normalization, activation = None, str(convolution.settings["activation"])
        if activation == "linear":
            if self.sees("BatchNormalization"):
                normalization = self.take("BatchNormalization")
            if self.sees("Activation", "ReLU", "Softmax"):
                layer = self.take("Activation", "ReLU", "Softmax")
                activation = str(layer.settings.get("activation", layer.kind.lower()))
        if self.sees("BatchNormalization"):
            raise ModelFileError(
                f"{self.ahead} comes after the activation of {convolution}; a pixelwise U-Net has "
                "it between the convolution and its ReLU."
            )
        return convolution, normalization, activation

    def take_block(self) -> Block:
        """Step over two 3x3 convolutions, each with its ReLU."""
        convolutions = []
        for _ in range(2):
            convolution, normalization, activation = self.take_convolution(3)
            if activation != "relu":
                raise ModelFileError(
                    f"{convolution} has activation {activation} where a pixelwise U-Net has relu."
                )
            convolutions.append((convolution, normalization))
        return Block(tuple(convolutions), self.here.name)

    def take_head(self) -> tuple[Layer, Head]:
        """Step over the 1x1 convolution at the end, and what is applied to its logits."""
        head, normalization, activation = self.take_convolution(1)
        if normalization is not None or activation not in ("sigmoid", "softmax", "linear"):
            raise ModelFileError(
                f"{normalization or activation} follows {head}, the head of the network; "
                "supported: sigmoid, softmax or nothing."
            )
        if activation == "softmax" and head.settings["filters"] == 1:
            raise ModelFileError(f"{head} has one channel, and softmax of one channel is always 1.")
        return head, cast(Head, activation)

    def end(self) -> None:
        """Check that the walk ended at the output and that it met every layer."""
        if self.ahead is not None or self.left or self.here.name != self.output:
            extra = self.ahead or next(iter(self.left.values()), f'output "{self.output}"')
            raise ModelFileError(f"{extra} is not part of the U-Net that ends at {self.here}.")


def _skip_is_first(concatenate: Layer, up: Layer, block: Block) -> bool:
    """Whether the skip of an encoder block comes before what was upsampled."""
    if sorted(concatenate.inputs) != sorted((up.name, block.last)):
        raise ModelFileError(
            f"{concatenate} joins {', '.join(concatenate.inputs)}, but a U-Net joins {up.name} and "
            f"{block.last}, the end of the encoder's block of that size."
        )
    return concatenate.inputs[0] == block.last


def _upsampling(layer: Layer) -> Literal["nearest", "linear", "transposed"]:
    """What a `UNetConfig` calls this upsampling."""
    if layer.kind == "Conv2DTranspose":
        return "transposed"
    return "nearest" if layer.settings["interpolation"] == "nearest" else "linear"
