"""What is made of probabilities: from which one a pixel is foreground, and which regions stay.

Where many images hold no object, a single pixel that is found in one makes its Dice 0; a higher
threshold, or leaving small regions out, can be worth more there than what it costs elsewhere. The
validation images tell, counted in several ways at once. Another way than the usual one is taken
where a 95 % interval of what it brings, of the same images drawn again for both, lies above 0: of
several the one whose interval begins highest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.inference.evaluate import Counted
from pixelwise.metrics.bootstrap import complete_groups, nanmean, number_units, resample_means
from pixelwise.metrics.counts import Counts, dice_score
from pixelwise.network import ModelConfig
from pixelwise.objects import RegionGraph
from pixelwise.task import IGNORE_INDEX

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
AREAS = (8, 32, 128, 512, 2048)  # pixels of the smallest region that stays
NUM_RESAMPLES = 1000
MIN_IMAGES = 10  # fewer say nothing
MIN_GAIN = 0.001  # of the mean Dice: less is not worth another rule
MAX_PIXELS = 4_000_000  # of larger images regions are not counted: their labels take much memory
MAX_REGIONS = 20_000  # more are noise of a network that has learnt nothing yet


class Way(NamedTuple):
    """One way from probabilities to a mask.

    Attributes:
        threshold: from which a pixel is foreground, of models with one logit.
        min_area: pixels of the smallest region that stays, see `clean_mask`.
    """

    threshold: float = 0.5
    min_area: int = 1


USUAL = Way()


class Gain(NamedTuple):
    """What a way brings: mean Dice over validation images, beside the usual way."""

    way: Way
    mean: float
    low: float
    high: float

    def describe(self) -> str:
        """Say what was chosen, and why."""
        if self.way.min_area > 1:
            what = f"Regions of fewer than {self.way.min_area} pixels get the class around them"
        else:
            what = (
                f"Pixels are foreground from a probability of {self.way.threshold:g} on in place "
                f"of {USUAL.threshold:g}"
            )
        return f"{what}: validation Dice {self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]."


def ways_of(config: ModelConfig) -> list[Way]:
    """The ways that are tried for masks of a model; the usual one first."""
    if config.task.can_overlap or config.network.spatial_dims != 2:
        return [USUAL]
    thresholds = THRESHOLDS if config.task.has_one_logit else ()
    others = [Way(threshold) for threshold in thresholds if threshold != USUAL.threshold]
    return [USUAL, *others, *(Way(min_area=area) for area in AREAS)]


class WayCounts:
    """Counts the pixels of images for each way, as parts of them come in.

    Args:
        config: of the model that predicts; its masks are of the usual way.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.ways = ways_of(config)
        self.images: list[Counted] = []  # counts (ways, K, 3) of each image
        self._num_classes, self._task = config.num_classes, config.task
        self._pixels = np.zeros((2, len(THRESHOLDS) + 1), np.int64)  # truth, thresholds reached
        self._mask: NDArray[np.uint8] | None = None  # as predicted, of images that are not large

    def add(
        self,
        target: NDArray[np.integer],
        window: tuple[slice, ...],
        probabilities: NDArray[np.float32],
        mask: NDArray[np.uint8],
    ) -> None:
        """Count a part of an image.

        Args:
            target: (*spatial) class index or IGNORE_INDEX of the whole image.
            window: which part it is.
            probabilities: (K, *window) of the part.
            mask: (*window) class index of the usual way.
        """
        if len(self.ways) == 1:
            return
        if self._task.has_one_logit:
            self._count_thresholds(target[window], probabilities[0])
        if target.size <= MAX_PIXELS:
            if self._mask is None:
                self._mask = np.zeros(target.shape, np.uint8)
            self._mask[window] = mask

    def end_image(self, usual: Counted, target: NDArray[np.integer]) -> None:
        """The image is complete: keep its counts.

        Args:
            usual: name, group and the counts (K, 3) of the usual way.
            target: (*spatial) class index or IGNORE_INDEX.
        """
        counts = np.stack([usual.counts] * len(self.ways))
        for index, way in enumerate(self.ways):
            if way.threshold != USUAL.threshold:
                counts[index] = self._at_threshold(THRESHOLDS.index(way.threshold))
        if self._mask is not None:
            self._count_regions(self._mask, target, counts)
        self.images.append(usual._replace(counts=counts))
        self._pixels, self._mask = np.zeros_like(self._pixels), None

    def _count_thresholds(
        self, target: NDArray[np.integer], probabilities: NDArray[np.float32]
    ) -> None:
        reached = np.searchsorted(
            np.array(THRESHOLDS, np.float32), probabilities.reshape(-1), side="right"
        )
        truth = target.reshape(-1)
        is_kept = truth != IGNORE_INDEX
        bins = truth[is_kept].astype(np.int64) * self._pixels.shape[1] + reached[is_kept]
        self._pixels += np.bincount(bins, minlength=self._pixels.size).reshape(self._pixels.shape)

    def _at_threshold(self, index: int) -> Counts:
        """The counts (2, 3) of the image at one of THRESHOLDS."""
        background, foreground = self._pixels.sum(1)
        false_positive, true_positive = self._pixels[:, index + 1 :].sum(1)
        missed = foreground - true_positive
        return np.array(
            [
                [background - false_positive, missed, false_positive],
                [true_positive, false_positive, missed],
            ]
        )

    def _count_regions(
        self, mask: NDArray[np.uint8], target: NDArray[np.integer], counts: Counts
    ) -> None:
        """Enter the counts (ways, K, 3) of the mask at each least area."""
        graph = RegionGraph(mask)
        if len(graph) > MAX_REGIONS:
            return
        truth, is_kept = target.ravel(), target.ravel() != IGNORE_INDEX
        bins = graph.labels.ravel()[is_kept] * self._num_classes + truth[is_kept]
        size = len(graph) * self._num_classes
        of_regions = np.bincount(bins, minlength=size).reshape(len(graph), self._num_classes)
        for index, way in enumerate(self.ways):
            if way.min_area > 1:
                matrix = np.zeros((self._num_classes, self._num_classes), np.int64)
                np.add.at(matrix, graph.clean(way.min_area), of_regions)  # (found, truth)
                hits = matrix.diagonal()
                counts[index] = np.stack([hits, matrix.sum(1) - hits, matrix.sum(0) - hits], 1)


def choose_way(images: Sequence[Counted], config: ModelConfig) -> Gain | None:
    """Return the way that is clearly better than the usual one on these images, if any.

    Args:
        images: as `WayCounts` counts them.
        config: of the model that predicted.
    """
    ways = ways_of(config)
    if len(images) < MIN_IMAGES or len(ways) == 1:
        return None
    first = int(config.task.has_background(config.class_names))
    scores = dice_score(np.stack([image.counts[:, first:] for image in images]))  # (N, ways, K)
    means = nanmean(nanmean(scores, axis=0), axis=1)
    groups = complete_groups([(image.name, image.group) for image in images])
    units = number_units(groups, len(images))
    drawn = nanmean(resample_means(scores, units, NUM_RESAMPLES, seed=0), axis=2)  # (draws, ways)
    low, high = np.percentile(np.nan_to_num(drawn - drawn[:, :1]), [2.5, 97.5], axis=0)  # (ways,)
    chosen = int(np.argmax(low))
    mean = float(means[chosen] - means[0])
    if low[chosen] <= 0 or mean < MIN_GAIN:
        return None
    return Gain(ways[chosen], mean, float(low[chosen]), float(high[chosen]))


def counts_of(way: Way, images: Sequence[Counted], config: ModelConfig) -> list[Counted]:
    """The counts (K, 3) of images in one of the ways."""
    index = ways_of(config).index(way)
    return [image._replace(counts=image.counts[index]) for image in images]
