"""How long pixelwise and its peers take to reach a Dice on nuclei, each as its users would do it.

    python benchmarks/environments.py                            # once
    python benchmarks/time_to_score.py DATA [--minutes 1,2,5,10] [--peers NAME,...] [--test]

DATA holds train, val and test, each with images and masks of 0 and 255 (or, with --classes K, of
class indices below K). Each peer trains once for
each number of minutes, one process after the other, with a schedule that ends when its time does;
its script is in benchmarks/peers. The clock starts before the imports. Peers' validations do not
count; pixelwise's do. Prints a Markdown table; choices are explained in docs/benchmarks.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from environments import BENCHMARKS, FOLDER, python_of

PREFIX = ":: "
PEERS = {  # environment, script, further arguments
    "pixelwise": ("pixelwise", "score_pixelwise.py", ()),
    "PyTorch": ("pixelwise", "score_torch.py", ()),
    "PyTorch in bfloat16": ("pixelwise", "score_torch.py", ("--bfloat16",)),
    "segmentation_models.pytorch": ("smp", "score_smp.py", ("--learning-rate", "1e-3")),
    "MONAI": ("pixelwise", "score_monai.py", ()),
    "Keras on TensorFlow": ("keras-tensorflow", "score_keras.py", ()),
    "Keras on JAX": ("keras-jax", "score_keras.py", ()),
    "Keras's tutorial": ("keras-tensorflow", "score_keras.py", ("--side", "128")),
    "nnU-Net": ("nnunet", "score_nnunet.py", ()),
}

FOR_ONE_CLASS = ("nnU-Net",)  # that do not take --classes

Line = dict[str, float]  # seconds, dice, and test_dice where it was asked for


def train(name: str, minutes: float, args: argparse.Namespace) -> list[Line]:
    """Train once and return what it told: a line a validation."""
    environment, script, more = PEERS[name]
    if args.gpu:
        more = (*more, "--device", "cuda")
    if args.test:
        more = (*more, "--test")
    if args.images:
        more = (*more, "--images", args.images)
    if args.classes > 1:
        if name in FOR_ONE_CLASS:
            raise ValueError(f"{name} is for one class here. Leave it out of --peers.")
        more = (*more, "--classes", args.classes)
    if args.seed:
        more = (*more, "--seed", args.seed)
    if args.never_turn:
        more = (*more, "--never-turn")
    if name != "pixelwise":  # which chooses by itself
        more = (*more, "--validations", args.validations)
    if args.predict_plainly:
        more = (*more, "--predict-plainly")
    variables = {"KERAS_BACKEND": environment.removeprefix("keras-")}
    variables |= {"TF_CPP_MIN_LOG_LEVEL": "2", "NO_ALBUMENTATIONS_UPDATE": "1"}
    if not args.gpu:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    with tempfile.TemporaryDirectory() as out:
        command = [python_of(environment, args.folder), BENCHMARKS / "peers" / script, args.data]
        command += ["--minutes", minutes, "--out", out, "--started", time.monotonic(), *more]
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        lines = []
        for text in process.stdout:
            if text.startswith(PREFIX):
                lines.append(json.loads(text.removeprefix(PREFIX)))
                print(f"{name}, {minutes:g} min: {lines[-1]}", file=sys.stderr, flush=True)
        if process.wait():
            raise RuntimeError(f"{script} ended with status {process.returncode}")
    return lines


def best(lines: Sequence[Line]) -> Line:
    """The line of the highest validation Dice; of equal ones that with a test score."""
    return max(lines, key=lambda line: (round(line["dice"], 6), "test_dice" in line))


def seconds_to(target: float, lines: Sequence[Line]) -> float | None:
    """When a Dice was reached first, or None."""
    return next((line["seconds"] for line in lines if line["dice"] >= target), None)


def table(runs: dict[str, dict[float, list[Line]]], target: float | None) -> str:
    """Markdown: the best Dice of each run, and when the longest run reached the target."""
    longest = max(minutes for lines in runs.values() for minutes in lines)
    others = [best(lines[longest])["dice"] for name, lines in runs.items() if name != "pixelwise"]
    target = target or (max(others) if others else 1.0)
    all_minutes = sorted({minutes for lines in runs.values() for minutes in lines})
    heads = [*(f"{minutes:g} min" for minutes in all_minutes), f"s to {target:.3f}", "test"]
    rows = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, lines in runs.items():
        cells = [f"{best(lines[minutes])['dice']:.3f}" for minutes in all_minutes]
        # a shorter run may reach it before the longest one, whose learning rate falls later
        reached = [t for run in lines.values() if (t := seconds_to(target, run)) is not None]
        cells.append(f"{min(reached):.0f}" if reached else "not reached")
        test = best(lines[longest]).get("test_dice")
        cells.append("" if test is None else f"{test:.3f}")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Train everybody and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", default="1,2,5,10")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--target", type=float, default=None, help="Dice; the best peer's if none")
    parser.add_argument("--test", action="store_true", help="score the test images too")
    parser.add_argument("--images", type=int, default=None, help="score no more, to try it out")
    parser.add_argument("--classes", type=int, default=1, help="masks of class indices have these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--never-turn", action="store_true", help="images have an up and a left")
    parser.add_argument("--validations", type=int, default=4, help="of a peer's training")
    parser.add_argument("--predict-plainly", action="store_true", help="nnU-Net without mirroring")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the environments")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    runs: dict[str, dict[float, list[Line]]] = {}
    for name in args.peers.split(","):
        for minutes in map(float, args.minutes.split(",")):
            runs.setdefault(name, {})[minutes] = train(name, minutes, args)
            if args.json:
                args.json.write_text(json.dumps(runs, indent=1))
    print(table(runs, args.target))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load average at the end {load}")


if __name__ == "__main__":
    main()
