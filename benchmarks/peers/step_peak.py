"""The machine's own limit: 3x3 convolutions of 64, 128 and 256 channels, channels-last, forward.

Options: `precision` "bfloat16" or "float32". The layers have the sizes that they have in a U-Net of
widths 32 to 512 at 256 x 256, so each has as much to compute as the others.
"""

import time

import torch
from protocol import process_megabytes, read_case, serve
from torch import nn

LAYERS = ((64, 128), (128, 64), (256, 32))  # channels, side
BATCH_SIZE = 8


def main() -> None:
    """Build, then answer."""
    case = read_case()
    device, dtype = torch.device(case.device), getattr(torch, case.options["precision"])
    last = torch.channels_last
    layers = []
    for channels, side in LAYERS:
        convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        images = torch.randn(BATCH_SIZE, channels, side, side, device=device, dtype=dtype)
        convolution = convolution.to(device, dtype).to(memory_format=last)
        layers.append((convolution, images.to(memory_format=last)))
    flop = sum(2 * 9 * c * c * side * side * BATCH_SIZE for c, side in LAYERS)

    @torch.no_grad()
    def run(num_steps: int) -> float:
        start = time.perf_counter()
        for _ in range(num_steps):
            for convolution, images in layers:
                convolution(images)
        if case.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    facts = {"gflop": flop / 1e9, "versions": {"torch": torch.__version__}}
    serve(run, facts, process_megabytes)


if __name__ == "__main__":
    main()
