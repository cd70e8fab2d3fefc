"""How `fit` trains: the optimizer that it is given, the precision, and its plan."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from pixelwise.data import Sample
from pixelwise.device import Precision, has_bfloat16
from pixelwise.errors import PlanError
from pixelwise.network import (
    IntensityScaling,
    Model,
    ModelConfig,
    UNetConfig,
    WrappedConfig,
    binary_cross_entropy_loss,
    cross_entropy_loss,
    join_facts,
    look_at_intensities,
)
from pixelwise.planning import Plan, check_number, check_seed
from pixelwise.segmenter.keras_names import OptimizerFactory
from pixelwise.training import BatchSource, Clock, Loss, Objective, Timetable, Trainer, Watcher

AskedPrecision = Literal["auto", Precision]


def check_optimizer(optimizer: object, network: nn.Module) -> None:
    """Refuse optimizers that would train something else, or nothing."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise PlanError(
            f"The optimizer function gave {optimizer!r}. It should return a torch optimizer of "
            "the parameters that it is given."
        )
    trained = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    own = {id(tensor) for tensor in network.parameters()}
    if not trained & own or trained - own:
        raise PlanError(
            "The optimizer has parameters of another network, so this model would not learn. "
            "Make it from model.model.network.parameters(), or give a name such as "
            '"adam" or a function such as partial(torch.optim.Adam, lr=3e-4).'
        )
    rate = float(optimizer.param_groups[0]["lr"])
    if not 0 < rate < math.inf:
        raise PlanError(
            f"The learning rate is {rate}, so nothing would be learnt. Give one above 0; 1e-3 is "
            "usual."
        )


def make_optimizer(make: OptimizerFactory, network: nn.Module) -> torch.optim.Optimizer:
    """Call a function that makes an optimizer; PlanError where torch refuses its settings."""
    try:
        return make(network.parameters())
    except ValueError as error:
        raise PlanError(
            f"The optimizer cannot be made: {error}. Give other settings, for example "
            "partial(torch.optim.Adam, lr=1e-3)."
        ) from error


def check_given_numbers(**numbers: object) -> None:
    """Refuse what is no whole number from 1 on; what is None was not given."""
    for name, number in numbers.items():
        if number is not None:
            check_number(name, number)


def check_precision(precision: str) -> None:
    """Refuse what is no precision."""
    known = get_args(AskedPrecision)
    if not isinstance(precision, str) or precision not in known:
        raise PlanError(f"precision={precision!r} is not known. Use one of {', '.join(known)}.")


def choose_precision(precision: AskedPrecision, device: torch.device) -> Precision:
    """What convolutions compute in: as asked, or what the device is fastest at."""
    if precision == "auto":
        return "bfloat16" if has_bfloat16(device) else "float32"
    return precision


def weigh_classes(
    loss: Loss, class_weight: Mapping[int, float] | None, config: ModelConfig
) -> Loss:
    """Return a cross-entropy in whose mean pixels of some classes weigh more or less than 1.

    Raises:
        PlanError: the loss is no cross-entropy of classes that exclude each other, or a weight is
            of no class, or no number above 0.
    """
    if class_weight is None:
        return loss
    function, num_classes = loss.func if isinstance(loss, partial) else loss, config.num_classes
    is_known = function in (binary_cross_entropy_loss, cross_entropy_loss)
    if not is_known or config.task.can_overlap:
        raise PlanError(
            "class_weight weighs the pixels of a cross-entropy of classes that exclude each other, "
            'and the loss is another one. Use loss="binary_crossentropy" or '
            '"sparse_categorical_crossentropy", or leave it out.'
        )
    if not isinstance(class_weight, Mapping) or not set(class_weight) <= set(range(num_classes)):
        raise PlanError(
            f"class_weight={class_weight!r} should be a dict of class indices, from 0 to "
            f"{num_classes - 1}, and their weights, such as {{0: 1.0, 1: 5.0}}."
        )
    weights = [float(class_weight.get(index, 1.0)) for index in range(num_classes)]
    if not all(0 < weight < math.inf for weight in weights):
        raise PlanError(f"class_weight={class_weight!r} should hold numbers above 0.")
    weighed: Loss = partial(function, class_weights=torch.tensor(weights))  # type: ignore[call-arg]
    return weighed


def plan_fit(
    config: ModelConfig,
    num_images: int,
    *,
    epochs: int,
    steps_per_epoch: int | None,
    batch_size: int,
    learning_rate: float,
    precision: Precision,
    seed: int,
) -> Plan:
    """The plan of a Keras-like training: whole images, a constant rate, epochs."""
    steps_per_epoch = steps_per_epoch or -(-num_images // batch_size)
    network = config.network
    return Plan(
        scaling=config.scaling,
        patch_size=None,
        batch_size=batch_size,
        **_built(network),
        loss="custom",
        learning_rate=float(learning_rate),
        max_gradient_norm=None,
        schedule="constant",
        num_steps=epochs * steps_per_epoch,
        validate_every=steps_per_epoch,
        precision=precision,
        channels_last=network.spatial_dims == 2,
        seed=check_seed(seed),
    )


def _built(network: UNetConfig | WrappedConfig) -> dict[str, Any]:
    """How a network is built, as its plan says it; a wrapped one is there already."""
    if isinstance(network, WrappedConfig):
        return {"widths": (network.width, network.width), "normalization": "none"}
    return {name: getattr(network, name) for name in ("widths", "normalization", "upsampling")}


def make_trainer(
    model: Model,
    plan: Plan,
    train: Sequence[Sample],
    val: Sequence[Sample],
    objective: Objective,
    device: torch.device,
    watcher: Watcher,
    source: BatchSource,
) -> Trainer:
    """The training of a plan by `plan_fit`, which ends with the last weights."""
    timetable = Timetable(
        Clock(), num_steps=plan.num_steps, budget=None, validate_every=plan.validate_every
    )
    return Trainer(
        model, plan, train, val, objective=objective, timetable=timetable, device=device,
        watcher=watcher, keep_last=True, source=source,
    )  # fmt: skip


def learn_intensities(model: Model, train: Sequence[Sample]) -> Model:
    """The model with the range of its training images; integers are scaled by their statistics."""
    own, earlier = look_at_intensities(s.image for s in train), model.config.intensities
    facts = own if earlier is None else join_facts([earlier, own])
    if earlier is not None:
        facts = facts.model_copy(update={"dtype": earlier.dtype})
    model = model.with_config(intensities=facts)
    if model.config.scaling.scheme != "none":
        return model
    if train[0].image.dtype.kind == "f":
        return model.with_config(float_images=True)
    images = np.stack([sample.image for sample in train])
    return model.with_config(scaling=IntensityScaling.from_images(images))


class RunningOptimizer:
    """An optimizer as callbacks see it: its learning rate can be read and set, in training too.

    Args:
        optimizer: of the network that is trained.
        trainer: while it runs, which sets the rate of each step; None: no training.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, trainer: Trainer | None) -> None:
        self._optimizer, self._trainer = optimizer, trainer

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        rate = float(rate)
        if not 0 < rate < math.inf:
            raise PlanError(f"The learning rate {rate} is none. Give a number above 0.")
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        if self._trainer is not None:  # each step has the planned rate times this factor
            self._trainer.state.rate_factor = rate / self._trainer.plan.learning_rate
