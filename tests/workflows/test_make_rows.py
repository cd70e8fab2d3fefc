"""Rows of results: bytes of probabilities, and bands put side by side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelwise.inference import Band, Predictor
from pixelwise.network import Model, ModelConfig, UNet, UNetConfig
from pixelwise.task import Task
from pixelwise.workflows.prediction.make_rows import RowMaker, probability_bytes, to_bytes


def test_bytes_of_probabilities():
    values = np.array([0, 1, 0.5, np.nextafter(np.float32(0.5), np.float32(0)), 0.2], np.float32)
    assert to_bytes(values).tolist() == [0, 255, 128, 127, 51]


def test_the_likeliest_class_stays_the_largest():
    """0.4 and 0.401 are both 102 of 255."""
    values = np.array([0.4, 0.401, 0.199], np.float32)
    assert probability_bytes(values[:, np.newaxis], Task.MULTICLASS).ravel().tolist() == [
        101, 102, 51,
    ]  # fmt: skip
    assert probability_bytes(values[:, np.newaxis], Task.MULTILABEL).ravel().tolist() == [
        102, 102, 51,
    ]  # fmt: skip


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(0.25, 0.28125, width=32)))
def test_masks_can_be_made_of_the_bytes(values):
    values = values / values.sum(0)
    found = probability_bytes(values, Task.MULTICLASS)
    np.testing.assert_array_equal(found.argmax(0), values.argmax(0))
    np.testing.assert_allclose(found / 255, values, atol=1.51 / 255)


@pytest.fixture(scope="module")
def predictor():
    config = UNetConfig(in_channels=1, out_channels=2, widths=(4, 8))
    names, colors = ("a", "b"), ("#000000", "#ff0000")
    model = ModelConfig(
        network=config, task=Task.MULTICLASS, class_names=names, class_colors=colors
    )
    return Predictor(Model(model, UNet(config)), device="cpu")


def test_bands_become_rows_of_the_whole_width(predictor):
    """Two rows of tiles: 2 x (2 + 1) pixels, then 1 x 3; class 1 has 0.25, 0.75, ..."""
    first = np.array([[0.25, 0.75, 1.0], [0.0, 0.75, 0.25], [0.75, 0.25, 0.25]], np.float32)
    values = np.stack([1 - first, first])
    cuts = [(slice(0, 2), slice(0, 2)), (slice(0, 2), slice(2, 3)), (slice(2, 3), slice(0, 3))]
    bands = (Band(cut, values[(slice(None), *cut)]) for cut in cuts)
    files = dict.fromkeys(("mask", "probability", "uncertainty"))
    image = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    rows = list(RowMaker(predictor, files).of_bands(bands, 3, lambda down: image[down]))
    assert [one.mask.tolist() for one in rows] == [[[0, 1, 1], [0, 1, 0]], [[1, 0, 0]]]
    assert rows[0].probabilities[1].tolist() == [[64, 191, 255], [0, 191, 64]]
    assert rows[1].uncertainty.tolist() == [[207, 207, 207]]  # 0.8113 of 255
    assert rows[0].uncertainty[0, 2] == 0
    assert [one.image.shape for one in rows] == [(2, 3, 1), (1, 3, 1)]


def test_what_no_file_needs_is_not_made(predictor):
    band = Band((slice(0, 2), slice(0, 3)), np.full((2, 2, 3), 0.5, np.float32))
    (rows,) = RowMaker(predictor, {"mask": None}).of_bands(iter([band]), 3, None)
    assert rows.probabilities is rows.uncertainty is None
    assert rows.image.shape == (2, 3, 0)
