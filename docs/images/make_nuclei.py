"""Make the README's picture: images, what a person drew, what a model found.

python docs/images/make_nuclei.py RUN ../shared/data/nuclei/test docs/images/nuclei.png
"""

import sys

import numpy as np

import pixelwise as pw
from pixelwise.data import overlay, to_rgb
from pixelwise.doctor import ReadOptions, examine_dataset
from pixelwise.io import read_image, write_image

NUM_COLUMNS, SIDE, GAP = 5, 220, 6  # pictures in a row; pixels
COLORS = ("#000000", "#12b5a6")


def crop(picture: np.ndarray) -> np.ndarray:
    """Return the middle of a picture (H, W, 3), (SIDE, SIDE, 3)."""
    top, left = ((length - SIDE) // 2 for length in picture.shape[:2])
    return picture[top : top + SIDE, left : left + SIDE]


def main(run: str, data: str, out: str) -> None:
    """Choose images of different kinds: evenly spread by their mean brightness."""
    model = pw.load(run)
    dataset = examine_dataset(data, ReadOptions(for_training=False)).dataset
    brightness = [read_image(entry.image)[..., :3].mean() for entry in dataset.files]
    order = np.argsort(brightness)[np.linspace(2, len(brightness) - 2, NUM_COLUMNS).astype(int)]
    columns = []
    for index in order:
        entry = dataset.files[index]
        image = read_image(entry.image)[..., :3]
        target = dataset.encoding.decode(read_image(entry.mask), entry.mask)
        found = model.segment(image)
        pictures = [to_rgb(image), overlay(image, target, COLORS), overlay(image, found, COLORS)]
        gap = np.full((GAP, SIDE, 3), 255, np.uint8)
        cells = [part for picture in pictures for part in (crop(picture), gap)][:-1]
        columns += [
            np.concatenate(cells),
            np.full((len(np.concatenate(cells)), GAP, 3), 255, np.uint8),
        ]
    write_image(out, np.concatenate(columns[:-1], axis=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
