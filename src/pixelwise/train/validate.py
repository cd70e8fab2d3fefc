"""Validation: scores and loss over whole images, by the predictor that users get."""

from collections.abc import Sequence

import torch

from pixelwise.data import Sample
from pixelwise.evaluate import Scores, evaluate_samples
from pixelwise.predict import Predictor
from pixelwise.train.objective import Loss, logits_of


def validate(predictor: Predictor, samples: Sequence[Sample], loss: Loss) -> tuple[Scores, float]:
    """Return the scores over samples and their mean loss."""
    losses: list[float] = []

    def add_loss(sample: Sample, probabilities: object) -> None:
        logits = logits_of(torch.as_tensor(probabilities)[None], predictor.model.config.task)
        losses.append(float(loss(logits, torch.as_tensor(sample.mask)[None])))

    scores = evaluate_samples(predictor, samples, on_prediction=add_loss)
    return scores, sum(losses) / max(1, len(losses))
