"""What the scripts of time_to_score.py share: the clock, the score, the files. Needs NumPy, Pillow.

How a library reads, crops, augments, trains and predicts is in its own script; here is only what
must be the same for all.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PREFIX = ":: "
PATCH = 192  # side of the training crops, pixels, where the script chooses
BATCH_SIZE = 8
WIDTHS = (16, 32, 64, 128, 256)

# image (H, W, 3), mask (H, W) of class indices
Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_arguments(description: str) -> argparse.Namespace:
    """The command line of every script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help="train, val and test, each with images and masks")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--started", type=float, default=time.monotonic(), help=argparse.SUPPRESS)
    parser.add_argument("--test", action="store_true", help="score the test images too")
    parser.add_argument("--images", type=int, default=None, help="score no more than these")
    parser.add_argument("--classes", type=int, default=1, help="in masks of class indices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--never-turn", action="store_true", help="images have up and left")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="for whatever it writes")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest")
    parser.add_argument("--weights", default=None, help="of an encoder, where there is one")
    parser.add_argument("--validations", type=int, default=4, help="in the time that there is")
    parser.add_argument("--bfloat16", action="store_true", help="convolutions of plain PyTorch")
    parser.add_argument("--side", type=int, help="Keras: whole images of this size, no crops")
    parser.add_argument("--predict-plainly", action="store_true", help="no mirrored copies")
    return parser.parse_args()


def files(data: Path, split: str) -> list[tuple[Path, Path]]:
    """(image, mask) paths of a split, which have the same names."""
    images = sorted((data / split / "images").iterdir())
    return [(path, data / split / "masks" / path.with_suffix(".png").name) for path in images]


def read_split(data: Path, split: str, num_classes: int = 1) -> list[Sample]:
    """All samples of a split."""
    paths = files(data, split)
    return [(read_image(image), read_mask(mask, num_classes)) for image, mask in paths]


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def read_mask(path: Path, num_classes: int = 1) -> NDArray[np.uint8]:
    """(H, W) of class indices; the files of one class have 0 and 255 and give 0 and 1."""
    if num_classes > 1:
        return np.asarray(Image.open(path))
    return (np.asarray(Image.open(path).convert("L")) > 127).astype(np.uint8)


def random_crop(sample: Sample, rng: np.random.Generator) -> Sample:
    """PATCH x PATCH pixels, mirrored beyond the edges of smaller images."""
    image, mask = sample
    missing = [max(0, PATCH - side) for side in mask.shape]
    if any(missing):
        margins = [(0, more) for more in missing]
        image = np.pad(image, (*margins, (0, 0)), mode="reflect")
        mask = np.pad(mask, margins, mode="reflect")
    row, column = (int(rng.integers(side - PATCH + 1)) for side in mask.shape)
    window = (slice(row, row + PATCH), slice(column, column + PATCH))
    return image[window], mask[window]


def padded(image: NDArray[np.uint8], multiple: int) -> NDArray[np.uint8]:
    """An image (H, W, C) whose sides are multiples, mirrored at its bottom and right."""
    margins = [(0, -side % multiple) for side in image.shape[:2]]
    return np.pad(image, (*margins, (0, 0)), mode="symmetric")


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Of one image; NaN where there is nothing in either."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else float("nan")


class Clock:
    """The time that a user waits; it stands still while a peer is validated.

    Args:
        args: as `read_arguments` gives them; their `started` is from before the imports.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._seconds, self._started, self._paused = 60 * args.minutes, args.started, 0.0
        self._period = self._next_validation = self._seconds / args.validations
        with self.stopped():
            self._classes = args.classes
            self._val = read_split(args.data, "val", args.classes)[: args.images]
            test = read_split(args.data, "test", args.classes) if args.test else []
            self._test = test[: args.images]
        self._best = -1.0

    @property
    def elapsed(self) -> float:
        """Seconds used so far."""
        return time.monotonic() - self._started - self._paused

    @property
    def share(self) -> float:
        """Of the time, used so far."""
        return min(1.0, self.elapsed / self._seconds)

    @property
    def is_over(self) -> bool:
        """Whether to stop training."""
        return self.share >= 1

    @property
    def is_validation_due(self) -> bool:
        """Four times, the last when the time is over."""
        return self.elapsed >= self._next_validation

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done within does not count."""
        start = time.monotonic()
        yield
        self._paused += time.monotonic() - start

    def learning_rate(self, highest: float, warmup: float = 0.05) -> float:
        """Up in a straight line, then down by half a cosine to 0 when the time is over."""
        if self.share < warmup:
            return highest * max(0.01, self.share / warmup)
        return highest * 0.5 * (1 + np.cos(np.pi * (self.share - warmup) / (1 - warmup)))

    def validate(self, predict: Callable[[NDArray[np.uint8]], NDArray]) -> None:
        """Score the model as it is now, at full size, off the clock, and tell.

        The test images are scored where the model is the best so far, so that the last of their
        scores is that of the model which validation chooses.

        Args:
            predict: image (H, W, 3) -> foreground or class index (H, W).
        """
        seconds = self.elapsed
        with self.stopped():
            dice = mean_dice(score_images(predict, self._val, self._classes))
            line = {"seconds": round(seconds, 1), "dice": dice}
            if line["dice"] > self._best:
                self._best = line["dice"]
                line |= self._score_test(predict)
            tell(line)
        self._next_validation = min(seconds + self._period, self._seconds)

    def _score_test(self, predict: Callable[[NDArray[np.uint8]], NDArray]) -> dict[str, float]:
        """Mean Dice of the test images and its interval; nothing where they are not asked for."""
        if not self._test:
            return {}
        scores = score_images(predict, self._test, self._classes)
        low, high = interval(scores)
        return {"test_dice": mean_dice(scores), "test_low": low, "test_high": high}


def score_images(
    predict: Callable[[NDArray[np.uint8]], NDArray], samples: list[Sample], num_classes: int = 1
) -> NDArray[np.float64]:
    """Dice (images, classes but 0); NaN for an image with nothing in mask and prediction."""
    classes = range(1, num_classes) if num_classes > 1 else [1]
    scores = []
    for image, mask in samples:
        found = predict(image).astype(np.uint8)
        scores.append([dice(found == number, mask == number) for number in classes])
    return np.array(scores)


def mean_dice(scores: NDArray[np.float64]) -> float:
    """Over images, then over classes; one that is in no image and found in none is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class without a number
        return float(np.nan_to_num(np.nanmean(np.nanmean(scores, axis=0))))


def interval(scores: NDArray[np.float64], draws: int = 1000) -> tuple[float, float]:
    """Bounds of 95 % of the means of images drawn anew, with the same seed for everybody."""
    rng = np.random.default_rng(0)
    means = [mean_dice(scores[rng.integers(0, len(scores), len(scores))]) for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def peak_megabytes() -> float:
    """The most memory of this process so far (Linux); `ru_maxrss` would count its parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**10


def tell(value: object) -> None:
    """Send a line to time_to_score.py, whatever else the libraries print."""
    print(PREFIX + json.dumps(value), flush=True)
