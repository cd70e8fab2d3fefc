"""From a plan to its batches."""

import numpy as np
import pytest
import torch

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, resize_images
from pixelwise.planning import Augmentation
from pixelwise.training.patches import patch_source

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


def test_crops_that_are_moved_have_room_for_it(make_model, make_small_plan, make_squares):
    samples = make_squares(size=(64, 64))
    for scale, side in ((1, None), (2, 32)):
        plan = make_small_plan(augmentation=Augmentation(scale=scale))
        batch = patch_source(make_model(), plan, samples).batch(0)
        assert batch.images.shape[2:] == (16, 16)
        assert (batch.moved and batch.moved.images.shape[2:]) == (side and (side, side))


def test_one_patch_in_five_is_cut_larger_where_one_in_five_is_moved(
    make_model, make_small_plan, make_squares
):
    augmentation = Augmentation(rotation_degrees=30, moved_share=0.2)
    plan = make_small_plan(augmentation=augmentation, batch_size=100)
    batch = patch_source(make_model(), plan, make_squares(100)).batch(0)
    assert 10 <= len(batch.moved.images) <= 30


def test_intensities_at_a_working_scale_are_those_of_the_image_in_its_own_size(
    make_model, make_small_plan
):
    """Percentiles of one image in eight columns; made smaller, its bright columns are grey."""
    image = np.zeros((1, 32, 32), np.uint8)
    image[..., ::4] = 200
    scaling = IntensityScaling(scheme="percentiles", low=0, high=100)
    plan = make_small_plan(working_scale=0.5, scaling=scaling, patch_size=(8, 8))
    samples = [Sample("a", image, np.zeros((32, 32), np.uint8), None)]
    small = patch_source(make_model(), plan, samples).batch(0).images
    whole = torch.from_numpy(scaling.apply(image))[None]
    expected = resize_images(whole, (16, 16)).unique()
    assert all((expected - value).abs().min() < 0.01 for value in small.unique())
    assert small.max() < 0.5
