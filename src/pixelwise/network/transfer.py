"""Fine-tuning: the weights of one network as the first weights of another that is built like it."""

import torch
from torch import Tensor

from pixelwise.network.unet import UNet

HEAD = "head."


@torch.no_grad()
def transfer_weights(source: UNet, target: UNet, *, with_head: bool) -> None:
    """Give a network the weights of an earlier one, in place.

    Where the images have another number of channels, each channel gets the mean of the earlier
    weights, so that a grey image in every channel gives what it gave before.

    Args:
        source: has the weights; it may differ in its channels and logits, and in nothing else.
        target: gets them.
        with_head: the last layer too; else the target keeps its own.
    """
    own = target.state_dict()
    channels = target.config.in_channels
    for name, weights in source.state_dict().items():
        if name.startswith(HEAD) and not with_head:
            continue
        is_first = weights.shape != own[name].shape
        own[name].copy_(spread_channels(weights, channels) if is_first else weights)


def spread_channels(weights: Tensor, num_channels: int) -> Tensor:
    """Weights (width, C, *kernel) of a convolution for another number of channels of equal sum.

    >>> spread_channels(torch.tensor([[[[3.0]], [[1.0]]]]), 4).flatten()
    tensor([1., 1., 1., 1.])
    """
    mean = weights.sum(1, keepdim=True) / num_channels
    return mean.repeat_interleave(num_channels, 1)
