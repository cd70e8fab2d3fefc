"""A data set with Keras, on the engine that KERAS_BACKEND names: a U-Net, `fit`, callbacks.

With --side whole images are made so large, as tutorials do; their answer is made as large again.
"""

import keras
import numpy as np
from common import (
    BATCH_SIZE,
    WIDTHS,
    Clock,
    Sample,
    padded,
    random_crop,
    read_arguments,
    read_split,
)
from keras_unet import classes_cross_entropy_dice, cross_entropy_dice, make_unet
from numpy.typing import NDArray
from PIL import Image


class Crops(keras.utils.PyDataset):
    """Batches of random crops, turned, mirrored, and a little brighter or darker."""

    def __init__(self, samples: list[Sample], side: int | None, seed: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self._samples = samples if side is None else [resized(one, side) for one in samples]
        self._is_whole = side is not None
        self._rng = np.random.default_rng(seed)
        self._order = self._rng.permutation(len(samples))

    def __len__(self) -> int:
        """Whole batches in an epoch; a small one where there are no more images."""
        return max(1, len(self._samples) // BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[NDArray, NDArray]:
        """(B, PATCH, PATCH, 3) and (B, PATCH, PATCH, 1), float32."""
        chosen = self._order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        crops = [self._crop(self._samples[i]) for i in chosen]
        images, masks = zip(*crops, strict=True)
        return np.stack(images), np.stack(masks)

    def _crop(self, sample: Sample) -> tuple[NDArray, NDArray]:
        rng = self._rng
        image, mask = sample if self._is_whole else random_crop(sample, rng)
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        image, mask = np.rot90(image, turns), np.rot90(mask, turns)
        if flip:
            image, mask = image[:, ::-1], mask[:, ::-1]
        scaled = scale(image) * rng.uniform(0.8, 1.25) + rng.uniform(-0.2, 0.2)
        return scaled.astype(np.float32), mask[..., None].astype(np.float32)

    def on_epoch_end(self) -> None:
        """Another order."""
        self._order = self._rng.permutation(len(self._samples))


class ByTheClock(keras.callbacks.Callback):
    """The learning rate, the validations and the end, all by the clock."""

    def __init__(self, clock: Clock, learning_rate: float, side: int | None) -> None:
        super().__init__()
        self._clock, self._rate, self._side = clock, learning_rate, side

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the learning rate."""
        self.model.optimizer.learning_rate = self._clock.learning_rate(self._rate)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Validate, stop."""
        if self._clock.is_validation_due:
            self._clock.validate(self._predict)
        self.model.stop_training = self._clock.is_over

    def _predict(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        height, width = image.shape[:2]
        if self._side is not None:
            small = np.asarray(Image.fromarray(image).resize((self._side, self._side)))
            logits = self._logits(small)
            planes = [Image.fromarray(plane).resize((width, height)) for plane in logits]
            logits = np.stack([np.asarray(plane) for plane in planes])
        else:
            logits = self._logits(padded(image, 2 ** (len(WIDTHS) - 1)))[:, :height, :width]
        return logits.argmax(0) if len(logits) > 1 else logits[0] > 0

    def _logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(K, H, W)."""
        logits = self.model(scale(image)[None], training=False)
        return np.moveaxis(keras.ops.convert_to_numpy(logits)[0], -1, 0).astype(np.float32)


def resized(sample: Sample, side: int) -> Sample:
    """Image and mask of one size, whatever their proportions."""
    image, mask = (Image.fromarray(array) for array in sample)
    small = image.resize((side, side)), mask.resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(small[0]), np.asarray(small[1])


def scale(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From -1 to 1."""
    return image.astype(np.float32) / 127.5 - 1


def main() -> None:
    """Train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    keras.utils.set_random_seed(args.seed)
    model = make_unet(3, WIDTHS, "batch", args.side, args.classes)
    optimizer = keras.optimizers.AdamW(args.learning_rate, weight_decay=1e-2)
    loss = cross_entropy_dice if args.classes == 1 else classes_cross_entropy_dice
    model.compile(optimizer=optimizer, loss=loss)
    by_the_clock = ByTheClock(clock, args.learning_rate, args.side)
    crops = Crops(read_split(args.data, "train", args.classes), args.side, args.seed)
    model.fit(crops, epochs=100_000, verbose=0, callbacks=[by_the_clock])


if __name__ == "__main__":
    main()
