"""How long a training step takes: precision, layout and normalization side by side in one run.

    python benchmarks/step.py [--size 192] [--batch-size 8] [--widths 16,32,64,128,256]

The ways are timed in turn, several rounds, and the best round of each counts, so that what else
runs on the machine disturbs all alike. Ratios are to the first line.
"""

import argparse
import time
from collections.abc import Callable
from itertools import product

import torch

from pixelwise.device import autocast, pick_device
from pixelwise.network import UNet, UNetConfig, cross_entropy_dice_loss

NORMALIZATIONS = ("batch", "instance", "group", "none")


def make_step(
    config: UNetConfig, args: argparse.Namespace, *, precision: str, channels_last: bool
) -> Callable[[], None]:
    """A training step on random images."""
    device = pick_device("auto")
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network = UNet(config).to(device).to(memory_format=memory_format)
    images = torch.randn(args.batch_size, 3, args.size, args.size, device=device)
    images = images.contiguous(memory_format=memory_format)
    target = (torch.rand(args.batch_size, args.size, args.size, device=device) > 0.5).byte()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        with autocast(device, precision):
            logits = network(images)
        loss = cross_entropy_dice_loss(logits.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def timed(step: Callable[[], None]) -> float:
    """Seconds of one step."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    """Time every way in turn and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--widths", default="16,32,64,128,256")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    widths = tuple(int(width) for width in args.widths.split(","))
    ways = [
        *((norm, "bfloat16", True) for norm in NORMALIZATIONS),
        *(("instance", p, c) for p, c in product(("bfloat16", "float32"), (False, True))),
    ]
    steps = {}
    for norm, precision, channels_last in dict.fromkeys(ways):
        config = UNetConfig(in_channels=3, out_channels=1, widths=widths, normalization=norm)
        steps[norm, precision, channels_last] = make_step(
            config, args, precision=precision, channels_last=channels_last
        )
    for step in steps.values():
        step()
    rounds = [{way: timed(step) for way, step in steps.items()} for _ in range(args.rounds)]
    best = {way: min(times[way] for times in rounds) for way in steps}
    first = next(iter(best.values()))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, widths {widths}")
    print(f"{'normalization':14}{'precision':10}{'layout':16}{'ms/image':>9}{'ratio':>7}")
    for (norm, precision, channels_last), seconds in best.items():
        layout = "channels-last" if channels_last else "channels-first"
        per_image = 1000 * seconds / args.batch_size
        print(f"{norm:14}{precision:10}{layout:16}{per_image:9.1f}{seconds / first:7.2f}")


if __name__ == "__main__":
    main()
