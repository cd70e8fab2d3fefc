"""Progress: plain lines for files, bars for terminals, silence where asked for."""

import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

import pixelwise as pw
from pixelwise.training import Watcher
from pixelwise.workflows import progress as progress_module
from pixelwise.workflows.progress import (
    BarWatcher,
    LineWatcher,
    QuietWatcher,
    count_images,
    describe_plan,
    describe_validation,
    format_seconds,
    showing,
    sparkline,
    training_watcher,
    watching,
)

ROW = {"step": 50, "seconds": 12.0, "train_loss": 0.3, "val_loss": 0.35, "val_dice": 0.876}


class PlanLike:
    """As much of a plan as is shown."""

    calibration = "measured"

    def describe_forecast(self):
        return "1,000 steps in 2 min 00 s"

    def to_rows(self):
        return [
            ("patch size", "192 x 192", "the smallest image"),
            ("seed", "0", ""),
            ("batch size", "8", "fits in memory"),
        ]


def watch_training(watcher, num_steps=1000):
    watcher.note("330 images")
    watcher.planned(PlanLike())
    for step in range(1, num_steps + 1):
        watcher.step(step, num_steps, 0.5, 60.0)
    watcher.validated(ROW)
    watcher.finished("Done: run/report.html")


def test_plain_lines_are_few_and_the_result_alone_is_on_stdout(capsys):
    watch_training(LineWatcher())
    out, err = capsys.readouterr()
    assert out == "Done: run/report.html\n"
    lines = err.splitlines()
    assert lines[0] == "330 images"
    assert lines[1] == "plan: patch size 192 x 192, batch size 8"
    assert lines[2] == "forecast: 1,000 steps in 2 min 00 s"
    assert lines[3] == "step 100/1000  loss 0.5000  1 min 00 s left"
    assert lines[12] == "step 1000/1000  loss 0.5000  1 min 00 s left"
    assert lines[13] == "step 50  train loss 0.3000  val loss 0.3500  val Dice 0.876"
    assert len(lines) == 14


def test_a_second_training_is_shown_again(capsys):
    watcher = LineWatcher()
    for step in (5, 10, 1, 5, 10):  # two folds of ten steps
        watcher.step(step, 10, 0.5, 1.0)
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_an_estimate_of_steps_that_moves_repeats_no_tenth(capsys):
    watcher = LineWatcher()
    for step, num_steps in ((1, 10), (5, 10), (6, 30), (7, 12), (8, 60), (60, 60)):
        watcher.step(step, num_steps, 0.5, 1.0)
    starts = [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()]
    assert starts == ["step 1/10", "step 5/10", "step 60/60"]


def test_verbose_gives_every_decision_and_its_reason():
    text = describe_plan(PlanLike(), with_reasons=True)
    assert text.splitlines()[0] == "plan: patch size = 192 x 192  the smallest image"
    assert text.splitlines()[1] == "plan: seed = 0"


def test_quiet_shows_the_result_alone(capsys):
    watch_training(QuietWatcher())
    assert capsys.readouterr() == ("Done: run/report.html\n", "")


def test_a_bar_shows_the_step_and_leaves_the_lines(capsys):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    with Progress(
        TextColumn("{task.completed}/{task.total} {task.fields[text]}"), console=console
    ) as bar:
        watcher = BarWatcher(bar)
        watcher.note("[bold] 330 images")  # markup is shown as it is
        watcher.planned(PlanLike())
        watcher.step(7, 10, 0.25, 75.0)
        bar.refresh()
        watcher.validated(ROW)
        watcher.finished("Done: run/report.html")
        assert bar.tasks == []
    shown = screen.getvalue()
    assert "[bold] 330 images" in shown
    assert "7/10 loss 0.2500  1 min 15 s left" in shown
    assert "val Dice 0.876" in shown
    assert capsys.readouterr().out == "Done: run/report.html\n"


def test_the_curve_of_the_validations_is_behind_the_bar():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    with Progress(TextColumn("{task.fields[text]}"), console=console) as bar:
        watcher = BarWatcher(bar)
        watcher.resumed([ROW | {"val_dice": 0.1}, {"step": 3}])
        for dice in (0.5, 0.8):
            watcher.validated(ROW | {"val_dice": dice})
        watcher.step(7, 10, 0.25, 75.0)
        assert bar.tasks[0].fields["text"] == "loss 0.2500  1 min 15 s left  Dice ▁▅█ 0.800"
        watcher.planned(PlanLike())  # another training
        watcher.step(1, 10, 0.25, 75.0)
        assert "Dice" not in bar.tasks[0].fields["text"]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0.5], "▄"),
        ([0.5, 0.5], "▄▄"),
        ([0.2, float("nan"), 0.4], "▁ █"),
        ([float("nan")], " "),
        ([1.0, *[0.0] * 15, 0.7], "▁" * 15 + "█"),  # the last sixteen
    ],
)
def test_a_curve_is_drawn_in_blocks(values, drawn):
    assert sparkline(values) == drawn


def test_a_bar_comes_back_for_the_next_training(capsys):
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    with Progress(TextColumn("{task.fields[text]}"), console=console) as bar:
        watcher = BarWatcher(bar)
        for _ in range(2):
            watcher.step(1, 2, 0.5, 1.0)
            assert bar.live.is_started
            watcher.finished("Done")
            assert not bar.live.is_started
    assert capsys.readouterr().out == "Done\nDone\n"


@pytest.mark.parametrize(
    ("quiet", "terminal", "kind"),
    [
        (True, True, QuietWatcher),
        (True, False, QuietWatcher),
        (False, False, LineWatcher),
        (False, True, BarWatcher),
    ],
)
def test_the_watcher_suits_the_terminal(quiet, terminal, kind, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with training_watcher(quiet=quiet, verbose=False) as watcher:
        assert type(watcher) is kind


def test_an_error_takes_the_bar_away(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with (
        pytest.raises(ValueError, match="stop"),
        training_watcher(quiet=False, verbose=False) as watcher,
    ):
        watcher.step(1, 2, 0.5, 1.0)
        bar = watcher._progress
        raise ValueError("stop")
    assert bar.finished or not bar.live.is_started


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.7, "1 h 00 min")],
)
def test_durations_are_for_people(seconds, text):
    assert format_seconds(seconds) == text


def test_no_dice_is_words_and_not_nan():
    line = describe_validation({"step": 3, "val_dice": float("nan")})
    assert line == "step 3  val Dice none (no class in these images, nor found there)"
    with Progress(TextColumn("{task.fields[text]}"), console=Console(file=io.StringIO())) as bar:
        watcher = BarWatcher(bar)
        watcher.validated(ROW | {"val_dice": float("nan")})
        watcher.step(1, 10, 0.25, 75.0)
        assert bar.tasks[0].fields["text"].endswith("Dice   none")


def test_a_validation_line_has_what_is_known():
    assert describe_validation({"step": 3}) == "step 3"


def test_counting_without_a_terminal_prints_a_line_a_tenth(capsys):
    with count_images("predicting", quiet=False) as progress:
        for done in range(1, 101):
            progress(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "predicting: 10 of 100 images"
    assert lines[-1] == "predicting: 100 of 100 images"


def test_a_large_image_is_counted_in_parts(capsys):
    with count_images("predicting", quiet=False) as progress:
        for done in (0, 0.04, 0.13, 0.18, 0.5, 1):
            progress(done, 1)
    assert capsys.readouterr().err.splitlines() == [
        "predicting: 13 % of 1 image",
        "predicting: 50 % of 1 image",
        "predicting: 1 of 1 image",
    ]


def test_counting_quietly_needs_no_function():
    with count_images("predicting", quiet=True) as progress:
        assert progress is None


# --- what a caller asks for --------------------------------------------------------------------


def test_work_is_shown_by_default_and_nothing_where_it_is_not_wanted(capsys):
    for progress, lines in ((True, ["reading: 1 of 1 image"]), (False, []), (None, [])):
        with showing(progress, "reading") as count:
            assert (count is None) == (not progress)
            if count is not None:
                count(1, 1)
        assert capsys.readouterr().err.splitlines() == lines


def test_a_function_of_the_callers_own_is_called(capsys):
    calls = []
    with showing(lambda *numbers: calls.append(numbers), "reading") as count:
        count(1, 2)
    assert calls == [(1, 2)]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("progress", "kind"), [(True, LineWatcher), (False, Watcher)])
def test_training_is_shown_by_default(progress, kind, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with watching(None, progress=progress) as watcher:
        assert type(watcher) is kind


def test_who_watches_is_told_and_nothing_is_shown():
    own = QuietWatcher()
    with watching(own, progress=True) as watcher:
        assert watcher is own


def with_kernel(monkeypatch, *, runs):
    """As if ipykernel was loaded: by a kernel, or by a program that runs notebooks."""
    app = SimpleNamespace(initialized=lambda: runs)
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", SimpleNamespace(IPKernelApp=app))


@pytest.mark.parametrize(
    ("runs", "widgets", "drawn"),
    [(None, True, False), (False, True, False), (True, True, True), (True, False, False)],
)
def test_a_notebook_has_bars_where_it_has_widgets(runs, widgets, drawn, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    monkeypatch.setattr(progress_module, "find_spec", lambda name: object() if widgets else None)
    if runs is not None:
        with_kernel(monkeypatch, runs=runs)
    with training_watcher(quiet=False, verbose=False) as watcher:
        assert isinstance(watcher, BarWatcher) == drawn


def test_a_notebook_shows_lines_where_results_are_and_not_in_red(monkeypatch, capsys):
    monkeypatch.setattr(progress_module, "find_spec", lambda name: None)
    with_kernel(monkeypatch, runs=True)
    with training_watcher(quiet=False, verbose=False) as watcher:
        watcher.note("a line")
    with count_images("reading", quiet=False) as count:
        count(1, 1)
    assert capsys.readouterr() == ("a line\nreading: 1 of 1 image\n", "")


def test_the_functions_for_folders_show_what_they_do(data, run_of_six_steps, tmp_path, capsys):
    pw.check(data)
    pw.predict(run_of_six_steps.folder, data / "test" / "images", tmp_path / "masks")
    pw.evaluate(run_of_six_steps.folder, data)
    said = {line.split(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert {"reading", "predicting", "evaluating"} <= said
    pw.check(data, progress=False)
    pw.predict(
        run_of_six_steps.folder, data / "test" / "images", tmp_path / "masks", progress=False
    )
    pw.evaluate(run_of_six_steps.folder, data, progress=False)
    assert capsys.readouterr() == ("", "")


def test_training_says_what_it_does_and_how_it_ended(data, plan, tmp_path, capsys):
    pw.train(data, tmp_path / "run", plan=plan)
    out, err = capsys.readouterr()
    assert "8 images (4 train, 2 val, 2 test)" in err
    assert "val Dice" in err
    assert out.count("Trained 6 steps") == 1
    assert "\nTest: Dice 0." in out
    assert out.index("Test: ") < out.index("Validation: ")


@pytest.fixture
def run_of_six_steps(data, plan, tmp_path, capsys):
    run = pw.train(data, tmp_path / "run", plan=plan, progress=False)
    assert capsys.readouterr() == ("", "")
    return run


def test_counting_on_a_terminal_moves_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with count_images("predicting", quiet=False) as progress:
        progress(1, 2)
        progress(2, 2)
    assert capsys.readouterr().out == ""
