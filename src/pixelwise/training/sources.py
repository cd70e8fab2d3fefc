"""From a plan to the batches that its training sees."""

from collections.abc import Sequence

from pixelwise.data import Sample
from pixelwise.network import Model
from pixelwise.planning import Plan
from pixelwise.training.augment import crop_size_for
from pixelwise.training.patches import PatchSource
from pixelwise.training.ranks import Ranks
from pixelwise.training.working import WorkingSamples


def patch_source(
    model: Model,
    plan: Plan,
    samples: Sequence[Sample],
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> PatchSource:
    """The batches of a plan, at its working scale, from training samples in their own size."""
    augmentation = plan.augmentation
    if plan.working_scale < 1:
        samples = WorkingSamples(samples, plan.scaling, plan.working_scale)
    size = plan.patch_size
    return PatchSource(
        samples,
        crop_size=size,
        batch_size=plan.batch_size,
        scaling=plan.scaling,
        moved_size=crop_size_for(size, augmentation)
        if size and augmentation.has_free_moves
        else None,
        moved_share=augmentation.moved_share,
        foreground_share=plan.foreground_share,
        background=model.config.task.has_background(model.config.class_names),
        mirror_axes=augmentation.mirror_axes,
        right_angles=augmentation.right_angles,
        seed=plan.seed,
        ranks=ranks,
    )
