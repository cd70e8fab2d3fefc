"""Errors of the data that a person understands: accepted by their code, and said from then on."""

import shutil

import pytest
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.data.findings import KINDS
from pixelwise.doctor import ReadOptions
from pixelwise.errors import DataError
from pixelwise.network import load_model


@pytest.fixture(scope="module")
def leaking(write_squares, tmp_path_factory):
    """A test set that holds an image of training."""
    root = write_squares(tmp_path_factory.mktemp("leak"))
    for kind in ("images", "masks"):
        shutil.copy(root / "train" / kind / "train0.png", root / "test" / kind / "copy.png")
    return root


@pytest.fixture(scope="module")
def run(leaking, plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return pw.train(leaking, folder, plan=plan, accept=["split-leak"], progress=False)


def test_an_error_that_can_be_accepted_says_how(leaking, plan, tmp_path):
    with pytest.raises(DataError, match="meant to be so: --accept split-leak"):
        pw.train(leaking, tmp_path / "run", plan=plan, progress=False)


def test_an_accepted_error_is_a_warning_that_says_so(leaking):
    assert [f.code for f in pw.check(leaking, progress=False).errors] == ["split-leak"]
    examination = pw.check(leaking, accept=("split-leak",), progress=False)
    assert examination.errors == []
    assert examination.dataset.accepted == ("split-leak",)
    (leak,) = (one for one in examination.findings if one.code == "split-leak")
    assert leak.severity == "warning"
    assert leak.message.startswith("Accepted: ")
    assert any(note.startswith("Accepted: ") for note in examination.dataset.notes)


def test_options_and_argument_are_one(leaking):
    read = ReadOptions(accept=("split-leak",))
    assert pw.check(leaking, read=read, progress=False).errors == []
    assert pw.check(leaking, accept="split-leak", progress=False).errors == []


def test_accepting_what_is_not_there_changes_nothing(data):
    examination = pw.check(data, accept=["split-leak"], progress=False)
    assert examination.dataset.accepted == ()
    assert examination.findings == pw.check(data, progress=False).findings


@pytest.mark.parametrize(
    ("code", "why"),
    [("size-mismatch", "training is not possible with it"), ("split-leek", "no finding of that")],
)
def test_other_errors_cannot_be_accepted(code, why, data):
    with pytest.raises(DataError, match=rf"'{code}' cannot be accepted: .*{why}.*: split-leak"):
        pw.check(data, accept=[code], progress=False)


def test_only_errors_can_be_accepted():
    for code, kind in KINDS.items():
        assert not kind.can_accept or "error" in (kind.severity, kind.also), code


def test_other_errors_still_stop_training(leaking, tmp_path):
    root = shutil.copytree(leaking, tmp_path / "data")
    (root / "train" / "images" / "train1.png").write_bytes(b"")
    examination = pw.check(root, accept=["split-leak"], progress=False)
    assert [error.code for error in examination.errors] == ["unreadable"]


def test_the_model_keeps_what_was_accepted_and_its_scores_say_it(run):
    assert load_model(run.folder).config.provenance["accepted"] == "split-leak"
    said = "(errors in the data that were accepted: split-leak)"
    assert run.scores.of.endswith(said)
    assert run.test_scores.of == f"3 test images some of which training used too {said}"
    assert said in (run.folder / "report.html").read_text(encoding="utf-8")
    info = CliRunner().invoke(app, ["info", str(run.folder)]).stdout
    assert info.count(said) == 2


def test_a_model_without_any_says_nothing(data, plan, tmp_path):
    run = pw.train(data, tmp_path / "run", plan=plan, accept=["split-leak"], progress=False)
    assert "accepted" not in load_model(run.folder).config.provenance
    assert "accepted" not in run.scores.of


def test_what_training_accepted_evaluation_accepts_and_says(run, leaking):
    scores = pw.evaluate(run.folder, leaking, progress=False)
    assert scores.of == run.test_scores.of
    assert scores == run.test_scores


def test_masks_are_scored_in_spite_of_it_where_asked(leaking):
    masks = leaking / "test" / "masks"
    with pytest.raises(DataError, match="--accept split-leak"):
        pw.evaluate(data=leaking, predictions=masks, progress=False)
    scores = pw.evaluate(data=leaking, predictions=masks, accept=["split-leak"], progress=False)
    assert scores.mean_dice == 1
    assert scores.of == "3 test images (errors in the data that were accepted: split-leak)"


def test_the_command_line_takes_codes(leaking):
    check = ["check", str(leaking), "-q"]
    assert CliRunner().invoke(app, check).exit_code == 3
    assert CliRunner().invoke(app, [*check, "--accept", "split-leak"]).exit_code == 0
    refused = CliRunner().invoke(app, [*check, "--accept", "split-leak,layout"])
    assert refused.exit_code == 1
    assert "'layout' cannot be accepted" in refused.stderr
