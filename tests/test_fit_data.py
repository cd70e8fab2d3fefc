"""What `fit` takes beside arrays: generators, weights of images, pairs that bring weights."""

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise.network import cross_entropy_loss
from pixelwise.training.objective import weighed_by_image

rng = np.random.default_rng(0)
X = rng.random((6, 8, 8, 1), np.float32)
Y = (X[..., 0] > 0.5).astype(np.uint8)


@pytest.fixture
def model():
    return pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")


def batches(size=2, log=None):
    """Without end, in order."""
    while True:
        for start in range(0, len(X), size):
            if log is not None:
                log.append(start)
            yield X[start : start + size], Y[start : start + size]


class TestGenerators:
    def test_batches_are_taken_in_their_order(self, model):
        losses = model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]
        again = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        assert (
            again.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"] == losses
        )
        assert len(losses) == 2

    def test_they_are_asked_while_training_goes_on(self, model):
        log = []
        model.fit(batches(log=log), steps_per_epoch=3, epochs=2, verbose=0)
        assert 6 <= len(log) <= 10  # some are prepared ahead

    def test_one_batch_of_all_images_is_what_arrays_give(self, model):
        found = model.fit(batches(6), steps_per_epoch=1, epochs=3, verbose=0).history["loss"]
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        expected = other.fit(X, Y, epochs=3, batch_size=6, verbose=0).history["loss"]
        assert found == pytest.approx(expected, rel=1e-4)

    def test_batches_may_have_any_number_of_images(self, model):
        items = [(X[:1], Y[:1]), (X[:4], Y[:4]), (X[0], Y[0])]
        history = model.fit(iter(items), steps_per_epoch=3, verbose=0)
        assert len(history.epoch) == 1

    def test_validation_data_may_be_one_too(self, model):
        history = model.fit(
            X, Y, validation_data=batches(), validation_steps=3, verbose=0, batch_size=6
        ).history
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        same = other.fit(X, Y, validation_data=(X, Y), verbose=0, batch_size=6).history
        assert history == {name: pytest.approx(values, rel=1e-5) for name, values in same.items()}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({}, r"x has no length.*steps_per_epoch=100"),
            ({"steps_per_epoch": 2, "validation_split": 0.5}, "a generator has none"),
            ({"steps_per_epoch": 2, "validation_data": batches()}, "validation_steps"),
            ({"steps_per_epoch": 0}, "steps_per_epoch=0 must be"),
        ],
    )
    def test_what_is_missing_is_said(self, model, options, words):
        with pytest.raises(pw.PlanError, match=words):
            model.fit(batches(), verbose=0, **options)

    def test_one_that_ends_too_soon(self, model):
        with pytest.raises(pw.ArrayError, match="ended after 2 batches, and 6 are needed"):
            model.fit(iter([(X[:2], Y[:2])] * 2), steps_per_epoch=3, epochs=2, verbose=0)

    def test_an_empty_one(self, model):
        with pytest.raises(pw.ArrayError, match="no images"):
            model.fit(iter([]), steps_per_epoch=3, verbose=0)

    def test_a_batch_that_does_not_fit(self, model):
        items = iter([(X[:2], Y[:2]), (X[:2, :, :, [0, 0]], Y[:2])])
        with pytest.raises(pw.ArrayError, match="x has shape"):
            model.fit(items, steps_per_epoch=2, verbose=0)


class TestSampleWeight:
    def test_the_loss_of_each_image_counts_by_its_weight(self):
        logits = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
        target = torch.randint(2, (3, 4, 4), generator=torch.Generator().manual_seed(1))
        weights = torch.tensor([1.0, 0.0, 3.0])
        found = weighed_by_image(cross_entropy_loss, weights)(logits, target.to(torch.uint8))
        each = torch.nn.functional.cross_entropy(logits, target, reduction="none").mean((1, 2))
        assert found.item() == pytest.approx(((each[0] + 3 * each[2]) / 3).item(), rel=1e-6)

    def test_weights_of_one_change_nothing(self, model):
        first = model.fit(X, Y, epochs=2, batch_size=3, verbose=0).history["loss"]
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        found = other.fit(X, Y, epochs=2, batch_size=3, verbose=0, sample_weight=np.ones(6))
        assert found.history["loss"] == pytest.approx(first, rel=1e-4)

    def test_an_image_of_weight_0_teaches_nothing(self):
        """Its mask may be any."""
        found = []
        for last in (Y[5], 1 - Y[5]):
            model = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
            y = np.concatenate([Y[:5], last[np.newaxis]])
            weights = [1, 1, 1, 1, 1, 0]
            model.fit(X, y, epochs=2, batch_size=3, verbose=0, sample_weight=weights)
            found.append(model.predict(X))
        np.testing.assert_allclose(*found, atol=1e-5)

    def test_they_follow_their_images_through_a_validation_split(self, model):
        weights = np.array([1, 2, 3, 4, 9, 9])
        found = model.fit(
            X, Y, batch_size=4, validation_split=0.3, verbose=0, sample_weight=weights
        ).history["loss"]
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        same = other.fit(X[:4], Y[:4], batch_size=4, verbose=0, sample_weight=weights[:4])
        assert found == pytest.approx(same.history["loss"], rel=1e-5)

    def test_pairs_bring_them_as_a_third(self, model):
        items = [(x, y, w) for x, y, w in zip(X, Y, range(1, 7), strict=True)]
        found = model.fit(items, batch_size=3, verbose=0).history["loss"]
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        same = other.fit(X, Y, batch_size=3, verbose=0, sample_weight=np.arange(1, 7))
        assert found == pytest.approx(same.history["loss"], rel=1e-5)

    def test_generators_too(self, model):
        items = iter([(X, Y, np.arange(1, 7))] * 2)
        found = model.fit(items, steps_per_epoch=1, verbose=0).history["loss"]
        other = pw.unet((8, 8, 1), widths=(4, 8), seed=0, device="cpu")
        same = other.fit(X, Y, batch_size=6, verbose=0, sample_weight=np.arange(1, 7))
        assert found == pytest.approx(same.history["loss"], rel=1e-4)

    @pytest.mark.parametrize(
        ("weights", "words"),
        [
            (np.ones(5), "6 images arrived"),
            (np.ones((6, 8, 8)), "one weight for each image"),
            ([-1, 1, 1, 1, 1, 1], "0 and more"),
            ([0] * 6, "not all 0"),
            ([np.nan] * 6, "0 and more"),
        ],
    )
    def test_what_is_no_weight(self, model, weights, words):
        with pytest.raises(pw.ArrayError, match=words):
            model.fit(X, Y, verbose=0, sample_weight=weights)

    def test_some_pairs_with_and_some_without(self, model):
        with pytest.raises(pw.ArrayError, match="Some pairs of x have a weight"):
            model.fit([(X[0], Y[0], 1), (X[1], Y[1])], verbose=0)

    def test_pairs_and_an_array_of_weights(self, model):
        with pytest.raises(pw.ArrayError, match="goes with arrays"):
            model.fit([(X[0], Y[0])], verbose=0, sample_weight=[1])

    def test_a_fourth_is_refused(self, model):
        with pytest.raises(pw.ArrayError, match="tuple of 4"):
            model.fit([(X[0], Y[0], 1, 2)], verbose=0)
