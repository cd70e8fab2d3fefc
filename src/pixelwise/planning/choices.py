"""Decisions that follow from the data alone, whatever the time.

The experiments behind the numbers are in docs/log.md.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.network import IntensityScaling
from pixelwise.planning.draft import Decision, Decisions
from pixelwise.planning.fingerprint import Fingerprint
from pixelwise.planning.plan import Augmentation
from pixelwise.task import Task
from pixelwise.text import show_number

FOREGROUND_SHARE = 0.33  # of patches, for one foreground class
CLASSES_SHARE = 0.5  # of patches, for several classes
MIN_CLASS_SHARE = 1e-3  # rarer classes weigh no more than one of this share
ORDER_OF_SCENES = 0.1  # from this vertical or horizontal order on, images have a fixed up
CONTRAST_RATIO_OF_MIXED_SETS = 8.0  # from this on, each image is scaled by itself

MOVED_SHARE = 0.2  # of patches; where all are resampled, none is as sharp as the images to come
LIGHT_PASSES = 60  # over the images; in fewer nothing is seen so often that it is learnt by heart
LIGHT = {
    "rotation_degrees": 0, "scale": 1, "elastic_px": 0, "gamma": 1, "noise": 0, "blur_px": 0,
    "color": 0,
}  # fmt: skip
ENCODER_WIDTHS = 16, 32, 64, 128, 256, 256  # of the decoder, and of the bottleneck's block
ENCODER_RATE = 1e-3  # learning rate


class Encoder(NamedTuple):
    """A ready-made encoder."""

    name: str  # of a timm network
    weights: str | None  # file; None: timm's own


def choose_from_data(
    fingerprint: Fingerprint, task: Task, class_names: Sequence[str] = ()
) -> Decisions:
    """Return what does not depend on the time or the machine."""
    share = FOREGROUND_SHARE if task.has_one_logit else CLASSES_SHARE
    return {
        "scaling": _choose_scaling(fingerprint),
        "normalization": Decision(
            "instance", "each image by itself: sets are often of mixed kinds"
        ),
        "upsampling": Decision("nearest", "cheapest; as good as the others"),
        "loss": Decision("cross_entropy_dice", "honest probabilities, and small objects count"),
        "deep_supervision": Decision(2, "lower levels learn sooner what they are for"),
        "class_weights": _choose_class_weights(fingerprint, task),
        "foreground_share": Decision(
            share, "this share of the patches is centred on a labelled object"
        ),
        "augmentation": _choose_augmentation(fingerprint, class_names),
        "optimizer": Decision(
            "muon",
            "learns more from each step than AdamW, most of all in short trainings",
        ),
        "learning_rate": Decision(
            5e-3, "high, with warm-up and decay: fast progress in a short training"
        ),
        "weight_decay": Decision(1e-2, "the usual value for AdamW"),
        "max_gradient_norm": Decision(5.0, "single odd batches must not throw training off"),
        "warmup_share": Decision(0.05, "the first steps are the least certain"),
        "schedule": Decision("cosine", "reaches its end when the budget does"),
        "average_share": Decision(0.02, "averaged weights score higher than the newest"),
        "num_threads": Decision(
            None, "other programs come and go; a number makes runs repeat bit by bit"
        ),
    }


def choose_for_encoder(encoder: Encoder) -> Decisions:
    """Return what a ready-made encoder asks for: its weights are to be kept, not learnt again."""
    weights = "as asked" if encoder.weights else "no file was given"
    return {
        "encoder": Decision(encoder.name, "as asked"),
        "encoder_weights": Decision(encoder.weights, weights),
        "widths": Decision(
            ENCODER_WIDTHS, "the decoder of a ready-made encoder, and its bottleneck"
        ),
        "optimizer": Decision("adamw", "small changes to weights that have been learnt"),
        "learning_rate": Decision(
            ENCODER_RATE, "lower than for fresh weights, which are not to be lost"
        ),
    }


def _choose_scaling(fingerprint: Fingerprint) -> Decision[IntensityScaling]:
    ratio = fingerprint.image_contrast_ratio
    if ratio >= CONTRAST_RATIO_OF_MIXED_SETS:
        return Decision(
            IntensityScaling(scheme="percentiles"),
            f"the images' contrast differs {ratio:.1f}-fold, so each is scaled by its own range",
        )
    scaling = IntensityScaling(
        scheme="statistics", mean=fingerprint.intensity_mean, std=fingerprint.intensity_std
    )
    return Decision(
        scaling, f"the images' contrast is alike (ratio {ratio:.1f}): training-set statistics"
    )


def _choose_class_weights(
    fingerprint: Fingerprint, task: Task
) -> Decision[tuple[float, ...] | None]:
    """Weights that fall with the square root of a class's share; a pixel weighs 1 on average."""
    if not task.is_exclusive or fingerprint.num_classes < 3:
        return Decision(None, "few classes: the Dice part of the loss balances them")
    shares = np.maximum(fingerprint.class_shares, MIN_CLASS_SHARE)
    weights = shares**-0.5 / (shares**0.5).sum()
    return Decision(
        tuple(round(float(weight), 3) for weight in weights),
        "rare classes weigh more, by the square root of how rare they are",
    )


def _choose_augmentation(
    fingerprint: Fingerprint, class_names: Sequence[str]
) -> Decision[Augmentation]:
    has_up = fingerprint.vertical_order >= ORDER_OF_SCENES
    sided = find_sided_names(class_names)
    has_side = bool(sided) or fingerprint.horizontal_order >= ORDER_OF_SCENES
    augmentation = Augmentation(
        flip_vertical=not has_up,
        flip_horizontal=not has_side,
        right_angles=not (has_up or has_side),
        rotation_degrees=10 if has_up or has_side else 30,
        scale=1.4,
        elastic_px=2,
        moved_share=MOVED_SHARE,
        brightness=0.3,
        contrast=1.4,
        gamma=1.5,
        noise=0.15,
        blur_px=1.0,
        color=0.2 if fingerprint.in_channels > 1 else 0,
    )
    reasons = []
    if has_up:
        reasons.append("upper and lower halves differ: images have an up")
    if sided:
        reasons.append(f"{sided[0]} and {sided[1]} are mirror images of each other")
    elif has_side:
        reasons.append("left and right halves differ")
    if not reasons:
        return Decision(
            augmentation, "classes lie anywhere: every turn and mirror image is as likely"
        )
    never = "turned" if not has_side else "turned or mirrored sideways"
    return Decision(augmentation, f"{', and '.join(reasons)}, so none is {never}")


def lighten(decision: Decision[Augmentation], passes: float) -> Decision[Augmentation]:
    """Leave exact moves, brightness and contrast alone where training is short.

    Args:
        decision: for a training of any length, with its reason.
        passes: over the images that there are in the time.
    """
    augmentation, reason = decision
    if passes >= LIGHT_PASSES:
        return decision
    return Decision(
        augmentation.model_copy(update=LIGHT),
        f"{reason}; about {show_number(passes)} passes over the images are too few to learn them "
        "by heart, so little is changed",
    )


def find_sided_names(class_names: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two names that differ in left and right alone, if any.

    >>> find_sided_names(["hood", "Left door", "Right door"])
    ('Left door', 'Right door')
    """
    names = {name.lower(): name for name in class_names}
    for name in class_names:
        other = re.sub(r"(?<![a-z])left(?![a-z])", "right", name.lower())
        if other != name.lower() and other in names:
            return name, names[other]
    return None
