"""Kill a training at random moments, also while it writes, and resume it each time.

    python tests/workflows/killing.py [--times 50] [--seed 0]

After each kill every file of the run folder must be readable and the best score no lower than
before; at the end weights and curve must be those of a training that nobody killed, bit for bit.
"""

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pixelwise.network import IntensityScaling, load_model
from pixelwise.planning import Augmentation, Plan
from pixelwise.training import read_checkpoint

# A checkpoint at each step. With "at=N" it kills itself at its Nth flush or move of a file; the
# first two are those of a trial whether the folder can be written.
TRAINING = """
import os, pathlib, signal, sys
import pixelwise as pw
left = [int(word[3:]) for word in sys.argv if word.startswith("at=")]
def dying(do):
    def done(*args):
        if left:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return do(*args)
    return done
os.fsync, pathlib.Path.replace = dying(os.fsync), dying(pathlib.Path.replace)
from pixelwise.training import Watcher, schedule
schedule.CHECKPOINT_SECONDS, schedule.CHECKPOINT_SHARE = 0.0, 1e9
class Said(Watcher):
    def planned(self, plan):
        print("planned", flush=True)
pw.train(sys.argv[1], sys.argv[2], plan=None if "resume" in sys.argv else sys.argv[3],
               resume="resume" in sys.argv, device="cpu", watcher=Said())
"""
PLAN = Plan(
    scaling=IntensityScaling(scheme="statistics", mean=(60.0,), std=(50.0,)),
    patch_size=(16, 16),
    batch_size=3,
    widths=(24, 48, 96),
    deep_supervision=1,
    normalization="instance",
    loss="cross_entropy_dice",
    foreground_share=0.5,
    augmentation=Augmentation(flip_vertical=True, rotation_degrees=20, noise=0.1),
    learning_rate=1e-2,
    average_share=0.1,
    num_steps=60,
    validate_every=7,
)


def write_data(root: Path) -> Path:
    """Images of a bright square, in train/ and val/."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("val", 2)):
        for index in range(count):
            is_square = np.zeros((24, 32), bool)
            row, column = rng.integers(0, 12), rng.integers(0, 20)
            is_square[row : row + 12, column : column + 12] = True
            for kind, pixels in (
                ("images", is_square * 90 + rng.integers(0, 90, is_square.shape)),
                ("masks", is_square * 255),
            ):
                path = root / split / kind / f"{split}{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def start(data: Path, out: Path, plan: Path, *how: str) -> "subprocess.Popen[str]":
    """Start or resume a training in a process of its own; return when it is about to train."""
    if any((out / name).exists() for name in ("plan.yaml", "checkpoint")):
        how = (*how, "resume")
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(data), str(out), str(plan), *how],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "planned\n"
    return process


def check_files(out: Path) -> float:
    """Read every file that a kill left; return the best score so far."""
    if (out / "checkpoint" / "state.safetensors").exists():
        read_checkpoint(out / "checkpoint")
    if (out / "history.csv").exists():
        read_history(out)
    best = 0.0
    if (out / "model.safetensors").exists():
        best = load_model(out).config.scores["mean"]["dice"]["mean"]
    if (out / "metrics.json").exists():
        json.loads((out / "metrics.json").read_text())
    return best


def read_history(out: Path) -> list[dict[str, str]]:
    """Rows without what depends on the clock."""
    with (out / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in ("seconds", "data_wait")} for row in rows]


def kill_and_resume(root: Path, times: int, seed: int = 0) -> str:
    """Train once in peace and once under kills; return what was seen, or raise."""
    moments = random.Random(seed)
    data, plan = write_data(root / "data"), root / "plan.yaml"
    plan.write_text(PLAN.to_yaml())
    whole, killed = root / "whole", root / "killed"
    started = time.monotonic()
    process = start(data, whole, plan)
    assert process.wait() == 0
    seconds = time.monotonic() - started
    num_killed = num_finished = in_writing = 0
    while num_killed < times:
        best = 0.0
        while num_killed < times:
            if not run_and_kill(data, killed, plan, moments, seconds):
                num_finished += 1
                break  # it was done before it could be killed
            num_killed += 1
            in_writing += any(killed.rglob("*.new")) or any(killed.rglob("*.tmp"))
            now = check_files(killed)
            assert now >= best, f"the best score fell from {best} to {now}"
            best = now
        if num_killed == times:
            assert start(data, killed, plan).wait() == 0
            num_finished += 1
        assert_same(whole, killed)
        shutil.rmtree(killed)
    return (
        f"{num_killed} kills, {in_writing} of them while a file was written, {num_finished} "
        "trainings finished after them: every file readable, no best model lost, weights and "
        "curves those of the training that nobody killed"
    )


def run_and_kill(data: Path, out: Path, plan: Path, moments: random.Random, seconds: float) -> bool:
    """Train until a random moment, or a random write; return whether it was killed."""
    if moments.random() < 0.5:
        return start(data, out, plan, f"at={moments.randint(3, 60)}").wait() != 0
    process = start(data, out, plan)
    try:
        return process.wait(moments.uniform(0, seconds / 3)) != 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def assert_same(whole: Path, killed: Path) -> None:
    """The same weights, bit for bit, and the same curve."""
    one, other = (read_checkpoint(run / "checkpoint") for run in (whole, killed))
    for group in ("network", "average", "best"):
        first, second = getattr(one, group), getattr(other, group)
        assert all(torch.equal(first[name], second[name]) for name in first), group
    first, second = (load_model(run).network.state_dict() for run in (whole, killed))
    assert all(torch.equal(first[name], second[name]) for name in first), "model file"
    assert read_history(whole) == read_history(killed)


def main() -> None:
    """Kill as often as asked and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(kill_and_resume(Path(folder), args.times, args.seed))


if __name__ == "__main__":
    main()
