"""How much of the time of its steps training waits for data, on CPU or GPU.

    python benchmarks/data_wait.py DATA... [--budget 2min] [--device auto] [--memory MB]

Trains on each data folder into a folder that is removed, and prints a line for each validation and
one for the training as a whole. With --memory only so many megabytes of decoded samples are kept in
memory, and the others are mapped from a cache on disk that is empty at the start.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from functools import partialmethod
from pathlib import Path

from pixelwise.data import Dataset
from pixelwise.training import Watcher
from pixelwise.workflows import train


class Teller(Watcher):
    """Prints each validation and keeps the steps between them and the share of waiting."""

    def __init__(self) -> None:
        """Nothing was validated yet."""
        self.rows: list[tuple[int, float]] = []  # steps since the last validation, share

    def validated(self, row: Mapping[str, float]) -> None:
        """A validation: how long the steps before it waited."""
        steps = int(row["step"]) - sum(steps for steps, _ in self.rows)
        self.rows.append((steps, row["data_wait"]))
        print(f"{row['step']:8.0f} {row['seconds']:8.1f} {100 * row['data_wait']:7.2f} %")

    @property
    def share(self) -> float:
        """Of the time of all steps, taken as equally long."""
        num_steps = sum(steps for steps, _ in self.rows)
        return sum(steps * share for steps, share in self.rows) / max(1, num_steps)


def measure(data: Path, budget: str, device: str) -> None:
    """Train once and print the table."""
    print(f"{data.name}\n{'step':>8} {'seconds':>8} {'waiting':>9}")
    teller = Teller()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PIXELWISE_CACHE"] = str(Path(folder) / "cache")
        train(data, Path(folder) / "run", budget=budget, device=device, watcher=teller)
    print(f"{'all':>8} {'':>8} {100 * teller.share:7.2f} %\n")


def main() -> None:
    """Measure every folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--budget", default="2min")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory", type=float, default=None, metavar="MB")
    args = parser.parse_args()
    if args.memory is not None:
        limit = int(args.memory * 2**20)
        setattr(Dataset, "samples", partialmethod(Dataset.samples, memory_limit=limit))  # noqa: B010
    for data in args.data:
        measure(data, args.budget, args.device)


if __name__ == "__main__":
    main()
