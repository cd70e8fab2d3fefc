"""How long a training step takes, as two measured steps say it.

A step has a fixed part, for calling layers and moving weights, and a part for each pixel. On small
patches the fixed part is most of it: half the size is then not four times as fast.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pixelwise.planning.timing import Timing

# of the widths from 8, 16 and 32: the fixed part of a step relative to that of widths from 8, a
# part of which grows with the products of Muon's matrices (docs/log.md)
MUON_SHARE = 0.06
LEAST_SHARE, MOST_SHARE = 0.05, 0.9  # of a step, that its fixed part can be


class Speed(NamedTuple):
    """Seconds of a training step of the cheapest network.

    Attributes:
        fixed: whatever the number of pixels.
        per_pixel: for each pixel of a batch, on all ranks together.
    """

    fixed: float
    per_pixel: float

    def seconds(self, batch_size: int, patch_size: Sequence[int], widths: Sequence[int]) -> float:
        """Of a step with a batch, a patch and widths."""
        pixels = batch_size * math.prod(patch_size)
        return self.fixed * fixed_cost(widths) + self.per_pixel * pixels * pixel_cost(widths)


def measured_speed(small: Timing, large: Timing, num_ranks: int = 1) -> Speed:
    """The speed that two steps tell, which differ in their batch.

    Args:
        small: of a small batch.
        large: of a larger one, of the same patch and network; the same: half of it counts as fixed.
        num_ranks: processes that each compute such a batch.
    """
    few, many = (timing.batch_size * math.prod(timing.patch_size) for timing in (small, large))
    fixed = large.seconds_per_step / 2
    if many > few:
        slope = (large.seconds_per_step - small.seconds_per_step) / (many - few)
        fixed = small.seconds_per_step - slope * few
    fixed = min(
        max(fixed, LEAST_SHARE * large.seconds_per_step), MOST_SHARE * large.seconds_per_step
    )
    per_pixel = (large.seconds_per_step - fixed) / (many * num_ranks)
    return Speed(fixed / fixed_cost(large.widths), per_pixel / pixel_cost(large.widths))


def pixel_cost(widths: Sequence[int]) -> float:
    """Time of a pixel relative to the cheapest network's: twice for twice the widths."""
    return widths[0] / 8


def fixed_cost(widths: Sequence[int]) -> float:
    """Fixed part of a step relative to the cheapest network's."""
    return 1 + MUON_SHARE * ((widths[0] / 8) ** 3 - 1)
