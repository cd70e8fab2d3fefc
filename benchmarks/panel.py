"""pixelwise and its peers on many small data sets at equal time: who is ahead, and by how much?

    python benchmarks/environments.py pixelwise smp keras-tensorflow           # once
    python benchmarks/panel.py PANEL [SET...] [--minutes 1,2,5] [--seeds 2] [--results FILE]

PANEL is a folder of data sets, each with train, val and test that hold images and masks (0 and 255,
or class indices named in classes.json); a SET is the name of one of them, or the path of another.
Everybody trains each set once for each seed and number of minutes, one process after the other, as
in time_to_score.py. Validation images choose the weights; test images are scored with these alone.
FILE keeps every training as it ends, a JSON object a line, and those that it has are not done
again. Prints a Markdown table for each number of minutes.
"""

import argparse
import json
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from environments import FOLDER
from time_to_score import PEERS, best, train

OURS = "pixelwise"
USUAL = (OURS, "PyTorch in bfloat16", "segmentation_models.pytorch", "MONAI", "Keras's tutorial")
HAVE_UP = ("salt", "streets", "car_parts")  # images that are never turned upside down

Row = dict[str, Any]  # set, peer, minutes, seed; seconds, dice, test_dice, test_low, test_high


def run(data: Path, peer: str, minutes: float, seed: int, folder: Path) -> Row:
    """Train once; return the scores of the weights that validation chooses."""
    options = Namespace(
        data=data,
        classes=count_classes(data),
        seed=seed,
        never_turn=data.name in HAVE_UP,
        test=True,
        validations=4,
        images=None,
        gpu=False,
        predict_plainly=False,
        folder=folder,
    )
    started = time.monotonic()
    lines = train(peer, minutes, options)
    line = lines[-1] if peer == OURS else best(lines)  # what a user gets; ours has chosen itself
    key = {"set": data.name, "peer": peer, "minutes": minutes, "seed": seed}
    return key | line | {"seconds": round(time.monotonic() - started, 1)}


def count_classes(data: Path) -> int:
    """Classes in masks of indices; 1 where masks hold 0 and 255."""
    file = data / "classes.json"
    number = len(json.loads(file.read_text())["classes"]) if file.exists() else 2
    return number if number > 2 else 1


def key_of(row: Row) -> tuple[str, str, float, int]:
    """What a training is told apart by."""
    return row["set"], row["peer"], float(row["minutes"]), int(row["seed"])


def read_rows(results: Path) -> list[Row]:
    """Those of earlier runs."""
    lines = results.read_text().splitlines() if results.exists() else []
    return [json.loads(line) for line in lines]


def mean_of(rows: Sequence[Row], name: str) -> float:
    """Over seeds."""
    return statistics.fmean(row[name] for row in rows)


def table(rows: Sequence[Row], minutes: float) -> str:
    """Markdown: test Dice of each set and peer, and how far pixelwise is ahead of the best one."""
    rows = [row for row in rows if row["minutes"] == minutes]
    peers = [peer for peer in PEERS if any(row["peer"] == peer for row in rows)]
    sets = list(dict.fromkeys(row["set"] for row in rows))
    lines = [
        f"| {minutes:g} min | " + " | ".join([*peers, "ahead of the best peer", "rank"]) + " |",
        "|---" * (len(peers) + 3) + "|",
    ]
    gaps = {}
    for name in sets:
        found = {
            peer: [row for row in rows if (row["set"], row["peer"]) == (name, peer)]
            for peer in peers
        }
        means = {peer: mean_of(mine, "test_dice") for peer, mine in found.items() if mine}
        others = [mean for peer, mean in means.items() if peer != OURS]
        last = ["", ""]
        if OURS in means and others:
            gaps[name] = means[OURS] - max(others)
            rank = 1 + sum(other > means[OURS] for other in others)
            last = [f"{gaps[name]:+.3f}", f"{rank} of {len(means)}"]
        cells = [describe(found[peer]) for peer in peers]
        lines.append(f"| {name} | " + " | ".join([*cells, *last]) + " |")
    if gaps:
        worst = min(gaps, key=gaps.__getitem__)
        lines += [
            "",
            f"{minutes:g} min: median {statistics.median(gaps.values()):+.3f}, worst "
            f"{gaps[worst]:+.3f} ({worst}), {len(gaps)} sets.",
        ]
    return "\n".join(lines)


def describe(rows: Sequence[Row]) -> str:
    """Mean of the seeds, the interval of the first, and the seconds of the slowest."""
    if not rows:
        return "not measured"
    first = min(rows, key=lambda row: int(row["seed"]))
    each = ", ".join(f"{row['test_dice']:.3f}" for row in rows) if len(rows) > 1 else ""
    seconds = max(row["seconds"] for row in rows)
    return (
        f"{mean_of(rows, 'test_dice'):.3f} [{first['test_low']:.3f}, {first['test_high']:.3f}] "
        f"{f'({each}) ' if each else ''}{seconds:.0f} s"
    )


def main() -> None:
    """Train everybody on everything and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("sets", nargs="*", metavar="SET", help="all of the panel, if none")
    parser.add_argument("--minutes", default="1,2,5")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--peers", default=",".join(USUAL))
    parser.add_argument("--results", type=Path, default=Path("panel.jsonl"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the environments")
    args = parser.parse_args()
    peers = args.peers.split(",")
    if unknown := set(peers) - set(PEERS):
        parser.error(f"no peers are called {', '.join(sorted(unknown))}; there are {list(PEERS)}")
    names = args.sets or sorted(path.parent.name for path in args.panel.glob("*/train"))
    folders = [args.panel / name if (args.panel / name).is_dir() else Path(name) for name in names]
    if missing := [folder for folder in folders if not (folder / "train").is_dir()]:
        parser.error(f"{missing[0]} has no folder train")
    rows = read_rows(args.results)
    done = {key_of(row) for row in rows}
    all_minutes = [float(text) for text in args.minutes.split(",")]
    for minutes in all_minutes:
        for seed in range(args.seeds):
            for data in folders:
                for peer in peers:
                    if (data.name, peer, minutes, seed) in done:
                        continue
                    row = run(data.resolve(), peer, minutes, seed, args.folder)
                    rows.append(row)
                    with args.results.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    print(row, file=sys.stderr, flush=True)
    for minutes in all_minutes:
        print(table(rows, minutes), end="\n\n")


if __name__ == "__main__":
    main()
