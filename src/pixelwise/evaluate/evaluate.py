"""A predictor against samples: scores."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pixelwise.data import Sample
from pixelwise.evaluate.counts import count_pixels
from pixelwise.evaluate.scores import Scores, is_background, summarize
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
    config = predictor.model.config
    counts = []
    for index, sample in enumerate(samples):
        assert sample.mask is not None
        probabilities = predictor.probabilities(sample.image)
        mask = predictor.to_mask(probabilities)
        counts.append(count_pixels(mask, sample.mask, config.num_classes))
        if on_prediction is not None:
            on_prediction(sample, probabilities)
        if progress is not None:
            progress(index + 1, len(samples))
    return summarize(
        counts,
        [sample.name for sample in samples],
        config.class_names,
        background=has_background(config.task, config.class_names),
    )


def has_background(task: str, class_names: Sequence[str]) -> bool:
    """Whether class 0 is background, and so left out of means over classes."""
    return task == "binary" or (task == "multiclass" and is_background(class_names[0]))
