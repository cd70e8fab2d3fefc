"""A predictor against samples: scores."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Sample
from pixelwise.evaluate.counts import Counts, count_pixels
from pixelwise.evaluate.scores import Scores, is_background, summarize
from pixelwise.network import ModelConfig
from pixelwise.predict import Predictor

OnPrediction = Callable[[Sample, NDArray[np.float32]], None]


def evaluate_samples(
    predictor: Predictor,
    samples: Sequence[Sample],
    *,
    on_prediction: OnPrediction | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Predict every sample in its own size and score the masks.

    Args:
        predictor: runs the model.
        samples: with masks.
        on_prediction: called with each sample and its probabilities (K, *spatial).
        progress: called with (done, total).
    """
    found = []
    for named_counts in count_samples(predictor, samples, on_prediction):
        found.append(named_counts)
        if progress is not None:
            progress(len(found), len(samples))
    return summarize_samples(found, predictor.model.config)


def count_samples(
    predictor: Predictor, samples: Iterable[Sample], on_prediction: OnPrediction | None = None
) -> Iterator[tuple[str, Counts]]:
    """Predict samples one by one; give the name and the pixel counts (K, 3) of each."""
    for sample in samples:
        assert sample.mask is not None
        probabilities = predictor.probabilities(sample.image)
        mask = predictor.to_mask(probabilities)
        yield sample.name, count_pixels(mask, sample.mask, predictor.model.config.num_classes)
        if on_prediction is not None:
            on_prediction(sample, probabilities)


def summarize_samples(found: Sequence[tuple[str, Counts]], config: ModelConfig) -> Scores:
    """Turn names and counts of samples into the scores of a model."""
    return summarize(
        [counts for _, counts in found],
        [name for name, _ in found],
        config.class_names,
        background=has_background(config.task, config.class_names),
    )


def has_background(task: str, class_names: Sequence[str]) -> bool:
    """Whether class 0 is background, and so left out of means over classes."""
    return task == "binary" or (task == "multiclass" and is_background(class_names[0]))
