"""From a plan to what a training is made of: the model, the loss and the pace."""

import platform
from collections.abc import Mapping

import numpy as np
import torch

from pixelwise import __version__
from pixelwise.data import Dataset
from pixelwise.errors import PlanError
from pixelwise.evaluate import has_background
from pixelwise.folders.request import task_of
from pixelwise.network import Model, ModelConfig, UNet
from pixelwise.plan import Plan, network_config
from pixelwise.train import Clock, Loss, Pace, loss_for

CLOSING_SECONDS = 4.0  # kept back for the last files and the report
CLOSING_SHARE = 0.01  # of the budget, kept back beside them


def new_model(dataset: Dataset, plan: Plan, origin: Mapping[str, str]) -> Model:
    """Build the planned network with fresh weights, and say how it is to be used."""
    task, encoding = task_of(dataset), dataset.encoding
    network = network_config(
        plan, in_channels=dataset.in_channels, task=task, num_classes=len(encoding.classes)
    )
    config = ModelConfig(
        network=network,
        scaling=plan.scaling,
        working_scale=plan.working_scale,
        task=task,
        class_names=encoding.class_names,
        class_colors=encoding.class_colors,
        patch_size=plan.patch_size or (),
        precision=plan.precision,
        provenance={
            "data": dataset.describe(),
            "data_fingerprint": dataset.fingerprint,
            "encoding": encoding.model_dump(mode="json"),
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
    return Model(config, UNet(network))


def new_loss(model: Model, plan: Plan) -> Loss:
    """The loss of a plan; PlanError for one that is only known to the caller of `fit`."""
    config = model.config
    if plan.loss == "custom":
        raise PlanError("A plan with a custom loss is for arrays; name a loss to train on folders.")
    background = has_background(config.task, config.class_names)
    return loss_for(plan.loss, config.task, background=background, class_weights=plan.class_weights)


def new_pace(plan: Plan, clock: Clock) -> Pace:
    """The clock of a training, with what is kept back for its end."""
    measured = plan.calibration
    return Pace(
        clock,
        num_steps=plan.num_steps,
        budget=plan.budget_seconds,
        validate_every=plan.validate_every,
        closing_seconds=CLOSING_SECONDS + CLOSING_SHARE * (plan.budget_seconds or 0),
        seconds_per_step=measured.seconds_per_step if measured else 0,
        seconds_per_validation=measured.seconds_per_validation if measured else 0,
    )
