"""A predictor against samples: scores."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Sample
from pixelwise.inference.bands import Band, join_bands
from pixelwise.inference.predictor import Predictor
from pixelwise.metrics.bootstrap import complete_groups
from pixelwise.metrics.counts import Counts, count_pixels
from pixelwise.metrics.scores import Scores, summarize
from pixelwise.network import ModelConfig

MAX_CONFUSED = 40  # classes; a table of more cannot be read


class Counted(NamedTuple):
    """The pixel counts (K, 3) of a sample, with its name and group.

    `confusion` (K, K + 1), see `count_pixels`, is there for three classes and more that exclude
    each other, up to MAX_CONFUSED.
    """

    name: str
    counts: Counts
    group: str | None = None
    confusion: Counts | None = None


OnBand = Callable[[Sample, tuple[slice, ...], NDArray[np.float32], NDArray[Any]], None]


def evaluate_samples(
    predictor: Predictor,
    samples: Sequence[Sample],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Predict every sample in its own size and score the masks.

    Args:
        predictor: runs the model.
        samples: with masks.
        progress: called with (done, total).
    """
    found: list[Counted] = []
    for counted in count_samples(predictor, samples):
        found.append(counted)
        if progress is not None:
            progress(len(found), len(samples))
    return summarize_samples(found, predictor.model.config)


def count_samples(
    predictor: Predictor, samples: Iterable[Sample], on_band: OnBand | None = None
) -> Iterator[Counted]:
    """Predict samples one by one; give the pixel counts (K, 3) of each.

    Args:
        predictor: runs the model.
        samples: with masks.
        on_band: called with each sample, a window of it, the probabilities (K, *window) and the
            mask there, so that each of its pixels comes once.
    """
    config = predictor.model.config
    for sample in samples:
        assert sample.mask is not None
        counts = np.zeros((config.num_classes, 3), np.int64)
        confusion = _empty_confusion(config)
        uncleaned = []  # what small regions are is known when the whole mask is
        for window, probabilities in predictor.bands(sample.image):
            mask = predictor.to_mask(probabilities)
            place: tuple[Any, ...] = (Ellipsis, *window)
            if config.min_area > 1:
                uncleaned.append(Band(window, mask))
            else:
                target = sample.mask[place]
                counts += count_pixels(mask, target, config.num_classes, confusion=confusion)
            if on_band is not None:
                on_band(sample, window, probabilities, mask)
        if uncleaned:
            mask = predictor.clean(join_bands(uncleaned, sample.image.shape[1:]))
            counts = count_pixels(mask, sample.mask, config.num_classes, confusion=confusion)
        yield Counted(sample.name, counts, sample.group, confusion)


def _empty_confusion(config: ModelConfig) -> Counts | None:
    number = config.num_classes
    if not config.task.is_exclusive or not 2 < number <= MAX_CONFUSED:
        return None
    return np.zeros((number, number + 1), np.int64)


def summarize_samples(found: Sequence[Counted], config: ModelConfig) -> Scores:
    """Turn the counts of samples into the scores of a model."""
    confusions = [one.confusion for one in found if one.confusion is not None]
    return summarize(
        [one.counts for one in found],
        [one.name for one in found],
        config.class_names,
        background=config.task.has_background(config.class_names),
        groups=complete_groups([(one.name, one.group) for one in found]),
        confusion=np.sum(confusions, axis=0) if len(confusions) == len(found) > 0 else None,
    )
