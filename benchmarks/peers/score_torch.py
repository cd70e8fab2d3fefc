"""A data set with plain PyTorch: a U-Net, crops with flips and turns, AdamW, a cosine schedule."""

import numpy as np
import torch
from common import (
    BATCH_SIZE,
    WIDTHS,
    Clock,
    Sample,
    padded,
    random_crop,
    read_arguments,
    read_split,
)
from numpy.typing import NDArray
from plain_unet import ClassesCrossEntropyDice, CrossEntropyDice, PlainUNet
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

MEAN, STD = 127.5, 127.5


class Crops(Dataset):
    """Random crops, turned and mirrored where they may be, and a little brighter or darker."""

    def __init__(self, samples: list[Sample], *, may_turn: bool) -> None:
        self._samples, self._may_turn = samples, may_turn

    def __len__(self) -> int:
        """One crop of each image in an epoch."""
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(3, PATCH, PATCH) and (1, PATCH, PATCH), float32."""
        rng = np.random.default_rng(int(torch.randint(2**31, (1,))))
        image, mask = random_crop(self._samples[index], rng)
        if self._may_turn:
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            image, mask = np.rot90(image, turns), np.rot90(mask, turns)
            if flip:
                image, mask = image[:, ::-1], mask[:, ::-1]
        scaled = to_tensor(image) * rng.uniform(0.8, 1.25) + rng.uniform(-0.2, 0.2)
        return scaled.float(), torch.from_numpy(mask.copy())[None].float()


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """(C, H, W), from -1 to 1."""
    return torch.from_numpy((image.transpose(2, 0, 1).astype(np.float32) - MEAN) / STD)


def predictor(network: nn.Module, device: torch.device, multiple: int):  # noqa: ANN201
    """A function from an image to its foreground, or to its class indices."""

    @torch.inference_mode()
    def predict(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        network.eval()
        logits = network(to_tensor(padded(image, multiple))[None].to(device))[0]
        network.train()
        height, width = image.shape[:2]
        logits = logits[:, :height, :width]
        return (logits.argmax(0) if len(logits) > 1 else logits[0] > 0).cpu().numpy()

    return predict


def train(
    network: nn.Module,
    loss_function: nn.Module,
    loader: DataLoader,
    clock: Clock,
    learning_rate: float,
    device: torch.device,
    validate,  # noqa: ANN001
    *,
    in_bfloat16: bool = False,
) -> None:
    """Until the time is over."""
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=1e-2)
    network.train()
    while True:
        for images, masks in loader:
            for group in optimizer.param_groups:
                group["lr"] = clock.learning_rate(learning_rate)
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16):
                logits = network(images.to(device))
            loss = loss_function(logits.float(), masks.to(device))
            loss.backward()
            optimizer.step()
            if clock.is_validation_due:
                validate()
            if clock.is_over:
                return


def main() -> None:
    """Train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    network = PlainUNet(3, WIDTHS, "batch", args.classes).to(device)
    if args.bfloat16:
        network = network.to(memory_format=torch.channels_last)
    crops = Crops(read_split(args.data, "train", args.classes), may_turn=not args.never_turn)
    loader = DataLoader(
        crops,
        BATCH_SIZE,
        shuffle=True,
        drop_last=len(crops) >= BATCH_SIZE,
        num_workers=1,
        persistent_workers=True,
    )
    predict = predictor(network, device, 2 ** (len(WIDTHS) - 1))
    train(
        network,
        ClassesCrossEntropyDice() if args.classes > 1 else CrossEntropyDice(),
        loader,
        clock,
        args.learning_rate,
        device,
        lambda: clock.validate(predict),
        in_bfloat16=args.bfloat16,
    )


if __name__ == "__main__":
    main()
