"""A convolution and its ReLU by one kernel, beside the two layers that it replaces."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelwise.network import UNet, UNetConfig, fused
from pixelwise.network.blocks import conv_block, decoder_block
from pixelwise.network.fused import TrainedConvolution, TrainedJoint, run_layers

pytestmark = pytest.mark.skipif(
    not fused.has_fused_convolution(), reason="this torch has no such kernels"
)
PLAIN = {"in_channels": 2, "out_channels": 1, "widths": (4, 8, 16), "normalization": "none"}
OTHERS = {}, {"upsampling": "linear"}, {"upsampling": "transposed"}, {"skips": False}


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    """Small features are fused too."""
    monkeypatch.setattr(fused, "LEAST_VALUES", 0)


@pytest.fixture
def two_layers(monkeypatch):
    """Call a function with convolutions and ReLU as two layers."""

    def call(function):
        with monkeypatch.context() as patch:
            patch.setattr(fused, "has_fused_convolution", lambda: False)
            return function()

    return call


def draw(*shape, channels_last=True, seed=0):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return values.to(memory_format=torch.channels_last) if channels_last else values


def make_network(other, channels_last, seed=0):
    torch.manual_seed(seed)
    network = UNet(UNetConfig(**PLAIN | other)).train()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    return network, draw(2, 2, 24, 20, channels_last=channels_last, seed=seed)


def distance(found, expected):
    """Of two tensors, as a share of the length of the second."""
    return float((found - expected).norm() / expected.norm())


def gradients_of(network, images, *, precision):
    """The logits, and the gradients of the weights and of the images."""
    network.zero_grad()
    images = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        logits = network(images)
    (logits.float() * draw(*logits.shape, seed=1)).mean().backward()
    return [logits.detach(), images.grad, *(p.grad.clone() for p in network.parameters())]


# --- one convolution --------------------------------------------------------------------------


def test_by_hand():
    image, weight = torch.tensor([[[[1.0, -2.0, 3.0]]]]), torch.tensor([[[[2.0]]]])
    bias = torch.tensor([-1.0])
    for tensor in (image, weight, bias):
        tensor.requires_grad_()
    result = TrainedConvolution.apply(image, weight, bias, (0, 0))
    assert result.flatten().tolist() == [1, 0, 5]  # 2 - 1, -4 - 1 cut, 6 - 1
    result.backward(torch.tensor([[[[1.0, 10.0, 100.0]]]]))
    assert image.grad.flatten().tolist() == [2, 0, 200]
    assert weight.grad.item() == 1 * 1 + 100 * 3
    assert bias.grad.item() == 101


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (1, 0), (3, 0), (5, 2)])
def test_it_gives_what_the_two_layers_give(channels_last, has_bias, kernel, padding):
    values = [draw(2, 3, 9, 7, channels_last=channels_last), draw(5, 3, kernel, kernel, seed=1)]
    values.append(draw(5, 1, 1, 1, seed=2).flatten() if has_bias else None)
    ours = [None if v is None else v.clone().requires_grad_() for v in values]
    theirs = [None if v is None else v.clone().requires_grad_() for v in values]
    found = TrainedConvolution.apply(*ours, (padding, padding))
    expected = F.conv2d(*theirs, padding=padding).relu()
    torch.testing.assert_close(found, expected)
    above = draw(*expected.shape, seed=3)
    found.backward(above)
    expected.backward(above)
    for own, other in zip(ours, theirs, strict=True):
        if own is not None:
            torch.testing.assert_close(own.grad, other.grad)


def test_gradients_have_the_formats_of_what_they_are_of():
    image, weight = draw(1, 2, 4, 4).bfloat16().requires_grad_(), draw(3, 2, 3, 3).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        result = TrainedConvolution.apply(image, weight, None, (1, 1))
    assert result.dtype == torch.bfloat16
    result.sum().backward()
    assert image.grad.dtype == torch.bfloat16
    assert weight.grad.dtype == torch.float32


def test_only_gradients_that_are_wanted_are_computed():
    image, weight = draw(1, 2, 4, 4), draw(3, 2, 3, 3).requires_grad_()
    TrainedConvolution.apply(image, weight, None, (1, 1)).sum().backward()
    assert image.grad is None
    assert weight.grad is not None


def test_gradients_have_gradients():
    values = draw(1, 2, 4, 4), draw(3, 2, 3, 3, seed=1), draw(1, 3, 1, 1, seed=2).flatten()

    def second(convolve):
        own = [value.clone().requires_grad_() for value in values]
        firsts = torch.autograd.grad(convolve(*own).square().sum(), own, create_graph=True)
        return torch.autograd.grad(sum(first.square().sum() for first in firsts), own)

    found = second(lambda *own: TrainedConvolution.apply(*own, (1, 1)))
    expected = second(lambda *own: F.conv2d(*own, padding=1).relu())
    torch.testing.assert_close(found, expected)


def test_functions_of_functions():
    network = UNet(UNetConfig(**PLAIN)).to(memory_format=torch.channels_last)
    images, weights = draw(2, 2, 16, 16), dict(network.named_parameters())

    def loss(weights):
        return torch.func.functional_call(network, weights, (images,)).square().mean()

    found = torch.func.grad(loss)(weights)
    network.zero_grad()
    loss(weights).backward()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight.grad)


# --- a convolution onto a total -----------------------------------------------------------------


def test_a_joint_gives_what_the_layers_give():
    values = draw(2, 5, 6, 8), draw(2, 3, 6, 8, seed=1), draw(5, 3, 3, 3, seed=2)
    ours = [value.clone().requires_grad_() for value in values]
    theirs = [value.clone().requires_grad_() for value in values]
    found = TrainedJoint.apply(ours[0] * 1, *ours[1:])
    expected = (theirs[0] + F.conv2d(*theirs[1:], padding=1)).relu()
    torch.testing.assert_close(found, expected)
    above = draw(*expected.shape, seed=3)
    found.backward(above)
    expected.backward(above)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, other.grad)


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("other", OTHERS)
def test_a_network_trains_as_with_two_layers(two_layers, channels_last, other):
    network, images = make_network(other, channels_last)
    found = gradients_of(network, images, precision="float32")
    expected = two_layers(lambda: gradients_of(network, images, precision="float32"))
    for own, one in zip(found, expected, strict=True):
        assert distance(own, one) <= 1e-5


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("other", OTHERS)
def test_in_bfloat16_it_is_as_near_to_float32_as_two_layers_are(two_layers, channels_last, other):
    ours = theirs = 0.0
    for seed in range(8):
        network, images = make_network(other, channels_last, seed)
        exact = two_layers(lambda: gradients_of(network, images, precision="float32"))  # noqa: B023
        found = gradients_of(network, images, precision="bfloat16")
        plain = two_layers(lambda: gradients_of(network, images, precision="bfloat16"))  # noqa: B023
        ours += sum(distance(*pair) for pair in zip(found, exact, strict=True))
        theirs += sum(distance(*pair) for pair in zip(plain, exact, strict=True))
    assert 0 < ours <= 1.2 * theirs


def test_blocks_without_normalization_are_fused_in_training():
    config = UNetConfig(**PLAIN)
    block, decoder = conv_block(2, 4, config), decoder_block(8, 4, 4, config)
    assert type(block(draw(1, 2, 8, 8)).grad_fn).__name__ == "TrainedConvolutionBackward"
    joined = decoder(draw(1, 8, 4, 4), draw(1, 4, 8, 8))
    assert type(joined.grad_fn).__name__ == "TrainedConvolutionBackward"
    assert type(joined.grad_fn.next_functions[0][0]).__name__ == "TrainedJointBackward"


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(2, 4, 3), nn.LeakyReLU()],
        [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()],
        [nn.Conv2d(2, 4, 3, stride=2), nn.ReLU()],
        [nn.Conv2d(2, 4, 3, dilation=2), nn.ReLU()],
        [nn.Conv2d(2, 4, 3, groups=2), nn.ReLU()],
        [nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()],
        [nn.Conv2d(2, 4, 3, padding="same"), nn.ReLU()],
    ],
)
def test_other_layers_are_called_as_they_are(layers):
    images = draw(1, 2, 8, 8)
    found = run_layers(layers, images)
    assert type(found.grad_fn).__name__ != "TrainedConvolutionBackward"
    torch.testing.assert_close(found, nn.Sequential(*layers)(images))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "kind", ["forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"]
)
def test_layers_that_are_watched_are_called(which, kind):
    layers, seen = [nn.Conv2d(2, 4, 3), nn.ReLU()], []
    getattr(layers[which], f"register_{kind}")(lambda *values: seen.append(values) or None)
    run_layers(layers, draw(1, 2, 8, 8).requires_grad_()).sum().backward()
    assert len(seen) == 1


def test_weights_of_another_kind_are_computed_anew():
    layers = [nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 3)), nn.ReLU()]
    assert not fused.is_fused(*layers, draw(1, 2, 8, 8))


def test_small_features_are_called_as_they_are(monkeypatch):
    layers, image = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU()], draw(3, 2, 8, 8)
    monkeypatch.setattr(fused, "LEAST_VALUES", 3 * 4 * 8 * 8)
    assert fused.is_fused(*layers, image)
    assert not fused.is_fused(*layers, image[:2])


def test_images_whose_channels_are_not_last_are_called_as_they_are():
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU()]
    assert not fused.is_fused(*layers, draw(1, 2, 8, 8, channels_last=False))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_network_has_the_two_layers():
    network = UNet(UNetConfig(**PLAIN)).to(memory_format=torch.channels_last)
    images = draw(1, 2, 16, 16)
    traced = torch.jit.trace(network, images)
    assert "relu" in str(traced.inlined_graph)
    assert "Trained" not in str(traced.inlined_graph)
    torch.testing.assert_close(traced(images), network(images))


def test_what_is_not_trained_is_called_as_it_is():
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU()]
    with torch.no_grad():
        assert not fused.is_fused(*layers, draw(1, 2, 8, 8))
    layers[0].requires_grad_(False)
    assert not fused.is_fused(*layers, draw(1, 2, 8, 8))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_other_formats_are_called_as_they_are(kind):
    layers = [nn.Conv2d(2, 4, 3).to(kind), nn.ReLU()]
    assert not fused.is_fused(*layers, draw(1, 2, 8, 8).to(kind))


def test_kernels_that_give_something_else_are_not_used(monkeypatch):
    fused.has_fused_convolution.cache_clear()
    monkeypatch.setattr(fused, "convolve_relu", lambda image, *_: image)
    try:
        assert not fused.has_fused_convolution()
    finally:
        fused.has_fused_convolution.cache_clear()
