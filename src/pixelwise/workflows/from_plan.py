"""From a plan to what a training is made of: the model, the loss and the timetable."""

import platform
from collections.abc import Mapping

import numpy as np
import torch

from pixelwise import __version__
from pixelwise.data import Dataset
from pixelwise.errors import PlanError
from pixelwise.network import Model, ModelConfig, UNet, start_from_shares
from pixelwise.planning import Plan, closing_seconds, network_config
from pixelwise.text import count_of
from pixelwise.training import Clock, Loss, Timetable, loss_for

MAX_SCORING_SHARE = 0.5  # of the budget, kept back for scoring all images in the end


def new_model(dataset: Dataset, plan: Plan, origin: Mapping[str, str]) -> Model:
    """Build the planned network with fresh weights, and say how it is to be used."""
    task, encoding = dataset.task.of_pixels, dataset.encoding
    network = network_config(
        plan, in_channels=dataset.in_channels, task=task, num_classes=len(encoding.classes)
    )
    config = ModelConfig(
        network=network,
        scaling=plan.scaling,
        working_scale=plan.working_scale,
        mirror_axes=plan.augmentation.mirror_axes,
        task=task,
        class_names=encoding.class_names,
        class_colors=encoding.class_colors,
        patch_size=plan.patch_size or (),
        precision=plan.precision,
        provenance={
            "data": dataset.describe(),
            "data_fingerprint": dataset.fingerprint,
            "encoding": encoding.model_dump(mode="json"),
            **({"accepted": ", ".join(dataset.accepted)} if dataset.accepted else {}),
            "budget_seconds": plan.budget_seconds,
            "seed": plan.seed,
            **origin,
            "pixelwise": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )
    torch.manual_seed(plan.seed)
    model = Model(config, UNet(network))
    _check_class_weights(plan, config)
    shares = plan.fingerprint.class_shares if plan.fingerprint is not None else ()
    if len(shares) == config.num_classes:  # else the plan was made for other data
        weighed = np.array(shares) * (plan.class_weights or 1)
        start_from_shares(model.unet, weighed.tolist(), task)
    return model


def _check_class_weights(plan: Plan, config: ModelConfig) -> None:
    number, weights = config.num_classes, plan.class_weights
    if weights is not None and len(weights) != number:
        raise PlanError(
            f"The plan has {count_of(len(weights), 'class weight')}, but the data have "
            f"{count_of(number, 'class', 'classes')}: {', '.join(config.class_names)}. Give a "
            "weight for each of them in `class_weights`, or leave it out."
        )


def new_loss(model: Model, plan: Plan) -> Loss:
    """The loss of a plan; PlanError for one that is only known to the caller of `fit`."""
    config = model.config
    if plan.loss == "custom":
        raise PlanError("A plan with a custom loss is for arrays; name a loss to train on folders.")
    background = config.task.has_background(config.class_names)
    return loss_for(plan.loss, config.task, background=background, class_weights=plan.class_weights)


def new_timetable(
    plan: Plan, clock: Clock, *, scores_all: bool = False, after: float = 0.0
) -> Timetable:
    """The clock of a training, with what is kept back for its end.

    Args:
        plan: plan of the training.
        clock: that is running.
        scores_all: whether all validation images are to be scored afterwards, within the budget.
        after: seconds of the budget for what is scored after training.
    """
    measured, budget = plan.calibration, plan.budget_seconds
    per_validation = measured.seconds_per_validation if measured else 0.0
    if plan.num_val_images is not None and plan.fingerprint is not None:
        if scores_all and budget is not None:
            after += min(per_validation, MAX_SCORING_SHARE * budget)
        per_validation *= plan.num_val_images / plan.fingerprint.num_val
    return Timetable(
        clock,
        num_steps=plan.num_steps,
        budget=budget,
        validate_every=plan.validate_every,
        closing_seconds=closing_seconds(budget),
        scoring_seconds=after,
        crowding=measured.crowding if measured else 1.0,
        seconds_per_step=measured.seconds_per_step if measured else 0,
        seconds_per_validation=per_validation,
    )
