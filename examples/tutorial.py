"""The common U-Net tutorial: build, train, predict. Random images, so there is nothing to learn."""

import numpy as np

import pixelwise as pw

rng = np.random.default_rng(0)
x_train = rng.random((10, 128, 128, 1), dtype=np.float32)  # images in [0, 1]
y_train = rng.integers(0, 2, (10, 128, 128, 1))  # masks of 0 and 1
x_test = rng.random((2, 128, 128, 1), dtype=np.float32)

model = pw.unet(input_shape=(128, 128, 1), seed=0)
model.summary()
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, batch_size=2)

predictions = model.predict(x_test)
print("Predictions shape:", predictions.shape)
print("Probability of the first pixel:", round(float(predictions[0, 0, 0, 0]), 3))
