"""The training loop with tiny networks: it learns, stops, resumes and repeats itself."""

import math
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pixelwise import threads
from pixelwise.data import Sample
from pixelwise.errors import TrainingError
from pixelwise.inference import Predictor, TorchRuntime
from pixelwise.inference.evaluate import evaluate_samples
from pixelwise.metrics import Interval
from pixelwise.network import (
    IntensityScaling,
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    load_model,
    save_model,
)
from pixelwise.planning import Augmentation
from pixelwise.planning.timing import Calibration
from pixelwise.task import Task
from pixelwise.training import (
    Clock,
    Timetable,
    Trainer,
    Watcher,
    Watchers,
    loop,
    loss_for,
    read_checkpoint,
    write_checkpoint,
)
from pixelwise.training.objective import Objective
from pixelwise.training.postprocessing import Gain, Way
from pixelwise.training.validate import validate

BINARY, MULTICLASS, MULTILABEL = Task.BINARY, Task.MULTICLASS, Task.MULTILABEL

CPU = torch.device("cpu")
PERCENTILES = IntensityScaling(scheme="percentiles")
BUSY = Augmentation(
    flip_vertical=True, right_angles=True, rotation_degrees=20, scale=1.2, elastic_px=1, noise=0.1
)


class Log(Watcher):
    """Remembers what it was told; calls `at_step` with each step."""

    def __init__(self, at_step=None):
        self.notes, self.steps, self.rows, self.at_step = [], [], [], at_step

    def note(self, text):
        self.notes.append(text)

    def step(self, step, num_steps, loss, seconds_left):
        self.steps.append((step, num_steps, loss, seconds_left))
        if self.at_step:
            self.at_step(step)

    def validated(self, row):
        self.rows.append(dict(row))


def stop_at(last):
    """Return a function of the step that presses Ctrl-C at one."""

    def press(step):
        if step == last:
            signal.raise_signal(signal.SIGINT)

    return press


class Calling(Watcher):
    """Calls functions."""

    def __init__(self, keep=None, save=None):
        self.saves = save is not None
        self.save = save or super().save
        self.keep = keep or super().keep


def take(options, *names):
    """Take the options of these names away."""
    return {name: options.pop(name) for name in names if name in options}


@pytest.fixture
def make_trainer(make_model, make_small_plan, make_squares):
    """Return a maker of trainers; plan fields and trainer options by name."""

    def make(*, model=None, train=None, val=None, timetable=None, keep_last=False, **options):
        wanted = take(options, "loss", "metrics", "optimizer")
        told = take(options, "watcher", "keep", "save")
        plan = make_small_plan(**options)
        model = model or make_model(widths=plan.widths)
        default = Timetable(
            Clock(),
            num_steps=plan.num_steps,
            budget=plan.budget_seconds,
            validate_every=plan.validate_every,
        )
        return Trainer(
            model,
            plan,
            make_squares() if train is None else train,
            make_squares(3, seed=9) if val is None else val,
            timetable=timetable or default,
            device=CPU,
            objective=Objective(**{"loss": loss_for("cross_entropy_dice", BINARY)} | wanted),
            watcher=Watchers(told.pop("watcher", Watcher()), Calling(**told)),
            keep_last=keep_last,
        )

    return make


def weights_of(trainer):
    return {name: tensor.clone() for name, tensor in trainer.model.network.state_dict().items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def without_seconds(history):
    measured = ("seconds", "data_wait")
    return [{k: v for k, v in row.items() if k not in measured} for row in history]


class TestPostprocessing:
    """Of which way is chosen see test_postprocessing.py."""

    @pytest.fixture(params=[Way(threshold=0.9), Way(min_area=32)])
    def always(self, request, monkeypatch):
        chosen = Gain(request.param, 0.1, 0.05, 0.2)
        monkeypatch.setattr(loop, "choose_way", lambda counts, _: chosen if counts else None)
        return chosen

    def test_a_better_one_is_kept_in_the_model_and_scored(self, make_trainer, make_squares, always):
        log = Log()
        outcome = make_trainer(num_steps=20, watcher=log).run()
        assert outcome.model.config.threshold == always.way.threshold
        assert outcome.model.config.min_area == always.way.min_area
        assert log.notes == [always.describe()]
        found = evaluate_samples(Predictor(outcome.model, device=CPU), make_squares(3, seed=9))
        assert outcome.scores.mean_dice == pytest.approx(found.mean_dice)

    def test_weights_are_chosen_by_the_score_that_they_will_have(self, make_trainer, monkeypatch):
        """By far the most is made of the answers of the second validation."""
        gain = Gain(Way(min_area=32), 1.0, 0.9, 1.1)
        seen, perfect = [], SimpleNamespace(mean={"dice": Interval(2.0)})

        def choose(counts, _):
            seen.append(counts)
            return gain if any(counts is one for one in seen[1:2]) else None

        monkeypatch.setattr(loop, "choose_way", choose)
        monkeypatch.setattr(loop, "summarize_samples", lambda counts, _: perfect)
        outcome = make_trainer(num_steps=20, validate_every=5).run()
        assert len(outcome.history) == 4
        assert outcome.best_step == 10
        assert outcome.scores is perfect
        assert outcome.model.config.min_area == 32

    def test_last_weights_are_not_chosen_and_neither_is_a_way(self, make_trainer, always):
        config = make_trainer(num_steps=10, keep_last=True).run().model.config
        assert (config.threshold, config.min_area) == Way()

    def test_a_resumed_training_chooses_as_it_would_have(self, make_trainer, make_squares):
        trainer = make_trainer(num_steps=10)
        trainer.run()
        other = make_trainer(num_steps=10)
        other.restore(trainer.checkpoint())
        assert [one.name for one in other.state.best.counts] == ["0", "1", "2"]


class TestAskedToEnd:
    def test_a_watcher_may_end_training(self, make_trainer):
        class Enough(Log):
            def wants_end(self):
                return bool(self.rows)

        watcher = Watchers(Log(), Enough())
        outcome = make_trainer(num_steps=20, validate_every=5, watcher=watcher).run()
        assert (outcome.num_steps, outcome.stopped) == (5, "it was asked to end")


class TestLearning:
    def test_bright_squares_are_found(self, make_trainer, make_squares):
        trainer = make_trainer(
            num_steps=120, validate_every=40, augmentation=BUSY, foreground_share=0.3,
            train=make_squares(24), average_share=0.02, warmup_share=0.05,
        )  # fmt: skip
        outcome = trainer.run()
        assert outcome.scores.mean_dice > 0.95
        unseen = make_squares(1, (40, 31), seed=77)[0]
        mask = Predictor(outcome.model, device="cpu").segment(unseen.image)
        assert (mask == unseen.mask).mean() > 0.97

    def test_without_normalization_and_whole_images(self, make_trainer, make_model):
        trainer = make_trainer(
            model=make_model(normalization="none"), patch_size=None, num_steps=100,
            validate_every=50, learning_rate=1e-2,
        )  # fmt: skip
        assert trainer.run().scores.mean_dice > 0.9

    def test_at_half_the_size(self, make_trainer, make_model, make_squares):
        trainer = make_trainer(
            model=make_model(working_scale=0.5), working_scale=0.5, patch_size=(16, 16),
            train=make_squares(16, (48, 48), sides=(12, 20)), num_steps=80, validate_every=40,
            val=make_squares(2, (40, 44), seed=3, sides=(12, 20)), foreground_share=0.3,
        )  # fmt: skip
        assert trainer.run().scores.mean_dice > 0.9

    def test_the_loss_falls(self, make_trainer):
        history = make_trainer(num_steps=60, validate_every=20).run().history
        assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
        assert history[-1]["val_loss"] < history[0]["val_loss"]


class TestStory:
    def test_validations_come_at_their_steps_and_at_the_end(self, make_trainer):
        log = Log()
        outcome = make_trainer(num_steps=12, validate_every=5, watcher=log).run()
        assert [row["step"] for row in outcome.history] == [5, 10, 12]
        assert log.rows == outcome.history
        assert [step for step, *_ in log.steps] == list(range(1, 13))
        assert outcome.num_steps == 12
        assert outcome.stopped == "all steps were done"

    def test_one_at_the_last_step_is_not_done_twice(self, make_trainer):
        outcome = make_trainer(num_steps=10, validate_every=5).run()
        assert [row["step"] for row in outcome.history] == [5, 10]

    def test_a_row_has_what_the_report_needs(self, make_trainer):
        (row,) = make_trainer(num_steps=3, validate_every=3).run().history
        names = {"step", "seconds", "train_loss", "val_loss", "val_dice", "learning_rate"}
        assert set(row) == names | {"data_wait"}
        assert all(math.isfinite(value) for value in row.values())

    def test_the_share_of_time_that_steps_wait_for_data_is_measured(self, make_trainer):
        trainer = make_trainer(num_steps=6, validate_every=3)
        make_batch = trainer.source.batch

        def slow_batch(step):
            time.sleep(0.15 if step < 3 else 0)
            return make_batch(step)

        trainer.source.batch = slow_batch
        outcome = trainer.run()
        first, second = (row["data_wait"] for row in outcome.history)
        assert 0 <= second < first < 1
        assert second < outcome.data_wait_share < first

    def test_the_loss_of_a_row_is_that_of_the_steps_since_the_last(self, make_trainer):
        log = Log()
        rows = make_trainer(num_steps=6, validate_every=2, watcher=log).run().history
        losses = [loss for _, _, loss, _ in log.steps]
        expected = [np.mean(losses[start : start + 2]) for start in (0, 2, 4)]
        assert [row["train_loss"] for row in rows] == pytest.approx(expected)

    def test_batches_weigh_by_their_images(self, make_trainer, make_squares):
        log = Log()
        trainer = make_trainer(
            train=make_squares(5), patch_size=None, num_steps=2, validate_every=2, watcher=log
        )
        (row,) = trainer.run().history
        first, second = (loss for _, _, loss, _ in log.steps)  # of 4 images and of 1
        assert row["train_loss"] == pytest.approx((4 * first + second) / 5)

    def test_metrics_are_measured_in_training_and_validation(self, make_trainer):
        metrics = {"share": lambda logits, target: target.float().mean()}
        (row,) = make_trainer(num_steps=3, validate_every=3, metrics=metrics).run().history
        assert 0 < row["share"] < 1
        assert 0 < row["val_share"] < 1

    def test_the_learning_rate_follows_the_schedule(self, make_trainer):
        rows = make_trainer(num_steps=20, validate_every=4, warmup_share=0.1).run().history
        rates = [row["learning_rate"] for row in rows]
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] < 0.2 * 2e-2


class TestBest:
    """A validation that scores what we say: the best weights are the ones that come out."""

    @pytest.fixture
    def scored(self, monkeypatch):
        """Let validations score these numbers, one after the other, with a standard error."""

        def let(*numbers, error=0.0):
            class Fake:
                def __init__(self, number):
                    bounds = number - 1.96 * error, number + 1.96 * error
                    self.mean = {"dice": None if math.isnan(number) else Interval(number, *bounds)}
                    self.mean_dice = number

                def to_json(self):
                    return {}

            numbers = iter(numbers)
            monkeypatch.setattr(
                loop,
                "validate",
                lambda *args: (Fake(next(numbers)), {"loss": 1.0}),
            )

        return let

    def run(self, make_trainer, **options):
        seen = {}
        trainer = make_trainer(
            validate_every=2, **{"num_steps": 6} | options,
            keep=lambda model, best, history, state: seen.update(
                {history[-1]["step"]: {k: v.clone() for k, v in model.network.state_dict().items()}}
            ),
        )  # fmt: skip
        return trainer, trainer.run(), seen

    def test_the_best_weights_are_kept(self, make_trainer, scored):
        scored(0.3, 0.8, 0.5)
        trainer, outcome, seen = self.run(make_trainer)
        assert outcome.best_step == 4
        assert outcome.scores.mean_dice == 0.8
        assert equal(weights_of(trainer), seen[4])
        assert not equal(seen[4], seen[6])

    def test_the_first_of_equals(self, make_trainer, scored):
        scored(0.3, 0.8, 0.8)
        assert self.run(make_trainer)[1].best_step == 4

    @pytest.mark.parametrize(
        ("later", "error", "kept"),
        [(0.81, 0.0, 8), (0.8, 0.0, 2), (0.8, 0.01, 8), (0.79, 0.013, 2), (0.79, 0.014, 8)],
    )
    def test_what_early_ones_are_ahead_by_is_partly_luck(
        self, make_trainer, scored, later, error, kept
    ):
        """Three quarters of the training lie between: so much of a standard error is forgiven."""
        scored(0.8, 0.1, 0.1, later, error=error)
        trainer, outcome, seen = self.run(make_trainer, num_steps=8)
        assert outcome.best_step == kept
        assert outcome.scores.mean_dice == (later if kept == 8 else 0.8)
        assert equal(weights_of(trainer), seen[kept])

    def test_of_scores_that_fall_slowly_the_last_one_within_the_luck(self, make_trainer, scored):
        """A quarter of the training lies between two, so that 0.006 is forgiven each time."""
        scored(0.8, 0.795, 0.79, 0.785, error=0.025)
        assert self.run(make_trainer, num_steps=8)[1].best_step == 8

    def test_the_last_where_that_is_asked(self, make_trainer, scored):
        scored(0.3, 0.8, 0.5)
        trainer, outcome, seen = self.run(make_trainer, keep_last=True)
        assert outcome.best_step == 6
        assert equal(weights_of(trainer), seen[6])

    def test_by_the_loss_where_there_is_no_score(self, make_trainer, scored):
        scored(math.nan, math.nan, math.nan)
        assert self.run(make_trainer)[1].best_step == 2  # the loss stays 1

    def test_the_last_without_validation_samples(self, make_trainer):
        trainer, outcome, seen = self.run(make_trainer, val=[])
        assert outcome.best_step == 6
        assert outcome.scores is None
        assert "val_loss" not in outcome.history[0]
        assert equal(weights_of(trainer), seen[6])

    def test_averaged_weights_are_what_is_kept(self, make_trainer):
        averaged, plain = (
            self.run(make_trainer, val=[], average_share=share)[0] for share in (0.9, 0)
        )
        assert not equal(weights_of(averaged), weights_of(plain))
        assert equal(weights_of(averaged), dict(averaged.state.average.network.state_dict()))

    def test_the_kept_model_survives_its_file(self, make_trainer, tmp_path, make_squares):
        outcome = make_trainer(num_steps=20, average_share=0.2).run()
        save_model(tmp_path / "model.safetensors", outcome.model)
        (sample,) = make_squares(1)
        there, back = (
            Predictor(model, device="cpu").probabilities(sample.image)
            for model in (outcome.model, load_model(tmp_path))
        )
        np.testing.assert_array_equal(there, back)


class TestSameSeed:
    @pytest.mark.parametrize("channels_last", [False, True])
    def test_the_same_weights_and_history(self, make_trainer, channels_last):
        options = {"augmentation": BUSY, "foreground_share": 0.5, "average_share": 0.1}
        runs = [make_trainer(channels_last=channels_last, **options) for _ in range(2)]
        histories = [without_seconds(trainer.run().history) for trainer in runs]
        assert histories[0] == histories[1]
        assert equal(*map(weights_of, runs))

    def test_other_seeds_give_others(self, make_trainer):
        runs = [make_trainer(seed=seed) for seed in (0, 1)]
        for trainer in runs:
            trainer.run()
        assert not equal(*map(weights_of, runs))


class TestDeepSupervision:
    def test_lower_levels_are_trained_beside_the_network(self, make_trainer):
        trainer = make_trainer(num_steps=5, widths=(4, 8, 8), deep_supervision=1)
        before = trainer.state.heads[0].weight.detach().clone()
        trainer.run()
        assert (trainer.state.heads[0].weight - before).abs().min() > 0


RESUMED = {
    "num_steps": 20, "validate_every": 5, "augmentation": BUSY, "average_share": 0.2,
    "widths": (4, 8, 8), "deep_supervision": 1,
}  # fmt: skip


class TestResume:
    def stop_and_go_on(self, make_trainer, folder, **options):
        """Train; stop after 10 steps, and go on from the files in a new trainer."""

        def keep(model, best, history, checkpoint):
            if history[-1]["step"] == 10:
                write_checkpoint(folder, checkpoint)

        whole = make_trainer(**RESUMED | options, keep=keep)
        whole_outcome = whole.run()
        resumed = make_trainer(**RESUMED | options)
        resumed.restore(read_checkpoint(folder))
        return whole, whole_outcome, resumed, resumed.run()

    def test_gives_the_weights_of_an_uninterrupted_training(self, make_trainer, tmp_path):
        whole, expected, resumed, outcome = self.stop_and_go_on(make_trainer, tmp_path)
        assert equal(weights_of(whole), weights_of(resumed))
        assert equal(whole.state.network.state_dict(), resumed.state.network.state_dict())
        assert outcome.best_step == expected.best_step
        assert outcome.scores == expected.scores
        assert outcome.num_steps == 20

    def test_gives_them_in_channels_last_too(self, make_trainer, tmp_path):
        whole, _, resumed, _ = self.stop_and_go_on(
            make_trainer, tmp_path, channels_last=True, val=[]
        )
        assert equal(weights_of(whole), weights_of(resumed))

    def test_gives_the_history_of_an_uninterrupted_training(self, make_trainer, tmp_path):
        _, expected, _, outcome = self.stop_and_go_on(make_trainer, tmp_path)
        assert without_seconds(outcome.history) == without_seconds(expected.history)

    @pytest.mark.parametrize("channels_last", [False, True])
    @pytest.mark.parametrize("stop", [0, 1, 7, 13])
    def test_between_validations_and_within_an_epoch_too(
        self, make_trainer, tmp_path, stop, channels_last
    ):
        """Killed after `stop` steps: the same weights, bit for bit, and the same curve."""
        options = RESUMED | {"channels_last": channels_last, "foreground_share": 0.5}
        whole = make_trainer(**options)
        expected = whole.run()

        class Killed(Exception):
            pass

        def save(checkpoint):
            if checkpoint.facts["step"] == stop:
                write_checkpoint(tmp_path, checkpoint)
                raise Killed

        killed = make_trainer(**options, save=save)
        killed.timetable.checkpointed = lambda seconds=None: None  # due after each step
        with pytest.raises(Killed):
            killed.run()
        resumed = make_trainer(**options)
        resumed.restore(read_checkpoint(tmp_path))
        outcome = resumed.run()
        assert equal(weights_of(whole), weights_of(resumed))
        assert equal(whole.state.network.state_dict(), resumed.state.network.state_dict())
        assert without_seconds(outcome.history) == without_seconds(expected.history)
        assert outcome.scores == expected.scores

    def test_best_weights_from_before_the_stop_are_not_lost(self, make_trainer, tmp_path):
        kept = {}

        def keep(model, best, history, checkpoint):
            write_checkpoint(tmp_path, checkpoint)
            kept.update(best.weights)

        first = make_trainer(num_steps=5, validate_every=5, keep=keep)
        first.run()
        resumed = make_trainer(num_steps=20, validate_every=5)
        resumed.restore(read_checkpoint(tmp_path))
        resumed.state.best.score = 2.0  # nothing that follows can be better
        outcome = resumed.run()
        assert outcome.best_step == 5
        assert equal(weights_of(resumed), kept)


class TestThreads:
    """How many threads steps and validations are computed with."""

    @pytest.fixture
    def used(self, monkeypatch):
        """Two threads may be used, and one is faster; gives what steps and validations used."""
        now, used = [0.0], {"steps": [], "validations": []}
        monkeypatch.setattr(threads, "most_threads", lambda: 2)
        monkeypatch.setattr(threads, "are_held_up", lambda number: False)
        monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))
        take, compute = loop.Stepper.take, TorchRuntime.__call__

        def note(kind, function):
            def noting(*given, **options):
                used[kind].append(torch.get_num_threads())
                now[0] += {1: 0.1, 2: 0.5}[used[kind][-1]]
                return function(*given, **options)

            return noting

        monkeypatch.setattr(loop.Stepper, "take", note("steps", take))
        monkeypatch.setattr(TorchRuntime, "__call__", note("validations", compute))
        return used

    def test_the_faster_number_is_found_and_validations_begin_with_it(self, make_trainer, used):
        before = torch.get_num_threads()
        make_trainer(num_steps=16, validate_every=8).run()
        assert used["steps"] == [2] * 3 + [1] * 13  # two pieces of half a second are enough
        assert set(used["validations"]) == {1}
        assert torch.get_num_threads() == before

    def test_the_number_of_a_plan_is_used(self, make_trainer, used):
        make_trainer(num_steps=12, validate_every=6, num_threads=2).run()
        assert set(used["steps"]) == set(used["validations"]) == {2}

    def test_it_begins_with_what_was_measured_before_training(self, make_trainer, used):
        measured = Calibration(
            device="cpu", num_threads=1, seconds_per_step=0.1, seconds_per_validation=0.1,
            timings=(),
        )  # fmt: skip
        make_trainer(num_steps=12, validate_every=6, calibration=measured).run()
        assert used["steps"][:4] == [1] * 4


class TestStopping:
    def test_a_budget_that_is_over_before_the_first_step_is_no_quiet_success(self, make_trainer):
        log = Log()
        timetable = Timetable(Clock(100.0), num_steps=30, budget=10.0, validate_every=10)
        outcome = make_trainer(timetable=timetable, watcher=log).run()
        assert outcome.num_steps == 0
        assert "has learnt nothing. Give a longer budget" in outcome.warnings[0]
        assert log.notes == outcome.warnings

    def test_ctrl_c_ends_cleanly_with_the_best_kept(self, make_trainer):
        log = Log(stop_at(7))
        trainer = make_trainer(num_steps=10_000, validate_every=5, watcher=log)
        outcome = trainer.run()
        assert outcome.stopped == "it was interrupted"
        assert outcome.num_steps == 7
        assert [row["step"] for row in outcome.history] == [5, 7]
        assert outcome.best_step in (5, 7)
        assert equal(weights_of(trainer), trainer.state.best.weights)
        assert not outcome.model.network.training
        assert any("keeping the best model" in note for note in log.notes)

    def test_ctrl_c_twice_ends_at_once_and_leaves_no_thread(self, make_trainer):
        def at_step(step):
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)

        before = threading.active_count()
        with pytest.raises(KeyboardInterrupt):
            make_trainer(num_steps=10_000, watcher=Log(at_step)).run()
        assert threading.active_count() == before

    def test_a_budget_ends_it(self, make_trainer):
        times = iter(np.arange(0, 1e6, 0.5))  # each look at the clock takes half a second
        timetable = Timetable(
            Clock(now=lambda: next(times)), num_steps=10**6, budget=60, validate_every=10
        )
        outcome = make_trainer(timetable=timetable, val=[], validate_every=10).run()
        assert outcome.stopped == "the budget was used"
        assert 5 < outcome.num_steps < 120
        assert outcome.best_step == outcome.num_steps

    def test_an_error_in_a_batch_ends_it_with_its_message(self, make_trainer, make_squares):
        (one,) = make_squares(1)
        broken = Sample("field 7", one.image, None, None)
        with pytest.raises(ValueError, match="field 7"):
            make_trainer(train=[broken]).run()


class TestLostLoss:
    """A loss that becomes NaN: back to the last good state at a lower rate, twice at most."""

    def broken_at(self, *calls):
        """A loss that is NaN at these calls in training, counted from 1."""
        count = iter(range(1, 1000))
        honest = loss_for("cross_entropy_dice", BINARY)

        def loss(logits, target):
            is_broken = logits.requires_grad and next(count) in calls
            return honest(logits, target) * (math.nan if is_broken else 1)

        return loss

    def test_training_goes_back_and_on_at_a_lower_rate(self, make_trainer):
        log = Log()
        options = {"num_steps": 10, "validate_every": 5, "schedule": "constant"}
        trainer = make_trainer(**options, loss=self.broken_at(8), watcher=log)
        outcome = trainer.run()
        assert [step for step, *_ in log.steps] == [1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9, 10]
        assert [row["learning_rate"] for row in outcome.history] == pytest.approx([0.02, 0.006])
        (said,) = log.notes
        assert said == outcome.warnings[0]
        assert "nan at step 8" in said
        assert "went back to step 5" in said
        assert all(tensor.isfinite().all() for tensor in weights_of(trainer).values())

    def test_going_back_gives_what_a_lower_rate_from_there_gives(self, make_trainer):
        options = {"num_steps": 10, "validate_every": 5, "average_share": 0.2}
        broken = make_trainer(**options, loss=self.broken_at(7))
        broken.run()
        smooth = make_trainer(**options, save=lambda checkpoint: None)
        smooth.watcher = Log(lambda step: setattr(
            smooth.state, "rate_factor", 0.3 if step >= 5 else 1.0
        ))  # fmt: skip
        smooth.run()
        assert equal(broken.state.network.state_dict(), smooth.state.network.state_dict())

    def test_a_weight_that_is_lost_is_noticed_before_it_is_kept(self, make_trainer):
        def spoil(step):
            if step == 10 and not trainer.warnings:
                with torch.no_grad():
                    next(trainer.state.network.parameters()).fill_(math.inf)

        trainer = make_trainer(num_steps=10, validate_every=5, watcher=Log(spoil))
        outcome = trainer.run()
        assert len(outcome.history) == 2
        assert all(tensor.isfinite().all() for tensor in weights_of(trainer).values())

    def test_the_third_time_it_ends_with_the_step_and_the_best_weights(self, make_trainer):
        trainer = make_trainer(num_steps=50, validate_every=5, loss=self.broken_at(8, 11, 13))
        with pytest.raises(
            TrainingError,
            match=r"nan at step 7, after .* 2 times .* The weights of step 5, the best validated "
            r"ones, were kept. Use a lower learning rate \(it was 0.00174\)",
        ):
            trainer.run()
        assert equal(weights_of(trainer), trainer.state.best.weights)
        assert all(tensor.isfinite().all() for tensor in weights_of(trainer).values())
        assert not trainer.model.network.training

    def test_before_any_validation_nothing_was_kept(self, make_trainer):
        def loss(logits, target):
            return logits.sum() * math.inf

        trainer = make_trainer(loss=loss)
        before = weights_of(trainer)
        with pytest.raises(TrainingError, match=r"at step 1, .*No weights had been validated yet"):
            trainer.run()
        after = weights_of(trainer)
        parameters = dict(trainer.model.network.named_parameters())
        assert all(torch.equal(after[name], before[name]) for name in parameters)

    def test_no_thread_is_left_behind(self, make_trainer):
        before = threading.active_count()
        with pytest.raises(TrainingError):
            make_trainer(loss=lambda logits, target: logits.sum() * math.nan).run()
        assert threading.active_count() == before


class TestWarnings:
    def test_over_fitting_is_said_once_and_kept(self, make_trainer, monkeypatch):
        monkeypatch.setattr(loop, "find_overfitting", lambda history: "Over-fitting!")
        log = Log()
        outcome = make_trainer(num_steps=6, validate_every=2, watcher=log).run()
        said = ["Over-fitting! The best weights are kept."]
        assert log.notes == said
        assert outcome.warnings == said

    def test_over_fitting_where_the_last_weights_are_kept(self, make_trainer, monkeypatch):
        monkeypatch.setattr(loop, "find_overfitting", lambda history: "Over-fitting!")
        outcome = make_trainer(num_steps=6, validate_every=2, keep_last=True).run()
        assert outcome.warnings == ["Over-fitting! The last weights are kept, not the best ones."]

    def test_none_where_there_is_none(self, make_trainer):
        assert make_trainer().run().warnings == []


class TestOtherTasks:
    def train(self, task, mask, make_trainer):
        """Train on images whose three channels light up where the classes are."""
        torch.manual_seed(0)
        network = UNetConfig(in_channels=3, out_channels=3, widths=(8, 16))
        config = ModelConfig(
            network=network,
            scaling=PERCENTILES,
            task=task,
            class_names=("a", "b", "c"),
            class_colors=("#000000",) * 3,
        )
        planes = mask if mask.ndim == 3 else np.stack([mask == k for k in range(3)])
        image = planes.astype(np.float32) * 2 - 1
        samples = [Sample(str(index), image, mask, None) for index in range(4)]
        trainer = make_trainer(
            model=Model(config, UNet(network)), train=samples, val=samples,
            loss=loss_for("cross_entropy", task), num_steps=160, validate_every=80,
            foreground_share=0.5, augmentation=Augmentation(flip_vertical=True),
        )  # fmt: skip
        return trainer.run()

    def test_multiclass_with_ignored_pixels(self, make_trainer):
        mask = np.repeat(np.arange(3, dtype=np.uint8), 8)[:, None].repeat(24, 1)
        mask[:, :3] = 255
        assert self.train(MULTICLASS, mask, make_trainer).scores.mean_dice > 0.95

    def test_multilabel(self, make_trainer):
        mask = np.zeros((3, 24, 24), bool)
        mask[0, :12] = mask[1, :, 8:] = mask[2, 6:18, 6:18] = True
        assert self.train(MULTILABEL, mask, make_trainer).scores.mean_dice > 0.95

    def test_volumes(self, make_trainer):
        torch.manual_seed(0)
        network = UNetConfig(in_channels=1, out_channels=1, widths=(8, 16), spatial_dims=3)
        config = ModelConfig(
            network=network, scaling=PERCENTILES, task=BINARY, class_names=("background", "cube"),
            class_colors=("#000000", "#ffffff"),
        )  # fmt: skip
        mask = np.zeros((8, 16, 16), np.uint8)
        mask[2:6, 4:12, 4:12] = 1
        samples = [Sample("a", mask[None].astype(np.float32), mask, None)] * 2
        trainer = make_trainer(
            model=Model(config, UNet(network)), train=samples, val=samples, patch_size=(8, 16, 16),
            num_steps=80, validate_every=40, batch_size=2,
            augmentation=Augmentation(flip_vertical=True),
        )  # fmt: skip
        assert trainer.run().scores.mean_dice > 0.9


UNTIL_FLAT = {"schedule": "plateau", "validate_every": 2, "num_steps": 3, "average_share": 0.0}


class TestUntilFlat:
    """The number of steps follows from the validations."""

    @pytest.fixture(autouse=True)
    def scores(self, monkeypatch):
        """Let validations score what a function of their number says: always the same at first."""
        given = {"score": lambda number: 0.5, "number": 0}

        def scored(*arguments):
            given["number"] += 1
            found = {"loss": 0.5, "dice": given["score"](given["number"])}
            return validate(*arguments)[0], found

        monkeypatch.setattr(loop, "validate", scored)
        return given

    def test_it_ends_when_validation_has_stopped_improving(self, make_trainer):
        outcome = make_trainer(**UNTIL_FLAT).run()
        assert outcome.stopped == "validation stopped improving"
        assert outcome.num_steps == 20  # flat after the eighth validation, then a quarter more
        rates = [row["learning_rate"] for row in outcome.history]
        assert rates[-1] < rates[8]

    def test_it_goes_on_while_validation_improves(self, make_trainer, scores):
        scores["score"] = lambda number: 0.01 * number
        outcome = make_trainer(**UNTIL_FLAT, watcher=Log(at_step=stop_at(60))).run()
        assert outcome.stopped == "it was interrupted"
        assert outcome.num_steps == 60

    def test_resumed_it_ends_where_it_would_have(self, make_trainer, make_model, tmp_path):
        whole = make_trainer(**UNTIL_FLAT).run()
        part = make_trainer(**UNTIL_FLAT, model=make_model(), watcher=Log(at_step=stop_at(18)))
        part.run()  # in the middle of the decay
        write_checkpoint(tmp_path, part.checkpoint())
        rest = make_trainer(**UNTIL_FLAT, model=make_model(1))
        rest.restore(read_checkpoint(tmp_path))
        outcome = rest.run()
        assert outcome.num_steps == whole.num_steps
        for name, weights in whole.model.network.state_dict().items():
            assert torch.equal(outcome.model.network.state_dict()[name], weights)
