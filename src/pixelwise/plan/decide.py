"""The decision: from the fingerprint, the measured speed and the budget to a plan.

The rules and the experiments behind their numbers are in docs/log.md.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch

from pixelwise.network import IntensityScaling, ModelConfig, Task, UNetConfig, working_size
from pixelwise.plan.calibration import Calibration, Timing, time_formats, time_step
from pixelwise.plan.fingerprint import Fingerprint
from pixelwise.plan.follow import follow_model
from pixelwise.plan.plan import Augmentation, Plan
from pixelwise.plan.scale import choose_scale

WIDTHS = (
    (16, 32, 64, 128, 256),
    (24, 48, 96, 192, 384),
    (32, 64, 128, 256, 512),
)  # candidates, cheapest first
MIN_PATCHES = 8_000  # patches that the wider network must get to see to be worth its time
BATCH_SIZE = 8
FOREGROUND_SHARE = 0.33  # of patches, for one foreground class
CLASSES_SHARE = 0.5  # of patches, for several classes
MIN_CLASS_SHARE = 1e-3  # rarer classes weigh no more than one of this share
NORMALIZATION: Literal["instance"] = "instance"
MAX_PATCH = {2: 192, 3: 64}  # pixels per axis
ORDER_OF_SCENES = 0.25  # from this vertical or horizontal order on, images have a fixed up
CONTRAST_RATIO_OF_MIXED_SETS = 8.0  # from this on, each image is scaled by itself
MIN_STEPS = 30
VALIDATIONS = 16  # in a training, or fewer where they would take more than a share of the budget
VALIDATION_SHARE = 0.08
MAX_VALIDATION = 0.1  # of the budget, for scoring all validation images once
MIN_VAL_IMAGES = 8
FORWARD_SHARE = 0.4  # of a training step's time, for the same pixels in prediction
TRAINING_SHARE = 0.85  # of the budget that is left for steps, as a forecast
CALIBRATION_SHARE = 0.05  # of the budget
MAX_CALIBRATION = 30.0  # seconds


def make_plan(
    fingerprint: Fingerprint,
    task: Task,
    *,
    device: torch.device,
    budget: float | None,
    epochs: int | None = None,
    seed: int = 0,
    start: tuple[str, ModelConfig] | None = None,
    num_ranks: int = 1,
) -> Plan:
    """Plan a training.

    Args:
        fingerprint: of the data.
        task: of the model.
        device: to train on; its speed is measured.
        budget: seconds for training; None with `epochs`.
        epochs: passes over the training samples.
        seed: of all random choices.
        start: path and configuration of the model that training starts from, if any.
        num_ranks: processes that share each batch, one image each at least.
    """
    reasons: dict[str, str] = {}
    decisions: dict[str, Any] = {}
    kept = follow_model(start[1], fingerprint) if start else {}

    def decide(name: str, value: object, reason: str) -> None:
        decisions[name], reasons[name] = kept.get(name, (value, reason))

    decide("start", start and start[0], "as asked" if start else "none was given")
    decide("scaling", *_choose_scaling(fingerprint))
    deadline = time.monotonic() + min(MAX_CALIBRATION, CALIBRATION_SHARE * (budget or math.inf))
    batch_size = max(num_ranks, min(BATCH_SIZE, max(2, fingerprint.num_train)))
    num_own = -(-batch_size // num_ranks)  # images of a batch that are computed here
    networks = _candidates(fingerprint, task, start and start[1].network)
    shape = (num_own, fingerprint.in_channels, *_choose_patch(fingerprint, 1.0)[0])
    formats = time_formats(networks[0], shape, device, deadline)
    speed = num_ranks * _pixels_per_second(formats[0], shape)
    pixels = budget and TRAINING_SHARE * budget * speed
    decide("working_scale", *choose_scale(fingerprint, task, pixels))
    scale = decisions["working_scale"]
    patch_size, reason = _choose_patch(fingerprint, scale)
    decide("patch_size", patch_size, reason)
    decide("batch_size", batch_size, "large enough for batch statistics, small enough for speed")
    shape = (num_own, fingerprint.in_channels, *patch_size)

    def num_patches(timing: Timing) -> int:
        seen = fingerprint.num_train * (epochs or 1)
        return int(budget / timing.seconds_per_step * batch_size) if budget else seen

    measured = _time_networks(networks, shape, formats[0], device, deadline, num_patches)
    timing, reason = _choose_network(measured, num_patches)
    calibration = _calibration(fingerprint, timing, formats + measured, shape, scale, device)
    decide("widths", timing.widths, reason)
    decide("normalization", NORMALIZATION, "each image by itself: sets are often of mixed kinds")
    decide("upsampling", "nearest", "cheapest; as good as the others")
    decide("loss", "cross_entropy_dice", "honest probabilities, and small objects count")
    decide("class_weights", *_choose_class_weights(fingerprint, task))
    share = FOREGROUND_SHARE if task == "binary" else CLASSES_SHARE
    decide("foreground_share", share, "this share of the patches is centred on a labelled object")
    decide("augmentation", *_choose_augmentation(fingerprint))
    decide("learning_rate", 5e-3, "high, with warm-up and decay: fast progress in a short training")
    decide("weight_decay", 1e-2, "the usual value for AdamW")
    decide("max_gradient_norm", 5.0, "single odd batches must not throw training off")
    decide("warmup_share", 0.05, "the first steps are the least certain")
    decide("schedule", "cosine", "reaches its end when the budget does")
    decide("average_share", 0.02, "averaged weights score higher than the newest")
    num_steps, reason = _choose_steps(fingerprint, batch_size, timing, budget, epochs)
    decide("num_steps", num_steps, reason)
    decide("budget_seconds", budget, "as asked" if budget else "none: training ends by epochs")
    num_val_images, reason = _choose_val_images(fingerprint, calibration, budget)
    decide("num_val_images", num_val_images, reason)
    validations = _choose_validations(calibration, budget)
    every = max(1, math.ceil(num_steps / validations))
    decide("validate_every", every, f"about {validations} validations in all")
    decide("precision", timing.precision, "the fastest measured")
    decide("channels_last", timing.channels_last, "the fastest measured")
    decide("seed", seed, "as asked")
    return Plan(**decisions, fingerprint=fingerprint, calibration=calibration, reasons=reasons)


def network_config(plan: Plan, *, in_channels: int, task: Task, num_classes: int) -> UNetConfig:
    """Return the network that a plan describes."""
    return UNetConfig(
        in_channels=in_channels,
        out_channels=1 if task == "binary" else num_classes,
        widths=plan.widths,
        spatial_dims=3 if plan.patch_size is not None and len(plan.patch_size) == 3 else 2,
        normalization=plan.normalization,
        upsampling=plan.upsampling,
    )


def _choose_scaling(fingerprint: Fingerprint) -> tuple[IntensityScaling, str]:
    ratio = fingerprint.image_contrast_ratio
    if ratio >= CONTRAST_RATIO_OF_MIXED_SETS:
        return (
            IntensityScaling(scheme="percentiles"),
            f"the images' contrast differs {ratio:.1f}-fold, so each is scaled by its own range",
        )
    scaling = IntensityScaling(
        scheme="statistics", mean=fingerprint.intensity_mean, std=fingerprint.intensity_std
    )
    return scaling, f"the images' contrast is alike (ratio {ratio:.1f}): training-set statistics"


def _choose_patch(fingerprint: Fingerprint, scale: float) -> tuple[tuple[int, ...], str]:
    dims = len(fingerprint.median_size)
    divisor = 2 ** (len(WIDTHS[0]) - 1)
    size = working_size(fingerprint.median_size, scale)
    patch = tuple(
        min(MAX_PATCH[dims], max(divisor, round(side / divisor) * divisor)) for side in size
    )
    return patch, (
        f"the median image is {' x '.join(map(str, size))} at this scale; patches are a "
        f"multiple of {divisor} and at most {MAX_PATCH[dims]}"
    )


def _candidates(fingerprint: Fingerprint, task: Task, given: UNetConfig | None) -> list[UNetConfig]:
    """Networks to choose from, cheapest first; the one that is given alone."""
    ends = {
        "in_channels": fingerprint.in_channels,
        "out_channels": 1 if task == "binary" else fingerprint.num_classes,
    }
    if given is not None:
        return [given.model_copy(update=ends)]
    return [
        UNetConfig(
            **ends,
            widths=widths,
            normalization=NORMALIZATION,
            spatial_dims=3 if len(fingerprint.median_size) == 3 else 2,
        )
        for widths in WIDTHS
    ]


def _time_networks(
    networks: Sequence[UNetConfig],
    shape: tuple[int, ...],
    best: Timing,
    device: torch.device,
    deadline: float,
    num_patches: Callable[[Timing], int],
) -> tuple[Timing, ...]:
    """Measure steps of networks in the best format, until one sees too few patches."""
    timings: tuple[Timing, ...] = ()
    for network in networks:
        timing = time_step(
            network, shape, device, precision=best.precision, channels_last=best.channels_last
        )
        timings += (timing,)
        if num_patches(timing) < MIN_PATCHES or time.monotonic() > deadline:
            break
    return timings


def _choose_network(
    measured: Sequence[Timing], num_patches: Callable[[Timing], int]
) -> tuple[Timing, str]:
    """Take the widest network that sees enough patches in time, else the narrowest."""
    affordable = [timing for timing in measured if num_patches(timing) >= MIN_PATCHES]
    chosen = affordable[-1] if affordable else measured[0]
    return chosen, (
        f"the widest that sees {MIN_PATCHES} patches, or the narrowest: "
        f"{chosen.seconds_per_step:.3f} s per step, about {num_patches(chosen)} patches"
    )


def _calibration(
    fingerprint: Fingerprint,
    chosen: Timing,
    timings: tuple[Timing, ...],
    shape: tuple[int, ...],
    scale: float,
    device: torch.device,
) -> Calibration:
    """What was measured, and what it says of a validation."""
    seconds_per_pixel = 1 / _pixels_per_second(chosen, shape) * FORWARD_SHARE
    pixels = fingerprint.num_val * fingerprint.mean_pixels * scale ** (len(shape) - 2)
    return Calibration(
        device=str(device),
        num_threads=torch.get_num_threads(),
        seconds_per_step=chosen.seconds_per_step,
        seconds_per_validation=round(seconds_per_pixel * pixels, 3),
        timings=timings,
    )


def _pixels_per_second(timing: Timing, shape: Sequence[int]) -> float:
    """Pixels that a training goes through; shape is (B, C, *patch)."""
    return timing.batch_size * math.prod(shape[2:]) / timing.seconds_per_step


def _choose_val_images(
    fingerprint: Fingerprint, calibration: Calibration, budget: float | None
) -> tuple[int | None, str]:
    """All validation images, unless scoring them once would take much of the budget."""
    affordable = MAX_VALIDATION * budget if budget is not None else math.inf
    if calibration.seconds_per_validation <= affordable:
        return None, "all of them: scoring them takes little of the time"
    share = affordable / calibration.seconds_per_validation
    number = max(MIN_VAL_IMAGES, int(share * fingerprint.num_val))
    return min(number, fingerprint.num_val), "as many as can be scored in a tenth of the budget"


def _choose_validations(calibration: Calibration, budget: float | None) -> int:
    """As many validations as take a small share of the budget."""
    if budget is None:
        return VALIDATIONS
    seconds = min(calibration.seconds_per_validation, MAX_VALIDATION * budget)
    affordable = VALIDATION_SHARE * budget / max(seconds, 1e-3)
    return max(2, min(VALIDATIONS, int(affordable)))


def _choose_class_weights(
    fingerprint: Fingerprint, task: Task
) -> tuple[tuple[float, ...] | None, str]:
    """Weights that fall with the square root of a class's share; a pixel weighs 1 on average."""
    if task != "multiclass" or fingerprint.num_classes < 3:
        return None, "few classes: the Dice part of the loss balances them"
    shares = np.maximum(fingerprint.class_shares, MIN_CLASS_SHARE)
    weights = shares**-0.5 / (shares**0.5).sum()
    return tuple(round(float(weight), 3) for weight in weights), (
        "rare classes weigh more, by the square root of how rare they are"
    )


def _choose_augmentation(fingerprint: Fingerprint) -> tuple[Augmentation, str]:
    has_up = fingerprint.vertical_order >= ORDER_OF_SCENES
    has_side = fingerprint.horizontal_order >= ORDER_OF_SCENES
    augmentation = Augmentation(
        flip_vertical=not has_up,
        flip_horizontal=not has_side,
        right_angles=not (has_up or has_side),
        rotation_degrees=10 if has_up or has_side else 30,
        scale=1.4,
        elastic_px=2,
        brightness=0.3,
        contrast=1.4,
        gamma=1.5,
        noise=0.15,
        blur_px=1.0,
        color=0.2 if fingerprint.in_channels > 1 else 0,
    )
    if has_up:
        return augmentation, "upper and lower halves differ: images have an up, so none is turned"
    if has_side:
        return augmentation, "left and right halves differ, so none is turned or mirrored sideways"
    return augmentation, "classes lie anywhere: every turn and mirror image is as likely"


def _choose_steps(
    fingerprint: Fingerprint,
    batch_size: int,
    timing: Timing,
    budget: float | None,
    epochs: int | None,
) -> tuple[int, str]:
    per_epoch = math.ceil(fingerprint.num_train / batch_size)
    if budget is None:
        return per_epoch * (epochs or 1), f"{epochs} epochs of {per_epoch} steps"
    steps = max(MIN_STEPS, int(TRAINING_SHARE * budget / timing.seconds_per_step))
    return steps, (
        f"a forecast: {timing.seconds_per_step:.2f} s each, about "
        f"{np.round(steps / per_epoch, 1):g} passes over the data; the clock decides"
    )
