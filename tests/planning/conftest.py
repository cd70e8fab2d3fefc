"""A tiny plan and fingerprint to change."""

import pytest
import torch
from tests.plans import small_plan

from pixelwise.planning import Fingerprint, Timing


class FakeMachine:
    """Says how long steps take instead of taking them, and remembers what it was asked.

    Args:
        seconds: of a step: a number, or a function of the plan.
        validation: seconds of a validation.
        max_pixels: of a batch that memory has room for.
        new_image: seconds that an image holds training up when it is new.
        test: test images, in validations.
        crowding: of the processor.
    """

    device = torch.device("cpu")

    def __init__(
        self, seconds=0.1, validation=0.5, max_pixels=10**9, new_image=0.0, test=0, crowding=1
    ):
        self.seconds, self.validation, self.max_pixels = seconds, validation, max_pixels
        self.new_image, self.test, self.crowding = new_image, test, crowding
        self.plans, self.measured = [], []

    def time_steps(self, plan, *, seconds):
        self.plans.append(plan)
        self.measured.append(seconds)
        pixels = plan.batch_size
        for side in plan.patch_size:
            pixels *= side
        if pixels > self.max_pixels:
            raise MemoryError
        return Timing(
            batch_size=plan.batch_size,
            patch_size=plan.patch_size,
            widths=plan.widths,
            precision=plan.precision,
            channels_last=plan.channels_last,
            num_threads=plan.num_threads,
            seconds_per_step=self.seconds(plan) if callable(self.seconds) else self.seconds,
            crowding=self.crowding,
        )

    def time_new_image(self, plan):
        return self.new_image

    def time_validation(self, plan):
        return self.validation

    def time_test(self, per_validation):
        return self.test * per_validation

    def peak_megabytes(self):
        return 512.0


@pytest.fixture
def make_machine():
    """Return a maker of fake machines."""
    return FakeMachine


@pytest.fixture
def make_fingerprint():
    """Return a maker of fingerprints: 20 grey images of 40 x 56 with cells anywhere."""

    def make(**changes):
        values = {
            "num_train": 20,
            "num_val": 4,
            "in_channels": 1,
            "num_classes": 2,
            "median_size": (40, 56),
            "min_size": (30, 40),
            "max_size": (50, 70),
            "mean_pixels": 2240,
            "class_shares": (0.8, 0.2),
            "intensity_mean": (100.0,),
            "intensity_std": (20.0,),
            "image_contrast_ratio": 1.5,
            "vertical_order": 0.02,
            "horizontal_order": 0.01,
        }
        return Fingerprint(**values | changes)

    return make


@pytest.fixture
def make_small_plan():
    """Return a maker of small plans."""
    own = {"patch_size": (16, 24), "learning_rate": 1e-2, "num_steps": 100, "validate_every": 20}
    return lambda **changes: small_plan(**own | changes)
