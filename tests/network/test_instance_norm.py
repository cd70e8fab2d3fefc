"""Instance normalization: the numbers of torch's own, whichever kernels compute them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pixelwise.network import instance_norm
from pixelwise.network.instance_norm import InstanceNorm, NarrowInstanceNorm

LAYOUTS = {"channels-last": torch.channels_last, "channels-first": torch.contiguous_format}


def layers(width):
    """Ours and torch's, with the same scale and shift.

    Torch's is for channels-first: of one image in another layout its gradient is wrong (2.13.0).
    """
    torch.manual_seed(width)
    own, reference = InstanceNorm(width), nn.InstanceNorm2d(width, affine=True).double()
    for mine, theirs in zip(own.parameters(), reference.parameters(), strict=True):
        nn.init.normal_(mine)
        theirs.data.copy_(mine)
    return own, reference


def results(layer, images, above):
    """What a layer gives, and the gradients of its input and parameters."""
    images = images.clone(memory_format=torch.preserve_format).requires_grad_()
    given = layer(images)
    given.backward(above)
    return [given, images.grad, *(parameter.grad for parameter in layer.parameters())]


def plain(tensor):
    """In double precision and channels-first."""
    return tensor.double().contiguous()


def error(found, expected):
    """The largest difference, as a share of the largest value."""
    found, expected = found.detach().double(), expected.detach()
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture
def narrow(monkeypatch):
    """Counts how often the way of few channels is taken."""
    taken = []
    apply = NarrowInstanceNorm.apply

    def noting(*args):
        taken.append(args[0].shape)
        return apply(*args)

    monkeypatch.setattr(NarrowInstanceNorm, "apply", noting)
    return taken


class TestNumbers:
    @settings(deadline=None)
    @given(
        st.integers(1, 3), st.integers(1, 40), st.integers(8, 20), st.integers(1, 40),
        st.sampled_from(sorted(LAYOUTS)), st.floats(-3, 3),
    )  # fmt: skip
    def test_are_those_of_torch(self, batch, width, height, columns, layout, mean):
        own, reference = layers(width)
        images = torch.randn(batch, width, height, columns) * 2 + mean
        images = images.contiguous(memory_format=LAYOUTS[layout])
        above = torch.randn_like(images)
        found = results(own, images, above)
        expected = results(reference, plain(images), plain(above))
        names = "output", "input's gradient", "weight's", "bias's"
        for name, one, other in zip(names, found, expected, strict=True):
            assert torch.allclose(one.double(), other, rtol=1e-3, atol=2e-4), name

    def test_in_bfloat16_are_as_near_as_those_of_the_kernels_for_many_channels(self, narrow):
        own, reference = layers(8)
        images = (torch.randn(2, 8, 64, 48) * 2 + 1).bfloat16()
        above = torch.randn(2, 8, 64, 48).bfloat16()
        expected = results(reference, plain(images), plain(above))
        errors = {}
        for name, layout in LAYOUTS.items():
            laid_out = (tensor.contiguous(memory_format=layout) for tensor in (images, above))
            found = results(own, *laid_out)
            own.zero_grad()
            assert [tensor.dtype for tensor in found[:2]] == [torch.bfloat16] * 2
            errors[name] = [error(one, other) for one, other in zip(found, expected, strict=True)]
        assert len(narrow) == 1
        for mine, usual in zip(*errors.values(), strict=True):
            assert mine < max(3 * usual, 1e-5)  # the gradient of the input is rounded twice

    def test_of_a_gradient_in_another_layout(self):
        own, reference = layers(4)
        images = torch.randn(2, 4, 6, 8).contiguous(memory_format=torch.channels_last)
        above = torch.randn(2, 4, 6, 8)  # channels-first
        for one, other in zip(
            results(own, images, above),
            results(reference, plain(images), plain(above)),
            strict=True,
        ):
            torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)

    def test_of_a_constant_image_are_the_shift(self):
        own, _ = layers(8)
        images = torch.full((1, 8, 8, 8), 3.0).contiguous(memory_format=torch.channels_last)
        found, gradient, *_ = results(own, images, torch.randn(1, 8, 8, 8))
        torch.testing.assert_close(
            found, own.bias.detach().view(1, 8, 1, 1).expand_as(found), rtol=1e-3, atol=1e-4
        )
        assert gradient.isfinite().all()


class TestWhichWay:
    @pytest.mark.parametrize(
        ("size", "layout", "is_taken"),
        [
            ((2, 8, 6, 8), torch.channels_last, True),
            ((2, 15, 6, 8), torch.channels_last, True),
            ((2, 16, 6, 8), torch.channels_last, False),  # a full register
            ((2, 8, 6, 7), torch.channels_last, False),  # no two neighbours to join
            ((2, 8, 6, 8), torch.contiguous_format, False),
            ((2, 8, 4, 6, 8), torch.channels_last_3d, False),
        ],
    )
    def test_few_channels_in_the_last_place_are_joined(self, narrow, size, layout, is_taken):
        images = torch.randn(size).contiguous(memory_format=layout).requires_grad_()
        InstanceNorm(size[1])(images)
        assert len(narrow) == is_taken

    def test_prediction_is_left_to_the_usual_kernels(self, narrow):
        images = torch.randn(2, 8, 6, 8).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            InstanceNorm(8)(images)
        assert not narrow

    @pytest.mark.parametrize(
        ("width", "columns", "joined"), [(8, 192, 32), (1, 512, 256), (3, 24, 8), (8, 7, 1)]
    )
    def test_as_many_are_joined_as_fit(self, width, columns, joined):
        images = torch.zeros(1, width, 2, columns).contiguous(memory_format=torch.channels_last)
        assert instance_norm.joined_pixels(images) == joined

    def test_joining_keeps_the_pixels_of_a_row_together(self):
        images = torch.arange(2 * 3 * 2 * 4.0).view(2, 3, 2, 4)
        images = images.contiguous(memory_format=torch.channels_last)
        joined = instance_norm.join_pixels(images, 2)
        assert joined.shape == (2, 6, 2, 2)
        assert joined[1, :, 0, 1].tolist() == [*images[1, :, 0, 2], *images[1, :, 0, 3]]
        assert joined.data_ptr() == images.data_ptr()
