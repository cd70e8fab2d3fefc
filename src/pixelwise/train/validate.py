"""Validation: scores, loss and metrics over whole images, by the predictor that users get."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.evaluate import Scores, evaluate_samples
from pixelwise.predict import Predictor
from pixelwise.train.objective import Loss, logits_of

Metric = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar


def validate(
    predictor: Predictor,
    samples: Sequence[Sample],
    loss: Loss,
    metrics: Mapping[str, Metric] | None = None,
) -> tuple[Scores, dict[str, float]]:
    """Return the scores over samples, and the means of `loss` and of each metric over images."""
    measures = {"loss": loss, **(metrics or {})}
    sums = dict.fromkeys(measures, 0.0)

    def add(sample: Sample, probabilities: object) -> None:
        logits = logits_of(torch.as_tensor(probabilities)[None], predictor.model.config.task)
        target = torch.from_numpy(np.array(sample.mask, np.uint8))[None]  # a mask may be read-only
        for name, measure in measures.items():
            sums[name] += float(measure(logits, target))

    scores = evaluate_samples(predictor, samples, on_prediction=add)
    return scores, {name: total / len(samples) for name, total in sums.items()}
