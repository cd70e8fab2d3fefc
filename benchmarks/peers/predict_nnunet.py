"""nnU-Net: its predictor's sliding window (half overlapping, gaussian, no mirroring).

    python predict_nnunet.py IMAGES OUT '{"widths": [16, 32, 64], "normalization": "none"}'

The network is the same U-Net in plain PyTorch with random weights; patches are 256 x 256.
"""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from common import PREFIX, peak_megabytes
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from PIL import Image
from plain_unet import PlainUNet

Image.MAX_IMAGE_PIXELS = None
PATCH = 256


def main() -> None:
    """Read, predict and write every image; print what that took."""
    images, out, options = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    out.mkdir()
    network = PlainUNet(3, tuple(options["widths"]), options["normalization"], num_classes=2).eval()
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=False, device=torch.device("cpu"),
        perform_everything_on_device=False, allow_tqdm=False,
    )  # fmt: skip
    predictor.network = network
    predictor.configuration_manager = SimpleNamespace(patch_size=(PATCH, PATCH))
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=2)
    predictor.allowed_mirroring_axes = None
    before, started = peak_megabytes(), time.perf_counter()
    for path in sorted(images.iterdir()):
        pixels = (np.moveaxis(np.asarray(Image.open(path), np.float32), -1, 0) - 127) / 60
        logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(pixels)[:, None])
        mask = logits[:, 0].argmax(0).numpy().astype(np.uint8)
        Image.fromarray(mask * 255).save(out / f"{path.stem}.png")
    seconds = time.perf_counter() - started
    print(PREFIX + json.dumps({"seconds": seconds, "megabytes": peak_megabytes() - before}))


if __name__ == "__main__":
    main()
