"""The working scale: sizes, averages that can be checked by hand, masks that keep their values."""

from fractions import Fraction
from operator import mul

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixelwise.network import average_planes, resampling, resize_images, resize_masks, working_size


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


def test_planes_are_averaged_over_the_area_of_each_pixel():
    row = torch.tensor([[True, False, False, True, True, True]])
    assert average_planes(row, (1, 3)).tolist() == [[0.5, 0.5, 1]]
    thirds = average_planes(row, (1, 4))  # of 1.5 pixels each
    torch.testing.assert_close(thirds, torch.tensor([[2 / 3, 0, 1, 1]]))


def test_masks_take_the_class_of_most_of_each_area():
    row = torch.tensor([[0, 0, 1, 1, 2, 2, 0, 0]]).byte()
    assert resize_masks(row.repeat(2, 1), (1, 4)).tolist() == [[0, 1, 2, 0]]
    block = torch.tensor([[1, 1, 2, 3], [1, 4, 2, 2]]).byte()
    assert resize_masks(block, (1, 2)).tolist() == [[1, 2]]


def test_pixels_are_ignored_where_most_of_them_is():
    block = torch.tensor([[255, 255, 255, 1, 255, 0], [255, 1, 1, 255, 0, 0]]).byte()
    assert resize_masks(block, (1, 3)).tolist() == [[255, 1, 0]]  # half is not most


def test_equal_areas_go_to_each_class_in_turn():
    """An edge through the middle of pixels: on the whole it stays where it is."""
    mask = torch.zeros(8, 8, dtype=torch.uint8)
    mask[:, 3:] = 1
    assert resize_masks(mask, (4, 4)).tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]] * 2
    assert resize_masks(mask, (4, 4)).sum() * 4 == mask.sum()
    assert resize_masks(mask == 1, (4, 4)).tolist() == (resize_masks(mask, (4, 4)) == 1).tolist()


def test_volumes_and_leading_axes():
    volume = torch.zeros(2, 3, 4, 4, 4, dtype=torch.bool)
    volume[1, 2, :2, 2:, :2] = True
    small = resize_masks(volume, (2, 2, 2))
    assert small.shape == (2, 3, 2, 2, 2)
    assert small.dtype == torch.bool
    assert small.nonzero().tolist() == [[1, 2, 0, 1, 0]]


def disc(row, column, radius, size=(64, 64)):
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    return ((rows[:, None] - row) ** 2 + (columns - column) ** 2 <= radius**2).byte()


def middles(masks):
    """Centres of mass (N, 2) of masks (N, H, W), in pixels."""
    weights = masks.double()
    total = weights.sum((1, 2))
    return torch.stack(
        [
            (weights.sum(3 - axis) * (torch.arange(masks.shape[axis]) + 0.5)).sum(1) / total
            for axis in (1, 2)
        ],
        1,
    )


@pytest.mark.parametrize("scale", [0.5, 0.25])
def test_objects_stay_where_they_are(scale):
    """Half a pixel of shift was half a pixel of every object's edge."""
    random = np.random.default_rng(0)
    masks = torch.stack(
        [disc(*random.uniform(20, 44, 2), random.uniform(6, 12)) for _ in range(1500)]
    )
    small = resize_masks(masks, working_size((64, 64), scale))
    shifts = middles(small) / scale - middles(masks)
    assert shifts.mean(0).abs().max() < 0.02  # pixels of the image
    if scale == 0.5:
        assert abs(small.sum() / scale**2 / masks.sum() - 1) < 0.005  # nor do they grow


@pytest.mark.parametrize("scale", [0.71, 0.5, 0.35, 0.25])
@pytest.mark.parametrize("axis", [0, 1])
def test_mirrored_masks_become_mirrored(scale, axis):
    random = np.random.default_rng(1)
    blocks = torch.from_numpy(random.integers(0, 4, (61, 50), dtype=np.uint8))
    mask = blocks.repeat_interleave(3, 0).repeat_interleave(3, 1)
    size = working_size(mask.shape, scale)
    there, back = resize_masks(mask, size), resize_masks(mask.flip(axis), size).flip(axis)
    shares = torch.stack([average_planes(mask == index, size) for index in range(4)])
    first, second = shares.topk(2, 0).values
    is_tie = first - second < 1e-4
    assert is_tie.float().mean() < 0.3
    assert torch.equal(there[~is_tie], back[~is_tie])
    assert torch.equal(there[~is_tie], shares.argmax(0).byte()[~is_tie])


def test_large_masks_in_parts_are_the_same(monkeypatch):
    masks = torch.randint(0, 5, (3, 21, 30), dtype=torch.uint8)
    whole = resize_masks(masks, (9, 15))
    monkeypatch.setattr(resampling, "MAX_VOTES", 500)
    assert torch.equal(resize_masks(masks, (9, 15)), whole)


def test_many_classes_of_a_large_mask_take_no_more_memory(monkeypatch):
    asked = []
    zeros = torch.Tensor.repeat
    monkeypatch.setattr(
        torch.Tensor, "repeat", lambda *given: asked.append(zeros(*given)) or asked[-1]
    )
    masks = torch.randint(0, 200, (1, 600, 600), dtype=torch.uint8)
    resize_masks(masks, (290, 290))
    assert len(asked) > 1
    assert max(votes.numel() for votes in asked) <= resampling.MAX_VOTES


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda steps: np.prod(steps) <= 16),
    st.one_of(st.integers(1, 16), st.integers(1, 254)),
)
def test_whole_steps_are_as_any_others(steps, num_classes):
    """Where each new pixel holds whole ones, they are compared or counted; else votes are."""
    sides = [5, 4, 3][: len(steps)]
    masks = torch.randint(0, num_classes, [2, *map(mul, sides, steps)], dtype=torch.uint8)
    masks[torch.rand(masks.shape) < 0.3] = 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "MAX_COMPARED", 16)
        compared = resize_masks(masks, sides)
        patch.setattr(resampling, "MAX_COMPARED", 0)
        assert torch.equal(compared, resize_masks(masks, sides))
        assert torch.equal(compared, resize_masks(masks, sides, num_classes))


@pytest.mark.parametrize("step", [15, 16, 17])
def test_many_pixels_of_a_new_one_are_not_counted_beyond_a_byte(step):
    """All 225, 256 or 289 of one class, but for a corner that is all of the other."""
    masks = torch.ones(1, 2 * step, 2 * step, dtype=torch.uint8)
    masks[:, :step, :step] = 0
    assert resize_masks(masks, (2, 2), num_classes=2).tolist() == [[[0, 1], [1, 1]]]


def test_the_number_of_classes_need_not_be_looked_up():
    masks = torch.randint(0, 3, (2, 12, 18), dtype=torch.uint8)
    masks[0, :5] = 255
    assert torch.equal(resize_masks(masks, (6, 9)), resize_masks(masks, (6, 9), num_classes=3))


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


@pytest.mark.parametrize("scale", [1.0, 0.71, 0.5, 0.35, 0.25, 0.18, 1 / 3])
def test_lengths_are_rounded_as_decimal_numbers_are(scale):
    """Halves go to the even number: 0.35 of 30 is 10.5, so 10, and of 10 is 3.5, so 4."""
    exact = Fraction(str(round(scale, 2))) if scale != 1 / 3 else Fraction(1, 3)
    lengths = range(1, 2000)
    assert working_size(lengths, scale) == tuple(max(1, round(n * exact)) for n in lengths)


@pytest.mark.parametrize("height", [23, 24])
def test_a_picture_one_pixel_wide_is_resampled_as_a_wider_one_of_equal_columns(height):
    """torch 2.13 takes no means there: it takes single pixels."""
    narrow = torch.rand(1, 2, height, 1, generator=torch.Generator().manual_seed(0))
    wide = resize_images(narrow.expand(1, 2, height, 4), (12, 4))
    torch.testing.assert_close(resize_images(narrow, (12, 1)), wide[..., :1])
