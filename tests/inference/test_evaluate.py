"""A predictor against samples: every sample in its own size, scored by hand."""

import numpy as np
import pytest
from torch import nn

from pixelwise.data import Sample
from pixelwise.inference import Predictor, evaluate_samples
from pixelwise.inference.evaluate import count_samples
from pixelwise.metrics import count_pixels
from pixelwise.network import Model, ModelConfig, UNetConfig
from pixelwise.task import IGNORE_INDEX, Task

BINARY, MULTICLASS, MULTILABEL = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL


class Pixelwise(nn.Module):
    """The image is the logits."""

    def forward(self, image):
        return image


def predictor_for(task=BINARY, names=("background", "cell"), **changes):
    num_logits = 1 if task == BINARY else len(names)
    network = UNetConfig(in_channels=num_logits, out_channels=num_logits, widths=(4, 8))
    config = ModelConfig(
        network=network,
        task=task,
        class_names=names,
        class_colors=("#000000",) * len(names),
        **changes,
    )
    return Predictor(Model(config, Pixelwise()), device="cpu")


def sample(name, logits, mask):
    return Sample(name, np.array(logits, np.float32), np.array(mask), None)


# mask 1 1 0 0 against target 1 0 1 0: Dice 1/2; and one that is right
HALF = sample("half", [[[9, 9, -9, -9]]], np.array([[1, 0, 1, 0]], np.uint8))
RIGHT = sample("right", [[[9], [-9]]], np.array([[1], [0]], np.uint8))


class TestBinary:
    def test_samples_of_different_sizes_are_scored_one_by_one(self):
        scores = evaluate_samples(predictor_for(), [HALF, RIGHT])
        assert scores.num_images == 2
        assert scores.names == ("half", "right")
        assert scores.image_dice.tolist() == [0.5, 1]
        assert scores.mean_dice == 0.75
        # all pixels: tp = 2, fp = 1, fn = 1
        assert scores.pooled["dice"] == pytest.approx(4 / 6)

    def test_background_is_left_out_whatever_its_name(self):
        scores = evaluate_samples(predictor_for(names=("plate", "scratch")), [HALF, RIGHT])
        assert scores.mean_dice == 0.75

    def test_ignored_pixels_do_not_count(self):
        mask = np.array([[1, IGNORE_INDEX, IGNORE_INDEX, 0]], np.uint8)
        scores = evaluate_samples(predictor_for(), [sample("a", HALF.image, mask)])
        assert scores.mean_dice == 1

    def test_the_masks_that_count_are_cleaned_as_predictions_are(self):
        """1 of 12 pixels is a speck; the other 4 are right."""
        found = np.full((3, 4), -9.0)
        found[0, 0], found[:2, 2:] = 9, 9
        target = np.zeros((3, 4), np.uint8)
        target[:2, 2:] = 1
        one, seen = sample("a", found[None], target), []
        rough = evaluate_samples(predictor_for(), [one])
        assert rough.mean_dice == pytest.approx(8 / 9)
        (clean,) = count_samples(predictor_for(min_area=2), [one], lambda *band: seen.append(band))
        assert clean.counts.tolist() == [[8, 0, 0], [4, 0, 0]]
        assert [window for _, window, *_ in seen] == [(slice(0, 3), slice(0, 4))]


class TestOtherTasks:
    LOGITS = ([[9, 0, 0]], [[0, 9, 9]], [[0, 0, 8]])  # mask 0 1 1

    def test_multiclass_without_background_counts_every_class(self):
        target = np.array([[0, 1, 2]], np.uint8)
        scores = evaluate_samples(
            predictor_for(MULTICLASS, ("sky", "road", "car")),
            [sample("a", self.LOGITS, target)],
        )
        dice = [scores.classes[name].dice.mean for name in ("sky", "road", "car")]
        assert dice == [1, pytest.approx(2 / 3), 0]
        assert scores.mean_dice == pytest.approx((1 + 2 / 3 + 0) / 3)

    def test_which_class_was_taken_for_which(self):
        """Target 0 1 2, mask 0 1 1, twice."""
        target = np.array([[0, 1, 2]], np.uint8)
        samples = [sample(name, self.LOGITS, target) for name in "ab"]
        scores = evaluate_samples(predictor_for(MULTICLASS, ("sky", "road", "car")), samples)
        assert scores.confusion.tolist() == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 2, 0, 0]]

    def test_of_one_class_and_of_classes_that_overlap_there_is_no_confusion(self):
        assert evaluate_samples(predictor_for(), [HALF]).confusion.size == 0
        found = evaluate_samples(
            predictor_for(MULTILABEL, ("a", "b", "c")),
            [sample("a", self.LOGITS, np.zeros((3, 1, 3), bool))],
        )
        assert found.confusion.size == 0

    def test_multiclass_with_background_leaves_it_out(self):
        target = np.array([[0, 1, 2]], np.uint8)
        scores = evaluate_samples(
            predictor_for(MULTICLASS, ("background", "road", "car")),
            [sample("a", self.LOGITS, target)],
        )
        assert scores.mean_dice == pytest.approx((2 / 3 + 0) / 2)

    @pytest.mark.parametrize("dtype", [bool, np.uint8])
    def test_multilabel_classes_may_overlap(self, dtype):
        logits = [[[9, 9]], [[9, -9]]]
        target = np.array([[[1, 1]], [[1, 1]]], dtype)
        scores = evaluate_samples(
            predictor_for(MULTILABEL, ("red", "round")), [sample("a", logits, target)]
        )
        assert scores.classes["red"].dice.mean == 1
        assert scores.classes["round"].dice.mean == pytest.approx(2 / 3)


class TestListeners:
    def test_each_band_is_handed_on(self):
        seen = []
        predictor = predictor_for()
        list(count_samples(predictor, [HALF, RIGHT], lambda *band: seen.append(band)))
        assert [one.name for one, *_ in seen] == ["half", "right"]
        assert [values.shape for _, _, values, _ in seen] == [(1, 1, 4), (1, 2, 1)]
        assert [mask.shape for *_, mask in seen] == [(1, 4), (2, 1)]
        assert seen[0][1] == (slice(0, 1), slice(0, 4))
        assert (seen[0][2] > 0.5).tolist() == [[[True, True, False, False]]]
        assert seen[0][3].tolist() == [[1, 1, 0, 0]]

    def test_scores_of_an_image_in_bands_are_those_of_its_mask(self):
        random = np.random.default_rng(0)
        logits, target = random.normal(size=(3, 40, 50)), random.integers(0, 3, (40, 50))
        target[5:9] = 255
        one = sample("a", logits, target.astype(np.uint8))
        predictor = predictor_for(MULTICLASS, ("sky", "road", "car"))
        predictor.tile_size = 16
        (found,) = count_samples(predictor, [one])
        mask, confusion = predictor.segment(one.image), np.zeros((3, 4), np.int64)
        expected = count_pixels(mask, one.mask, 3, confusion=confusion)
        np.testing.assert_array_equal(found.counts, expected)
        np.testing.assert_array_equal(found.confusion, confusion)

    def test_progress_counts_up(self):
        seen = []
        evaluate_samples(predictor_for(), [HALF, RIGHT], progress=lambda *args: seen.append(args))
        assert seen == [(1, 2), (2, 2)]


def test_no_samples_have_no_score_and_a_reason():
    scores = evaluate_samples(predictor_for(), [])
    assert scores.num_images == 0
    assert np.isnan(scores.mean_dice)
    assert "in no mask" in scores.classes["cell"].reason
