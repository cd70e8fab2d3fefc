"""A U-Net as a PyTorch script writes it: the layers of `pixelwise.network.UNet`, nothing tuned."""

import torch
from torch import Tensor, nn


def double_convolution(in_channels: int, width: int, normalization: str) -> nn.Sequential:
    """(convolution, normalization, ReLU) twice."""
    layers: list[nn.Module] = []
    for channels in (in_channels, width):
        layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=normalization == "none"))
        if normalization == "batch":
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class PlainUNet(nn.Module):
    """One logit a pixel and class; sides must be multiples of 2 ** (len(widths) - 1)."""

    def __init__(
        self, in_channels: int, widths: tuple[int, ...], normalization: str, num_classes: int = 1
    ) -> None:
        super().__init__()
        inputs = (in_channels, *widths)
        self.down = nn.ModuleList(
            double_convolution(before, width, normalization)
            for before, width in zip(inputs, widths, strict=False)
        )
        self.up = nn.ModuleList(
            double_convolution(below + width, width, normalization)
            for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, K, H, W) of images (B, C, H, W)."""
        skips = []
        for block in self.down[:-1]:
            features = block(features)
            skips.append(features)
            features = self.pool(features)
        features = self.down[-1](features)
        for block in self.up:
            features = block(torch.cat([self.upsample(features), skips.pop()], dim=1))
        return self.head(features)


class CrossEntropyDice(nn.Module):
    """Binary cross-entropy plus soft Dice loss, the latter over all pixels of the batch."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Both (B, 1, H, W); target 0 or 1, float."""
        cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, target)
        probabilities = logits.sigmoid()
        overlap = (probabilities * target).sum()
        dice = (2 * overlap + 1) / (probabilities.sum() + target.sum() + 1)
        return cross_entropy + 1 - dice


class ClassesCrossEntropyDice(nn.Module):
    """Cross-entropy plus soft Dice loss, the latter a class over the batch, then their mean."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K, H, W), target (B, 1, H, W) of class indices, float."""
        index = target[:, 0].long()
        cross_entropy = nn.functional.cross_entropy(logits, index)
        probabilities = logits.softmax(1)
        wanted = nn.functional.one_hot(index, logits.shape[1]).movedim(-1, 1)
        axes = (0, 2, 3)
        overlap = (probabilities * wanted).sum(axes)
        dice = (2 * overlap + 1) / (probabilities.sum(axes) + wanted.sum(axes) + 1)
        return cross_entropy + 1 - dice.mean()
