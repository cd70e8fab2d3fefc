"""Validation: scores of evaluation, and means of losses over images."""

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.data import Sample
from pixelwise.evaluate import evaluate_samples
from pixelwise.network import Model, ModelConfig, UNetConfig
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


def test_samples_that_are_read_only_maps_of_files(predictor, make_squares, tmp_path):
    """The same scores and losses, without a warning and without a change."""

    def mapped(name, array):
        np.save(tmp_path / name, array)
        return np.load(tmp_path / name, mmap_mode="r")

    samples = make_squares(2)
    maps = [
        Sample(one.name, mapped(f"i{one.name}.npy", one.image), mapped("m.npy", one.mask), None)
        for one in samples[:1]
    ]
    loss = loss_for("cross_entropy_dice", "binary")
    assert validate(predictor, maps, loss) == validate(predictor, samples[:1], loss)


@pytest.mark.parametrize("name", ["cross_entropy", "dice", "cross_entropy_dice", "focal"])
def test_classes_that_overlap(name, make_samples_of_two_classes):
    """Masks of a layer a class: a perfect prediction has a small loss and Dice 1 for both."""
    predictor, samples = make_samples_of_two_classes()
    scores, means = validate(predictor, samples, loss_for(name, "multilabel"))
    assert {one: s.dice.mean for one, s in scores.classes.items()} == {"a": 1, "b": 1}
    assert 0 <= means["loss"] < 1e-3


@pytest.fixture
def make_samples_of_two_classes():
    """Images that are the logits of two squares that overlap, and a network that hands them on."""

    class Pixelwise(nn.Module):
        def forward(self, image):
            return image

    def make():
        mask = np.zeros((2, 16, 16), bool)
        mask[0, 2:10, 2:10] = mask[1, 6:14, 6:14] = True
        config = ModelConfig(
            network=UNetConfig(in_channels=2, out_channels=2, widths=(4, 8)),
            task="multilabel",
            class_names=("a", "b"),
            class_colors=("#ff0000", "#00ff00"),
        )
        image = np.where(mask, 20, -20).astype(np.float32)
        model = Model(config, Pixelwise())
        return Predictor(model, device="cpu"), [Sample("one", image, mask, None)]

    return make
