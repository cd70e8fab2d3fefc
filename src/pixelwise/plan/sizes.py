"""The sizes of a training: working scale, patch, batch and network, by what there is time for.

The experiments behind the numbers are in docs/log.md.
"""

import math
from typing import NamedTuple

from pixelwise.network import Task, working_size
from pixelwise.plan.choices import Decisions
from pixelwise.plan.fingerprint import Fingerprint
from pixelwise.plan.scale import choose_scale

WIDTHS = (
    (16, 32, 64, 128, 256),
    (24, 48, 96, 192, 384),
    (32, 64, 128, 256, 512),
)  # candidates, cheapest first
MIN_PATCHES = 8_000  # patches that the wider network must get to see to be worth its time
BATCH_SIZE = 8
MAX_PATCH = {2: 192, 3: 64}  # pixels per axis


class Sizes(NamedTuple):
    """What a step works on."""

    working_scale: float
    patch_size: tuple[int, ...]
    batch_size: int
    widths: tuple[int, ...]


def first_sizes(fingerprint: Fingerprint, batch_size: int, decisions: Decisions) -> Sizes:
    """The sizes by which speed is measured first: the cheapest network, on images as they are."""
    widths = decisions["widths"][0] if "widths" in decisions else WIDTHS[0]
    scale = decisions["working_scale"][0] if "working_scale" in decisions else 1.0
    return Sizes(scale, _choose_patch(fingerprint, scale, widths)[0], batch_size, widths)


def choose_sizes(
    fingerprint: Fingerprint,
    task: Task,
    first: Sizes,
    decisions: Decisions,
    *,
    num_pixels: float | None,
    num_patches: float | None = None,
) -> tuple[Sizes, Decisions]:
    """Choose sizes for the time there is.

    Args:
        fingerprint: of the data.
        task: of the model.
        first: as measured.
        decisions: that were made, of which sizes are kept.
        num_pixels: that `first` would train on in the time; None where epochs say how long.
        num_patches: that are seen, where epochs say how long.

    Returns:
        The sizes, and value and reason of each.
    """
    batch_size = first.batch_size
    chosen: Decisions = {"working_scale": choose_scale(fingerprint, task, num_pixels)}
    chosen |= {name: decisions[name] for name in ("working_scale",) if name in decisions}
    scale = chosen["working_scale"][0]
    chosen["batch_size"] = batch_size, "large enough for batch statistics, small enough for speed"
    if "widths" in decisions:
        chosen["widths"] = decisions["widths"]
    else:
        patch = _choose_patch(fingerprint, scale, WIDTHS[0])[0]
        seen = num_patches or (num_pixels or math.inf) / math.prod(patch)
        affordable = [w for w in WIDTHS if seen * cost_of(WIDTHS[0]) / cost_of(w) >= MIN_PATCHES]
        widths = affordable[-1] if affordable else WIDTHS[0]
        chosen["widths"] = (
            widths,
            (
                f"the widest that sees {MIN_PATCHES} patches, or the narrowest: about "
                f"{seen * cost_of(WIDTHS[0]) / cost_of(widths):,.0f}"
            ),
        )
    chosen["patch_size"] = _choose_patch(fingerprint, scale, chosen["widths"][0])
    return Sizes(*(chosen[name][0] for name in Sizes._fields)), chosen


def cost_of(widths: tuple[int, ...]) -> float:
    """Time of a step relative to other widths, about: between channels and channels squared."""
    return float(widths[0] ** 1.7)


def _choose_patch(
    fingerprint: Fingerprint, scale: float, widths: tuple[int, ...]
) -> tuple[tuple[int, ...], str]:
    dims = len(fingerprint.median_size)
    divisor = 2 ** (len(widths) - 1)
    size = working_size(fingerprint.median_size, scale)
    patch = tuple(
        min(MAX_PATCH[dims], max(divisor, round(side / divisor) * divisor)) for side in size
    )
    return patch, (
        f"the median image is {' x '.join(map(str, size))} at this scale; patches are a "
        f"multiple of {divisor} and at most {MAX_PATCH[dims]}"
    )
