"""How much of a prediction's time is convolution, and how near that comes to the fastest of them.

    python benchmarks/convolution_peak.py [--network unet] [--side 512] [--precision bfloat16]

One tile goes through the network as prediction runs it. "Convolutions" is the share of the time
that is spent in their kernels; what is left are pooling, activations and copies. "Peak" is the
highest rate of any of the convolutions in the same run, in products and sums a second that the
kernel does; the table has the rate of each.
"""

import argparse
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from prediction import NETWORKS, make_model
from torch.profiler import ProfilerActivity, profile

from pixelwise.inference import TorchRuntime
from pixelwise.network import load_model

KERNELS = {  # of convolutions, and which of their arguments are features and weights
    "mkldnn::_convolution_pointwise": (0, 1),
    "mkldnn::_convolution_pointwise_": (1, 2),
    "aten::mkldnn_convolution": (0, 1),
    "aten::_convolution": (0, 1),  # its own time is that of transposed convolutions alone
    "aten::_slow_conv2d_forward": (0, 1),
}
LEAST_MICROSECONDS = 50  # of a kernel: less is the call


def operations(name: str, shapes: list[list[int]]) -> float:
    """Products and sums of a convolution: each weight meets each pixel of the larger image."""
    features, weight = (shapes[index] for index in KERNELS[name])
    pixels = features[0] * math.prod(features[2:])  # of the output; of the input where transposed
    return 2.0 * pixels * math.prod(weight)


def run(runtime: TorchRuntime, tile: torch.Tensor, times: int) -> float:
    """Seconds that a tile takes, the least of some."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        runtime(tile)
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="unet")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    args = parser.parse_args()
    with TemporaryDirectory() as folder, torch.inference_mode():
        path = Path(folder) / "model.safetensors"
        make_model(args.network, path)
        cpu = torch.device("cpu")
        runtime = TorchRuntime(
            load_model(path), cpu, in_place=True, fold=True, precision=args.precision
        )
        tile = torch.rand(1, 3, args.side, args.side)
        run(runtime, tile, 3)
        seconds = run(runtime, tile, 20)
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
            run(runtime, tile, 5)
    events = profiled.key_averages(group_by_input_shape=True)
    total = sum(event.self_cpu_time_total for event in events)
    layers = [
        (event.self_cpu_time_total, operations(event.key, event.input_shapes) * event.count, event)
        for event in events
        if event.key in KERNELS and event.self_cpu_time_total > LEAST_MICROSECONDS * event.count
    ]
    spent, work = (sum(layer[index] for layer in layers) for index in (0, 1))
    peak = max(done / micro for micro, done, _ in layers) / 1e3
    print("| share of the time | 10⁹ operations a second | features, weights |\n|---|---|---|")
    for micro, done, event in sorted(layers, key=lambda layer: -layer[0]):
        features, weight = (event.input_shapes[index] for index in KERNELS[event.key])
        print(f"| {micro / total:.1%} | {done / micro / 1e3:.0f} | {features}, {weight} |")
    print(
        f"\n{args.network}, {args.precision}, tile of {args.side}: {1e3 * seconds:.1f} ms; "
        f"convolutions {spent / total:.1%} of the time, at {work / spent / 1e3:.0f} where the "
        f"fastest layer has {peak:.0f}; all in all {work / 5 / seconds / 1e9:.0f} "
        f"({work / 5 / seconds / 1e9 / peak:.0%} of the peak)"
    )


if __name__ == "__main__":
    main()
