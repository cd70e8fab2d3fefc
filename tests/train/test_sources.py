"""From a plan to its batches."""

import numpy as np
import pytest
import torch

from pixelwise.data import Sample
from pixelwise.plan import Augmentation
from pixelwise.train.sources import patch_source

RAMP = np.arange(256, dtype=np.float32).reshape(16, 16)


def images_of(plan, model):
    """What a batch of many crops of one image shows, each as a tuple of its ranks."""
    sample = Sample("a", RAMP[None], np.zeros((16, 16), np.uint8), None)
    batch = patch_source(model, plan, [sample] * 64).batch(0)
    return {tuple(torch.argsort(image.flatten()).tolist()) for image in batch.images}


@pytest.mark.parametrize(
    ("moves", "number"),
    [
        ({}, 1),
        ({"flip_vertical": True}, 2),
        ({"flip_horizontal": True}, 2),
        ({"right_angles": True}, 4),
        ({"flip_vertical": True, "flip_horizontal": True, "right_angles": True}, 8),
    ],
)
def test_mirrors_and_right_angles_of_the_plan_reach_its_crops(
    moves, number, make_model, make_small_plan
):
    plan = make_small_plan(batch_size=64, augmentation=Augmentation(**moves))
    assert len(images_of(plan, make_model())) == number


def test_crops_have_room_for_free_moves(make_model, make_small_plan, make_squares):
    samples = make_squares(size=(64, 64))
    for scale, side in ((1, 16), (2, 32)):
        plan = make_small_plan(augmentation=Augmentation(scale=scale))
        assert patch_source(make_model(), plan, samples).batch(0).images.shape[2:] == (side, side)
