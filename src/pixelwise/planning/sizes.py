"""The sizes of a training: working scale, patch, batch and network, by what there is time for.

The experiments behind the numbers are in docs/log.md.
"""

import math
from typing import NamedTuple

from pixelwise.network import working_size
from pixelwise.planning.choices import lighten
from pixelwise.planning.draft import Decision, Decisions, Draft
from pixelwise.planning.fingerprint import Fingerprint
from pixelwise.planning.working_scale import choose_scale, num_judged
from pixelwise.task import Task

# candidates, cheapest first: the patches that each must get to see to learn one class well enough;
# for several classes by the root of their number fewer
WIDTHS = {
    (8, 16, 32, 64, 128): 0,
    (16, 32, 64, 128, 256): 8_000,
    (32, 64, 128, 256, 512): 24_000,
}
CHEAPEST = next(iter(WIDTHS))
BATCH_SIZE = 8
MIN_BATCH = 2
MIN_STEPS = 900  # in a training, before batches are as large as they may be
MAX_PATCH = {2: 192, 3: 64}  # pixels per axis


class Sizes(NamedTuple):
    """What a step works on."""

    working_scale: float
    patch_size: tuple[int, ...]
    batch_size: int
    widths: tuple[int, ...]


def first_sizes(fingerprint: Fingerprint, batch_size: int, draft: Draft) -> Sizes:
    """The sizes by which speed is measured first: the cheapest network, on images as they are."""
    widths, scale = draft.value("widths", CHEAPEST), draft.value("working_scale", 1.0)
    return Sizes(scale, _choose_patch(fingerprint, scale, widths).value, batch_size, widths)


def choose_sizes(
    fingerprint: Fingerprint,
    task: Task,
    first: Sizes,
    draft: Draft,
    *,
    num_pixels: float | None,
    num_patches: float | None = None,
    min_batch: int = MIN_BATCH,
) -> tuple[Sizes, Decisions]:
    """Choose sizes for the time there is, and as much augmentation as it wants.

    Args:
        fingerprint: fingerprint of the data.
        task: task of the model.
        first: as measured.
        draft: what was decided before, of which sizes are kept.
        num_pixels: that `first` would train on in the time; None where epochs say how long.
        num_patches: that are seen, where epochs say how long.
        min_batch: images of a batch, at least.

    Returns:
        The sizes, and value and reason of each, the augmentation's too.
    """
    augmentation, kept = draft.decision("augmentation"), draft.decision("working_scale")
    assert augmentation is not None  # it follows from the data
    scale = kept or choose_scale(fingerprint, task, num_pixels)
    widths = draft.decision("widths")
    if widths is None:
        least = _choose_patch(fingerprint, scale.value, CHEAPEST).value
        seen = num_patches or (num_pixels or math.inf) / math.prod(least)
        widths = _choose_widths(seen, num_judged(fingerprint, task))
    patch = _choose_patch(fingerprint, scale.value, widths.value)
    per_step = math.prod(patch.value) * cost_of(widths.value)
    patches = num_patches or (num_pixels or math.inf) * cost_of(first.widths) / per_step
    batch = _choose_batch(first.batch_size, min_batch, patches)
    chosen = {
        "working_scale": scale,
        "patch_size": patch,
        "batch_size": batch,
        "widths": widths,
        "augmentation": lighten(augmentation, patches / fingerprint.num_train),
    }
    return Sizes(scale.value, patch.value, batch.value, widths.value), chosen


def cost_of(widths: tuple[int, ...]) -> float:
    """Time of a step relative to the cheapest network's, about: narrow ones wait for memory."""
    relative = widths[0] / 16
    return float(max(relative, relative**1.75) / 0.5)


def _choose_widths(num_patches: float, num_classes: int) -> Decision[tuple[int, ...]]:
    """The widest network that sees enough patches, where the cheapest sees so many."""
    worth = num_patches * math.sqrt(num_classes)
    widths = [w for w, least in WIDTHS.items() if worth / cost_of(w) >= least][-1]
    seen = min(num_patches / cost_of(widths), 1e9)
    return Decision(widths, f"the widest that sees enough patches: about {seen:,.0f}")


def _choose_batch(most: int, least: int, num_patches: float) -> Decision[int]:
    """The largest batch that leaves enough steps, or the smallest."""
    sizes = [size for size in (8, 4, 2) if least <= size < most]
    batch_size = next((n for n in (most, *sizes) if num_patches / n >= MIN_STEPS), 0)
    batch_size = batch_size or min((most, *sizes))
    return Decision(
        batch_size,
        f"the largest with {MIN_STEPS} steps in the time, or the smallest: about "
        f"{min(num_patches / batch_size, 1e9):,.0f} steps",
    )


def _choose_patch(
    fingerprint: Fingerprint, scale: float, widths: tuple[int, ...]
) -> Decision[tuple[int, ...]]:
    dims = len(fingerprint.median_size)
    divisor = 2 ** (len(widths) - 1)
    size = working_size(fingerprint.median_size, scale)
    patch = tuple(
        min(MAX_PATCH[dims], max(divisor, round(side / divisor) * divisor)) for side in size
    )
    return Decision(
        patch,
        f"the median image is {' x '.join(map(str, size))} at this scale; patches are a "
        f"multiple of {divisor} and at most {MAX_PATCH[dims]}",
    )
