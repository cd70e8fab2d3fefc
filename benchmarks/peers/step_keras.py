"""Training steps with Keras, on the engine that KERAS_BACKEND names, by `fit`.

Options: `tuned`: the policy mixed_bfloat16 (on a GPU mixed_float16 would do as well).
"""

import os
import time

import keras
import numpy as np
from keras_unet import cross_entropy_dice, make_unet
from protocol import Case, process_megabytes, read_case, serve


class Stopwatch(keras.callbacks.Callback):
    """Times the steps after the first, so that what surrounds the loop is left out."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last, self._times = last, []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Wait for the first and the last step, and take the time."""
        if batch in (0, self._last):
            float(logs["loss"])
            self._times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """From the end of the first step to that of the last."""
        return self._times[1] - self._times[0]


def gpu_megabytes() -> float:
    """The most memory that the engine held on the GPU."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def make_model(case: Case) -> keras.Model:
    """Build and compile."""
    model = make_unet(case.in_channels, case.widths, case.normalization, size=case.size)
    if case.loss == "cross_entropy":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        loss = cross_entropy_dice
    adam = keras.optimizers.Adam if case.normalization == "none" else keras.optimizers.AdamW
    jit = case.options.get("jit", "auto")
    model.compile(optimizer=adam(1e-3), loss=loss, jit_compile=jit)
    return model


def main() -> None:
    """Build, then answer."""
    case = read_case()
    if case.options.get("tuned"):
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = make_model(case)
    rng = np.random.default_rng(0)
    images = rng.standard_normal(case.shape, np.float32)
    masks = rng.integers(0, 2, (*case.shape[:3], 1)).astype(np.float32)

    def run(num_steps: int) -> float:
        x = np.tile(images, (num_steps + 1, 1, 1, 1))
        y = np.tile(masks, (num_steps + 1, 1, 1, 1))
        watch = Stopwatch(num_steps)
        model.fit(x, y, batch_size=case.batch_size, shuffle=False, verbose=0, callbacks=[watch])
        return watch.seconds

    engine = os.environ["KERAS_BACKEND"]
    versions = {"keras": keras.__version__, engine: __import__(engine).__version__}
    megabytes = gpu_megabytes if case.device == "cuda" else process_megabytes
    serve(run, {"versions": versions}, megabytes)


if __name__ == "__main__":
    main()
