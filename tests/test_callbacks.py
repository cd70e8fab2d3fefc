"""Callbacks, optimizers and data sets of `fit`, by Keras's names: what each does, by hand."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise import ArrayError, ModelFileError, PlanError, callbacks, optimizers
from pixelwise.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from pixelwise.segmenter.keras_names import compile_names
from pixelwise.task import Task

RNG = np.random.default_rng(0)
Y = np.zeros((4, 16, 16, 1), np.uint8)
Y[:, 4:12, 4:12] = 1
X = (Y + RNG.normal(0, 0.1, Y.shape)).astype(np.float32)


@pytest.fixture
def model():
    return pw.unet((16, 16, 1), widths=(4, 8), seed=0, device="cpu")


def fit(model, **options):
    return model.fit(X, Y, **{"batch_size": 2, "verbose": 0} | options)


class Fake:
    """A model that remembers what callbacks did with it."""

    def __init__(self, rate=0.1):
        self.stop_training, self.weights, self.saved = False, "last", []
        self.optimizer = SimpleNamespace(learning_rate=rate)

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def save(self, path):
        self.saved.append(path)


def feed(callback, values, name="val_loss", model=None):
    """Give a callback epochs; return the model and how many epochs it saw."""
    model = model or Fake()
    callback.set_model(model)
    callback.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.weights = f"of epoch {epoch}"
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 1.0, name: value})
        epochs += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return model, epochs


class TestEarlyStopping:
    @pytest.mark.parametrize(
        ("options", "values", "epochs"),
        [
            ({}, [3, 2, 2.5, 1], 3),  # no patience: the first that is no better
            ({"patience": 2}, [3, 2, 2.5, 2.4, 1], 4),
            ({"patience": 2}, [3, 2, 2.5, 1.9, 2, 1.8], 6),
            ({"patience": 1, "min_delta": 0.5}, [3, 2.9, 2.8], 2),
            ({"patience": 1, "start_from_epoch": 3}, [1, 5, 5, 5, 6, 7], 5),
            ({"patience": 2, "baseline": 1.0}, [3, 2.5, 2.4, 2.3], 4),  # better, but not enough
            ({"monitor": "val_dice", "patience": 1}, [0.5, 0.6, 0.6], 3),  # more is better
            ({"monitor": "val_loss", "mode": "max"}, [1, 2, 1.5], 3),
        ],
    )
    def test_when_it_ends(self, options, values, epochs):
        callback = EarlyStopping(**options)
        _, seen = feed(callback, values, name=options.get("monitor", "val_loss"))
        if options.get("baseline"):
            assert seen == len(values)  # it improves all the time
        else:
            assert seen == epochs

    def test_the_best_weights_come_back(self):
        model, seen = feed(EarlyStopping(patience=2, restore_best_weights=True), [3, 1, 2, 2, 0])
        assert (seen, model.weights) == (4, "of epoch 1")
        model, _ = feed(EarlyStopping(patience=2), [3, 1, 2, 2, 0])
        assert model.weights == "of epoch 3"

    def test_training_ends(self, model):
        history = fit(model, epochs=50, callbacks=EarlyStopping("loss", min_delta=10, patience=3))
        assert len(history.epoch) == 4

    def test_the_best_weights_are_those_of_the_model(self, model):
        """The first epoch is the best where only a fall of 10 counts."""
        kept = []
        keep = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
        stop = EarlyStopping("loss", min_delta=10, patience=2, restore_best_weights=True)
        fit(model, epochs=9, callbacks=[keep, stop])
        assert len(kept) == 3
        for found, first, last in zip(model.get_weights(), kept[0], kept[-1], strict=True):
            np.testing.assert_array_equal(found, first)
            assert found.size < 4 or (found != last).any()


class TestReduceLROnPlateau:
    def test_when_and_how_far(self):
        rates = []
        callback = ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.03)
        model = Fake(rate=0.1)
        watch = callback.on_epoch_end

        def on_epoch_end(epoch, logs):
            watch(epoch, logs)
            rates.append(model.optimizer.learning_rate)

        callback.on_epoch_end = on_epoch_end
        feed(callback, [1.0] * 8, model=model)
        assert rates == [0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03]

    def test_steps_take_the_lower_rate(self, model):
        seen = []
        look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["learning_rate"]))
        lower = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10)
        fit(model, epochs=4, callbacks=[lower, look])
        assert seen == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])
        assert model.optimizer.learning_rate == pytest.approx(1.25e-4)
        before = model.get_weights()
        fit(model, callbacks=[LearningRateScheduler(lambda epoch: 1e-12)])
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-9)

    def test_a_factor_that_raises_is_refused(self):
        with pytest.raises(PlanError, match="factor=2"):
            ReduceLROnPlateau(factor=2)


class TestModelCheckpoint:
    def test_only_the_best(self):
        callback = ModelCheckpoint("m{epoch:02d}-{val_loss:.1f}.safetensors", save_best_only=True)
        model, _ = feed(callback, [3, 2, 2.5, 1])
        assert model.saved == ["m01-3.0.safetensors", "m02-2.0.safetensors", "m04-1.0.safetensors"]

    def test_every_epoch(self):
        model, _ = feed(ModelCheckpoint("m{epoch}.safetensors"), [1, 2])
        assert model.saved == ["m1.safetensors", "m2.safetensors"]

    def test_what_it_writes_is_the_model(self, model, tmp_path):
        path = tmp_path / "best.safetensors"
        fit(model, epochs=2, callbacks=[ModelCheckpoint(path)])
        found = pw.load(path, device="cpu").predict(X)  # maybe by another number of threads
        np.testing.assert_allclose(found, model.predict(X), atol=1e-6)

    @pytest.mark.parametrize("name", ["best.keras", "best.h5", "best.weights.h5", "best"])
    def test_other_formats_are_answered_with_ours(self, name):
        with pytest.raises(PlanError, match=r"should end in \.safetensors.*Use best.*pw\.load"):
            ModelCheckpoint(name)

    def test_a_name_of_no_value_is_said(self):
        with pytest.raises(PlanError, match=r"names 'val_dice', which epochs do not have"):
            feed(ModelCheckpoint("{val_dice}.safetensors"), [1])


def test_csv_logger(model, tmp_path):
    path = tmp_path / "h.csv"
    history = fit(model, epochs=2, validation_split=0.5, callbacks=[CSVLogger(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert list(rows[0]) == ["epoch", "learning_rate", "loss", "val_loss"]
    assert [float(row["loss"]) for row in rows] == history.history["loss"]
    fit(model, callbacks=[CSVLogger(path, append=True)], validation_split=0.5)
    assert len(list(csv.DictReader(path.read_text().splitlines()))) == 3
    fit(model, callbacks=[CSVLogger(path)], validation_split=0.5)
    assert len(list(csv.DictReader(path.read_text().splitlines()))) == 1


def test_hooks_come_in_their_order(model):
    seen = []

    class Seen(Callback):
        def on_train_begin(self, logs=None):
            seen.append(f"begin {self.params['epochs']} {self.params['steps']}")

        def on_train_end(self, logs=None):
            seen.append("end")

        def on_epoch_begin(self, epoch, logs=None):
            seen.append(f"epoch {epoch}")

        def on_epoch_end(self, epoch, logs=None):
            assert set(logs) == {"loss", "accuracy", "learning_rate"}
            seen.append(f"done {epoch}")

        def on_train_batch_begin(self, batch, logs=None):
            seen.append(f"batch {batch}")

        def on_train_batch_end(self, batch, logs=None):
            assert "loss" in logs
            seen.append(f"done batch {batch}")

    model.compile(metrics=["accuracy"])
    fit(model, epochs=2, callbacks=[Seen()])
    batches = ["batch 0", "done batch 0", "batch 1", "done batch 1"]
    assert seen == [
        "begin 2 2", "epoch 0", *batches, "done 0", "epoch 1", *batches, "done 1", "end"
    ]  # fmt: skip


def test_any_object_with_a_hook_will_do_and_may_predict(model):
    """A callback of another library, which shows a prediction after each epoch."""
    shapes = []

    class Foreign:
        def set_model(self, given):
            self.segmenter = given

        def on_epoch_end(self, epoch, logs=None):
            shapes.append(self.segmenter.predict(X[:1]).shape)

    one, other = (pw.unet((16, 16, 1), widths=(4, 8), seed=0, device="cpu") for _ in range(2))
    fit(one, epochs=2, callbacks=[Foreign()])
    fit(other, epochs=2)
    assert shapes == [(1, 16, 16, 1)] * 2
    np.testing.assert_allclose(one.predict(X), other.predict(X), atol=1e-6)


def test_what_is_watched_has_to_be_there(model):
    with pytest.raises(PlanError, match=r"watches 'val_loss'.*have loss\. Give validation_data"):
        fit(model, callbacks=[EarlyStopping()])
    with pytest.raises(PlanError, match=r"watches 'f1', which epochs .*they have loss\.$"):
        fit(model, callbacks=[EarlyStopping("f1")])
    assert len(fit(model).epoch) == 1  # nothing is left over


@pytest.mark.parametrize("wrong", [3, EarlyStopping, object()])
def test_what_is_no_callback_is_said(model, wrong):
    with pytest.raises(PlanError, match=r"is no callback\. Give objects of pixelwise\.callbacks"):
        fit(model, callbacks=[wrong])


def test_unknown_hooks_and_modes_are_said():
    with pytest.raises(PlanError, match="on_epoch is no hook"):
        LambdaCallback(on_epoch=print)
    with pytest.raises(PlanError, match="mode='most'"):
        EarlyStopping(mode="most")


class TestOptimizers:
    @pytest.mark.parametrize(
        ("ours", "expected"),
        [
            (
                optimizers.Adam(3e-4, beta_1=0.8),
                ("Adam", 3e-4, "betas", (0.8, 0.999)),
            ),
            (optimizers.AdamW(), ("AdamW", 1e-3, "weight_decay", 4e-3)),
            (optimizers.SGD(0.1, momentum=0.9), ("SGD", 0.1, "momentum", 0.9)),
            (optimizers.RMSprop(1e-4), ("RMSprop", 1e-4, "alpha", 0.9)),
        ],
    )
    def test_they_are_those_of_torch(self, model, ours, expected):
        model.compile(optimizer=ours)
        fit(model)
        name, rate, setting, value = expected
        made = model._optimizer
        assert type(made).__name__ == name
        assert made.param_groups[0]["lr"] == pytest.approx(rate)
        assert made.param_groups[0][setting] == value
        assert repr(ours) == f"{name}(learning_rate={rate:g})"

    @pytest.mark.parametrize("kind", ["Adam", "AdamW", "SGD", "RMSprop"])
    def test_updates_are_those_of_torch_weight_by_weight(self, kind):
        ours, theirs = (torch.nn.Linear(3, 2) for _ in range(2))
        theirs.load_state_dict(ours.state_dict())
        settings = getattr(optimizers, kind)(0.1).settings
        made = getattr(optimizers, kind)(0.1)(ours.parameters())
        plain = getattr(torch.optim, kind)(theirs.parameters(), lr=0.1, foreach=False, **settings)
        assert bool(made.defaults.get("fused")) == (kind != "RMSprop")  # torch has none of it
        for step in range(3):
            for weight, other in zip(ours.parameters(), theirs.parameters(), strict=True):
                weight.grad = torch.full_like(weight, step - 0.7)
                other.grad = weight.grad.clone()
            made.step()
            plain.step()
        for weight, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(weight, other)

    def test_a_schedule_is_answered_with_the_callback(self):
        with pytest.raises(PlanError, match="LearningRateScheduler"):
            optimizers.Adam(learning_rate=lambda step: 1e-3)

    def test_a_keras_optimizer_gives_its_settings(self):
        keras_adam = type(
            "Adam",
            (),
            {
                "__module__": "keras.src.optimizers.adam",
                "get_config": lambda self: {
                    "name": "adam", "learning_rate": 5e-4, "beta_1": 0.7, "weight_decay": None,
                },
            },
        )  # fmt: skip
        made = compile_names(keras_adam(), "bce", (), Task.BINARY).optimizer
        assert (made.learning_rate, made.settings["betas"]) == (5e-4, (0.7, 0.999))

    def test_one_without_a_like_is_refused(self):
        lion = type("Lion", (), {"__module__": "keras.src.optimizers.lion"})
        with pytest.raises(PlanError, match=r"Lion has no like here"):
            compile_names(lion(), "bce", (), Task.BINARY)


class TestMetrics:
    def test_precision_and_recall_by_hand(self):
        """Two of three found pixels are right; two of four are found."""
        logits = torch.tensor([[[[9.0, 9, 9, -9, -9, -9]]]])
        target = torch.tensor([[[1, 1, 0, 1, 1, 0]]], dtype=torch.uint8)
        found = compile_names("adam", "bce", ("precision", "recall"), Task.BINARY).metrics
        assert float(found["precision"](logits, target)) == pytest.approx(2 / 3)
        assert float(found["recall"](logits, target)) == pytest.approx(2 / 4)


def of_keras(name, **settings):
    """An object as Keras's losses and metrics are: made without arguments, with a configuration."""

    def start(self, **changed):
        self.settings = settings | changed

    methods = {"__init__": start, "get_config": lambda self: dict(self.settings)}
    return type(name, (), {"__module__": "keras.src.losses.losses", **methods})


class TestObjectsOfKeras:
    def test_a_loss_and_a_metric_are_taken_by_their_names(self):
        logits, target = torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([[[1, 1]]])
        loss = of_keras("BinaryCrossentropy", from_logits=False, label_smoothing=0.0, axis=-1)
        made = compile_names(
            "adam",
            loss(from_logits=True),
            [of_keras("BinaryAccuracy", threshold=0.5)()],
            Task.BINARY,
        )
        expected = torch.nn.functional.softplus(-logits).mean()
        assert made.loss(logits, target) == pytest.approx(float(expected))
        assert list(made.metrics) == ["binary_accuracy"]
        assert made.metrics["binary_accuracy"](logits, target) == 0.5

    def test_a_setting_that_is_not_known_here_is_refused(self):
        loss = of_keras("BinaryCrossentropy", label_smoothing=0.0)
        with pytest.raises(PlanError, match=r"BinaryCrossentropy with label_smoothing=0.1 has no"):
            compile_names("adam", loss(label_smoothing=0.1), (), Task.BINARY)

    def test_what_computes_something_else_is_refused(self):
        """Keras's BinaryIoU counts the background, too."""
        with pytest.raises(PlanError, match="is no metric that can be used here"):
            compile_names("adam", "bce", [of_keras("BinaryIoU")()], Task.BINARY)


class TestClassWeight:
    @pytest.mark.parametrize("num_classes", [1, 2])
    def test_the_mean_is_weighted(self, num_classes):
        """All weight on the foreground: the loss is that of its pixels."""
        model = pw.unet((16, 16, 1), num_classes, widths=(4, 8), seed=0, device="cpu")
        name = "binary_crossentropy" if num_classes == 1 else "sparse_categorical_crossentropy"
        model.compile(optimizer=optimizers.SGD(1e-12), loss=name, precision="float32")
        history = model.fit(X, Y, batch_size=4, verbose=0, class_weight={0: 1e-9, 1: 1.0})
        of_foreground = model.predict(X)[..., -1][Y[..., 0] == 1]
        expected = -np.log(of_foreground).mean()
        assert history.history["loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_overlapping_classes_have_no_weights(self):
        model = pw.unet((16, 16, 1), 2, multilabel=True, widths=(4, 8), device="cpu")
        planes = np.concatenate([Y, 1 - Y], -1)
        with pytest.raises(PlanError, match="classes that exclude each other"):
            model.fit(X, planes, verbose=0, class_weight={0: 1, 1: 2})

    @pytest.mark.parametrize(
        ("loss", "weights", "words"),
        [
            ("dice_loss", {0: 1, 1: 2}, "weighs the pixels of a cross-entropy"),
            ("bce", {2: 1}, "from 0 to 1"),
            ("bce", [1, 2], "should be a dict"),
            ("bce", {1: -1}, "above 0"),
        ],
    )
    def test_what_cannot_be_weighed_is_said(self, model, loss, weights, words):
        model.compile(loss=loss)
        with pytest.raises(PlanError, match=words):
            fit(model, class_weight=weights)


class Pairs(torch.utils.data.Dataset):
    """As torch has them: (C, H, W)."""

    def __init__(self, number=4):
        self.number = number

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        if index >= self.number:
            raise IndexError
        return torch.from_numpy(X[index].transpose(2, 0, 1)), torch.from_numpy(Y[index, ..., 0])


class TestData:
    def test_a_data_set_of_pairs(self, model):
        found = model.fit(Pairs(), validation_data=Pairs(2), batch_size=2, verbose=0)
        same = pw.unet((16, 16, 1), widths=(4, 8), seed=0, device="cpu")
        expected = fit(same, validation_data=(X[:2], Y[:2]))
        assert found.history == expected.history

    def test_batches_of_pairs(self, model):
        """As Keras's Sequence gives them."""
        found = model.fit([(X[:2], Y[:2]), (X[2:], Y[2:])], batch_size=2, verbose=0)
        same = pw.unet((16, 16, 1), widths=(4, 8), seed=0, device="cpu")
        assert found.history == fit(same).history

    def test_steps_per_epoch(self, model):
        history = fit(model, epochs=3, steps_per_epoch=1)
        assert len(history.epoch) == 3
        seen = []
        count = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
        fit(model, epochs=2, steps_per_epoch=3, callbacks=count)
        assert seen == [0, 1, 2, 0, 1, 2]

    @pytest.mark.parametrize(
        ("x", "words"),
        [
            (X, "y is missing"),
            (torch.from_numpy(X), "y is missing"),
            ([X[0], X[1]], "Item 0 of x is no pair"),
            ([(X[0], Y[0]), (X[1, :8], Y[1, :8])], "different sizes"),
            ([], "no images"),
        ],
    )
    def test_what_cannot_be_trained_on_is_said(self, model, x, words):
        with pytest.raises(ArrayError, match=words):
            model.fit(x, verbose=0)


class TestWeights:
    def test_they_go_from_model_to_model(self, model, tmp_path):
        fit(model)
        other = pw.unet((16, 16, 1), widths=(4, 8), seed=5, device="cpu")
        other.set_weights(model.get_weights())
        np.testing.assert_allclose(other(X), model.predict(X), atol=1e-6)
        model.save_weights(tmp_path / "w.safetensors")
        third = pw.unet((16, 16, 1), widths=(4, 8), seed=6, device="cpu")
        third.load_weights(tmp_path / "w.safetensors")
        np.testing.assert_allclose(third.predict(X), model.predict(X), atol=1e-6)

    def test_those_of_another_network_are_refused(self, model, tmp_path):
        other = pw.unet((16, 16, 1), widths=(4, 16), seed=0, device="cpu")
        with pytest.raises(ArrayError, match="do not fit this network"):
            other.set_weights(model.get_weights())
        model.save(tmp_path / "w.safetensors")
        with pytest.raises(ModelFileError, match="is of another network"):
            other.load_weights(tmp_path / "w.safetensors")


def test_every_callback_is_documented():
    for name in ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "CSVLogger"):
        assert getattr(callbacks, name).__doc__
