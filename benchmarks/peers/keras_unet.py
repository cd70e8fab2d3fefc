"""The U-Net as Keras users write it: the layers of `pixelwise.network.UNet`, channels last."""

import keras
from keras import layers


def make_unet(
    in_channels: int,
    widths: tuple[int, ...],
    normalization: str,
    size: int | None = None,
    num_classes: int = 1,
) -> keras.Model:
    """One logit a pixel and class; sides are multiples of 2 ** (len(widths) - 1); None: any."""
    image = keras.Input((size, size, in_channels))
    features, skips = image, []
    for width in widths[:-1]:
        features = double_convolution(features, width, normalization)
        skips.append(features)
        features = layers.MaxPooling2D()(features)
    features = double_convolution(features, widths[-1], normalization)
    for width in widths[-2::-1]:
        features = layers.UpSampling2D(interpolation="nearest")(features)
        features = layers.Concatenate()([features, skips.pop()])
        features = double_convolution(features, width, normalization)
    # logits in float32 under mixed precision too, as Keras's guide advises
    return keras.Model(image, layers.Conv2D(num_classes, 1, dtype="float32")(features))


def double_convolution(
    features: keras.KerasTensor, width: int, normalization: str
) -> keras.KerasTensor:
    """(convolution, normalization, ReLU) twice."""
    for _ in range(2):
        use_bias = normalization == "none"
        features = layers.Conv2D(
            width, 3, padding="same", use_bias=use_bias, kernel_initializer="he_normal"
        )(features)
        if normalization == "batch":
            features = layers.BatchNormalization(momentum=0.9)(features)  # as in PyTorch
        features = layers.ReLU()(features)
    return features


def cross_entropy_dice(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy plus soft Dice loss, the latter over all pixels of the batch."""
    cross_entropy = keras.ops.mean(
        keras.losses.binary_crossentropy(target, logits, from_logits=True)
    )
    return cross_entropy + keras.losses.dice(target, keras.ops.sigmoid(logits))


def classes_cross_entropy_dice(
    target: keras.KerasTensor, logits: keras.KerasTensor
) -> keras.KerasTensor:
    """Cross-entropy of class indices plus soft Dice loss, the latter over all classes at once."""
    cross_entropy = keras.ops.mean(
        keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    )
    wanted = keras.ops.one_hot(keras.ops.cast(target[..., 0], "int32"), logits.shape[-1])
    return cross_entropy + keras.losses.dice(wanted, keras.ops.softmax(logits))
