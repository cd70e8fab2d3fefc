"""From a plan to the batches that its training sees."""

from collections.abc import Sequence

from pixelwise.data import Sample
from pixelwise.evaluate import has_background
from pixelwise.network import IntensityScaling, Model
from pixelwise.plan import Plan
from pixelwise.train.augment import crop_size_for
from pixelwise.train.patches import PatchSource
from pixelwise.train.ranks import Ranks
from pixelwise.train.working import WorkingSamples


def patch_source(
    model: Model,
    plan: Plan,
    samples: Sequence[Sample],
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> PatchSource:
    """The batches of a plan, at its working scale, from training samples in their own size."""
    scaling, augmentation = plan.scaling, plan.augmentation
    if plan.working_scale < 1:
        samples = WorkingSamples(samples, scaling, plan.working_scale)
        scaling = IntensityScaling()  # done already
    return PatchSource(
        samples,
        crop_size=plan.patch_size and crop_size_for(plan.patch_size, augmentation),
        batch_size=plan.batch_size,
        scaling=scaling,
        foreground_share=plan.foreground_share,
        background=has_background(model.config.task, model.config.class_names),
        mirror_axes=augmentation.mirror_axes,
        right_angles=augmentation.right_angles,
        seed=plan.seed,
        ranks=ranks,
    )
