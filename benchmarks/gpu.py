"""What pixelwise does on a GPU: training steps beside plain PyTorch, a training, a prediction.

    python benchmarks/gpu.py [--device cuda] [--quick] [--data DATA] [--seconds 60]

Everything runs in this process and needs no peer but torch. DATA is a folder for `pixelwise train`;
without one synthetic cells are drawn. `--quick` takes sizes for a rehearsal on a CPU. Each part is
printed as it ends, so that what was measured stays where a later part fails.
"""

import argparse
import gc
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import pixelwise as pw
from pixelwise.data.synthetic import write_cells
from pixelwise.device import has_bfloat16
from pixelwise.inference import Predictor
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.planning import Plan, parse_plan
from pixelwise.task import Task
from pixelwise.training import loss_for
from pixelwise.training.batches import Batch
from pixelwise.training.objective import Objective
from pixelwise.training.step import Stepper

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from plain_unet import CrossEntropyDice, PlainUNet

FULL = {  # name: widths, side, batch
    "U-Net 32 to 512": ((32, 64, 128, 256, 512), 256, 16),
    "16 to 256": ((16, 32, 64, 128, 256), 192, 32),
    "8 to 128": ((8, 16, 32, 64, 128), 192, 8),
}
QUICK = {"4 to 16": ((4, 8, 16), 64, 2)}


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best_seconds(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The least time of some rounds, after two that are not timed."""
    found = []
    for _ in range(rounds + 2):
        wait(device)
        started = time.perf_counter()
        run()
        wait(device)
        found.append(time.perf_counter() - started)
    return min(found[2:])


def peak_megabytes(device: torch.device) -> str:
    """The most memory since the last look, on a GPU."""
    if device.type != "cuda":
        return "not measured"
    found = torch.cuda.max_memory_allocated(device) / 2**20
    torch.cuda.reset_peak_memory_stats(device)
    return f"{found:.0f} MB"


def measure_peak(device: torch.device, *, quick: bool) -> float:
    """Operations a second of the fastest of some 3x3 convolutions, forward."""
    channels, side, batch = (16, 32, 2) if quick else (256, 128, 16)
    dtype = torch.bfloat16 if has_bfloat16(device) else torch.float32
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(device, dtype)
    conv = conv.to(memory_format=torch.channels_last)
    images = torch.randn(batch, channels, side, side, device=device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        seconds = best_seconds(lambda: conv(images), device, 5)
    rate = 2 * batch * side**2 * channels**2 * 9 / seconds
    print(f"Peak of a 3x3 convolution, {channels} channels, {dtype}: {rate / 1e12:.2f} TFLOP/s\n")
    return rate


def our_step(
    widths: tuple[int, ...], side: int, batch: int, device: torch.device, optimizer: str
) -> Callable[[], object]:
    """A step of pixelwise on a batch that is there: network, loss, update, average of weights."""
    plan = Plan(
        scaling=IntensityScaling(),
        patch_size=(side, side),
        batch_size=batch,
        widths=widths,
        normalization="batch",
        loss="cross_entropy_dice",
        optimizer=optimizer,
        learning_rate=1e-3,
        average_share=0.02,
        num_steps=1000,
        validate_every=1000,
        precision="bfloat16" if has_bfloat16(device) else "float32",
        channels_last=True,
    )
    torch.manual_seed(0)
    network = UNet(UNetConfig(in_channels=3, out_channels=1, widths=widths))
    stepper = Stepper(network, plan, Objective(loss_for(plan.loss, Task.BINARY)), device)
    crops = Batch(torch.randn(batch, 3, side, side), torch.rand(batch, side, side).round().byte())
    return lambda: stepper.take(crops, 1, 1000, 1e-3)


def plain_step(
    widths: tuple[int, ...], side: int, batch: int, device: torch.device, *, is_tuned: bool
) -> Callable[[], object]:
    """A step as a PyTorch script has it: float32, or bfloat16 channels-last."""
    network, loss_function = PlainUNet(3, widths, "batch").to(device), CrossEntropyDice()
    images = torch.randn(batch, 3, side, side)
    masks = torch.rand(batch, 1, side, side).round()
    if is_tuned:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=is_tuned)

    def step() -> None:
        batch_here = images.to(device)
        if is_tuned:
            batch_here = batch_here.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=is_tuned):
            logits = network(batch_here)
        loss = loss_function(logits.float(), masks.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def measure_steps(device: torch.device, peak: float, *, quick: bool) -> None:
    """A table of steps; shares of the peak are of the work that the plain network does."""
    print("| step | images a second | ms | memory | share of the peak |\n|---|---|---|---|---|")
    for name, (widths, side, batch) in (QUICK if quick else FULL).items():
        makers = {
            "pixelwise, AdamW": lambda s=(widths, side, batch): our_step(*s, device, "adamw"),
            "pixelwise, Muon": lambda s=(widths, side, batch): our_step(*s, device, "muon"),
            "PyTorch, float32": lambda s=(widths, side, batch): plain_step(
                *s, device, is_tuned=False
            ),
            "PyTorch, bfloat16 channels-last": lambda s=(widths, side, batch): plain_step(
                *s, device, is_tuned=True
            ),
        }
        counted = makers["PyTorch, float32"]()
        with FlopCounterMode(display=False) as counter:
            counted()
        work = counter.get_total_flops()
        del counted
        for way, make in makers.items():
            clean(device)
            step = make()
            seconds = best_seconds(step, device, 3 if quick else 15)
            print(
                f"| {name}, {side} x {side}, {way} | {batch / seconds:.1f} | "
                f"{1e3 * seconds:.2f} | {peak_megabytes(device)} | {work / seconds / peak:.1%} |",
                flush=True,
            )
            del step
    print()


def measure_training(device: torch.device, data: Path | None, seconds: float, folder: Path) -> None:
    """A training under a budget, with everything that a user gets."""
    clean(device)
    if data is None:
        data = folder / "cells"
        write_cells(data, num_images=24, seed=0)
    started = time.monotonic()
    run = pw.train(data, folder / "run", budget=seconds, device=str(device), progress=False)
    plan = parse_plan((folder / "run" / "plan.yaml").read_text())
    dice = run.scores.mean["dice"] if run.scores else None
    print(
        f"Training of {seconds:g} s on {data.name}: {time.monotonic() - started:.1f} s, "
        f"{run.num_steps} steps (forecast: {plan.describe_forecast()}), validation Dice {dice}, "
        f"{peak_megabytes(device)}\n",
        flush=True,
    )


def measure_prediction(device: torch.device, *, quick: bool) -> None:
    """One large picture, from an array to a mask."""
    clean(device)
    widths, side = ((4, 8, 16), 256) if quick else ((32, 64, 128, 256, 512), 4096)
    config = UNetConfig(in_channels=3, out_channels=1, widths=widths)
    model = Model(
        ModelConfig(
            network=config,
            task=Task.BINARY,
            class_names=("background", "object"),
            class_colors=("#000000", "#ffffff"),
            patch_size=(256, 256),
            precision="bfloat16" if has_bfloat16(device) else "float32",
        ),
        UNet(config),
    )
    predictor = Predictor(model, device=device)
    image = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    seconds = best_seconds(lambda: predictor.segment(image), device, 1 if quick else 3)
    print(
        f"Prediction of {side} x {side}, widths {widths}: {seconds:.2f} s, "
        f"{side**2 / seconds / 1e6:.1f} megapixels a second, {peak_megabytes(device)}",
        flush=True,
    )


def clean(device: torch.device) -> None:
    """Give back what earlier parts took."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def main() -> int:
    """Measure part by part; the exit status says whether all went well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=None, help="of the training")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no NVIDIA GPU. For a rehearsal: --device cpu --quick")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}\n", flush=True)
    seconds = args.seconds or (10 if args.quick else 60)
    failed = []
    peak = measure_peak(device, quick=args.quick)
    with TemporaryDirectory() as folder:
        parts = {
            "steps": lambda: measure_steps(device, peak, quick=args.quick),
            "training": lambda: measure_training(device, args.data, seconds, Path(folder)),
            "prediction": lambda: measure_prediction(device, quick=args.quick),
        }
        for part, measure in parts.items():
            try:
                measure()
            except Exception:
                traceback.print_exc()
                failed.append(part)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
