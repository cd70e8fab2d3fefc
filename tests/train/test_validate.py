"""Validation: scores of evaluation, and means of losses over images."""

import numpy as np
import pytest
import torch

from pixelwise.evaluate import evaluate_samples
from pixelwise.predict import Predictor
from pixelwise.train import loss_for
from pixelwise.train.validate import validate


@pytest.fixture
def predictor(make_model):
    return Predictor(make_model(), device="cpu")


def test_scores_are_those_of_evaluation(predictor, make_squares):
    samples = make_squares(3)
    scores, _ = validate(predictor, samples, loss_for("dice", "binary"))
    assert scores == evaluate_samples(predictor, samples)


def test_the_loss_is_the_mean_over_images_of_any_size(predictor, make_squares):
    samples = make_squares(2, (24, 24)) + make_squares(1, (30, 17))
    loss = loss_for("cross_entropy", "binary")
    _, means = validate(predictor, samples, loss)
    each = []
    for sample in samples:
        probability = predictor.probabilities(sample.image)[0].astype(float)
        right = np.where(sample.mask == 1, probability, 1 - probability)
        each.append(-np.log(right).mean())
    assert means == {"loss": pytest.approx(np.mean(each), rel=1e-4)}


def test_metrics_are_measured_beside(predictor, make_squares):
    def share_of_squares(logits, target):
        assert logits.shape == (1, 1, 24, 24)
        return target.float().mean()

    samples = make_squares(4)
    _, means = validate(predictor, samples, loss_for("dice", "binary"), {"share": share_of_squares})
    expected = np.mean([sample.mask.mean() for sample in samples])
    assert means["share"] == pytest.approx(expected)
    assert set(means) == {"loss", "share"}


def test_the_network_is_not_trained(predictor, make_squares):
    weights = {name: t.clone() for name, t in predictor.model.network.state_dict().items()}
    validate(predictor, make_squares(2), loss_for("dice", "binary"))
    after = predictor.model.network.state_dict()
    assert all(torch.equal(after[name], weights[name]) for name in weights)
