"""Folded and fused networks give what they gave."""

from copy import deepcopy

import pytest
import torch

from pixelwise.device import has_bfloat16
from pixelwise.inference import TorchRuntime
from pixelwise.network import Ensemble, UNet, UNetConfig, fold_normalizations, freeze_convolutions
from pixelwise.network.folding import ConvolutionReLU
from pixelwise.network.fused import has_fused_convolution

CPU = torch.device("cpu")


def make_network(dims=2, **options):
    torch.manual_seed(0)
    network = UNet(
        UNetConfig(in_channels=2, out_channels=3, widths=(4, 8, 16), spatial_dims=dims, **options)
    )
    for module in network.modules():  # as after a training
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return network.eval()


def image(dims=2):
    return torch.randn(2, 2, *(20, 24, 16)[:dims], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("upsampling", ["nearest", "linear", "transposed"])
@pytest.mark.parametrize("skips", [True, False])
def test_batch_normalizations_are_folded(dims, upsampling, skips):
    network = make_network(dims, normalization="batch", upsampling=upsampling, skips=skips)
    with torch.no_grad():
        expected = network(image(dims))
        assert fold_normalizations(network) == 2 * 5
        assert not any("BatchNorm" in type(m).__name__ for m in network.modules())
        torch.testing.assert_close(network(image(dims)), expected, rtol=1e-4, atol=1e-4)
    assert fold_normalizations(network) == 0


def test_those_of_an_ensemble_too():
    members = [make_network(normalization="batch") for _ in range(2)]
    ensemble = Ensemble(members, softmax=True).eval()
    with torch.no_grad():
        expected = ensemble(image())
        assert fold_normalizations(ensemble) == 20
        torch.testing.assert_close(ensemble(image()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("upsampling", ["nearest", "linear", "transposed"])
@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.skipif(not has_fused_convolution(), reason="this torch has no such kernel")
def test_activations_are_fused(normalization, upsampling, skips):
    network = make_network(normalization=normalization, upsampling=upsampling, skips=skips)
    network = network.to(memory_format=torch.channels_last)
    fold_normalizations(network)
    with torch.inference_mode():
        expected = network(image())
        assert freeze_convolutions(network, torch.float32) == 10
        torch.testing.assert_close(network(image()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"normalization": "instance"}, {"normalization": "group"},
                {"normalization": "none", "activation": "leaky_relu"}]
)  # fmt: skip
def test_other_normalizations_and_activations_stay_what_they_are(options):
    network = make_network(**options).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = network(image())
        assert fold_normalizations(network) == freeze_convolutions(network, torch.float32) == 0
        torch.testing.assert_close(network(image()), expected, rtol=1e-4, atol=1e-5)


def test_sizes_that_must_be_extended_and_a_single_pixel():
    network = make_network(normalization="none").to(memory_format=torch.channels_last)
    for size in [(1, 1), (1, 37), (5, 3)]:
        batch = torch.randn(1, 2, *size)
        with torch.inference_mode():
            expected = network(batch)
            frozen = deepcopy(network)
            freeze_convolutions(frozen, torch.float32)
            torch.testing.assert_close(frozen(batch), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def missing(monkeypatch):
    def missing(*args):
        raise AttributeError("no such operator")

    monkeypatch.setattr("pixelwise.network.fused.convolve_relu", missing)
    has_fused_convolution.cache_clear()
    yield
    has_fused_convolution.cache_clear()


@pytest.mark.usefixtures("missing")
def test_without_the_kernel_nothing_is_fused():
    assert freeze_convolutions(make_network(normalization="none"), torch.float32) == 0


@pytest.mark.skipif(not has_bfloat16(CPU), reason="this processor has no bfloat16")
@pytest.mark.parametrize("normalization", ["none", "batch", "instance"])
def test_in_bfloat16(normalization):
    network = make_network(normalization=normalization).to(memory_format=torch.channels_last)
    fold_normalizations(network)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = network(image()).float()
        freeze_convolutions(network, torch.bfloat16)
        found = network(image()).float()
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))


def test_a_runtime_leaves_the_network_of_the_caller_alone():
    from tests.inference.runtimes.test_torch import IMAGE, make_model

    model = make_model()
    before = deepcopy(model.network)
    batch = torch.from_numpy(IMAGE)[None]
    with torch.inference_mode():
        plain = TorchRuntime(model, CPU)(batch)
        folded = TorchRuntime(model, CPU, fold=True)
        torch.testing.assert_close(folded(batch), plain, rtol=1e-4, atol=1e-4)
    assert any(isinstance(m, ConvolutionReLU) for m in folded._network.modules())
    assert not any(isinstance(m, ConvolutionReLU) for m in model.network.modules())
    for name, weight in before.state_dict().items():
        torch.testing.assert_close(model.network.state_dict()[name], weight, rtol=0, atol=0)


def test_a_network_that_was_arranged_for_prediction_says_how_many_parameters_it_has():
    """A report of scores said fewer than that of the training."""
    from tests.inference.runtimes.test_torch import make_model

    model = make_model()
    number, own = model.network.num_parameters, model.network.parameters
    assert number == sum(weight.numel() for weight in own())
    TorchRuntime(model, CPU, in_place=True, fold=True)
    assert sum(weight.numel() for weight in own()) < number
    assert model.network.num_parameters == number
