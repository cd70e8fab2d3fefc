"""How many training steps a minute has room for beside other programs, on a CPU.

    python benchmarks/busy.py [DATA] [--seconds 60] [--programs 0,1,2,4] [--rounds 1]

Trains beside 0, 1, 2 and 4 programs that never rest: pixelwise as it is, pixelwise with as many
threads as there are cores (which is what it loses when alone compared with), and the same network
as a plain PyTorch script with torch's own number of threads. Every training is a process of its own
that takes the same steps (--size pixels, --batch-size, --widths) until its time is over; imports
and the reading of the data do not count. Of several rounds the mean counts. Prints a Markdown table
of steps and of their share of those without other programs. DATA is a folder that `pixelwise train`
takes; without, cells are drawn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PREFIX = ":: "
PIXELWISE, FIXED, PYTORCH = "pixelwise", "pixelwise, as many threads as cores", "PyTorch, plain"
WAYS = (PIXELWISE, FIXED, PYTORCH)
BUSY = "while True: pass"

Steps = Mapping[tuple[str, int], Sequence[int]]  # of each round, by way and number of programs


@contextmanager
def beside(number: int) -> Iterator[list[subprocess.Popen]]:
    """Run that many programs meanwhile, which compute and never wait."""
    programs = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
            program.wait()


def train(way: str, data: Path, args: argparse.Namespace) -> int:
    """Train in a process of its own and return the number of steps."""
    child = [sys.executable, __file__, str(data), "--way", way, "--seconds", str(args.seconds)]
    child += ["--size", str(args.size), "--batch-size", str(args.batch_size)]
    child += ["--widths", args.widths]
    done = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(PREFIX)]
    return int(json.loads(lines[-1].removeprefix(PREFIX)))


def count_pixelwise(args: argparse.Namespace, num_threads: int | None) -> int:
    """Train by a plan with the loop of `pixelwise train`."""
    import torch

    from pixelwise.device import has_bfloat16
    from pixelwise.doctor import examine_dataset
    from pixelwise.network import IntensityScaling
    from pixelwise.planning import Augmentation, Plan
    from pixelwise.training import Clock, Objective, Timetable, Trainer
    from pixelwise.workflows.from_plan import new_loss, new_model

    device = torch.device("cpu")
    plan = Plan(
        scaling=IntensityScaling(scheme="percentiles"),
        patch_size=(args.size, args.size),
        batch_size=args.batch_size,
        widths=widths_of(args),
        normalization="batch",  # as the plain network has it
        loss="cross_entropy_dice",
        augmentation=Augmentation(
            flip_horizontal=True, right_angles=True, rotation_degrees=180, moved_share=0.2
        ),
        learning_rate=1e-3,
        average_share=0.02,
        num_steps=10**6,
        validate_every=10**6,
        precision="bfloat16" if has_bfloat16(device) else "float32",
        channels_last=True,
        num_threads=num_threads,
    )
    dataset = examine_dataset(args.data).dataset
    train = dataset.samples("train")
    model = new_model(dataset, plan, {})
    timetable = Timetable(
        Clock(), num_steps=10**6, budget=args.seconds, validate_every=10**6, seconds_per_step=0.1
    )
    trainer = Trainer(
        model,
        plan,
        train,
        [],
        objective=Objective(new_loss(model, plan)),
        timetable=timetable,
        device=device,
    )
    return trainer.run().num_steps


def count_pytorch(args: argparse.Namespace) -> int:
    """Train the same network on random images, as a script does."""
    sys.path.insert(0, str(Path(__file__).parent / "peers"))
    import torch
    from plain_unet import CrossEntropyDice, PlainUNet

    network, loss = PlainUNet(1, widths_of(args), "batch"), CrossEntropyDice()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    shape = (args.batch_size, 1, args.size, args.size)
    images, target = torch.randn(shape), (torch.rand(shape) > 0.5).float()
    started, num_steps = time.monotonic(), 0
    while time.monotonic() - started < args.seconds:
        optimizer.zero_grad()
        loss(network(images), target).backward()
        optimizer.step()
        num_steps += 1
    return num_steps


def count_steps(args: argparse.Namespace) -> int:
    """Train in one way, in this process."""
    if args.way == PYTORCH:
        return count_pytorch(args)
    import torch

    return count_pixelwise(args, torch.get_num_threads() if args.way == FIXED else None)


def widths_of(args: argparse.Namespace) -> tuple[int, ...]:
    """Of the network, level by level."""
    return tuple(int(width) for width in args.widths.split(","))


def table(steps: Steps, programs: Sequence[int]) -> str:
    """Markdown: a row a way, a column a number of other programs."""
    heads = ["alone" if number == 0 else f"beside {number}" for number in programs]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for way in dict.fromkeys(way for way, _ in steps):
        means = [statistics.fmean(steps[way, number]) for number in programs]
        cells = [f"{mean:.0f} ({100 * mean / means[0]:.0f} %)" for mean in means]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure(args: argparse.Namespace, data: Path) -> dict[tuple[str, int], list[int]]:
    """Train in every way beside every number of programs."""
    steps: dict[tuple[str, int], list[int]] = {}
    for number in args.programs:
        for _ in range(args.rounds):
            for way in args.ways:
                with beside(number):
                    steps.setdefault((way, number), []).append(train(way, data, args))
                print(f"{way}, beside {number}: {steps[way, number]}", file=sys.stderr, flush=True)
    return steps


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", default=None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--programs", default="0,1,2,4", help="that run beside; 0 first")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=int, default=96, help="of a patch, pixels")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--widths", default="16,32,64,128,256")
    parser.add_argument("--way", choices=WAYS, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--rows", default="", help="only ways with one of these words")
    args = parser.parse_args()
    if args.way:
        print(PREFIX + json.dumps(count_steps(args)), flush=True)
        return
    words = args.rows.split(",")
    args.ways = [way for way in WAYS if any(word in way for word in words)]
    args.programs = [int(number) for number in args.programs.split(",")]
    from pixelwise.data.synthetic import write_cells

    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        steps = measure(args, args.data or write_cells(Path(folder) / "cells"))
    print(table(steps, args.programs))
    print(
        f"\n{time.strftime('%Y-%m-%d')}, {args.seconds:g} s each, {os.cpu_count()} cores, "
        f"load average before {load:.1f}"
    )


if __name__ == "__main__":
    main()
