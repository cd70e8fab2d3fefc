"""What `fit` is given, as arrays: data sets of pairs, batches, generators."""

from itertools import count

import numpy as np
import pytest
import torch

import pixelwise as pw
from pixelwise.segmenter.pairs import has_length, listed, take_data, take_validation, unpack

rng = np.random.default_rng(0)
X = rng.random((5, 6, 8, 3), np.float32)
Y = rng.integers(0, 2, (5, 6, 8)).astype(np.uint8)


class Sized:
    """A data set as torch has them."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def pairs():
    return list(zip(X, Y, strict=True))


class TestData:
    def test_arrays_are_taken_as_they_are(self):
        given = take_data(X, Y, 3)
        assert given.images is X and given.masks is Y
        assert given.weights is None and given.items is None

    @pytest.mark.parametrize("make", [list, tuple, Sized])
    def test_pairs_are_stacked(self, make):
        given = take_data(make(pairs()), None, 3)
        np.testing.assert_array_equal(given.images, X)
        np.testing.assert_array_equal(given.masks, Y)

    def test_batches_are_joined_whatever_their_size(self):
        given = take_data(Sized([(X[:2], Y[:2]), (X[2:], Y[2:])]), None, 3)
        np.testing.assert_array_equal(given.images, X)

    def test_channels_of_torch_are_moved_last(self):
        items = [(torch.from_numpy(x).permute(2, 0, 1), torch.from_numpy(y)) for x, y in pairs()]
        np.testing.assert_array_equal(take_data(items, None, 3).images, X)

    def test_channels_that_could_be_either_stay(self):
        square = np.zeros((3, 4, 3), np.float32)
        assert take_data([(square, square[..., 0])], None, 3).images.shape == (1, 3, 4, 3)

    def test_a_generator_keeps_its_first_item(self):
        items = ((X[:2], Y[:2] * 0 + n) for n in count())
        given = take_data(items, None, 3, num_batches=4)
        assert given.masks.max() == 0
        assert [next(given.items)[1].max() for _ in range(3)] == [0, 1, 2]

    @pytest.mark.parametrize("weights", [[1, 2, 3, 4, 5], np.arange(1, 6), torch.arange(1, 6)])
    def test_weights_of_arrays(self, weights):
        given = take_data(X, Y, 3, sample_weight=weights)
        assert given.weights.dtype == np.float32
        assert given.weights.tolist() == [1, 2, 3, 4, 5]

    def test_weights_of_pairs_and_of_batches(self):
        single = take_data([(x, y, n) for n, (x, y) in enumerate(pairs(), 1)], None, 3)
        batches = take_data([(X[:2], Y[:2], [1, 2]), (X[2:], Y[2:], [3, 4, 5])], None, 3)
        assert single.weights.tolist() == batches.weights.tolist() == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("x", "words"),
        [
            (5, "y is missing"),
            (X, "y is missing"),
            ([], "no images"),
            ([(X[0],)], "tuple of 1"),
            ([X[0]], "but a ndarray"),
            ([{"image": X[0]}], "but a dict"),
            ([(X[0], Y[0]), (X[0, :3], Y[0, :3])], "different sizes"),
        ],
    )
    def test_what_gives_no_pairs(self, x, words):
        with pytest.raises(pw.ArrayError, match=words):
            take_data(x, None, 3)


class TestValidation:
    def test_a_pair_of_arrays_stays(self):
        given = (X, Y)
        assert take_validation(given, 3, None) is given
        assert take_validation(None, 3, None) is None

    def test_a_data_set_becomes_a_pair(self):
        images, masks = take_validation(Sized(pairs()), 3, None)
        np.testing.assert_array_equal(images, X)
        np.testing.assert_array_equal(masks, Y)

    def test_so_many_batches_of_a_generator(self):
        images, masks = take_validation(((X, Y) for _ in count()), 3, 2)
        assert images.shape == (10, 6, 8, 3)
        assert masks.shape == (10, 6, 8)

    def test_without_their_number(self):
        with pytest.raises(pw.PlanError, match="validation_steps"):
            take_validation(((X, Y) for _ in count()), 3, None)


class TestItems:
    def test_one_image_is_a_batch_of_one(self):
        given = unpack((X[0], Y[0], 3), 0, 3)
        assert given.images.shape == (1, 6, 8, 3)
        assert given.masks.shape == (1, 6, 8)
        assert given.weights.tolist() == [3]

    def test_a_batch_stays_one(self):
        assert unpack((X, Y), 0, 3).images.shape == X.shape

    def test_the_number_of_the_item_is_said(self):
        with pytest.raises(pw.ArrayError, match="Item 7 of x is no pair"):
            unpack("ab", 7, 3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [([1], True), (Sized([]), True), (X, False), ("a", False), ({}, False), (iter([]), False)],
)
def test_what_has_a_length_and_numbers(given, expected):
    assert has_length(given) is expected


@pytest.mark.parametrize(
    ("given", "expected"), [(None, []), ("a", ["a"]), (("a", "b"), ["a", "b"])]
)
def test_one_callback_or_several(given, expected):
    assert listed(given) == expected
