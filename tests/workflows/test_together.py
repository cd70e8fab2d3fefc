"""`torchrun -m pixelwise train`: resumed by more and by fewer processes; a rank that is lost."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

import pixelwise as pw
from pixelwise.errors import PlanError
from pixelwise.planning import Augmentation
from pixelwise.training import Ranks, read_checkpoint
from pixelwise.workflows.request import check_ranks

TOGETHER = Path(__file__).with_name("together.py")


@pytest.fixture
def plan(plan):
    """Of steps that do not depend on how many there will be; the same on one process and two."""
    changes = {
        "normalization": "instance", "batch_size": 3, "learning_rate": 2e-3, "schedule": "constant",
        "augmentation": Augmentation(flip_vertical=True, noise=0.1), "validate_every": 4,
        "num_steps": 12,
    }  # fmt: skip
    return plan.model_copy(update=changes)


def run_two(*arguments):
    """Run two processes, at most five minutes."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def read_history(run):
    with (run / "history.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def assert_same_curve(run, whole):
    """Where both validated."""
    rows = {row["step"]: row for row in read_history(run)}
    expected = {row["step"]: row for row in read_history(whole)}
    assert list(expected) == [4, 8, 12]
    for step, row in expected.items():
        for name in ("val_loss", "val_dice"):
            assert rows[step][name] == pytest.approx(row[name], rel=2e-3), (step, name)


@pytest.fixture
def whole(data, plan, tmp_path):
    """The run folder of one process that was not interrupted."""
    return pw.train(data, tmp_path / "whole", plan=plan, device="cpu").folder


@pytest.mark.slow
def test_two_processes_go_on_where_one_stopped(data, plan, whole, tmp_path):
    run, file = tmp_path / "run", tmp_path / "plan.yaml"
    pw.train(data, run, plan=plan.model_copy(update={"num_steps": 6}), device="cpu")
    file.write_text(plan.to_yaml())
    arguments = ("train", data, "--out", run, "--device", "cpu", "--plan", file, "--resume")
    ended = run_two("-m", "pixelwise", *arguments)
    assert ended.returncode == 0, ended.stderr
    assert "Trained 12 steps" in ended.stdout
    assert ended.stdout.count("Trained") == ended.stderr.count("2 processes train together") == 1
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
    assert_same_curve(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("killed", "One of the processes that train together ended or does not answer"),
        ("unread", "images/a.png is gone. Put it back."),  # said by the rank that could not read
    ],
)
def test_a_rank_that_ends_ends_all_with_one_message_and_one_process_goes_on(
    data, plan, whole, tmp_path, how, reason
):
    run, file = tmp_path / "run", tmp_path / "plan.yaml"
    file.write_text(plan.to_yaml())
    arguments = ("train", data, "--out", run, "--plan", file, "--device", "cpu", "-q")
    ended = run_two(TOGETHER, how, 6, *arguments)
    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if line.startswith("pixelwise: ")]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith(f"pixelwise: {reason}")
    assert f"stopped at step 6. {run} holds the best model so far" in said[0]
    assert "--resume goes on from the last checkpoint" in said[0]
    assert read_checkpoint(run / "checkpoint").facts["step"] == 6
    pw.train(data, run, resume=True, device="cpu")
    assert_same_curve(run, whole)


def test_plans_that_processes_cannot_share_are_refused(plan):
    check_ranks(Ranks(2, 3), plan)
    with pytest.raises(PlanError, match="batches of 3 images, which 4 processes cannot share"):
        check_ranks(Ranks(0, 4), plan)
    batch_norm = plan.model_copy(update={"normalization": "batch"})
    check_ranks(Ranks(), batch_norm)
    with pytest.raises(PlanError, match="each of 2 processes sees a share of it"):
        check_ranks(Ranks(1, 2), batch_norm)
