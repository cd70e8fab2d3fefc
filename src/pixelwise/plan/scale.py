"""The working scale: how small images may be for the network, so that it sees enough in its time.

A network that works at half the size sees four times as much of the images, and four times as much
around each pixel. What is lost is measured on the masks: their Dice when made smaller and larger
again, which no network at that scale could pass. The experiments behind the numbers are in
docs/log.md.
"""

import numpy as np

from pixelwise.network import Task
from pixelwise.plan.fingerprint import SCALES, Fingerprint

MIN_PASSES = 12.0  # of the cheapest network over the pixels of the training images
MAX_LOSS = 0.03  # of the mean Dice that a perfect network could reach


def choose_scale(
    fingerprint: Fingerprint, task: Task, num_pixels: float | None
) -> tuple[float, str]:
    """Choose the largest scale at which the network sees the images often enough.

    Args:
        fingerprint: of the data.
        task: of the model.
        num_pixels: that the network can train on in the time given; None without a budget.

    Returns:
        The scale, one of SCALES, and the reason.
    """
    if num_pixels is None or not fingerprint.scale_ceilings:
        return 1.0, "as stored: there is no time limit"
    passes = num_pixels / (fingerprint.num_train * fingerprint.mean_pixels)
    losses = scale_losses(fingerprint, task)
    dims = len(fingerprint.median_size)
    chosen = 1.0
    for scale, loss in zip(SCALES, losses, strict=True):
        if loss > MAX_LOSS or passes / chosen**dims >= MIN_PASSES:
            break
        chosen = scale
    loss = losses[SCALES.index(chosen)]
    return chosen, (
        f"the cheapest network sees each pixel about {passes / chosen**dims:.2g} times in this "
        f"time; a perfect one could reach Dice {1 - loss:.3f} at this scale"
    )


def scale_losses(fingerprint: Fingerprint, task: Task) -> list[float]:
    """1 - mean Dice of perfect masks at each of SCALES; of two classes the second alone counts."""
    ceilings = np.array(fingerprint.scale_ceilings)  # (scales, K)
    return [float(loss) for loss in 1 - ceilings[:, int(task == "binary") :].mean(axis=1)]
