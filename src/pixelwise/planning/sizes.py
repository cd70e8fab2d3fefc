"""The sizes of a training: working scale, patch, batch and network, by what there is time for.

The experiments behind the numbers are in docs/log.md.
"""

import math
from typing import NamedTuple

from pixelwise.network import working_size
from pixelwise.planning.choices import lighten
from pixelwise.planning.draft import Decision, Decisions, Draft
from pixelwise.planning.fingerprint import SCALES, Fingerprint
from pixelwise.planning.speed import Speed
from pixelwise.planning.working_scale import choose_scale, num_judged
from pixelwise.task import Task

# candidates, cheapest first: the patches that each must get to see where there is one class; the
# more classes there are, the fewer patches
WIDTHS = {
    (8, 16, 32, 64, 128): 0,
    (16, 32, 64, 128, 256): 7_000,
    (32, 64, 128, 256, 512): 48_000,
}
FEWER = 1.5  # power of the number of classes by which fewer patches are enough
CHEAPEST = next(iter(WIDTHS))
BATCH_SIZE = 8
MIN_BATCH = 2
MIN_STEPS = 300  # before batches are larger; of several classes by the root of their number fewer
MAX_PATCH = {2: 192, 3: 64}  # pixels per axis
# below which images are not made smaller: little is left to look at, and little time is saved,
# since a step is mostly its fixed part; of volumes nothing was measured
LEAST_PATCH = {2: 96, 3: 1}


class Extent(NamedTuple):
    """How long a training is: seconds at a speed, or a number of patches, or neither."""

    seconds: float | None = None
    speed: Speed = Speed(1.0, 0.0)
    patches: float = math.inf

    def num_patches(
        self, batch_size: int, patch_size: tuple[int, ...], widths: tuple[int, ...]
    ) -> float:
        """Patches that are seen."""
        if self.seconds is None:
            return self.patches
        return self.seconds / self.speed.seconds(batch_size, patch_size, widths) * batch_size


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
    extent: Extent,
    *,
    min_batch: int = MIN_BATCH,
) -> tuple[Sizes, Decisions]:
    """Choose sizes for the time there is, and as much augmentation as it wants.

    Args:
        fingerprint: fingerprint of the data.
        task: task of the model.
        first: as measured.
        draft: what was decided before, of which sizes are kept.
        extent: how long the training is.
        min_batch: images of a batch, at least.

    Returns:
        The sizes, and value and reason of each, the augmentation's too.
    """
    augmentation, kept = draft.decision("augmentation"), draft.decision("working_scale")
    assert augmentation is not None  # it follows from the data
    num_classes, most = num_judged(fingerprint, task), first.batch_size

    def passes(scale: float) -> float:
        """Over all pixels of the training images, by the cheapest network."""
        patch = _choose_patch(fingerprint, scale, CHEAPEST).value
        pixels = extent.num_patches(most, patch, CHEAPEST) * math.prod(patch)
        dims = len(fingerprint.median_size)
        return pixels / (fingerprint.num_train * fingerprint.mean_pixels * scale**dims)

    is_timed = extent.seconds is not None
    scale = kept or choose_scale(
        fingerprint, task, passes if is_timed else None, _scales_for(fingerprint)
    )
    patch = _choose_patch(fingerprint, scale.value, CHEAPEST)  # all of WIDTHS are as deep
    widths = draft.decision("widths") or _choose_widths(
        {each: extent.num_patches(most, patch.value, each) for each in WIDTHS}, num_classes
    )
    patch = _choose_patch(fingerprint, scale.value, widths.value)
    seen = {
        size: extent.num_patches(size, patch.value, widths.value)
        for size in batch_sizes(most, min_batch)
    }
    batch = _choose_batch(seen, num_classes)
    chosen = {
        "working_scale": scale,
        "patch_size": patch,
        "batch_size": batch,
        "widths": widths,
        "augmentation": lighten(augmentation, seen[batch.value] / fingerprint.num_train),
    }
    return Sizes(scale.value, patch.value, batch.value, widths.value), chosen


def batch_sizes(most: int, least: int) -> list[int]:
    """Sizes of batches to choose from, the largest first."""
    return [most, *(size for size in (8, 4, 2) if least <= size < most)]


def _scales_for(fingerprint: Fingerprint) -> list[float]:
    """Scales that leave patches of the least size, and full size, which small images have."""
    least = LEAST_PATCH[len(fingerprint.median_size)]
    return [
        scale
        for scale in SCALES
        if scale == 1 or min(_choose_patch(fingerprint, scale, CHEAPEST).value) >= least
    ]


def _choose_widths(
    num_patches: dict[tuple[int, ...], float], num_classes: int
) -> Decision[tuple[int, ...]]:
    """The widest network that sees enough patches in the time."""
    worth = num_classes**FEWER
    widths = [w for w, least in WIDTHS.items() if num_patches[w] * worth >= least][-1]
    seen = min(num_patches[widths], 1e9)
    return Decision(widths, f"the widest that sees enough patches: about {seen:,.0f}")


def _choose_batch(num_patches: dict[int, float], num_classes: int) -> Decision[int]:
    """The largest batch that leaves enough steps, or the smallest."""
    least = round(MIN_STEPS / math.sqrt(num_classes))
    enough = [size for size, patches in num_patches.items() if patches / size >= least]
    size = enough[0] if enough else min(num_patches)
    return Decision(
        size,
        f"the largest with {least} steps in the time, or the smallest: about "
        f"{min(num_patches[size] / size, 1e9):,.0f} steps",
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
