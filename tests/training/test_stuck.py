"""Rare objects are found from the first steps on, whatever the seed."""

import numpy as np
import pytest
import torch
from tests.plans import small_plan
from tests.training.conftest import make_source

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, UNet, UNetConfig, start_from_shares
from pixelwise.task import Task
from pixelwise.training import loss_for
from pixelwise.training.objective import Objective
from pixelwise.training.schedule import learning_rate_at
from pixelwise.training.step import Stepper

SIZE = (48, 48)
SCALING = IntensityScaling(scheme="percentiles")
NUM_STEPS = 40  # of five of six seeds none found anything in 100, as heads were started before


def rare_squares():
    """Images of which two squares of 5 pixels are foreground: two of a hundred pixels."""
    rng = np.random.default_rng(0)
    samples = []
    for index in range(8):
        mask = np.zeros(SIZE, np.uint8)
        for top, left in rng.integers(0, 42, (2, 2)):
            mask[top : top + 5, left : left + 5] = 1
        image = rng.normal(50, 25, SIZE) + 40 * mask
        samples.append(Sample(f"{index}", image[None].astype(np.float32), mask, None))
    return samples


@pytest.mark.parametrize("seed", range(4))
def test_rare_objects_are_found_soon(seed):
    torch.manual_seed(seed)
    config = UNetConfig(in_channels=1, out_channels=1, widths=(8, 16, 32), normalization="instance")
    network = UNet(config)
    start_from_shares(network, (0.98, 0.02), Task.BINARY)
    plan = small_plan(
        optimizer="muon", learning_rate=5e-3, patch_size=SIZE, batch_size=2, deep_supervision=1
    )
    objective = Objective(loss_for(plan.loss, Task.BINARY))
    stepper = Stepper(network, plan, objective, torch.device("cpu"))
    patches = make_source(rare_squares(), crop_size=SIZE, batch_size=2, scaling=SCALING, seed=seed)
    for step in range(NUM_STEPS):
        rate = learning_rate_at(
            step / 100, plan.learning_rate, warmup_share=0.05, schedule="cosine"
        )
        stepper.take(patches.batch(step), step, 100, rate)
    batch = patches.batch(NUM_STEPS)
    with torch.no_grad():
        found = network(batch.images)[:, 0] > 0
    is_square = batch.targets == 1
    overlap = 2 * (found & is_square).sum() / (found.sum() + is_square.sum())
    assert overlap > 0.8
