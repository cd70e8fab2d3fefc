"""A model as one computation: pictures as they are stored in, probabilities out.

    stored ─ scale intensities ─ working size ─ extend ─ network(s) ─ crop ─ probabilities
    (B, C, H, W)                                                             (B, K, H, W)

What `Predictor` does around a network is part of it, for pictures of any size; so a runtime that
knows nothing of pixelwise needs only to read a file and to feed it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ModelFileError
from pixelwise.export.intensities import scaling_layer
from pixelwise.export.plain import plain_members
from pixelwise.export.sizes import forget_origin, num_blocks
from pixelwise.network import Model, UNet, working_size


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
        if config.network.spatial_dims != 2:
            raise ModelFileError(
                "This is a model of volumes, and only models of pictures are exported. Use it in "
                "Python: pixelwise.load(...).predict(arrays)."
            )
        self.scaling = scaling_layer(config.scaling, config.network.in_channels)
        self.members = nn.ModuleList(plain_members(model.network))
        self.scale = config.working_scale
        self.multiple = 2**config.network.depth
        self.needs_spread = config.network.normalization == "instance"
        self.is_exclusive = config.task.is_exclusive

    def forward(self, image: Tensor) -> Tensor:
        """Give probabilities.

        Args:
            image: (B, C, H, W) float32, intensities as they are stored.

        Returns:
            (B, K, H, W) float32 in [0, 1].
        """
        scaled = self.scaling(image)
        if self.scale == 1:
            return self._compute(scaled)
        height, width = image.shape[2:]
        rows, columns = map(forget_origin, working_size((height, width), self.scale))
        small = shrink(scaled, rows, columns)
        return F.interpolate(
            self._compute(small), (height, width), mode="bilinear", align_corners=False
        )

    def _compute(self, image: Tensor) -> Tensor:
        """Probabilities of pictures that are scaled and of the working size."""
        height, width = image.shape[2:]
        rows, columns = num_blocks(height, width, self.multiple, needs_spread=self.needs_spread)
        extended = take_pixels(image, rows * self.multiple, columns * self.multiple)
        found = [self._activate(logits_of(member, extended)) for member in self.members]
        mean = torch.stack(found).mean(0) if len(found) > 1 else found[0]
        return take_pixels(mean, height, width)

    def _activate(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.is_exclusive else logits.sigmoid()


def logits_of(network: nn.Module, extended: Tensor) -> Tensor:
    """Logits of pictures whose sides are multiples of what the network needs."""
    assert isinstance(network, UNet)
    *_, (_, features) = network.decode_extended(extended)
    logits: Tensor = network.head(features)
    return logits


def take_pixels(images: Tensor, height: int, width: int) -> Tensor:
    """The first rows and columns of (B, C, H, W); the last is repeated where there are too few."""
    rows = torch.arange(height).clamp(max=images.shape[2] - 1)
    columns = torch.arange(width).clamp(max=images.shape[3] - 1)
    return images.index_select(2, rows).index_select(3, columns)


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
