"""What the user asks of a training, and the plan that answers it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pixelwise.data import Dataset, Sample, is_named_by_place
from pixelwise.errors import DataError, PlanError
from pixelwise.network import Model, ModelConfig, check_encoder, refuse_weights_alone
from pixelwise.planning import (
    ENCODER_WIDTHS,
    Encoder,
    Plan,
    check_number,
    make_plan,
    parse_budget,
    take_fingerprint,
)
from pixelwise.training import Checkpoint, Clock, Ranks, joined_ranks
from pixelwise.workflows.calibration import TrainingMachine
from pixelwise.workflows.start import Start

MAX_READING_SHARE = 0.5  # of the budget, that reading the data may count
UNVALIDATED_BUDGET = 600.0  # seconds, where no time is given and no validation can end training


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for, checked."""

    device: torch.device
    budget: float | None = None  # seconds for everything
    epochs: int | None = None
    plan: Plan | None = None
    resume: bool = False
    overwrite: bool = False
    seed: int | None = None
    start: Start | None = None
    log: tuple[str, ...] = ()
    encoder: Encoder | None = None
    seconds_read: float = 0.0  # of the budget, that reading the data took

    @property
    def split_seed(self) -> int:
        """Of the split into train, val and test: the plan's, so that a plan repeats its run."""
        if self.seed is not None:
            return self.seed
        return self.plan.seed if self.plan is not None else 0


def count_reading(request: Request, seconds: float) -> Request:
    """Let the seconds of reading the data count, half of the budget at most."""
    most = MAX_READING_SHARE * (request.budget or UNVALIDATED_BUDGET)
    return replace(request, seconds_read=min(seconds, most))


def budget_seconds(budget: str | float | None, epochs: int | None) -> float | None:
    """Return the budget in seconds; None where epochs, a plan or validation say how long."""
    if budget is not None and epochs is not None:
        raise PlanError("Both a budget and a number of epochs were given. Give one of them.")
    if epochs is not None:
        check_number("epochs", epochs)
    return None if budget is None else parse_budget(budget)


def plan_for(
    dataset: Dataset,
    train: Sequence[Sample],
    val: Sequence[Sample],
    request: Request,
    clock: Clock,
    checkpoint: Checkpoint | None,
) -> Plan:
    """Make a plan, or adapt the one that was given."""
    if request.plan is None:
        fingerprint = take_fingerprint(train, val, len(dataset.encoding.classes))
        asked = request.budget
        if asked is None and request.epochs is None and not val:
            asked = UNVALIDATED_BUDGET
        budget = asked and max(1.0, asked - clock.elapsed)
        plan = make_plan(
            fingerprint,
            dataset.task.of_pixels,
            TrainingMachine(dataset, train, val, request.device),
            budget=budget,
            epochs=request.epochs,
            seed=request.seed or 0,
            start=_name_and_config(request.start),
            num_ranks=joined_ranks().world_size,
            class_names=dataset.encoding.class_names,
            encoder=request.encoder,
        )
        return plan.model_copy(update={"budget_seconds": asked})
    _check_encoder(request.encoder, request.plan)
    changes: dict[str, object] = {}
    budget = request.budget
    if request.resume and budget is None and request.epochs is None:
        budget = request.plan.budget_seconds
    changes["budget_seconds"] = budget
    if request.plan.schedule == "plateau" and not (budget is None and request.epochs is None):
        changes["schedule"] = "cosine"  # it ends when the time does
    if request.epochs is not None:
        per_epoch = -(-dataset.splits["train"] // request.plan.batch_size)
        changes["num_steps"] = per_epoch * request.epochs
    elif checkpoint is not None and budget is not None and checkpoint.facts["step"]:
        step, elapsed = checkpoint.facts["step"], checkpoint.facts["elapsed"]
        changes["num_steps"] = max(step + 1, int(step * budget / elapsed))  # a forecast
    if request.seed is not None:
        changes["seed"] = request.seed
    if request.start is not None:
        changes["start"] = request.start.path
    return request.plan.model_copy(update=changes)


def choose_encoder(
    name: str | None, weights: str | os.PathLike[str] | None, start: object
) -> Encoder | None:
    """Return the ready-made encoder that was asked for, if any.

    Raises:
        PlanError: it does not go together with the rest, or timm or the weight file has no such.
        MissingExtraError: timm is not installed.
    """
    refuse_weights_alone(name, weights)
    if name is None:
        return None
    if start is not None:
        raise PlanError(
            f"The encoder {name} was asked for, and {start} to start from, which has its own. Give "
            "one of them."
        )
    check_encoder(name, len(ENCODER_WIDTHS) - 1, weights)
    return Encoder(name, None if weights is None else os.fspath(weights))


def _check_encoder(asked: Encoder | None, plan: Plan) -> None:
    """Refuse another encoder than that of a plan, whose sizes were chosen for its own."""
    if asked is not None and asked != (plan.encoder, plan.encoder_weights):
        own = (
            plan.encoder and f"the encoder {plan.encoder} with {plan.encoder_weights or 'its own'}"
        )
        raise PlanError(
            f"The encoder {asked.name} was asked for, but the plan has {own or 'none'}. Plan "
            "again, or leave the encoder to the plan."
        )


def _name_and_config(start: Start | None) -> tuple[str, ModelConfig] | None:
    """What a plan needs to know of the model to start from."""
    return None if start is None or start.model is None else (start.path, start.model.config)


def check_ranks(ranks: Ranks, plan: Plan) -> None:
    """Refuse plans that several processes would not carry out as one does.

    Raises:
        PlanError: there are more processes than images in a batch; or batch normalization, which
            would take its statistics from a share of the batch, as ready-made encoders have it.
    """
    if ranks.world_size > plan.batch_size:
        raise PlanError(
            f"The plan has batches of {plan.batch_size} images, which {ranks.world_size} processes "
            "cannot share. Start fewer processes, or give a plan with a larger batch_size."
        )
    if ranks.world_size > 1 and plan.encoder is not None:
        raise PlanError(
            f"The encoder {plan.encoder} takes statistics of a whole batch, but each of "
            f"{ranks.world_size} processes sees a share of it. Train with one process, or without "
            "it."
        )
    if ranks.world_size > 1 and plan.normalization == "batch":
        raise PlanError(
            "Batch normalization takes statistics of a whole batch, but each of "
            f"{ranks.world_size} processes sees a share of it. Give a plan with "
            "normalization: instance or group, or train with one process."
        )


def check_same_sequence(dataset: Dataset, model: Model, path: Path | str) -> None:
    """Refuse to apply the split of a training to arrays that only their places name.

    Args:
        dataset: as it is given now.
        model: what the training gave.
        path: path of the training, for the message.

    Raises:
        DataError: the arrays are not those of the training: its split says nothing about them.
    """
    is_other = dataset.fingerprint != model.config.provenance.get("data_fingerprint")
    if is_other and is_named_by_place(entry.name for entry in dataset.files):
        raise DataError(
            f"these arrays are not those that {path} was trained on, so that its split says "
            'nothing about them. Evaluate new ones with split="all"; where arrays are added to '
            'those of a training, name them from the start: (image, mask, {"name": ...}).'
        )
