"""Nuclei with Keras, on the engine that KERAS_BACKEND names: a U-Net, `fit`, callbacks."""

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
from keras_unet import cross_entropy_dice, make_unet
from numpy.typing import NDArray


class Crops(keras.utils.PyDataset):
    """Batches of random crops, turned, mirrored, and a little brighter or darker."""

    def __init__(self, samples: list[Sample]) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self._samples = samples
        self._rng = np.random.default_rng(0)
        self._order = self._rng.permutation(len(samples))

    def __len__(self) -> int:
        """Whole batches in an epoch."""
        return len(self._samples) // BATCH_SIZE

    def __getitem__(self, index: int) -> tuple[NDArray, NDArray]:
        """(B, PATCH, PATCH, 3) and (B, PATCH, PATCH, 1), float32."""
        chosen = self._order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        crops = [self._crop(self._samples[i]) for i in chosen]
        images, masks = zip(*crops, strict=True)
        return np.stack(images), np.stack(masks)

    def _crop(self, sample: Sample) -> tuple[NDArray, NDArray]:
        rng = self._rng
        image, mask = random_crop(sample, rng)
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

    def __init__(self, clock: Clock, learning_rate: float) -> None:
        super().__init__()
        self._clock, self._rate = clock, learning_rate

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Set the learning rate."""
        self.model.optimizer.learning_rate = self._clock.learning_rate(self._rate)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Validate, stop."""
        if self._clock.is_validation_due:
            self._clock.validate(self._predict)
        self.model.stop_training = self._clock.is_over

    def _predict(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        batch = scale(padded(image, 2 ** (len(WIDTHS) - 1)))[None]
        logits = keras.ops.convert_to_numpy(self.model(batch, training=False))
        height, width = image.shape[:2]
        return logits[0, :height, :width, 0] > 0


def scale(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From -1 to 1."""
    return image.astype(np.float32) / 127.5 - 1


def main() -> None:
    """Train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    keras.utils.set_random_seed(0)
    model = make_unet(3, WIDTHS, "batch")
    optimizer = keras.optimizers.AdamW(args.learning_rate, weight_decay=1e-2)
    model.compile(optimizer=optimizer, loss=cross_entropy_dice)
    by_the_clock = ByTheClock(clock, args.learning_rate)
    crops = Crops(read_split(args.data, "train"))
    model.fit(crops, epochs=100_000, verbose=0, callbacks=[by_the_clock])


if __name__ == "__main__":
    main()
