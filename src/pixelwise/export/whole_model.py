"""A model as one computation: pictures as they are stored in, probabilities out.

    stored ─ scale intensities ─ working size ─ extend ─ network(s) ─ crop ─ probabilities
    (B, C, H, W)                                                             (B, K, H, W)

What `Predictor` does around a network is part of it, for pictures of any size; so a runtime that
knows nothing of pixelwise needs only to read a file and to feed it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.export.intensities import scaling_layer
from pixelwise.network import Model, working_size
from pixelwise.network.plain import PlainNetwork
from pixelwise.network.sizes import forget_origin


class WholeModel(nn.Module):
    """Computes the probabilities of pictures of any size, for torch to follow and to export.

    Args:
        model: a model of pictures; its network is copied.

    Raises:
        ModelFileError: it is a model of volumes.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        config = model.config
        self.scaling = scaling_layer(config.scaling, config.network.in_channels)
        self.network = PlainNetwork(model)
        self.scale = config.working_scale

    def forward(self, image: Tensor) -> Tensor:
        """Give probabilities.

        Args:
            image: (B, C, H, W) float32, intensities as they are stored.

        Returns:
            (B, K, H, W) float32 in [0, 1].
        """
        scaled = self.scaling(image)
        if self.scale == 1:
            probabilities: Tensor = self.network(scaled)
            return probabilities
        height, width = image.shape[2:]
        rows, columns = map(forget_origin, working_size((height, width), self.scale))
        small = shrink(scaled, rows, columns)
        return F.interpolate(
            self.network(small), (height, width), mode="bilinear", align_corners=False
        )


def shrink(images: Tensor, height: int, width: int) -> Tensor:
    """Resample (B, C, H, W) to a smaller size with torch's antialiasing filter.

    Written as products of matrices, since runtimes have filters of their own, or none.
    """
    rows = filter_weights(images.shape[2], height)
    columns = filter_weights(images.shape[3], width)
    return rows @ images @ columns.T


def filter_weights(old: int, new: int) -> Tensor:
    """How much of each old pixel of an axis is in each new one: (new, old) float32.

    A triangle around the centre of the new pixel, as wide as two of them; each row adds up to 1.
    Distances are whole numbers, in units of 1 / (2 * old) new pixels.
    """
    of_new = (2 * torch.arange(new) + 1) * old
    of_old = (2 * torch.arange(old) + 1) * new
    distances = (of_old[None] - of_new[:, None]).abs().float() / (2 * old)
    weights = (1 - distances).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)
