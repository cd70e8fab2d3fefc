"""The working scale: sizes, averages that can be checked by hand, masks that keep their values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixelwise.network import resize_images, resize_masks, working_size


def test_sizes_are_rounded_and_never_empty():
    assert working_size((480, 361), 0.5) == (240, 180)
    assert working_size((1, 3), 0.25) == (1, 1)


def test_the_same_size_is_the_same_tensor():
    images = torch.rand(1, 2, 5, 7)
    assert resize_images(images, (5, 7)) is images
    assert resize_masks(images, (5, 7)) is images


def test_smaller_images_are_those_of_pillow():
    """Pillow's bilinear filter is antialiased, too."""
    image = np.random.default_rng(0).random((48, 60), dtype=np.float32)
    expected = np.asarray(Image.fromarray(image).resize((20, 16), Image.Resampling.BILINEAR))
    small = resize_images(torch.from_numpy(image)[None, None], (16, 20))[0, 0]
    np.testing.assert_allclose(small.numpy(), expected, atol=1e-5)


def test_a_fine_checkerboard_becomes_grey():
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    small = resize_images(board.float()[None, None], (8, 8))
    assert torch.allclose(small, torch.full((8, 8), 0.5), atol=0.02)


def test_volumes_are_averaged_over_blocks():
    volume = torch.arange(64.0).reshape(1, 1, 4, 4, 4)
    small = resize_images(volume, (2, 2, 2))
    assert small[0, 0, 0, 0, 0] == volume[0, 0, :2, :2, :2].mean()
    assert resize_images(small, (4, 4, 4)).shape == volume.shape


def test_probabilities_that_are_made_larger_still_add_up():
    small = torch.rand(2, 3, 6, 5).softmax(1)
    large = resize_images(small, (13, 11))
    assert torch.allclose(large.sum(1), torch.ones(2, 13, 11), atol=1e-6)
    assert large.min() >= 0
    assert large.max() <= 1


def test_masks_take_the_pixel_at_each_centre():
    row = torch.arange(8)[None, None, None]
    assert resize_masks(row, (1, 4)).flatten().tolist() == [1, 3, 5, 7]
    assert resize_masks(row, (1, 2)).flatten().tolist() == [2, 6]
    planes = torch.tensor([[True, False], [False, True]])[None, None]
    assert resize_masks(planes, (4, 4)).dtype == torch.bool


@given(st.lists(st.integers(1, 40), min_size=2, max_size=2), st.floats(0.05, 1))
def test_masks_never_get_a_value_that_they_did_not_have(size, scale):
    mask = torch.randint(0, 255, (1, 1, *size), dtype=torch.uint8)
    small = resize_masks(mask, working_size(size, scale))
    assert set(small.unique().tolist()) <= set(mask.unique().tolist())


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.8])
def test_image_and_mask_stay_in_step(scale):
    """A bright half and its mask have their edge in the same place afterwards."""
    mask = torch.zeros(1, 1, 40, 60)
    mask[..., 30:] = 1
    size = working_size((40, 60), scale)
    image, small = resize_images(mask, size), resize_masks(mask, size)
    assert ((image > 0.5) == (small > 0.5)).float().mean() > 0.97
