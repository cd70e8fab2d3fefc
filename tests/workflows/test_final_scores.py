"""The end of a training: the test split is scored in time, and scores say what they are of."""

import json
import signal
from types import SimpleNamespace

import pytest
import torch
from tests.reading import read_dataset
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.inference import Predictor
from pixelwise.metrics import summarize
from pixelwise.network import load_model, save_model
from pixelwise.planning import Calibration, closing_seconds
from pixelwise.training import INTERRUPTED, Clock, Watcher
from pixelwise.workflows.final_scores import (
    CHOSEN,
    UNSEEN,
    Closing,
    _score_until,
    name_scored,
    reserve_for_test,
    score_test,
    seconds_for_test,
)
from pixelwise.workflows.from_plan import new_timetable

GOOD, MISSED = [[80, 2, 1], [17, 1, 2]], [[80, 20, 0], [0, 0, 20]]


def scores(*counts, of="12 images"):
    names = list(map(str, range(len(counts))))
    found = summarize(counts, names, ["background", "cell"], background=True)
    return type(found)(**{**vars(found), "of": of})


def with_times(plan, seconds_per_validation, budget):
    measured = Calibration(
        device="cpu",
        num_threads=1,
        seconds_per_step=0.1,
        seconds_per_validation=seconds_per_validation,
        timings=(),
    )
    return plan.model_copy(update={"calibration": measured, "budget_seconds": budget})


@pytest.fixture(scope="module")
def run(data, plan, tmp_path_factory):
    return pw.train(data, tmp_path_factory.mktemp("runs") / "run", plan=plan, progress=False)


# --- what scores are of -----------------------------------------------------------------------


def test_what_was_scored_is_named():
    assert name_scored(1, "test", (), UNSEEN) == "1 test image that training did not use"
    assert name_scored(1200, "validation", (), CHOSEN) == (
        "1,200 validation images by which the weights were chosen, so that the scores flatter"
    )
    assert name_scored(3, "", ()) == "3 images"


def test_accepted_errors_stand_beside_the_score():
    assert name_scored(3, "test", ["split-leak"], UNSEEN) == (
        "3 test images some of which training used too (errors in the data that were accepted: "
        "split-leak)"
    )


@pytest.mark.parametrize(
    ("split", "of"),
    [
        ("train", "4 training images that the model was trained on, so that the scores flatter"),
        (
            "val",
            "2 validation images by which the weights were chosen, so that the scores flatter",
        ),
        ("test", "2 test images that training did not use"),
        (
            "all",
            "8 images of all splits, also those that the model was trained on, so that the scores "
            "flatter",
        ),
    ],
)
def test_an_evaluation_says_whether_the_model_knows_the_images(split, of, run, data):
    assert pw.evaluate(run.folder, data, split=split, progress=False).of == of


def test_of_other_data_nothing_is_known(run, write_squares, tmp_path):
    other = write_squares(tmp_path, splits={"test": 3})
    assert pw.evaluate(run.folder, other, progress=False).of == "3 test images"


# --- the test split ---------------------------------------------------------------------------


def test_the_time_of_the_test_split_is_that_of_validation_by_pixels(write_squares, plan, tmp_path):
    dataset = read_dataset(write_squares(tmp_path, {"train": 4, "val": 2, "test": 6}))
    timed = with_times(plan, 2.0, budget=100.0)
    assert seconds_for_test(dataset, 2.0) == pytest.approx(1.15 * 2.0 * 3)
    assert reserve_for_test(dataset, timed) == pytest.approx(6.9)
    # what would take more than a tenth of the budget is not kept back, and not done
    assert reserve_for_test(dataset, with_times(plan, 2.0, budget=60.0)) == 0
    assert reserve_for_test(dataset, with_times(plan, 2.0, budget=None)) == pytest.approx(6.9)


def test_without_a_test_split_or_a_timing_nothing_is_kept_back(write_squares, plan, tmp_path):
    dataset = read_dataset(write_squares(tmp_path / "a", {"train": 4, "val": 2}))
    assert seconds_for_test(dataset, 2.0) == 0
    assert reserve_for_test(dataset, with_times(plan, 2.0, budget=100.0)) == 0
    dataset = read_dataset(write_squares(tmp_path / "b"))
    assert reserve_for_test(dataset, plan) == 0


def test_training_ends_earlier_by_what_is_kept_back(plan):
    timed = with_times(plan, 0.0, budget=100.0)
    shown = [0.0, 100.0 - closing_seconds(100.0) - 6.0]
    clock = Clock(now=lambda: shown.pop(0) if len(shown) > 1 else shown[0])
    assert not new_timetable(timed, clock).is_over
    assert new_timetable(timed, clock, after=6.9).is_over


@pytest.fixture
def at_the_end(run, data):
    """Score the test split, with a clock that shows these seconds one after the other."""

    def score(plan, seconds, stopped="the budget was used"):
        shown, notes = [0.0, *seconds], []
        clock = Clock(now=lambda: shown.pop(0) if len(shown) > 1 else shown[0])
        found = score_test(
            Predictor(load_model(run.folder)),
            read_dataset(data),
            plan,
            SimpleNamespace(stopped=stopped),
            clock,
            notes.append,
        )
        return *found, notes

    return score


def test_the_test_split_is_scored_where_the_budget_leaves_time(at_the_end, run, plan):
    found, why_not, notes = at_the_end(with_times(plan, 0.1, budget=60.0), [40.0])
    assert found == run.test_scores
    assert found.of == "2 test images that training did not use"
    assert why_not == ""
    assert notes == ["Scoring 2 test images that training did not use"]


def test_the_budget_is_not_passed(at_the_end, plan):
    found, why_not, _ = at_the_end(with_times(plan, 0.1, budget=60.0), [40.0, 59.0])
    assert found is not None  # the last image was done
    found, why_not, _ = at_the_end(with_times(plan, 0.1, budget=60.0), [59.0])
    assert (found, why_not) == (None, "the budget was used")


def test_scoring_may_use_half_of_the_time_for_files(at_the_end, plan):
    """A score is worth more than what is kept back in case that writing takes long."""
    timed, closing = with_times(plan, 0.1, budget=60.0), closing_seconds(60.0)
    assert at_the_end(timed, [60 - 0.6 * closing])[0] is not None
    assert at_the_end(timed, [60 - 0.4 * closing])[0] is None


def test_what_would_take_too_long_is_not_begun(at_the_end, plan):
    found, why_not, notes = at_the_end(with_times(plan, 40.0, budget=60.0), [0.0])
    assert found is None
    assert why_not == "it would have taken about 46 s of the budget"
    assert notes == []


def test_interrupting_the_scoring_ends_it_and_keeps_the_rest(run, data):
    dataset = read_dataset(data)

    def samples():
        for sample in dataset.samples("test"):
            signal.raise_signal(signal.SIGINT)
            yield sample

    predictor = Predictor(load_model(run.folder))
    found = _score_until(predictor, samples(), dataset, lambda: False)
    assert found == (None, "scoring was interrupted")


def test_after_an_interruption_nothing_is_scored(at_the_end, plan):
    assert at_the_end(plan, [0.0], INTERRUPTED)[:2] == (None, "training was interrupted")


def test_data_without_a_test_split_say_nothing_of_it(write_squares, plan, tmp_path):
    root = write_squares(tmp_path / "data", {"train": 4, "val": 2})
    run = pw.train(root, tmp_path / "run", plan=plan, progress=False)
    assert run.test_scores is None
    assert "test" not in json.loads((run.folder / "metrics.json").read_text())
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '<p class="note">2 validation images by which the weights were chosen' in page
    assert "Not scored" not in page


# --- the last words ---------------------------------------------------------------------------


def test_the_test_split_comes_first(tmp_path):
    closing = Closing(scores(GOOD, GOOD, of="2 a"), scores(GOOD, of="1 b"))
    names = [name for name, _ in closing.describe(tmp_path)]
    assert names == ["Test", "Validation"]
    assert dict(closing.describe(tmp_path))["Test"] == "Dice 0.919 on 1 b"
    assert list(closing.to_json()) == [*closing.scores.to_json(), "test"]


def test_what_was_not_scored_is_said(tmp_path):
    rows = Closing(None, None, "the budget was used").describe(tmp_path)
    assert rows[0] == ("Validation", "not scored: there are no validation images")
    assert "the budget was used. `pixelwise evaluate" in rows[1][1]
    assert Closing(None).to_json() == {}


def test_test_scores_stand_alone_where_there_is_no_validation():
    closing = Closing(None, scores(GOOD, of="1 b"))
    assert closing.to_json()["of"] == "1 b"
    assert "test" not in closing.to_json()


def test_no_dice_is_words(tmp_path):
    nothing = scores([[100, 0, 0], [0, 0, 0]], of="1 image")
    (row,) = Closing(nothing).describe(tmp_path)
    assert row[1] == "no Dice, since no class is in any of 1 image, nor found in them"


@pytest.fixture(scope="module")
def blind(run, data, plan, tmp_path_factory):
    """A training that starts from a model which finds nothing, and learns nothing."""
    folder = tmp_path_factory.mktemp("blind")
    model = load_model(run.folder)
    with torch.no_grad():
        model.single_network.head.bias.fill_(-50.0)
    save_model(folder / "start.safetensors", model)
    still = plan.model_copy(update={"learning_rate": 1e-9})
    ended = Ended()
    found = pw.train(
        data, folder / "run", plan=still, start=folder / "start.safetensors", watcher=ended
    )
    return found, ended.text


class Ended(Watcher):
    def finished(self, text):
        self.text = text


def test_what_is_broken_is_said_first(blind):
    run, text = blind
    said = "Nothing is found: nearly every pixel is taken for 'background'."
    assert text.startswith(f"WARNING: {said} Likely causes: too short a training")
    assert run.warnings[0].startswith(said)
    assert json.loads((run.folder / "metrics.json").read_text())["warnings"] == [run.warnings[0]]
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.index("Nothing is found") < page.index('<dl class="headlines broken">')


def test_info_and_evaluate_say_first_what_is_broken(blind, data):
    folder = str(blind[0].folder)
    info = CliRunner().invoke(app, ["info", folder]).stdout
    assert info.startswith("WARNING")
    assert "Nothing is found" in info.splitlines()[0]
    evaluated = CliRunner().invoke(app, ["evaluate", folder, str(data), "-q"])
    assert evaluated.stderr.startswith("WARNING: Nothing is found")
    assert evaluated.stdout.startswith("class")
