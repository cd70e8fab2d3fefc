"""The learning rate over a training."""

import math
from typing import Literal

FINAL_SHARE = 0.01  # of the highest learning rate, left at the end of a cosine


def learning_rate_at(
    progress: float,
    highest: float,
    *,
    warmup_share: float,
    schedule: Literal["cosine", "constant"],
) -> float:
    """Return the learning rate at a progress of 0 (start) to 1 (end).

    A linear warm-up, then half a cosine down to 1 % of the highest rate (Loshchilov and Hutter,
    SGDR, 2017), or constant.

    >>> learning_rate_at(0.5, 1e-3, warmup_share=0.0, schedule="constant")
    0.001
    """
    if progress < warmup_share:
        return highest * max(progress / warmup_share, FINAL_SHARE)
    if schedule == "constant":
        return highest
    rest = min(1.0, (progress - warmup_share) / (1 - warmup_share))
    return highest * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * rest)) / 2)
