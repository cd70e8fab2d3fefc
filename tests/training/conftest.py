"""Tiny networks, plans and samples to train on."""

import numpy as np
import pytest
import torch
from tests.plans import small_plan

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.task import Task
from pixelwise.training.patches import Cropping, PatchSource
from pixelwise.training.ranks import Ranks


@pytest.fixture
def make_squares():
    """Return a maker of samples: a bright square on a dark, noisy field, and its mask."""

    def make(number=8, size=(24, 24), seed=0, sides=(6, 11)):
        rng = np.random.default_rng(seed)
        samples = []
        for index in range(number):
            side = int(rng.integers(*sides))
            top, left = (int(rng.integers(0, length - side + 1)) for length in size)
            mask = np.zeros(size, np.uint8)
            mask[top : top + side, left : left + side] = 1
            image = rng.normal(50, 5, size) + 100 * mask
            samples.append(Sample(f"{index}", image[None].astype(np.uint8), mask, None))
        return samples

    return make


@pytest.fixture
def make_model():
    """Return a maker of tiny binary models with weights from a seed."""

    def make(seed=0, widths=(4, 8), normalization="batch", **changes):
        torch.manual_seed(seed)
        config = ModelConfig(
            network=UNetConfig(
                in_channels=1, out_channels=1, widths=widths, normalization=normalization
            ),
            scaling=IntensityScaling(scheme="percentiles"),
            task=Task.BINARY,
            class_names=("background", "square"),
            class_colors=("#000000", "#ffffff"),
            **changes,
        )
        return Model(config, UNet(config.network))

    return make


@pytest.fixture
def make_small_plan():
    """Return a maker of small plans."""
    return small_plan


ALONE = Ranks()


def make_source(samples, *, batch_size, scaling, crop_size, seed=0, ranks=ALONE, **cropping):
    """A source of patches, by the names of what it is made of."""
    return PatchSource(
        samples,
        Cropping(crop_size, **cropping),
        batch_size=batch_size,
        scaling=scaling,
        seed=seed,
        ranks=ranks,
    )
