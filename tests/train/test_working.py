"""Samples at the working scale: what the predictor would show the network."""

import numpy as np
import pytest
import torch

from pixelwise.data import Sample
from pixelwise.network import IntensityScaling, resize_images, resize_masks
from pixelwise.train.working import WorkingSamples, sizes_of

SCALING = IntensityScaling(scheme="statistics", mean=(50.0,), std=(10.0,))


def samples(number=3, size=(20, 30)):
    random = np.random.default_rng(0)
    return [
        Sample(str(i), random.integers(0, 255, (1, *size), np.uint8),
               random.integers(0, 3, size, np.uint8), None)
        for i in range(number)
    ]  # fmt: skip


def test_images_are_scaled_in_intensity_and_size_as_the_predictor_does():
    (one,) = samples(1)
    small = WorkingSamples([one], SCALING, 0.5)[0]
    expected = resize_images(torch.from_numpy(SCALING.apply(one.image))[None], (10, 15))[0]
    np.testing.assert_array_equal(small.image, expected.numpy())
    assert small.image.dtype == np.float32
    assert small.mask.shape == (10, 15)
    assert small.mask.dtype == np.uint8
    expected = resize_masks(torch.from_numpy(one.mask), (10, 15))
    np.testing.assert_array_equal(small.mask, expected.numpy())


def test_percentiles_are_those_of_the_image_in_its_own_size():
    (one,) = samples(1)
    scaling = IntensityScaling(scheme="percentiles")
    small = WorkingSamples([one], scaling, 0.5)[0]
    offset, gain = scaling.coefficients(one.image)
    whole = torch.from_numpy((one.image.astype(np.float32) - offset[0]) * gain[0])[None]
    np.testing.assert_allclose(small.image, resize_images(whole, (10, 15))[0].numpy(), atol=1e-6)


def test_masks_of_classes_that_overlap():
    mask = np.zeros((2, 20, 30), bool)
    mask[1, :10] = True
    small = WorkingSamples([Sample("a", np.zeros((1, 20, 30)), mask, None)], SCALING, 0.5)[0]
    assert small.mask.dtype == bool
    assert small.mask.shape == (2, 10, 15)
    assert small.mask[1, :5].all()
    assert not small.mask[1, 5:].any()


def test_they_are_a_sequence_with_sizes():
    small = WorkingSamples(samples(), SCALING, 0.5)
    assert len(small) == 3
    assert [one.name for one in small[1:]] == ["1", "2"]
    assert small[-1].name == "2"
    assert small.sizes == sizes_of(small) == [(10, 15)] * 3
    with pytest.raises(IndexError):
        small[3]


def test_each_is_made_once_up_to_a_limit():
    made = []

    class Counting(list):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    one = WorkingSamples(samples(1), SCALING, 0.5)[0].num_bytes
    small = WorkingSamples(Counting(samples()), SCALING, 0.5, memory_limit=2 * one)
    for _ in range(2):
        for index in range(3):
            assert small[index].name == str(index)
    assert made == [0, 1, 2, 2]
