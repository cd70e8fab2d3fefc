"""How fast pixelwise and its peers train the same network on the same batches, in one run.

    python benchmarks/environments.py                # once
    python benchmarks/training.py [--gpu] [--rounds 5] [--cases unet-4,...] [--rows WORD,...]

Each peer is a process of its own in its own environment. All are started and warmed up, then take
turns for several rounds, a few seconds each, stopped (SIGSTOP) while another has its turn. The
best round of each counts, so that what else runs on the machine disturbs all alike. Prints a
Markdown table for each case; --json keeps all rounds. Choices are explained in docs/benchmarks.md.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import BENCHMARKS, FOLDER, python_of

PEERS = BENCHMARKS / "peers"
PREFIX = ":: "
WIDE = {"widths": [32, 64, 128, 256, 512], "size": 256, "in_channels": 3}
TUTORIAL = {"widths": [16, 32, 64], "size": 128, "in_channels": 1}
WIDE |= {"normalization": "batch", "loss": "cross_entropy_dice"}
TUTORIAL |= {"normalization": "none", "loss": "cross_entropy"}
CASES = {
    "unet-4": {**WIDE, "batch_size": 4},
    "unet-8": {**WIDE, "batch_size": 8},
    "tutorial-2": {**TUTORIAL, "batch_size": 2},
    "tutorial-32": {**TUTORIAL, "batch_size": 32},
}


@dataclass(frozen=True)
class Row:
    """A line of the table: a peer in one way of using it."""

    name: str
    environment: str
    script: str
    options: dict[str, Any] = field(default_factory=dict)
    only: str = ""  # cases whose name begins so
    own_network: bool = False  # another network than the others: a rate is no comparison


PEAKS = {
    precision: Row(precision, "pixelwise", "step_peak.py", {"precision": precision})
    for precision in ("bfloat16", "float32")
}


def torch_row(name: str, environment: str, only: str = "", **options: Any) -> Row:  # noqa: ANN401
    """A row of a peer that runs on PyTorch."""
    own = options.get("network") == "own"
    return Row(name, environment, "step_torch.py", options, only, own)


def keras_row(name: str, engine: str, **options: Any) -> Row:  # noqa: ANN401
    """A row of Keras on one engine."""
    return Row(name, f"keras-{engine}", "step_keras.py", options)


ROWS = (
    Row("pixelwise train", "pixelwise", "step_pixelwise.py", {"door": "train"}),
    Row(
        "pixelwise train, instance normalization (its default)",
        "pixelwise",
        "step_pixelwise.py",
        {"door": "train", "normalization": "instance"},
        "unet",
    ),
    Row("pixelwise fit", "pixelwise", "step_pixelwise.py", {"door": "fit"}, "tutorial"),
    torch_row("PyTorch, plain", "pixelwise", library="torch"),
    torch_row("PyTorch, tuned", "pixelwise", library="torch", tuned=True),
    torch_row("MONAI loss and loop", "pixelwise", library="monai"),
    torch_row("MONAI BasicUNet", "pixelwise", "unet", library="monai", network="own"),
    torch_row("smp losses and loop", "smp", library="smp"),
    torch_row("smp.Unet, ResNet-34 encoder", "smp", "unet", library="smp", network="own"),
    keras_row("Keras on TensorFlow", "tensorflow"),
    keras_row("Keras on TensorFlow, mixed_bfloat16", "tensorflow", tuned=True),
    keras_row("Keras on JAX", "jax"),
    keras_row("Keras on JAX, mixed_bfloat16", "jax", tuned=True),
)


class Peer:
    """The process of a row; it is stopped while it is not asked."""

    def __init__(self, row: Row, case: dict[str, Any], folder: Path) -> None:
        self.row, self.rounds = row, []
        options = {**case, "options": row.options}
        engine = {"KERAS_BACKEND": row.environment.removeprefix("keras-")}
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "TQDM_DISABLE": "1"}
        hidden = {} if case["device"] == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(
            [python_of(row.environment, folder), str(PEERS / row.script), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **engine, **quiet, **hidden},
        )
        self.facts = self._answer()
        self.num_steps = 1
        self._process.send_signal(signal.SIGSTOP)

    def fit_steps(self, seconds: float, most: int) -> None:
        """Choose how many steps a turn has, so that it takes about that long."""
        per_step = self._ask(1)
        self.num_steps = max(2, min(most, round(seconds / per_step)))

    def take_turn(self) -> None:
        """Train for a round and keep the seconds of a step."""
        self.rounds.append(self._ask(self.num_steps) / self.num_steps)

    def end(self) -> float:
        """End the process and return its peak memory in MB."""
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.close()
        megabytes = self._answer()["megabytes"]
        self._process.wait()
        return megabytes

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()

    @property
    def best(self) -> float:
        """Seconds of a step in the best round."""
        return min(self.rounds)

    def _ask(self, num_steps: int) -> float:
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(f"{num_steps}\n")
        self._process.stdin.flush()
        seconds = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return seconds

    def _answer(self) -> Any:  # noqa: ANN401
        """The next line that is meant for us; libraries print others."""
        for line in self._process.stdout:
            if line.startswith(PREFIX):
                return json.loads(line.removeprefix(PREFIX))
        raise RuntimeError(f"{self.row.name} ended with status {self._process.wait()}")


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One case: start all peers, let them take turns, and return what was measured."""
    case = {**CASES[name], "device": "cuda" if args.gpu else "cpu"}
    rows = [row for row in ROWS if name.startswith(row.only) and is_wanted(row, args)]
    load, started = [os.getloadavg()[0]], time.monotonic()
    peers: dict[str, Peer] = {}
    try:
        for row in (*PEAKS.values(), *rows):
            peers[row.name] = Peer(row, case, args.folder)
            peers[row.name].fit_steps(args.seconds, args.most_steps)
            say(f"{name}: {row.name} is ready after {time.monotonic() - started:.0f} s")
        for number in range(args.rounds):
            for peer in peers.values():
                peer.take_turn()
            load.append(os.getloadavg()[0])
            say(f"{name}: round {number + 1} of {args.rounds}, load {load[-1]:.1f}")
            if time.monotonic() - started > 60 * args.minutes:
                break
        return {
            "case": name,
            "load": load,
            "rows": {n: result(peer, case["batch_size"]) for n, peer in peers.items()},
        }
    finally:
        for peer in peers.values():
            peer.kill()


def result(peer: Peer, batch_size: int) -> dict[str, Any]:
    """What one peer gave."""
    return {
        "seconds": peer.best,
        "rounds": peer.rounds,
        "images_per_second": batch_size / peer.best,
        "gflop": peer.facts.get("gflop"),
        "versions": peer.facts["versions"],
        "own_network": peer.row.own_network,
        "megabytes": peer.end(),
    }


def is_wanted(row: Row, args: argparse.Namespace) -> bool:
    """Whether a word of --rows is in its name; all are wanted where there is no such word."""
    return not args.rows or any(word in row.name for word in args.rows.split(","))


def table(measured: dict[str, Any]) -> str:
    """Markdown: a line a row, with ratios to the first one and shares of the two peaks."""
    rows = dict(measured["rows"])
    peaks = {name: row["gflop"] / row["seconds"] for name, row in rows.items() if name in PEAKS}
    rows = {name: row for name, row in rows.items() if name not in PEAKS}
    first = next(iter(rows.values()))["seconds"]
    plain = rows.get("PyTorch, plain", {})
    load = f"{min(measured['load']):.1f} to {max(measured['load']):.1f}"
    lines = [
        f"{measured['case']}: peaks of 3x3 convolutions {peaks['bfloat16']:.0f} GFLOP/s bfloat16, "
        f"{peaks['float32']:.0f} float32; load average {load}.",
        "",
        "| | ms/step | images/s | times the first | of bf16 peak | of fp32 peak | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        # all but libraries' own networks do the same work, counted once
        gflop = row["gflop"] if row["own_network"] else plain.get("gflop")
        shares = (
            [f"{100 * gflop / row['seconds'] / peaks[p]:.0f} %" for p in PEAKS]
            if gflop
            else ["", ""]
        )
        note = f" (other network, {row['gflop']:.0f} GFLOP)" if row["own_network"] else ""
        figures = [f"{1000 * row['seconds']:.1f}", f"{row['images_per_second']:.2f}"]
        figures += [f"{row['seconds'] / first:.2f}", *shares, f"{row['megabytes']:.0f}"]
        lines.append(f"| {name}{note} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure every case and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--rows", default="", help="only rows with one of these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=20, help="no further round after these")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    parser.add_argument("--most-steps", type=int, default=200, help="of a turn")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the environments")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    measured = []
    for name in args.cases.split(","):
        measured.append(measure(name, args))
        print(table(measured[-1]), flush=True)
        if args.json:
            args.json.write_text(json.dumps(measured, indent=1))
    versions = {}
    for row in (row for one in measured for row in one["rows"].values()):
        versions |= row["versions"]
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, {versions}")


if __name__ == "__main__":
    main()
