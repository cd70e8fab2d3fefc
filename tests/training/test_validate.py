"""Validation: scores of evaluation, and means of losses over images."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.data import Sample
from pixelwise.inference import Predictor, evaluate_samples
from pixelwise.metrics import count_pixels
from pixelwise.network import Model, ModelConfig, UNetConfig, losses
from pixelwise.task import Task
from pixelwise.training import loss_for
from pixelwise.training.objective import logits_of
from pixelwise.training.validate import validate

BINARY, MULTICLASS, MULTILABEL = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL


@pytest.fixture
def predictor(make_model):
    return Predictor(make_model(), device="cpu")


def test_scores_are_those_of_evaluation(predictor, make_squares):
    samples = make_squares(3)
    scores, _ = validate(predictor, samples, loss_for("dice", BINARY))
    assert scores == evaluate_samples(predictor, samples)


def test_the_loss_is_the_mean_over_images_of_any_size(predictor, make_squares):
    samples = make_squares(2, (24, 24)) + make_squares(1, (30, 17))
    loss = loss_for("cross_entropy", BINARY)
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
    _, means = validate(predictor, samples, loss_for("dice", BINARY), {"share": share_of_squares})
    expected = np.mean([sample.mask.mean() for sample in samples])
    assert means["share"] == pytest.approx(expected)
    assert set(means) == {"loss", "share"}


def test_the_network_is_not_trained(predictor, make_squares):
    weights = {name: t.clone() for name, t in predictor.model.network.state_dict().items()}
    validate(predictor, make_squares(2), loss_for("dice", BINARY))
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
    loss = loss_for("cross_entropy_dice", BINARY)
    assert validate(predictor, maps, loss) == validate(predictor, samples[:1], loss)


@pytest.mark.parametrize("name", ["cross_entropy", "dice", "cross_entropy_dice", "focal"])
def test_classes_that_overlap(name, make_samples_of_two_classes):
    """Masks of a layer a class: a perfect prediction has a small loss and Dice 1 for both."""
    predictor, samples = make_samples_of_two_classes()
    scores, means = validate(predictor, samples, loss_for(name, MULTILABEL))
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
            task=MULTILABEL,
            class_names=("a", "b"),
            class_colors=("#ff0000", "#00ff00"),
        )
        image = np.where(mask, 20, -20).astype(np.float32)
        model = Model(config, Pixelwise())
        return Predictor(model, device="cpu"), [Sample("one", image, mask, None)]

    return make


class Pixelwise(nn.Module):
    """Hands images on as logits: no pixel sees its neighbours."""

    def forward(self, image):
        return image


TASKS = {BINARY: 1, MULTICLASS: 4, MULTILABEL: 3}


def in_tiles(task, tile_size=16, size=(50, 70)):
    """A predictor that works in tiles, and samples with ignored pixels."""
    number = TASKS[task]
    names = tuple("abcd"[: max(2, number)]) if task != MULTILABEL else tuple("abc")
    config = ModelConfig(
        network=UNetConfig(in_channels=number, out_channels=number, widths=(4, 8)),
        task=task,
        class_names=names,
        class_colors=("#000000",) * len(names),
    )
    random = np.random.default_rng(0)
    shape = (number, *size) if task == MULTILABEL else size
    masks = random.integers(0, 2 if task != MULTICLASS else 3, (2, *shape)).astype(np.uint8)
    masks[:, ..., 3:9, 5:40] = 255
    images = random.normal(size=(2, number, *size)).astype(np.float32)
    samples = [Sample(str(i), images[i], masks[i], None) for i in range(2)]
    return Predictor(Model(config, Pixelwise()), device="cpu", tile_size=tile_size), samples


LOSSES = ["cross_entropy", "dice", "cross_entropy_dice", "focal", "tversky"]


class TestLargeImages:
    @pytest.mark.parametrize("task", TASKS)
    @pytest.mark.parametrize("name", LOSSES)
    def test_the_loss_of_blocks_is_that_of_the_image(self, task, name):
        predictor, samples = in_tiles(task)
        loss = loss_for(name, task)
        _, means = validate(predictor, samples, loss)
        whole = [
            float(
                loss(
                    logits_of(torch.from_numpy(predictor.probabilities(one.image))[None], task),
                    torch.from_numpy(one.mask)[None],
                )
            )
            for one in samples
        ]
        assert means["loss"] == pytest.approx(np.mean(whole), rel=2e-6)

    def test_weights_of_classes_too(self):
        predictor, samples = in_tiles(MULTICLASS)
        loss = loss_for("cross_entropy_dice", MULTICLASS, class_weights=(1.0, 5.0, 0.2, 3.0))
        large, samples_again = in_tiles(MULTICLASS, tile_size=None)
        one, other = validate(predictor, samples, loss), validate(large, samples_again, loss)
        assert one[1] == pytest.approx(other[1], rel=2e-6)
        assert one[0] == other[0]

    @pytest.mark.parametrize("task", TASKS)
    def test_scores_are_those_of_the_masks_that_users_get(self, task):
        predictor, samples = in_tiles(task)
        scores, _ = validate(predictor, samples, loss_for("dice", task))
        counts = [
            count_pixels(predictor.segment(one.image), one.mask, len(scores.classes))
            for one in samples
        ]
        np.testing.assert_array_equal(scores.counts, counts)

    def test_no_more_than_a_tile_is_measured_at_once(self):
        predictor, samples = in_tiles(MULTICLASS)
        seen = []

        def watched(logits, target, **options):
            seen.append(logits.shape)
            return loss_for("dice", MULTICLASS)(logits, target, **options)

        watched.__module__ = losses.__name__
        validate(predictor, samples, watched)
        assert max(shape.numel() for shape in seen) <= 4 * 16 * 16

    def test_a_loss_that_is_not_ours_gets_the_whole_image(self):
        predictor, samples = in_tiles(BINARY)
        seen = []

        def own_loss(logits, target):
            seen.append((logits.clone(), target.clone()))
            return logits.mean()

        _, means = validate(predictor, samples, own_loss, {"dice": partial(own_loss)})
        assert [tuple(logits.shape) for logits, _ in seen] == [(1, 1, 50, 70)] * 4
        for (logits, target), one in zip(seen[::2], samples, strict=True):
            expected = logits_of(torch.from_numpy(predictor.probabilities(one.image))[None], BINARY)
            assert torch.equal(logits, expected)
            assert torch.equal(target[0], torch.from_numpy(one.mask))
        assert means["loss"] == means["dice"]

    def test_a_loss_image_by_image_is_not_added_up(self):
        """Its mean over images is no sum over pixels."""
        predictor, samples = in_tiles(BINARY)
        each = partial(losses.dice_loss, batch=False)
        together = partial(losses.dice_loss, batch=True)
        found = [validate(predictor, samples, loss)[1]["loss"] for loss in (each, together)]
        assert found[0] == pytest.approx(found[1], rel=2e-6)  # of one image they are the same
