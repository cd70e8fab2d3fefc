"""A data set of few training images, to compare pixelwise with a peer on the same ones.

    python benchmarks/few_images.py DATA OUT --train 20

Reads DATA as `pixelwise train` does, and writes the first training images and all validation
images as PNG, with masks of class indices (0 and 255 where there is one class) and classes.json.
Then, for example:

    python benchmarks/time_to_score.py OUT --minutes 2 --peers pixelwise,PyTorch --classes K
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.doctor import ReadOptions, examine_dataset


def main() -> None:
    """Write the data set and say how many classes it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, required=True, help="number of training images")
    args = parser.parse_args()
    dataset = examine_dataset(args.data, ReadOptions()).dataset
    names = dataset.encoding.class_names
    factor = 255 if len(names) == 2 else 1
    for split, number in (("train", args.train), ("val", None)):
        for kind in ("images", "masks"):
            (args.out / split / kind).mkdir(parents=True)
        samples = dataset.samples(split)
        for index in range(min(number or len(samples), len(samples))):
            sample = samples[index]
            name = f"{index:04}.png"
            image = np.moveaxis(np.asarray(sample.image), 0, -1)
            image = np.repeat(image, 3, -1) if image.shape[-1] == 1 else image[..., :3]
            Image.fromarray(image.astype(np.uint8)).save(args.out / split / "images" / name)
            mask = np.asarray(sample.mask, np.uint8) * factor
            Image.fromarray(mask).save(args.out / split / "masks" / name)
    if len(names) > 2:
        classes = [{"name": name, "value": value} for value, name in enumerate(names)]
        (args.out / "classes.json").write_text(json.dumps({"classes": classes}, indent=1))
    print(f"{len(names)} classes: {', '.join(names)}")


if __name__ == "__main__":
    main()
