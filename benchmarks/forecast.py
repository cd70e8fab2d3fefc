"""How far plans are from what happens: steps forecast and done, seconds given and used.

    python benchmarks/forecast.py DATA... [--minutes 1,2,5,10] [--seed 0] [--programs 0]

Each training is a command of its own: `pixelwise train DATA --budget ...`. `--programs 2` lets so
many programs that never rest run beside it. Prints a Markdown table; run it with nothing else.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from busy import beside

from pixelwise.planning import read_plan


def train(data: Path, minutes: float, seed: int, run: Path) -> str:
    """Train once; give a row of the table."""
    command = [
        sys.executable, "-m", "pixelwise", "train", str(data), "--out", str(run),
        "--budget", f"{60 * minutes:g}s", "--seed", str(seed),
    ]  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    measured = read_plan(run / "plan.yaml").calibration
    assert measured is not None
    with (run / "history.csv").open() as file:
        *_, last = csv.DictReader(file)
    done = int(last["step"])
    return (
        f"| {data.name} | {minutes:g} min | {measured.num_steps:,} | {done:,} | "
        f"{done / measured.num_steps - 1:+.0%} | {seconds:.1f} s | "
        f"{seconds / 60 / minutes - 1:+.1%} | {float(last['val_dice']):.3f} |"
    )


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--minutes", default="1,2,5,10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", type=int, default=0, help="that compute all the while")
    args = parser.parse_args()
    print("| data | budget | steps forecast | done | off | took | off | validation Dice |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, beside(args.programs):
        for minutes in map(float, args.minutes.split(",")):
            for data in args.data:
                run = Path(folder) / f"{data.name}-{minutes:g}"
                print(train(data, minutes, args.seed, run), flush=True)


if __name__ == "__main__":
    main()
