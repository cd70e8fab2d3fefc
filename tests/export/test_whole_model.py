"""The model as one computation gives what the predictor gives, for pictures of any size."""

import numpy as np
import pytest
import torch
from tests.export.models import KINDS, PERCENTILES, make_model

from pixelwise.errors import ModelFileError
from pixelwise.export.intensities import ScaleByPercentiles, subsample_step
from pixelwise.export.verify import exact_predictor
from pixelwise.export.whole_model import WholeModel, filter_weights
from pixelwise.network import UNet, UNetConfig
from pixelwise.network.plain import take_pixels
from pixelwise.network.sizes import num_blocks

SIZES = [(1, 1), (1, 17), (23, 1), (2, 3), (16, 16), (33, 40)]


def picture(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (2, *size)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_at_any_size(kind):
    model = make_model(**KINDS[kind])
    whole, predictor = WholeModel(model), exact_predictor(model)
    for size in SIZES:
        image = picture(size)
        found = whole(torch.from_numpy(image)[None])[0].numpy()
        np.testing.assert_allclose(found, predictor.probabilities(image), atol=1e-4)


def test_the_network_of_the_caller_is_left_alone():
    model = make_model(normalization="instance")
    before = [type(module) for module in model.network.modules()]
    WholeModel(model)
    assert [type(module) for module in model.network.modules()] == before
    assert all(weight.requires_grad for weight in model.network.parameters())


def test_a_model_of_volumes_is_refused():
    model = make_model(spatial_dims=3)
    with pytest.raises(ModelFileError, match="model of volumes"):
        WholeModel(model)


@pytest.mark.parametrize(
    ("depth", "normalization"), [(1, "instance"), (3, "instance"), (3, "none")]
)
def test_pictures_are_extended_as_the_network_extends_them(depth, normalization):
    config = UNetConfig(
        in_channels=1, out_channels=1, widths=(2,) * (depth + 1), normalization=normalization
    )
    network, side = UNet(config).eval(), 2**depth
    for height, width in [(1, 1), (side, side), (side + 1, 1), (1, side + 1), (2 * side, side)]:
        blocks = num_blocks(height, width, side, needs_spread=normalization == "instance")
        _, right, _, below = network._padding(torch.zeros(1, 1, height, width))
        assert (blocks[0] * side, blocks[1] * side) == (height + below, width + right)


def test_pixels_are_cut_off_or_repeated():
    image = torch.tensor([[[[1, 2], [3, 4]]]])
    assert take_pixels(image, 3, 1).tolist() == [[[[1], [3], [3]]]]


@pytest.mark.parametrize(("old", "new"), [(1, 1), (8, 4), (23, 12), (5, 2), (77, 77), (100, 35)])
def test_the_filter_is_that_of_torch(old, new):
    image = torch.eye(old)[None, None]  # rows are resampled, columns are kept
    expected = torch.nn.functional.interpolate(image, (new, old), mode="bilinear", antialias=True)
    torch.testing.assert_close(filter_weights(old, new), expected[0, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (9, 7), (40, 31), (1501, 1500)])
def test_percentiles_are_those_of_the_scheme(size):
    image = picture(size)
    found = ScaleByPercentiles(0.5, 99.5)(torch.from_numpy(image)[None])[0].numpy()
    np.testing.assert_allclose(found, PERCENTILES.apply(image), atol=2e-6)


@pytest.mark.parametrize("bright", [0, 1])
def test_a_flat_picture_and_one_with_a_speck(bright):
    """One pixel of 2,000 is no percentile: the lowest and the highest value serve."""
    image = np.full((2, 20, 50), 7, np.float32)
    image[0, 3, 4] += 5 * bright
    found = ScaleByPercentiles(0.5, 99.5)(torch.from_numpy(image)[None])[0].numpy()
    np.testing.assert_allclose(found, PERCENTILES.apply(image), atol=1e-6)
    assert found.max() == bright


def test_each_picture_of_a_batch_has_its_own_percentiles():
    images = np.stack([picture((9, 8)), picture((9, 8), 1) * 3 + 10])
    found = ScaleByPercentiles(0.5, 99.5)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, np.stack([*map(PERCENTILES.apply, images)]), atol=2e-6)


@pytest.mark.parametrize("num_pixels", [1, 10**6, 2_250_000, 6_250_000, 6_250_001, 10**8])
def test_the_step_of_large_pictures_is_rounded_as_numpy_rounds(num_pixels):
    assert subsample_step(num_pixels) == max(1, round((num_pixels / 1e6) ** 0.5))
