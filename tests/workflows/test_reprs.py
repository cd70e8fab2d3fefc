"""What a console shows of a result: one short line."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import pixelwise as pw
from pixelwise.metrics import summarize


@pytest.fixture(scope="module")
def run(data, plan, tmp_path_factory):
    return pw.train(data, tmp_path_factory.mktemp("runs") / "run", plan=plan)


def test_of_a_run(run):
    text = repr(run)
    assert text.startswith(f"Run({run.folder}, test Dice {run.test_scores.mean_dice:.4f}, ")
    assert f"validation Dice {run.scores.mean_dice:.4f}; 6 steps in " in text
    assert text.endswith(" s, all steps were done)")


def test_of_scores():
    counts = np.array([[[90, 0, 0], [10, 0, 0]]] * 120, np.int64)
    names = [f"a long name of an image {number}" for number in range(120)]
    scores = summarize(counts, names, ["background", "cell"], background=True)
    assert repr(scores) == "Scores(Dice 1.000 [1.000, 1.000], IoU 1.000, 2 classes; 120 images)"


def test_of_a_check(data):
    text = repr(pw.check(data))
    assert text.startswith(f"Examination({data}: ")
    assert "(4 train, 2 val, 2 test)" in text
    assert "0 errors" in text
    assert len(text) < 300


def test_a_check_that_found_nothing_says_so_in_place_of_an_empty_table(data):
    clean = replace(pw.check(data), findings=())
    assert clean._repr_html_().endswith("<p>No problems found.</p>")


def test_of_a_check_with_errors(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_text("no picture")
    text = repr(pw.check(tmp_path))
    assert "1 error, " in text or " errors, " in text
    assert len(text) < 300


def test_all_are_short(run, data):
    model = pw.load(run.folder)
    history = model.fit(np.zeros((1, 16, 16, 1), np.float32), np.zeros((1, 16, 16, 1)), verbose=0)
    for shown in (run, run.scores, pw.check(data), model, history):
        assert len(repr(shown)) < 500


def test_notebooks_show_tables(run, data, tmp_path):
    model = pw.load(run.folder)
    history = model.fit(np.zeros((1, 16, 16, 1), np.float32), np.zeros((1, 16, 16, 1)), verbose=0)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "<b>.png").write_text("no picture")
    shown = (run, run.scores, pw.check(data), pw.check(tmp_path), model, history)
    for one in shown:
        html = one._repr_html_()
        parsed = ElementTree.fromstring(f"<div>{html}</div>")  # well-formed
        assert len(html) < 20_000
        assert parsed.find("b") is None
    cells = ElementTree.fromstring(history._repr_html_()).iter("td")
    assert next(cells).text == "1"  # epoch
    of_run = ElementTree.fromstring(pw.load(run.folder).history._repr_html_())
    heads, first = ([cell.text for cell in of_run.iter(tag)] for tag in ("th", "td"))
    assert heads[:3] == ["validation", "step", "seconds"]
    assert first[1].isdigit()  # a number of steps
    assert f"{run.test_scores.mean_dice:.3f}" in run._repr_html_()
    assert "report.html" in run._repr_html_()
