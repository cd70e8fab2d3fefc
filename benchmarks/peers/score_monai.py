"""MONAI, after its tutorial 2d_segmentation: its readers, transforms, network and loss.

Other than the tutorial: colours, crops of 192 in place of 96, cross-entropy beside Dice, AdamW with
a schedule in place of Adam without, and small turns and changes of intensity.
"""

import numpy as np
import torch
from common import BATCH_SIZE, PATCH, WIDTHS, Clock, files, read_arguments
from monai.data import CacheDataset, PILReader, ThreadDataLoader
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import (
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandRotate90d,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
    ScaleIntensityRanged,
    SpatialPadd,
)
from monai.utils import set_determinism
from numpy.typing import NDArray
from score_torch import to_tensor, train

KEYS = ("image", "mask")
AUGMENTATION = [
    RandSpatialCropd(KEYS, (PATCH, PATCH), random_size=False),
    RandFlipd(KEYS, prob=0.5, spatial_axis=0),
    RandRotate90d(KEYS, prob=0.75, max_k=3),
    RandAffined(
        KEYS,
        prob=0.5,
        rotate_range=0.5,
        scale_range=0.3,
        mode=("bilinear", "nearest"),
        padding_mode="reflection",
    ),
    RandAdjustContrastd("image", prob=0.3, gamma=(0.67, 1.5)),
    RandScaleIntensityd("image", factors=0.3, prob=0.3),
    RandShiftIntensityd("image", offsets=0.15, prob=0.3),
    RandGaussianNoised("image", prob=0.3, std=0.05),
]


def transforms(num_classes: int) -> Compose:
    """From files to augmented crops; CacheDataset keeps what comes before the first random one."""
    to_foreground = [AsDiscreted("mask", threshold=127)] if num_classes == 1 else []
    return Compose(
        [
            LoadImaged("image", reader=PILReader(converter=lambda image: image.convert("RGB"))),
            LoadImaged("mask", reader=PILReader(converter=lambda image: image.convert("L"))),
            EnsureChannelFirstd("image", channel_dim=-1),
            EnsureChannelFirstd("mask", channel_dim="no_channel"),
            ScaleIntensityRanged("image", 0, 255, -1, 1),
            *to_foreground,
            SpatialPadd(KEYS, (PATCH, PATCH), mode="reflect"),
            *AUGMENTATION,
        ]
    )


def main() -> None:
    """Train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    set_determinism(args.seed)
    device = torch.device(args.device)
    network = UNet(2, 3, args.classes, WIDTHS, strides=(2, 2, 2, 2), num_res_units=2).to(device)
    paths = [dict(zip(KEYS, map(str, pair), strict=True)) for pair in files(args.data, "train")]
    dataset = CacheDataset(paths, transforms(args.classes), progress=False)
    loader = ThreadDataLoader(
        dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=len(dataset) >= BATCH_SIZE
    )

    @torch.inference_mode()
    def predict(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        network.eval()
        images = to_tensor(image)[None].to(device)
        logits = sliding_window_inference(images, (256, 256), 4, network, overlap=0.25)[0]
        network.train()
        return (logits.argmax(0) if len(logits) > 1 else logits[0] > 0).cpu().numpy()

    batches = Pairs(loader)
    kind = {"sigmoid": True} if args.classes == 1 else {"softmax": True, "to_onehot_y": True}
    loss = DiceCELoss(**kind, batch=True)
    rate = args.learning_rate
    train(network, loss, batches, clock, rate, device, lambda: clock.validate(predict))


class Pairs:
    """The batches of a loader of dictionaries, as pairs."""

    def __init__(self, loader: ThreadDataLoader) -> None:
        self._loader = loader

    def __iter__(self):  # noqa: ANN204
        """(image, mask) of each batch, as plain tensors."""
        for batch in self._loader:
            yield batch["image"].as_tensor(), batch["mask"].as_tensor()


if __name__ == "__main__":
    main()
