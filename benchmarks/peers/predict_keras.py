"""Keras: `predict` on tiles of 256 x 256 side by side, as its tutorials do; random weights.

python predict_keras.py IMAGES OUT '{"widths": [16, 32, 64], "normalization": "none"}'
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from common import PREFIX, peak_megabytes
from keras_unet import make_unet
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
TILE, BATCH = 256, 8


def main() -> None:
    """Read, predict and write every image; print what that took."""
    images, out, options = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    out.mkdir()
    network = make_unet(3, tuple(options["widths"]), options["normalization"], TILE)
    before, started = peak_megabytes(), time.perf_counter()
    for path in sorted(images.iterdir()):
        pixels = (np.asarray(Image.open(path), np.float32) - 127) / 60
        down, across = pixels.shape[0] // TILE, pixels.shape[1] // TILE
        tiles = pixels.reshape(down, TILE, across, TILE, 3).swapaxes(1, 2)
        logits = network.predict(tiles.reshape(-1, TILE, TILE, 3), batch_size=BATCH, verbose=0)
        mask = (logits.reshape(down, across, TILE, TILE) >= 0).swapaxes(1, 2)
        mask = mask.reshape(pixels.shape[:2]).astype(np.uint8)
        Image.fromarray(mask * 255).save(out / f"{path.stem}.png")
    seconds = time.perf_counter() - started
    print(PREFIX + json.dumps({"seconds": seconds, "megabytes": peak_megabytes() - before}))


if __name__ == "__main__":
    main()
