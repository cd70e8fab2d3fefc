"""Two versions of pixelwise on the same data at equal time: is the newer one worse on any?

    python benchmarks/versions.py OLD NEW DATA... [--minutes 2] [--seeds 2]

OLD and NEW are checkouts of this repository, which one environment runs: the one that runs this
script. Each version trains on each DATA once a seed with `pixelwise train`, in turn, so that a
machine whose speed drifts treats both alike. NEW scores the validation images of all runs, so that
both are measured with one ruler; a run whose split is another than that of the first is an error.
Prints a Markdown table; --json FILE keeps every score as it comes, and goes on from what is there.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

Key = tuple[str, str, int]  # data, version, seed


def pixelwise(checkout: Path, *words: object) -> None:
    """Run the command line of a checkout; end where it fails."""
    command = [sys.executable, "-m", "pixelwise", *map(str, words)]
    variables = {"PYTHONPATH": str(checkout.resolve() / "src"), "CUDA_VISIBLE_DEVICES": ""}
    # in a folder of its own: Python would import what lies in the current one first
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            command, check=True, cwd=folder, env={**os.environ, **variables}, stdout=sys.stderr
        )


def score(args: argparse.Namespace, data: Path, version: str, seed: int) -> dict[str, object]:
    """Train once; return the validation Dice, the seconds, and the split."""
    checkout = {"old": args.old, "new": args.new}[version]
    with tempfile.TemporaryDirectory() as folder:
        run, scores = Path(folder) / "run", Path(folder) / "scores.json"
        started = time.monotonic()
        budget = ("--budget", f"{args.minutes:g}min", "--seed", seed, "--device", "cpu")
        pixelwise(checkout, "train", data, "--out", run, *budget, "-q")
        seconds = time.monotonic() - started
        pixelwise(args.new, "evaluate", run, data, "--split", "val", "--json", scores, "-q")
        dice = json.loads(scores.read_text())["mean"]["dice"]["mean"]
        with (run / "split.csv").open(newline="", encoding="utf-8") as file:
            split = sorted(f"{row['name']} {row['split']}" for row in csv.DictReader(file))
    return {"dice": dice, "seconds": round(seconds, 1), "split": split}


def table(results: dict[Key, dict[str, object]]) -> str:
    """Markdown: validation Dice of each seed, and the difference of the means."""
    rows = ["| | old | new | new - old |", "|---|---|---|---|"]
    for data in dict.fromkeys(key[0] for key in results):
        found = {
            version: [float(r["dice"]) for k, r in results.items() if k[:2] == (data, version)]
            for version in ("old", "new")
        }
        if not all(found.values()):
            continue
        cells = [", ".join(f"{dice:.3f}" for dice in found[name]) for name in ("old", "new")]
        difference = statistics.mean(found["new"]) - statistics.mean(found["old"])
        rows.append(f"| {data} | {cells[0]} | {cells[1]} | {difference:+.3f} |")
    return "\n".join(rows)


def main() -> None:
    """Train everything in turn and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    results: dict[Key, dict[str, object]] = {}
    if args.json and args.json.exists():
        results = {tuple(key): found for key, found in json.loads(args.json.read_text())}
    for seed in range(args.seeds):
        for data in args.data:
            for version in ("old", "new"):
                key = (data.name, version, seed)
                if key in results:
                    continue
                results[key] = score(args, data.resolve(), version, seed)
                print(key, results[key]["dice"], results[key]["seconds"], "s", file=sys.stderr)
                if args.json:
                    args.json.write_text(json.dumps(list(results.items())))
            splits = [
                found["split"] for key, found in results.items() if key[::2] == (data.name, seed)
            ]
            if splits[0] != splits[-1]:
                raise SystemExit(f"The two versions split {data.name} in two ways.")
    print(table(results))
    print(f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {args.minutes:g} min a run")


if __name__ == "__main__":
    main()
