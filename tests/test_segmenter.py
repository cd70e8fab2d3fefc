"""The Segmenter as Keras users meet it: compile, fit, evaluate, predict, segment, save.

Pictures are 16 x 16, with a bright square on a dark ground; networks have a few channels.
"""

import copy
import pickle
import re
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise import (
    ArrayError,
    ModelFileError,
    PixelwiseWarning,
    PlanError,
    TrainingError,
    threads,
)
from pixelwise.device import has_bfloat16
from pixelwise.inference import TorchRuntime
from pixelwise.segmenter import Segmenter

SMALL = {"widths": (4, 8), "seed": 0}


def squares(count=6, size=(16, 16), seed=0):
    """Images (N, H, W, 1) float32 with a square of 1 on 0 and a little noise, and masks."""
    random = np.random.default_rng(seed)
    masks = np.zeros((count, *size, 1), np.uint8)
    for mask in masks:
        row, column = random.integers(0, size[0] - 8), random.integers(0, size[1] - 8)
        mask[row : row + 8, column : column + 8] = 1
    return (masks + random.normal(0, 0.1, masks.shape)).astype(np.float32), masks


def tiny(**options) -> Segmenter:
    return pw.unet((16, 16, 1), **(SMALL | options))


def weights(model: Segmenter) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in model.model.network.state_dict().values()])


X, Y = squares()


# --- the network ------------------------------------------------------------------------------


def test_the_tutorial_network_has_117985_parameters():
    model = pw.unet(input_shape=(128, 128, 1))
    assert model.count_params() == 117_985
    assert model.model.config.network.widths == (16, 32, 64)
    assert "117,985" in repr(model)


def test_summary_shows_every_skip(capsys):
    tiny(widths=(4, 8, 16)).summary()
    assert capsys.readouterr().out.count("skip") >= 2


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((128, 128), ["(height, width, channels)", "(128, 128)"]),
        (128, ["(height, width, channels)", "128"]),
        ((128, 128, None), ["(128, 128, None)"]),
        ((128, 128, 0), ["in_channels"]),
    ],
)
def test_an_input_shape_that_is_none_says_what_it_should_be(shape, words):
    with pytest.raises(PlanError) as info:
        pw.unet(input_shape=shape)
    for word in words:
        assert word in str(info.value)


@pytest.mark.parametrize(
    "setting", [{"normalization": "layer"}, {"upsampling": "cubic"}, {"num_classes": 0}]
)
def test_settings_that_cannot_be_used_are_refused(setting):
    with pytest.raises(PlanError):
        tiny(**setting)


def test_sizes_may_be_open_and_only_channels_matter():
    assert pw.unet((None, None, 3), **SMALL).model.config.network.in_channels == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ("background", "foreground")),
        ({"class_names": ["cell"]}, ("background", "cell")),
        ({"class_names": ["dark", "bright"]}, ("dark", "bright")),
        ({"num_classes": 3}, ("background", "class 1", "class 2")),
        ({"num_classes": 2, "multilabel": True}, ("class 0", "class 1")),
    ],
)
def test_class_names(options, names):
    assert tiny(**options).model.config.class_names == names


@pytest.mark.parametrize("task", [{}, {"num_classes": 4}, {"num_classes": 4, "multilabel": True}])
def test_another_number_of_class_names_is_refused(task):
    with pytest.raises(PlanError, match=r"class_names=\['a', 'b', 'c'\] are 3, but .* classes"):
        tiny(class_names=["a", "b", "c"], **task)


# --- compile ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "Adam", "adamw", "AdamW", "sgd", "SGD", "rmsprop"])
def test_optimizers_by_name_train(name):
    model = tiny()
    before = weights(model)
    model.compile(name)
    model.fit(X, Y, verbose=0)
    assert not torch.equal(weights(model), before)


@pytest.mark.parametrize(
    ("task", "losses"),
    [
        (
            {},
            "binary_crossentropy BinaryCrossentropy bce dice dice_loss Dice bce_dice_loss bce_dice "
            "focal_loss binary_focal_crossentropy tversky_loss Tversky",
        ),
        (
            {"num_classes": 2},
            "sparse_categorical_crossentropy SparseCategoricalCrossentropy dice_loss "
            "crossentropy_dice_loss focal",
        ),
    ],
)
def test_losses_by_name_train(task, losses):
    for loss in losses.split():
        model = tiny(**task)
        model.compile("adam", loss)
        assert np.isfinite(model.fit(X[:2], Y[:2], verbose=0).history["loss"]).all(), loss


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"optimizer": "adan"}, ["'adan' is not a known optimizer", "adam, adamw, sgd"]),
        ({"loss": "mse"}, ["'mse' is not a known loss", "binary_crossentropy", "dice_loss"]),
        ({"metrics": ["auc"]}, ["'auc' is not a known metric", "accuracy", "dice", "iou"]),
        ({"optimizer": 0.1}, ["0.1 is no optimizer", "'adam'"]),
        ({"metrics": [3]}, ["3 is no metric", "'accuracy'"]),
    ],
)
def test_unknown_names_are_told_the_known_ones(arguments, words):
    with pytest.raises(PlanError) as info:
        tiny().compile(**arguments)
    for word in words:
        assert word in str(info.value)


def test_a_softmax_loss_with_one_class_is_refused():
    for loss in ("categorical_crossentropy", "SparseCategoricalCrossentropy"):
        with pytest.raises(PlanError) as info:
            tiny().compile("adam", loss)
        for word in ("one class", 'loss="binary_crossentropy"', "num_classes=2"):
            assert word in str(info.value)


def test_a_binary_loss_with_a_softmax_is_refused():
    with pytest.raises(PlanError, match="sparse_categorical_crossentropy"):
        tiny(num_classes=3).compile("adam", "binary_crossentropy")


def test_a_softmax_loss_for_overlapping_classes_is_refused():
    with pytest.raises(PlanError, match="may overlap"):
        tiny(num_classes=2, multilabel=True).compile("adam", "categorical_crossentropy")


def test_a_torch_optimizer_and_a_function_that_makes_one_give_the_same():
    by_object, by_function, by_class = tiny(), tiny(), tiny()
    by_object.compile(torch.optim.Adam(by_object.model.network.parameters(), lr=1e-2))
    by_function.compile(partial(torch.optim.Adam, lr=1e-2))
    by_class.compile(torch.optim.Adam)  # with torch's own learning rate, 1e-3
    for model in (by_object, by_function, by_class):
        model.fit(X, Y, epochs=2, verbose=0)
    assert torch.equal(weights(by_object), weights(by_function))
    assert not torch.equal(weights(by_object), weights(by_class))


def test_an_optimizer_of_another_network_is_refused():
    other = tiny()
    with pytest.raises(PlanError, match="another network"):
        tiny().compile(torch.optim.Adam(other.model.network.parameters()))
    model = tiny()
    model.compile(lambda parameters: torch.optim.Adam(other.model.network.parameters()))
    with pytest.raises(PlanError, match="another network"):
        model.fit(X, Y)


def test_a_learning_rate_of_0_is_refused():
    model = tiny()
    with pytest.raises(PlanError, match="learning rate is 0"):
        model.compile(torch.optim.Adam(model.model.network.parameters(), lr=0.0))


def test_metrics_may_be_one_name_or_none():
    model = tiny()
    model.compile(metrics="accuracy")
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "accuracy"]
    model.compile(metrics=None)
    assert list(model.fit(X, Y, verbose=0).history) == ["loss"]


def test_without_compile_the_loss_is_the_cross_entropy_of_the_task():
    for task in ({}, {"num_classes": 2}, {"num_classes": 1, "multilabel": True}):
        assert list(tiny(**task).fit(X, Y, verbose=0).history) == ["loss"]


# --- fit: what Keras users expect -------------------------------------------------------------


def test_history_has_the_keys_of_keras_and_a_value_an_epoch():
    model = tiny()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", "iou"])
    history = model.fit(X[:4], Y[:4], epochs=3, batch_size=2, validation_data=(X[4:], Y[4:]))
    names = ["loss", "accuracy", "iou", "val_loss", "val_accuracy", "val_iou"]
    assert list(history.history) == names
    assert all(len(values) == 3 for values in history.history.values())
    assert history.epoch == [0, 1, 2]


def test_a_line_an_epoch_is_printed_unless_quiet(capsys):
    model = tiny()
    model.compile(metrics=["accuracy"])
    model.fit(X, Y, epochs=2, batch_size=4)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Epoch 1/2  2/2  ")
    assert second.startswith("Epoch 2/2  2/2  ")
    assert "loss: " in first and "accuracy: " in first
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0, return_dict=True)
    assert capsys.readouterr().out == ""


def test_validation_split_takes_the_end():
    X_odd = X.copy()
    given, split = tiny(), tiny()
    by_hand = given.fit(X[:4], Y[:4], validation_data=(X_odd[4:], Y[4:]), verbose=0)
    by_share = split.fit(X, Y, validation_split=0.33, verbose=0)  # int(6 * 0.67) = 4
    assert by_share.history == by_hand.history
    assert torch.equal(weights(given), weights(split))


def test_given_validation_data_win_over_a_split():
    both = tiny().fit(X, Y, validation_data=(X[:1], Y[:1]), validation_split=0.5, verbose=0)
    alone = tiny().fit(X, Y, validation_data=(X[:1], Y[:1]), verbose=0)
    assert both.history == alone.history


@pytest.mark.parametrize(
    ("share", "error", "words"),
    [
        (1.0, PlanError, "between 0 and 1"),
        (-0.1, PlanError, "between 0 and 1"),
        (0.99, ArrayError, "leaves 0 for training"),
    ],
)
def test_shares_that_leave_nothing_are_refused(share, error, words):
    with pytest.raises(error, match=words):
        tiny().fit(X, Y, validation_split=share)


def test_validation_split_counts_masks_before_it_splits():
    with pytest.raises(ArrayError, match="6 images but y has 5 masks"):
        tiny().fit(X, Y[:5], validation_split=0.5)


def test_validation_data_of_three_arrays_are_refused():
    with pytest.raises(ArrayError, match=r"\(x_val, y_val\)"):
        tiny().fit(X, Y, validation_data=(X, Y, np.ones(6)))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}])
def test_no_epochs_and_no_batches_are_refused(options):
    with pytest.raises(PlanError, match="must be a whole number"):
        tiny().fit(X, Y, **options)


def test_fit_refuses_the_mistakes_of_arrays():
    for x, y, words in [
        (X[..., 0], Y, "channel axis is missing"),
        (X, Y * 255, "0 and 255"),
        (X, Y[:, :8], "pixel for pixel"),
        (X[:0], Y[:0], "x has no images"),
        ([X[0], X[0, :8]], Y[:2], "different sizes"),
        (X, [Y[0], Y[0, :8]], "different sizes"),
        (np.where(X > 0.5, np.nan, X), Y, "NaN"),
    ]:
        with pytest.raises(ArrayError, match=words):
            tiny().fit(x, y)


def test_the_loss_of_an_epoch_is_the_mean_over_its_images():
    """With a learning rate of almost 0 nothing changes; 6 images come as batches of 4 and 2."""
    model = tiny()
    probabilities = model.predict(X).astype(float)
    by_hand = -np.mean(np.where(Y == 1, np.log(probabilities), np.log(1 - probabilities)))
    accuracy = np.mean((probabilities > 0.5) == Y)
    model.compile(partial(torch.optim.SGD, lr=1e-12), metrics=["accuracy"], precision="float32")
    history = model.fit(X, Y, batch_size=4, validation_data=(X, Y), verbose=0).history
    assert history["loss"] == pytest.approx([by_hand], abs=1e-5)
    assert history["val_loss"] == pytest.approx([by_hand], abs=1e-5)
    assert history["accuracy"] == history["val_accuracy"] == pytest.approx([accuracy], abs=1e-6)


def test_fit_ends_with_the_last_weights_as_keras_does():
    model = tiny()
    x_val, y_val = squares(2, seed=9)
    history = model.fit(X, Y, epochs=3, validation_data=(x_val, 1 - y_val), verbose=0).history
    assert history["val_loss"][-1] > min(history["val_loss"])  # the last is not the best
    assert model.evaluate(x_val, 1 - y_val, verbose=0, return_dict=True)["loss"] == pytest.approx(
        history["val_loss"][-1], abs=1e-6
    )


def test_same_seed_same_weights():
    runs = []
    for seed in (1, 1, 2):
        model = tiny()
        model.fit(X, Y, epochs=2, batch_size=2, seed=seed, verbose=0)
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(weights(tiny(seed=1)), weights(tiny(seed=2)))


def test_fit_again_goes_on_from_weights_and_optimizer():
    """One batch an epoch, so the order of images does not matter."""
    at_once, in_parts = tiny(), tiny()
    expected = at_once.fit(X, Y, epochs=4, verbose=0).history["loss"]
    first = in_parts.fit(X, Y, epochs=2, verbose=0).history["loss"]
    second = in_parts.fit(X, Y, epochs=2, verbose=0).history["loss"]
    assert first + second == pytest.approx(expected, abs=1e-6)


def test_compile_starts_the_optimizer_again():
    model = tiny()
    model.fit(X, Y, verbose=0)
    first = model._optimizer
    model.compile("adam")
    model.fit(X, Y, verbose=0)
    assert model._optimizer is not first


def test_a_learnable_task_is_learnt():
    model = tiny(widths=(8, 16))
    model.compile(partial(torch.optim.Adam, lr=1e-2), metrics=["dice"])
    history = model.fit(X, Y, epochs=25, batch_size=3, verbose=0)
    assert history.history["loss"][-1] < 0.05
    x_test, y_test = squares(3, seed=5)
    assert model.evaluate(x_test, y_test, verbose=0, return_dict=True)["dice"] > 0.95


# --- tasks ------------------------------------------------------------------------------------


def test_index_and_one_hot_masks_train_alike():
    classes = Y * 2  # class 1 is never there
    index, one_hot = tiny(num_classes=3), tiny(num_classes=3)
    index.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    one_hot.compile("adam", "categorical_crossentropy", ["accuracy"])
    expected = index.fit(X, classes, epochs=2, verbose=0).history
    assert one_hot.fit(X, np.eye(3)[classes[..., 0]], epochs=2, verbose=0).history == expected
    assert torch.equal(weights(index), weights(one_hot))


def test_other_losses_take_either_form_of_masks():
    index, one_hot = tiny(num_classes=2), tiny(num_classes=2)
    for model, masks in ((index, Y), (one_hot, np.eye(2)[Y[..., 0]])):
        model.compile("adam", "dice_loss")
        model.fit(X, masks, verbose=0)
    assert torch.equal(weights(index), weights(one_hot))


def test_a_softmax_of_two_classes_learns():
    model = tiny(num_classes=2, widths=(8, 16))
    model.compile(partial(torch.optim.Adam, lr=1e-2), metrics=["accuracy"])
    model.fit(X, Y, epochs=15, batch_size=3, verbose=0)
    probabilities = model.predict(X)
    assert probabilities.shape == (6, 16, 16, 2)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-6)
    assert (model.segment(X[0]) == Y[0, ..., 0]).mean() > 0.95


def test_overlapping_classes_learn_each_by_itself():
    masks = np.concatenate([Y, np.ones_like(Y)], -1)  # the second class is everywhere
    model = tiny(num_classes=2, multilabel=True, widths=(8, 16))
    model.compile(partial(torch.optim.Adam, lr=1e-2), "binary_crossentropy", ["dice"])
    history = model.fit(X, masks, epochs=25, batch_size=3, verbose=0).history
    assert history["dice"][-1] > 0.95
    mask = model.segment(X[0])
    assert mask.dtype == bool and mask.shape == (16, 16, 2)
    assert mask[..., 1].mean() > 0.95
    assert (mask[..., 0] == Y[0, ..., 0]).mean() > 0.95


def test_a_first_class_that_is_no_background_counts_in_dice_losses():
    """Where class 0 is background, Dice of class 1 alone; with a name of its own, of both."""
    losses = {}
    for names in (("background", "square"), ("sky", "square")):
        model = tiny(num_classes=2, class_names=names)
        model.compile("sgd", "dice_loss")
        losses[names[0]] = model.evaluate(X[:1], Y[:1], verbose=0, return_dict=True)["loss"]
    probabilities = tiny(num_classes=2).predict(X[:1])[0].astype(float)
    one_hot = np.eye(2)[Y[0, ..., 0]]
    overlap, total = (probabilities * one_hot).sum((0, 1)), (probabilities + one_hot).sum((0, 1))
    dice = (2 * overlap + 1) / (total + 1)
    assert losses["background"] == pytest.approx(1 - dice[1], abs=1e-5)
    assert losses["sky"] == pytest.approx(1 - dice.mean(), abs=1e-5)


@pytest.mark.parametrize("num_classes", [1, 3])
def test_pixels_of_255_are_ignored(num_classes):
    """Whatever lies under 255 changes neither loss nor metrics nor weights."""
    masks = Y.copy()
    masks[:, :4] = 255
    changed = X.copy()
    model = tiny(num_classes=num_classes)
    model.compile("adam", metrics=["accuracy", "dice", "iou"])
    half = model.evaluate(changed, masks, verbose=0, return_dict=True)
    probabilities = model.predict(X)
    mask = np.stack([model.segment(image) for image in X])[..., np.newaxis]
    assert half["accuracy"] == pytest.approx((mask == Y)[:, 4:].mean(), abs=1e-6)
    truth = probabilities if num_classes == 1 else probabilities[..., 1:2]
    rest = 1 - probabilities if num_classes == 1 else probabilities[..., :1]
    by_hand = -np.log(np.where(Y == 1, truth, rest))[:, 4:].mean()
    assert half["loss"] == pytest.approx(by_hand, abs=1e-5)


def test_volumes():
    random = np.random.default_rng(0)
    x = random.random((2, 6, 8, 8, 1), dtype=np.float32)
    y = (x > 0.5).astype(np.uint8)
    model = pw.unet((6, 8, 8, 1), **SMALL)
    model.compile(partial(torch.optim.Adam, lr=1e-2), metrics=["accuracy", "dice"])
    history = model.fit(x, y, epochs=12, validation_data=(x, y), verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.predict(x).shape == (2, 6, 8, 8, 1)
    assert model.segment(x[0]).shape == model.segment(x[0, ..., 0]).shape == (6, 8, 8)


# --- evaluate and metrics ---------------------------------------------------------------------


class Fixed(torch.nn.Module):
    """Logits that are the image: a network whose predictions a reader can see."""

    def __init__(self, network):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.config = network.config

    def forward(self, images):
        return images * self.weight


def fixed(num_classes=1, **options) -> Segmenter:
    model = pw.unet((2, 2, num_classes), num_classes, **SMALL, **options)
    object.__setattr__(model.model, "network", Fixed(model.model.network))
    return model


def test_metrics_of_one_class_by_hand():
    """Two found of three, one false alarm, in 6 pixels that count; two more are ignored."""
    logits = np.array([[9, 9, -9, 9], [-9, -9, 9, -9]], float)
    masks = np.array([[1, 1, 1, 0], [0, 0, 255, 255]])
    model = fixed()
    model.compile(metrics=["accuracy", "dice", "iou"])
    values = model.evaluate(logits[None, ..., None], masks[None], verbose=0, return_dict=True)
    assert values["accuracy"] == pytest.approx(4 / 6)
    assert values["dice"] == pytest.approx(2 * 2 / (3 + 3))
    assert values["iou"] == pytest.approx(2 / 4)
    assert values["loss"] == pytest.approx(2 * 9 / 6, abs=1e-3)  # two of six are wrong by 9


def test_metrics_of_three_classes_by_hand():
    """Class 0: 2 of 2, no false alarm; class 1: 1 of 2; class 2 is false alarm alone."""
    predicted = np.array([[0, 0], [1, 2]])
    masks = np.array([[0, 0], [1, 1]])
    model = fixed(3)
    model.compile(metrics=["accuracy", "dice", "iou"])
    values = model.evaluate(
        9.0 * np.eye(3)[predicted][None], masks[None], verbose=0, return_dict=True
    )
    assert values["accuracy"] == pytest.approx(3 / 4)
    assert values["dice"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert values["iou"] == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_metrics_of_overlapping_classes_by_hand():
    predicted = np.array([[[1, 1], [0, 1]]])  # one row of two pixels, two planes
    masks = np.array([[[1, 1], [0, 0]]])
    model = fixed(2, multilabel=True)
    model.compile(metrics=["accuracy", "dice", "iou"])
    values = model.evaluate((18.0 * predicted - 9)[None], masks[None], verbose=0, return_dict=True)
    assert values["accuracy"] == pytest.approx(3 / 4)
    assert values["dice"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["iou"] == pytest.approx((1 + 1 / 2) / 2)


def test_metrics_of_nothing_to_find_and_nothing_found_are_1():
    model = fixed()
    model.compile(metrics=["dice", "iou"])
    values = model.evaluate(
        np.full((1, 2, 2, 1), -9.0), np.zeros((1, 2, 2)), verbose=0, return_dict=True
    )
    assert values["dice"] == values["iou"] == 1


def test_functions_as_loss_and_metric_get_logits_and_uint8_targets():
    seen = []

    def mean_logit(logits, target):
        seen.append((tuple(logits.shape), tuple(target.shape), target.dtype))
        return logits.mean()

    model = tiny()
    model.compile("sgd", loss=lambda logits, target: logits.square().mean(), metrics=[mean_logit])
    assert "mean_logit" in model.fit(X[:2], Y[:2], verbose=0).history
    assert seen == [((2, 1, 16, 16), (2, 16, 16), torch.uint8)]


def test_evaluate_returns_what_keras_does_and_prints_it(capsys):
    model = tiny()
    model.compile(metrics=["accuracy"])
    values = model.evaluate(X, Y, return_dict=True)
    assert list(values) == ["loss", "accuracy"]
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert (loss, accuracy) == (values["loss"], values["accuracy"])
    model.compile()
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(loss)
    assert capsys.readouterr().out.startswith(f"loss: {values['loss']:.4f} - accuracy: ")


# --- predict and segment ----------------------------------------------------------------------


def test_predictions_are_channel_last_probabilities():
    probabilities = tiny().predict(X, batch_size=4)
    assert probabilities.shape == (6, 16, 16, 1)
    assert probabilities.dtype == np.float32
    assert (probabilities > 0).all() and (probabilities < 1).all()
    one_by_one = np.concatenate([tiny().predict(X[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(probabilities, one_by_one, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 30), (64, 16)])
def test_any_size_is_predicted_in_its_own_size(size):
    model = tiny(widths=(4, 8, 16))
    assert model.predict(np.zeros((2, *size, 1))).shape == (2, *size, 1)
    mask = model.segment(np.zeros((*size, 1)))
    assert mask.shape == size and mask.dtype == np.uint8


def test_any_size_is_trained_on():
    x, y = squares(2, size=(11, 19))
    tiny(widths=(4, 8, 16)).fit(x, y, verbose=0)


def test_segment_is_predict_at_a_half():
    model = tiny()
    model.fit(X, Y, epochs=3, verbose=0)
    expected = model.predict(X[:1])[0, ..., 0] >= 0.5
    np.testing.assert_array_equal(model.segment(X[0]), expected)
    np.testing.assert_array_equal(model.segment(X[0, ..., 0]), expected)  # grey without channel
    np.testing.assert_array_equal(model.segment(X[0].tolist()), expected)


def test_rgb_images():
    x = np.concatenate([X, 1 - X, X], -1)
    model = pw.unet((16, 16, 3), **SMALL)
    model.fit(x, Y, verbose=0)
    assert model.predict(x).shape == (6, 16, 16, 1)
    grey = model.segment(X[0])  # a grey image is its own red, green and blue
    np.testing.assert_array_equal(grey, model.segment(np.repeat(X[0], 3, -1)))


def test_segment_reads_files(tmp_path):
    from PIL import Image

    levels = np.clip(X * 200, 0, 255).astype(np.uint8)
    model = tiny()
    model.fit(levels, Y, verbose=0)
    Image.fromarray(levels[0, ..., 0]).save(tmp_path / "square.png")
    np.testing.assert_array_equal(model.segment(tmp_path / "square.png"), model.segment(levels[0]))
    with pytest.raises(pw.FileError, match=r"none\.png"):
        model.segment(str(tmp_path / "none.png"))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.random.default_rng(0).random((16, 16, 2)), "2 channels, but 1"),
        (np.full((16, 16, 1), np.nan), "NaN"),
        ([[1, 2], [3]], "different sizes"),
        (np.zeros((0, 16, 1)), "shape"),
    ],
)
def test_segment_refuses_what_is_no_image(image, words):
    with pytest.raises(pw.DataError, match=words):
        tiny().segment(image)


@pytest.mark.parametrize("x", [X[..., 0], X[0], X[:0], np.zeros((1, 1, 16, 16))])
def test_predict_refuses_what_are_no_images(x):
    with pytest.raises(ArrayError, match="expected \\(N, height, width, 1\\)"):
        tiny().predict(x)


# --- integer images ---------------------------------------------------------------------------


def test_integer_images_are_scaled_by_the_training_set_and_floats_are_not():
    levels = np.round(X * 100 + 100).astype(np.uint16)
    model = tiny()
    model.fit(levels, Y, epochs=2, validation_data=(levels, Y), verbose=0)
    scaling = model.model.config.scaling
    assert scaling.scheme == "statistics"
    assert scaling.mean == pytest.approx([levels.mean()])
    assert scaling.std == pytest.approx([levels.std()])
    plain = tiny()
    plain.fit((levels - levels.mean()) / levels.std(), Y, epochs=2, verbose=0)
    assert plain.model.config.scaling.scheme == "none"
    scaled = ((levels - levels.mean()) / levels.std()).astype(np.float32)
    np.testing.assert_allclose(model.predict(levels), plain.predict(scaled), atol=1e-5)


def test_the_scaling_of_a_first_fit_stays():
    levels = np.round(X * 100 + 100).astype(np.uint8)
    model = tiny()
    model.fit(levels, Y, verbose=0)
    scaling = model.model.config.scaling
    model.fit(levels[:1] // 2, Y[:1], verbose=0)
    assert model.model.config.scaling == scaling


def test_each_channel_is_scaled_by_itself():
    levels = np.concatenate([X * 100 + 100, X * 10 + 50], -1).round().astype(np.int32)
    model = pw.unet((16, 16, 2), **SMALL)
    model.fit(levels, Y, verbose=0)
    assert model.model.config.scaling.mean == pytest.approx(levels.mean((0, 1, 2)))


def test_constant_integer_images_train():
    history = tiny().fit(np.full((2, 16, 16, 1), 7, np.uint8), Y[:2], verbose=0).history
    assert np.isfinite(history["loss"]).all()


# --- save and load ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"num_classes": 3, "normalization": "batch"}, {"skips": False}]
)
def test_what_is_saved_predicts_the_same_bits(tmp_path, options):
    levels = np.round(X * 100 + 100).astype(np.uint8)
    model = tiny(**options)
    model.fit(levels, Y, verbose=0)
    path = tmp_path / "new folder" / "model.safetensors"
    model.save(path)
    again = pw.load(path)
    np.testing.assert_allclose(again.predict(levels), model.predict(levels), atol=1e-6)
    assert again.model.config == model.model.config
    assert again.fit(levels, Y, verbose=0).history["loss"] != []  # and it trains on


def test_save_wants_the_one_suffix(tmp_path):
    with pytest.raises(PlanError, match=r"Use .*model\.safetensors"):
        tiny().save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_save_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(pw.OutputError, match="file"):
        tiny().save(tmp_path / "file" / "model.safetensors")
    assert (tmp_path / "file").read_text() == "mine"


def test_load_refuses_what_is_no_model(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelFileError, match="does not exist"):
        pw.load(path)
    with pytest.raises(ModelFileError, match="run folder"):
        pw.load(tmp_path)
    tiny().save(path)
    whole = path.read_bytes()
    for content in (b"", b"not a model", whole[:-100], whole[:40]):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"model\.safetensors"):
            pw.load(path)


# --- what goes wrong in training --------------------------------------------------------------


def nan_from(step):
    """A loss that is NaN from a step on, counted from 1."""
    calls = []

    def loss(logits, target):
        calls.append(logits.requires_grad)
        value = logits.square().mean()
        return value * float("nan") if sum(calls) >= step else value

    return loss


def fit_and_lose(model, **options):
    """Fit where the loss is lost for good: the error, after two warnings of going back."""
    went_back = pytest.warns(PixelwiseWarning, match=r"Training went back to step \d")
    with went_back as warned, pytest.raises(TrainingError) as info:
        model.fit(X, Y, verbose=0, **options)
    assert len(warned) == 2
    return info


def test_a_loss_that_turns_nan_stops_and_keeps_the_last_good_epoch():
    expected, model = tiny(), tiny()
    expected.compile("adam", nan_from(99))
    expected.fit(X, Y, epochs=2, batch_size=3, verbose=0)  # two epochs of two steps
    model.compile("adam", nan_from(6))
    info = fit_and_lose(model, epochs=5, batch_size=3)
    for word in ("became nan", "at step 5", "of step 4, the last", "lower learning rate", "9e-05"):
        assert word in str(info.value)
    assert torch.equal(weights(model), weights(expected))


def test_a_loss_that_is_nan_at_once_says_that_nothing_was_kept():
    model = tiny()
    model.compile("adam", nan_from(1))
    assert "No weights had been validated" in str(fit_and_lose(model).value)
    assert torch.equal(weights(model), weights(tiny()))


def test_a_learning_rate_that_explodes_is_reported_not_returned():
    model = tiny()
    model.compile(partial(torch.optim.SGD, lr=1e30))
    assert re.search(r"became (nan|inf) at step", str(fit_and_lose(model, epochs=9).value))


def test_over_fitting_is_said_once_as_a_warning():
    """Training masks that are noise are learnt by heart; validation can only get worse."""
    random = np.random.default_rng(0)
    x = random.random((2, 16, 16, 1), dtype=np.float32)
    y = random.integers(0, 2, x.shape)
    model = tiny(widths=(16, 32))
    model.compile(partial(torch.optim.Adam, lr=1e-2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, epochs=40, validation_data=(x[::-1], y), verbose=0)
    (warning,) = caught
    assert issubclass(warning.category, PixelwiseWarning)
    for word in ("Over-fitting", "validation loss rose", "training loss fell", "augmentation"):
        assert word in str(warning.message)


class TestPrecision:
    def test_both_learn_the_same_and_predict_in_float32(self):
        losses = {}
        for precision in ("float32", "bfloat16"):
            model = tiny(seed=3)
            model.compile(partial(torch.optim.Adam, lr=1e-2), precision=precision)
            losses[precision] = model.fit(X, Y, epochs=8, batch_size=4, verbose=0).history["loss"]
            assert len(np.unique(model.predict(X))) > 0.5 * X.size  # bfloat16 has 256 in an octave
        assert losses["bfloat16"][:4] == pytest.approx(losses["float32"][:4], abs=0.03)
        assert max(values[-1] for values in losses.values()) < 0.6 * losses["float32"][0]
        assert losses["bfloat16"] != losses["float32"] or not has_bfloat16(torch.device("cpu"))

    def test_another_one_is_refused_by_name(self):
        with pytest.raises(
            PlanError, match=r"'half' is not known\. Use one of auto, float32, bfloat"
        ):
            tiny().compile(precision="half")


# --- parity with Keras ------------------------------------------------------------------------


def test_training_steps_are_those_of_keras(tmp_path, monkeypatch):
    """Three steps of plain gradient descent from the same weights, on the same batch."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    pytest.importorskip("h5py")
    keras = pytest.importorskip("keras")
    layers = keras.layers

    def block(features, width):
        for _ in range(2):
            features = layers.Conv2D(width, 3, padding="same", activation="relu")(features)
        return features

    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1))
    skip = block(image, 4)
    deep = block(layers.MaxPooling2D()(skip), 8)
    up = layers.Concatenate()([layers.UpSampling2D()(deep), skip])
    reference = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(block(up, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras 3.15 on NumPy 2.4
        reference.save(tmp_path / "model.keras")
    ours = pw.from_keras(tmp_path / "model.keras")
    ours.compile("sgd", "binary_crossentropy", metrics=["accuracy"], precision="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras 3.15 on NumPy 2.4
        reference.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
        options = {"epochs": 3, "batch_size": 6, "validation_data": (X[:3], Y[:3]), "verbose": 0}
        expected = reference.fit(X, Y.astype(np.float32), **options).history
    found = ours.fit(X, Y, **options).history
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, abs=1e-4), name
    assert expected["loss"][2] < expected["loss"][0]


class TestFloatImages:
    """A model of float arrays says so, rather than take 0 to 255 for 0 to 1."""

    @pytest.fixture
    def model(self):
        model = pw.unet(input_shape=(8, 8, 1), widths=(2, 4), seed=0)
        x = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
        model.fit(x, (x > 0.5).astype(np.uint8), epochs=1, verbose=False)
        return model

    def test_integers_of_8_bits_are_brought_to_0_to_1_and_that_is_said(self, model, tmp_path):
        model.save(tmp_path / "model.safetensors")
        image = np.random.default_rng(1).integers(0, 255, (8, 8, 1), dtype=np.uint8)
        for one in (model, pw.load(tmp_path / "model.safetensors")):
            expected = one.predict(image[np.newaxis].astype(np.float32) / 255)
            with pytest.warns(PixelwiseWarning, match=r"uint8 .* multiplied by 1/255"):
                found = one.predict(image[np.newaxis])
            np.testing.assert_allclose(found, expected, atol=1e-6)
            with pytest.warns(PixelwiseWarning, match="multiplied by 1/255"):
                one.segment(image)

    def test_integers_are_refused_where_the_floats_have_a_unit_of_their_own(self):
        model = pw.unet(input_shape=(8, 8, 1), widths=(2, 4), seed=0)
        x = np.random.default_rng(0).normal(0, 1, (2, 8, 8, 1)).astype(np.float32)
        model.fit(x, (x > 0.5).astype(np.uint8), epochs=1, verbose=False)
        image = np.full((8, 8), 7, np.uint8)
        with pytest.raises(pw.ArrayError, match=r"uint8 values.*trained on float32 values from -"):
            model.segment(image)

    def test_floats_are_taken(self, model):
        assert model.predict(np.zeros((1, 8, 8, 1), np.float64)).shape == (1, 8, 8, 1)


def test_predictions_go_on_with_the_threads_that_the_ones_before_found(monkeypatch):
    """Two threads may be used, and one is faster: image after image is segmented by itself."""
    now, used, model = [0.0], [], tiny()
    compute = TorchRuntime.__call__

    def timed(self, batch):
        used.append(torch.get_num_threads())
        now[0] += {1: 0.1, 2: 0.5}[used[-1]]
        return compute(self, batch)

    monkeypatch.setattr(TorchRuntime, "__call__", timed)
    monkeypatch.setattr(threads, "most_threads", lambda: 2)
    monkeypatch.setattr(threads, "are_held_up", lambda number: False)  # nothing to see before
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    for image in [*X, *X]:
        model.segment(image)
    assert used == [2] * 3 + [1] * 9
    model.predict(X[:2])
    assert used[12:] == [1]


def test_a_predictor_is_kept_until_the_model_is_another_one():
    model = tiny()
    first = model._predictor()
    before = model.predict(X[:1])
    assert model._predictor() is first
    model.compile()
    model.fit(X, Y, epochs=3, verbose=0)
    assert model._predictor() is not first
    after = model.predict(X[:1])
    assert np.abs(after - before).max() > 1e-4
    with torch.no_grad():  # the weights of the moment count, by whomever they were changed
        model.model.single_network.head.bias += 5
    assert (model.predict(X[:1]) > after).all()


def test_a_copy_and_a_pickle_have_predictors_of_their_own():
    model = tiny()
    expected = model.predict(X[:2])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(other.predict(X[:2]), expected, atol=1e-6)
        with torch.no_grad():
            other.model.single_network.head.bias += 5
        assert (other.predict(X[:2]) > expected).all()
    np.testing.assert_allclose(model.predict(X[:2]), expected, atol=1e-6)
