"""A data set with segmentation_models.pytorch and albumentations, after the library's own examples.

Its Unet with a ResNet-34 encoder, its losses. Weights of the encoder: `--weights imagenet` where
they can be downloaded, which is how most use the library; none otherwise.
"""

import albumentations as A
import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from common import BATCH_SIZE, PATCH, Clock, Sample, read_arguments, read_split
from score_torch import predictor, to_tensor, train
from segmentation_models_pytorch.losses import DiceLoss, SoftBCEWithLogitsLoss
from step_torch import Sum
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

AUGMENTATION = A.Compose(
    [
        A.PadIfNeeded(PATCH, PATCH, border_mode=cv2.BORDER_REFLECT_101),
        A.ShiftScaleRotate(
            shift_limit=0.0625,
            scale_limit=0.3,
            rotate_limit=30,
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.5,
        ),
        A.RandomCrop(PATCH, PATCH),
        A.HorizontalFlip(),
        A.RandomRotate90(),
        A.RandomBrightnessContrast(p=0.3),
        A.RandomGamma(p=0.3),
        A.GaussNoise(p=0.3),
    ]
)


class Crops(Dataset):
    """Augmented crops."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        """One crop of each image in an epoch."""
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(3, PATCH, PATCH) and (1, PATCH, PATCH), float32."""
        image, mask = self._samples[index]
        changed = AUGMENTATION(image=image, mask=mask)
        return to_tensor(changed["image"]), torch.from_numpy(changed["mask"])[None].float()


class OfClasses(nn.Module):
    """Its Dice loss of classes and cross-entropy, of targets (B, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self._loss = Sum(DiceLoss("multiclass"), nn.CrossEntropyLoss())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K, H, W)."""
        return self._loss(logits, target[:, 0].long())


def main() -> None:
    """Train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    device = torch.device(args.device)
    network = smp.Unet(
        "resnet34", encoder_weights=args.weights, in_channels=3, classes=args.classes
    )
    network = network.to(device)
    crops = Crops(read_split(args.data, "train", args.classes))
    loader = DataLoader(
        crops,
        BATCH_SIZE,
        shuffle=True,
        drop_last=len(crops) >= BATCH_SIZE,
        num_workers=1,
        persistent_workers=True,
    )
    predict = predictor(network, device, 32)
    loss = Sum(DiceLoss("binary"), SoftBCEWithLogitsLoss())
    if args.classes > 1:
        loss = OfClasses()
    rate = args.learning_rate
    train(network, loss, loader, clock, rate, device, lambda: clock.validate(predict))


if __name__ == "__main__":
    main()
