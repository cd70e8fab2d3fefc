"""Batch normalizations folded into the convolutions before them, for weights that stay as they are.

A batch normalization multiplies and shifts each channel by numbers that training fixed, and so does
a convolution: one of both is enough. Results differ by rounding alone.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

PLACES = (("conv1", "norm1"), ("conv2", "norm2"))  # of a block, see blocks.py


@torch.no_grad()
def fold_normalizations(network: nn.Module) -> int:
    """Fold the batch normalizations of the U-Net's own blocks, in place.

    Args:
        network: one network or an ensemble, whose weights will not be trained again.

    Returns:
        How many were folded.
    """
    blocks = [m for m in network.modules() if isinstance(m, nn.Sequential)]
    return sum(_fold(block, *names) for block in blocks for names in PLACES)


def _fold(block: nn.Sequential, conv_name: str, norm_name: str) -> bool:
    """Fold one normalization into its convolution; False where there is none."""
    conv, norm = getattr(block, conv_name, None), getattr(block, norm_name, None)
    if not isinstance(norm, _BatchNorm) or not isinstance(conv, nn.Conv2d | nn.Conv3d):
        return False
    if norm.running_mean is None or norm.running_var is None:
        return False
    gain = (norm.running_var + norm.eps).rsqrt()
    if norm.affine:
        gain = gain * norm.weight
    shift = -norm.running_mean * gain
    if norm.affine:
        shift = shift + norm.bias
    if conv.bias is not None:
        shift = shift + conv.bias * gain
    conv.weight.mul_(gain.view(-1, *[1] * (conv.weight.ndim - 1)))
    conv.bias = nn.Parameter(shift)
    setattr(block, norm_name, nn.Identity())
    return True
