"""Validation: scores, loss and metrics over whole images, by the predictor that users get."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelwise.data import Sample
from pixelwise.inference import Predictor
from pixelwise.inference.evaluate import count_samples, summarize_samples
from pixelwise.metrics import Scores
from pixelwise.training.image_measures import ImageMeasure, measure_image
from pixelwise.training.objective import Loss, logits_of
from pixelwise.training.ranks import Ranks

Metric = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> scalar


def validate(
    predictor: Predictor,
    samples: Sequence[Sample],
    loss: Loss,
    metrics: Mapping[str, Metric] | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> tuple[Scores, dict[str, float]]:
    """Return the scores over samples, and the means of `loss` and of each metric over images.

    Pixelwise's own losses are added up block by block, so that large images take no more memory
    than their blocks; other losses, and metrics, get the logits of a whole image at once.

    Each rank predicts some of the samples; all get what one process would have got.
    """
    config = predictor.model.config
    measures = {"loss": loss, **(metrics or {})}
    sums: dict[str, ImageMeasure] = {}
    rows: list[dict[str, float]] = []

    def add(sample: Sample, window: tuple[slice, ...], probabilities: NDArray[np.float32]) -> None:
        if not sums:
            sums.update({name: measure_image(measure) for name, measure in measures.items()})
        logits = logits_of(torch.from_numpy(probabilities)[None], config.task)
        assert sample.mask is not None
        place: tuple[Any, ...] = (Ellipsis, *window)
        target = torch.from_numpy(np.array(sample.mask[place], np.uint8))[None]  # maybe read-only
        for measure in sums.values():
            measure.add(window, logits, target)

    own = (samples[index] for index in range(ranks.rank, len(samples), ranks.number))
    found = []
    for named_counts in count_samples(predictor, own, add):
        found.append(named_counts)
        rows.append({name: measure.value() for name, measure in sums.items()})
        sums.clear()
    found, rows = ranks.gather(found), ranks.gather(rows)
    means = {name: sum(row[name] for row in rows) / len(samples) for name in measures}
    return summarize_samples(found, config), means
