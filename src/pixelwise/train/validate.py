"""Validation: scores, loss and metrics over whole images, by the predictor that users get."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.evaluate import Scores
from pixelwise.evaluate.evaluate import count_samples, summarize_samples
from pixelwise.predict import Predictor
from pixelwise.train.objective import Loss, logits_of
from pixelwise.train.ranks import Ranks

Metric = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar


def validate(
    predictor: Predictor,
    samples: Sequence[Sample],
    loss: Loss,
    metrics: Mapping[str, Metric] | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> tuple[Scores, dict[str, float]]:
    """Return the scores over samples, and the means of `loss` and of each metric over images.

    Each rank predicts some of the samples; all get what one process would have got.
    """
    config = predictor.model.config
    measures = {"loss": loss, **(metrics or {})}
    rows: list[dict[str, float]] = []

    def add(sample: Sample, probabilities: object) -> None:
        logits = logits_of(torch.as_tensor(probabilities)[None], config.task)
        target = torch.from_numpy(np.array(sample.mask, np.uint8))[None]  # a mask may be read-only
        rows.append({name: float(measure(logits, target)) for name, measure in measures.items()})

    own = (samples[index] for index in range(ranks.rank, len(samples), ranks.number))
    found = list(count_samples(predictor, own, add))
    found, rows = ranks.gather(found), ranks.gather(rows)
    means = {name: sum(row[name] for row in rows) / len(samples) for name in measures}
    return summarize_samples(found, config), means
