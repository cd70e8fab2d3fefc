"""The decision: from the fingerprint, the measured speed and the budget to a plan."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from pixelwise.network import ModelConfig, UNetConfig
from pixelwise.planning.budget import closing_seconds, kept_for_test
from pixelwise.planning.calibration import MEASURED_SECONDS, Calibrator, Machine
from pixelwise.planning.choices import Encoder, choose_for_encoder, choose_from_data
from pixelwise.planning.draft import Decision, Decisions, Draft
from pixelwise.planning.fingerprint import Fingerprint
from pixelwise.planning.follow import follow_model
from pixelwise.planning.plan import Plan
from pixelwise.planning.sizes import BATCH_SIZE, MIN_BATCH, Extent, Sizes, choose_sizes, first_sizes
from pixelwise.planning.speed import measured_speed
from pixelwise.planning.timing import Calibration, Timing
from pixelwise.task import Task
from pixelwise.text import count_of, show_number

MIN_STEPS = 30
VALIDATIONS = 16  # in a training, or fewer where they would take more than a share of the budget
VALIDATION_SHARE = 0.08
MAX_VALIDATION = 0.1  # of the budget, for scoring all validation images once
MIN_VAL_IMAGES = 8
CALIBRATION_SHARE = 0.05  # of the budget
MAX_CALIBRATION = 30.0  # seconds
MEASURED_SHARE = 0.015  # of the budget, for the steps of one plan; speed changes with the seconds
MAX_MEASURED = 5.0  # seconds
OPEN_SECONDS = 3600.0  # without a budget the sizes are those for an hour
OPEN_VALIDATIONS = 10  # the fewest of a training that ends by itself
DRAFT_STEPS = 1000  # of plans that are measured and not carried out


def make_plan(
    fingerprint: Fingerprint,
    task: Task,
    machine: Machine,
    *,
    budget: float | None,
    epochs: int | None = None,
    seed: int = 0,
    start: tuple[str, ModelConfig] | None = None,
    num_ranks: int = 1,
    class_names: Sequence[str] = (),
    encoder: Encoder | None = None,
) -> Plan:
    """Plan a training.

    Args:
        fingerprint: fingerprint of the data.
        task: task of the model.
        machine: to train on; its speed is measured.
        budget: seconds for planning and training; without, and without `epochs`, training ends
            when validation has stopped improving.
        epochs: passes over the training samples.
        seed: seed of all random choices.
        start: path and configuration of the model that training starts from, if any.
        num_ranks: processes that share each batch, one image each at least.
        class_names: that may tell left from right.
        encoder: to take, ready-made; None: the U-Net's own, or that of the model to start from.

    Raises:
        PlanError: memory does not suffice for the smallest training.
    """
    began = time.monotonic()
    is_open = budget is None and epochs is None
    deadline = began + min(MAX_CALIBRATION, CALIBRATION_SHARE * (budget or math.inf))
    calibrator = Calibrator(machine, deadline, _seconds_measured(budget))
    asked = _as_asked(seed=seed, start=start, budget=budget, epochs=epochs)
    draft = Draft(choose_from_data(fingerprint, task, class_names) | asked)
    draft = draft.with_(follow_model(start[1], fingerprint) if start else {})
    draft = draft.with_(choose_for_encoder(encoder) if encoder else {})

    def time_steps(sizes: Sizes) -> tuple[Plan, Timing]:
        return calibrator.time(_plan_of(draft, sizes, num_ranks))

    batch_size = max(num_ranks, min(BATCH_SIZE, max(2, fingerprint.num_train)))
    first = first_sizes(fingerprint, batch_size, draft)
    best = calibrator.choose_format(_plan_of(draft, first, num_ranks))
    draft = draft.with_({n: Decision(v, "the fastest measured") for n, v in best._asdict().items()})
    small = first._replace(batch_size=max(num_ranks, min(MIN_BATCH, batch_size)))
    is_told = epochs is None and small != first  # else no second step says more
    small_timing = time_steps(small)[1] if is_told else None
    plan, timing = time_steps(first)
    left = _seconds_left(budget, began)
    if epochs is not None:
        extent = Extent(patches=fingerprint.num_train * epochs)
    else:
        speed = measured_speed(small_timing or timing, timing, num_ranks)
        extent = Extent(OPEN_SECONDS if is_open else left, speed)
    sizes, chosen = choose_sizes(
        fingerprint,
        task,
        first,
        draft,
        extent,
        min_batch=max(MIN_BATCH, num_ranks),
    )
    is_other = sizes != first or chosen["augmentation"] != draft.decision("augmentation")
    draft = draft.with_(chosen)
    if is_other:
        plan, timing = time_steps(sizes)
    draft = draft.with_(_what_memory_allows(plan, sizes, num_ranks))
    per_validation, per_image = machine.time_validation(plan), machine.time_new_image(plan)
    for_test = machine.time_test(per_validation)
    left = _seconds_left(budget, began, timing.crowding, for_test)
    batch_size = draft.value("batch_size")
    draft = draft.with_(
        _choose_lengths(fingerprint, timing, batch_size, per_validation, per_image, left, epochs)
    )
    calibration = Calibration(
        device=str(machine.device),
        num_threads=timing.num_threads or torch.get_num_threads(),
        seconds_per_step=timing.seconds_per_step,
        seconds_per_validation=round(per_validation, 3),
        seconds_per_new_image=round(per_image, 4),
        crowding=timing.crowding,
        num_steps=draft.value("num_steps"),
        megabytes=machine.peak_megabytes(),
        timings=tuple(calibrator.timings),
    )
    return draft.to_plan(fingerprint=fingerprint, calibration=calibration)


def _as_asked(
    *,
    seed: int,
    start: tuple[str, ModelConfig] | None,
    budget: float | None,
    epochs: int | None,
) -> Decisions:
    """What a person said, or left out."""
    is_open = budget is None and epochs is None
    ending = "validation" if is_open else "epochs"
    asked: dict[str, Decision[Any]] = {
        "seed": Decision(seed, "as asked"),
        "encoder": Decision(None, "none was asked for"),
        "encoder_weights": Decision(None, "there is no such encoder"),
        "start": Decision(start[0], "as asked") if start else Decision(None, "none was given"),
        "budget_seconds": Decision(
            budget, "as asked" if budget else f"none: {ending} ends training"
        ),
    }
    if is_open:
        asked["schedule"] = Decision(
            "plateau", "no time was given: until validation is flat, then down"
        )
    return asked


def _plan_of(draft: Draft, sizes: Sizes, num_ranks: int) -> Plan:
    """The plan of the images that one rank computes, to be measured and not carried out."""
    own = {"batch_size": -(-sizes.batch_size // num_ranks)}
    steps = {"num_steps": DRAFT_STEPS, "validate_every": DRAFT_STEPS, "budget_seconds": None}
    return draft.to_plan(**sizes._asdict() | own | steps)


def _what_memory_allows(plan: Plan, sizes: Sizes, num_ranks: int) -> Decisions:
    """The sizes of a plan that was measured, where they are smaller than those wanted."""
    found: dict[str, Decision[Any]] = {}
    if plan.patch_size != sizes.patch_size:  # not the whole batch, since memory was short
        found["patch_size"] = Decision(plan.patch_size, "the largest that memory suffices for")
    if plan.batch_size * num_ranks < sizes.batch_size:
        found["batch_size"] = Decision(plan.batch_size * num_ranks, "what memory suffices for")
    return found


def network_config(plan: Plan, *, in_channels: int, task: Task, num_classes: int) -> UNetConfig:
    """Return the network that a plan describes."""
    return UNetConfig(
        in_channels=in_channels,
        out_channels=task.num_logits(num_classes),
        widths=plan.widths,
        spatial_dims=3 if plan.patch_size is not None and len(plan.patch_size) == 3 else 2,
        normalization=plan.normalization,
        upsampling=plan.upsampling,
        encoder=plan.encoder,
    )


def _choose_lengths(
    fingerprint: Fingerprint,
    timing: Timing,
    batch_size: int,
    per_validation: float,
    per_image: float,
    left: float | None,
    epochs: int | None,
) -> Decisions:
    """How many steps there are, and how often and on how many images they are validated.

    Args:
        fingerprint: fingerprint of the data.
        timing: timing of a step.
        batch_size: over all ranks.
        per_validation: seconds, over all validation images.
        per_image: seconds, for each training image when it is seen first.
        left: seconds for steps and validations; None where epochs say how long, or validation.
        epochs: passes over the training samples, or None.
    """
    per_epoch = math.ceil(fingerprint.num_train / batch_size)
    num_val_images, reason = _choose_val_images(fingerprint, per_validation, left)
    if num_val_images is not None:
        per_validation *= num_val_images / fingerprint.num_val
    validations = _choose_validations(per_validation, left)
    if left is None and epochs is None:
        share = per_validation / VALIDATION_SHARE / timing.seconds_per_step
        steps = OPEN_VALIDATIONS * max(MIN_STEPS, math.ceil(share))
        validations, why = OPEN_VALIDATIONS, "the least after which validation can be flat"
    elif left is None:
        steps, why = per_epoch * (epochs or 1), f"{epochs} epochs of {per_epoch} steps"
    else:
        seconds = left - validations * per_validation
        per_step = timing.seconds_per_step
        first_pass = min(fingerprint.num_train, seconds / (per_step / batch_size + per_image))
        looking = first_pass * per_image
        steps = max(MIN_STEPS, int((seconds - looking) / per_step))
        looks = f", and {looking:.0f} s for looking at images first" if looking >= 1 else ""
        why = (
            f"a forecast: {per_step:.3f} s each, {steps * per_step:.0f} s in all{looks}; about "
            f"{show_number(steps / per_epoch)} passes over the images; the clock decides"
        )
    return {
        "num_val_images": Decision(num_val_images, reason),
        "num_steps": Decision(steps, why),
        "validate_every": Decision(
            max(1, math.ceil(steps / validations)),
            f"about {count_of(validations, 'validation')} in all",
        ),
    }


def _seconds_measured(budget: float | None) -> float:
    """How long the steps of a plan are measured."""
    return min(MAX_MEASURED, max(MEASURED_SECONDS, MEASURED_SHARE * (budget or 0)))


def _seconds_left(
    budget: float | None, began: float, crowding: float = 1.0, for_test: float = 0.0
) -> float | None:
    """What planning has left of the budget for steps and validations.

    Args:
        budget: seconds for planning and training, or None.
        began: when planning began.
        crowding: of the processor, where it is known.
        for_test: seconds that scoring the test images takes afterwards, where they are known.
    """
    if budget is None:
        return None
    closing = closing_seconds(budget) * crowding + kept_for_test(for_test, budget)
    return max(1.0, budget - (time.monotonic() - began) - closing)


def _choose_val_images(
    fingerprint: Fingerprint, per_validation: float, left: float | None
) -> Decision[int | None]:
    """All validation images, unless scoring them once would take much of the time."""
    affordable = MAX_VALIDATION * left if left is not None else math.inf
    if per_validation <= affordable:
        return Decision(None, "all of them: scoring them takes little of the time")
    number = max(MIN_VAL_IMAGES, int(affordable / per_validation * fingerprint.num_val))
    return Decision(
        min(number, fingerprint.num_val), "as many as can be scored in a tenth of the time"
    )


def _choose_validations(per_validation: float, left: float | None) -> int:
    """As many validations as take a small share of the time."""
    if left is None:
        return VALIDATIONS
    affordable = VALIDATION_SHARE * left / max(per_validation, 1e-3)
    return max(1, min(VALIDATIONS, int(affordable)))
