"""The probability from which a pixel counts as foreground: 0.5, unless another is clearly better.

Where many images hold no object, a single pixel that is found in one makes its Dice 0; a higher
threshold can be worth more there than what it costs elsewhere. The validation images tell, counted
at several thresholds at once. Another one is taken where a 95 % interval of what it brings, of the
same images drawn again for both, lies above 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.evaluate import Counted
from pixelwise.metrics.bootstrap import complete_groups, nanmean, number_units, resample_means
from pixelwise.metrics.counts import dice_score
from pixelwise.task import IGNORE_INDEX

USUAL = 0.5
THRESHOLDS = (0.2, 0.3, 0.4, USUAL, 0.6, 0.7, 0.8, 0.9)
NUM_RESAMPLES = 1000
MIN_IMAGES = 10  # fewer say nothing


class Threshold(NamedTuple):
    """A threshold, and what it brings: mean Dice of the foreground over validation images."""

    value: float
    gain: float
    low: float
    high: float

    def describe(self) -> str:
        """Say what was chosen, and why."""
        return (
            f"Pixels are foreground from a probability of {self.value:g} on in place of {USUAL:g}: "
            f"validation Dice {self.gain:+.3f} [{self.low:+.3f}, {self.high:+.3f}]."
        )


class ThresholdCounts:
    """Counts the pixels of images at each of THRESHOLDS, as parts of them come in."""

    def __init__(self) -> None:
        self.images: list[Counted] = []  # counts (thresholds, 2, 3) of each image
        self._pixels = np.zeros((2, len(THRESHOLDS) + 1), np.int64)  # truth, thresholds reached

    def add(self, probabilities: NDArray[np.float32], target: NDArray[np.integer]) -> None:
        """Count a part of an image.

        Args:
            probabilities: (*window) of the foreground.
            target: (*window) 0, 1 or IGNORE_INDEX.
        """
        reached = np.searchsorted(
            np.array(THRESHOLDS, np.float32), probabilities.reshape(-1), side="right"
        )
        truth = target.reshape(-1)
        is_kept = truth != IGNORE_INDEX
        bins = truth[is_kept].astype(np.int64) * self._pixels.shape[1] + reached[is_kept]
        self._pixels += np.bincount(bins, minlength=self._pixels.size).reshape(self._pixels.shape)

    def end_image(self, name: str, group: str | None) -> None:
        """The image is complete: keep its counts."""
        at_least = self._pixels[:, ::-1].cumsum(1)[:, -2::-1]  # (truth, thresholds)
        background, foreground = self._pixels.sum(1, keepdims=True)
        false_positive, true_positive = at_least
        missed = foreground - true_positive
        of_background = [background - false_positive, missed, false_positive]
        of_foreground = [true_positive, false_positive, missed]
        counts = np.stack([np.stack(of_background, 1), np.stack(of_foreground, 1)], 1)
        self.images.append(Counted(name, counts, group))
        self._pixels = np.zeros_like(self._pixels)


def choose_threshold(images: Sequence[Counted]) -> Threshold | None:
    """Return the threshold that is clearly better than the usual one on these images, if any.

    Args:
        images: as `ThresholdCounts` counts them.
    """
    if len(images) < MIN_IMAGES:
        return None
    scores = dice_score(np.stack([image.counts[:, 1] for image in images]))  # (images, thresholds)
    means = nanmean(scores, axis=0)
    usual, chosen = THRESHOLDS.index(USUAL), int(np.nanargmax(np.nan_to_num(means)))
    groups = complete_groups([(image.name, image.group) for image in images])
    units = number_units(groups, len(images))
    drawn = resample_means(scores[..., None], units, NUM_RESAMPLES, seed=0)[..., 0]
    gains = drawn[:, chosen] - drawn[:, usual]
    low, high = np.nanpercentile(np.nan_to_num(gains), [2.5, 97.5])
    if chosen == usual or low <= 0:
        return None
    return Threshold(
        THRESHOLDS[chosen], float(means[chosen] - means[usual]), float(low), float(high)
    )


def counts_at(images: Sequence[Counted], threshold: float) -> list[Counted]:
    """The counts (2, 3) of images at one of THRESHOLDS."""
    index = THRESHOLDS.index(threshold)
    return [image._replace(counts=image.counts[index]) for image in images]
