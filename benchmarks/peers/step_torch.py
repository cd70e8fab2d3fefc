"""Training steps with PyTorch, and with what MONAI and segmentation_models.pytorch add to it.

Options: `library` "torch", "monai" or "smp", whose loss is used; `network` "same" (plain_unet.py)
or "own" (the library's nearest); `tuned`: bfloat16 autocast, channels-last and a fused optimizer.
"""

import time
from typing import Any

import torch
from plain_unet import CrossEntropyDice, PlainUNet
from protocol import Case, process_megabytes, read_case, serve
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def make_loss(case: Case, library: str) -> nn.Module:
    """The library's own loss."""
    if case.loss == "cross_entropy":
        return nn.BCEWithLogitsLoss()
    if library == "monai":
        from monai.losses import DiceCELoss

        return DiceCELoss(sigmoid=True, batch=True)
    if library == "smp":
        from segmentation_models_pytorch.losses import DiceLoss, SoftBCEWithLogitsLoss

        dice, cross_entropy = DiceLoss("binary"), SoftBCEWithLogitsLoss()
        return Sum(dice, cross_entropy)
    return CrossEntropyDice()


class Sum(nn.Module):
    """Two losses, added."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Their sum."""
        return self.first(logits, target) + self.second(logits, target)


def make_network(case: Case, library: str, network: str) -> nn.Module:
    """The same network as everybody's, or the library's nearest."""
    if network == "same":
        return PlainUNet(case.in_channels, case.widths, case.normalization)
    if library == "monai":
        from monai.networks.nets import BasicUNet

        features = (*case.widths, case.widths[0])
        return BasicUNet(2, case.in_channels, 1, features, norm=case.normalization)
    import segmentation_models_pytorch as smp

    return smp.Unet("resnet34", encoder_weights=None, in_channels=case.in_channels, classes=1)


def main() -> None:
    """Build, then answer."""
    case = read_case()
    library, tuned = case.options["library"], case.options.get("tuned", False)
    device = torch.device(case.device)
    network = make_network(case, library, case.options.get("network", "same")).to(device).train()
    loss_function = make_loss(case, library)
    height = width = case.size
    images = torch.randn(case.batch_size, case.in_channels, height, width, device=device)
    target = (torch.rand(case.batch_size, 1, height, width, device=device) > 0.5).float()
    kind: dict[str, Any] = {"fused": True} if tuned else {}
    if case.normalization == "none":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), 1e-3, **kind)
    else:
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3, **kind)
    if tuned:
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=tuned):
            logits = network(images)
        loss = loss_function(logits.float(), target)
        loss.backward()
        optimizer.step()
        loss.item()

    def run(num_steps: int) -> float:
        start = time.perf_counter()
        for _ in range(num_steps):
            step()
        if case.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    with FlopCounterMode(display=False) as counter:
        step()
    facts = {"gflop": counter.get_total_flops() / 1e9, "versions": {"torch": torch.__version__}}
    serve(run, facts, lambda: megabytes(case))


def megabytes(case: Case) -> float:
    """Peak memory: of the GPU where there is one, else of the process."""
    if case.device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return process_megabytes()


if __name__ == "__main__":
    main()
