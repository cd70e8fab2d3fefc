"""A tiny plan and fingerprint to change."""

import pytest

from pixelwise.network import IntensityScaling
from pixelwise.plan import Fingerprint, Plan


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

    def make(**changes):
        values = {
            "scaling": IntensityScaling(scheme="percentiles"),
            "patch_size": (16, 24),
            "batch_size": 4,
            "widths": (4, 8),
            "normalization": "batch",
            "loss": "cross_entropy_dice",
            "learning_rate": 1e-2,
            "num_steps": 100,
            "validate_every": 20,
        }
        return Plan(**values | changes)

    return make
