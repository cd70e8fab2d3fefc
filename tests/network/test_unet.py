"""The U-Net: its shape, its sizes, its skips, its fresh weights."""

import copy

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from pixelwise.network.unet import UNet, UNetConfig, start_from_shares
from pixelwise.task import Task

NORMALIZATIONS = ("none", "batch", "instance", "group")
UPSAMPLINGS = ("nearest", "linear", "transposed")
TUTORIAL = UNetConfig(in_channels=1, out_channels=1, widths=(16, 32, 64), normalization="none")


def make(seed=0, **options):
    """A small network with fixed weights."""
    torch.manual_seed(seed)
    config = {"in_channels": 2, "out_channels": 3, "widths": (4, 6, 8)} | options
    return UNet(UNetConfig(**config))


def random_image(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestShape:
    def test_tutorial_network_has_117985_parameters(self):
        network = UNet(TUTORIAL)
        assert network.num_parameters == 117_985
        assert network(torch.zeros(2, 1, 128, 128)).shape == (2, 1, 128, 128)

    def test_widths_drive_both_paths(self):
        convolutions = [
            (name, module.in_channels, module.out_channels)
            for name, module in make(widths=(4, 6, 8)).named_modules()
            if isinstance(module, nn.Conv2d)
        ]
        assert convolutions == [
            ("encoder.0.conv1", 2, 4),
            ("encoder.0.conv2", 4, 4),
            ("encoder.1.conv1", 4, 6),
            ("encoder.1.conv2", 6, 6),
            ("bottleneck.conv1", 6, 8),
            ("bottleneck.conv2", 8, 8),
            ("decoder.0.conv1", 6 + 4, 4),
            ("decoder.0.conv2", 4, 4),
            ("decoder.1.conv1", 8 + 6, 6),
            ("decoder.1.conv2", 6, 6),
            ("head", 4, 3),
        ]

    def test_transposed_upsampling_brings_the_width_of_its_level(self):
        network = make(upsampling="transposed")
        assert [(up.in_channels, up.out_channels) for up in network.upsample] == [(6, 4), (8, 6)]
        assert [block.conv1.in_channels for block in network.decoder] == [4 + 4, 6 + 6]

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_a_bias_only_where_no_normalization_follows(self, normalization):
        network = make(normalization=normalization)
        blocks = [*network.encoder, network.bottleneck, *network.decoder]
        assert {block.conv1.bias is None for block in blocks} == {normalization != "none"}
        assert network.head.bias is not None

    def test_group_normalization_takes_any_width(self):
        network = make(normalization="group", widths=(5, 8, 12, 16))
        groups = [block.norm1.num_groups for block in (*network.encoder, network.bottleneck)]
        assert groups == [1, 4, 4, 8]

    def test_forward_is_the_network_written_out(self):
        network = make(upsampling="linear").eval()
        image = random_image(1, 2, 8, 12)
        skip0 = network.encoder[0](image)
        skip1 = network.encoder[1](F.max_pool2d(skip0, 2))
        deep = network.bottleneck(F.max_pool2d(skip1, 2))
        up1 = F.interpolate(deep, scale_factor=2, mode="bilinear")
        deep = network.decoder[1](up1, skip1)
        up0 = F.interpolate(deep, scale_factor=2, mode="bilinear")
        expected = network.head(network.decoder[0](up0, skip0))
        assert torch.equal(network(image), expected)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_kind_trains_and_predicts(normalization, upsampling, spatial_dims):
    network = make(normalization=normalization, upsampling=upsampling, spatial_dims=spatial_dims)
    image = random_image(2, 2, *(8, 5, 7)[:spatial_dims])
    logits = network(image)
    assert logits.shape == (2, 3, *image.shape[2:])
    logits.square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert network.eval()(image).isfinite().all()


class TestAnySize:
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (4, 4), (17, 31)])
    def test_logits_have_the_size_of_the_image(self, size, normalization):
        network = make(normalization=normalization)
        for training in (True, False):
            logits = network.train(training)(random_image(1, 2, *size))
            assert logits.shape == (1, 3, *size)
            assert logits.isfinite().all()

    def test_one_pixel_volume(self):
        assert make(spatial_dims=3)(random_image(1, 2, 1, 1, 1)).shape == (1, 3, 1, 1, 1)

    def test_other_sizes_are_extended_by_their_last_row_and_column(self):
        network = make().eval()
        image = random_image(1, 2, 6, 7)
        extended = torch.cat((image, image[:, :, -1:], image[:, :, -1:]), dim=2)
        extended = torch.cat((extended, extended[..., -1:]), dim=3)
        assert torch.equal(network(image), network(extended)[..., :6, :7])

    @pytest.mark.parametrize("normalization", ["none", "batch", "group", "instance"])
    def test_divisible_sizes_are_not_extended(self, normalization, monkeypatch):
        def refuse(*_args, **_options):
            raise AssertionError("padded")

        network = make(normalization=normalization)
        monkeypatch.setattr(F, "pad", refuse)
        network(random_image(1, 2, 4, 8))
        with pytest.raises(AssertionError, match="padded"):
            network(random_image(1, 2, 4, 9))

    def test_padding_does_not_reach_far_pixels(self):
        # without normalization the logits far from the edge know nothing of what was added
        network = make(normalization="none", widths=(4, 6)).eval()
        image = random_image(1, 2, 33, 33)
        torch.testing.assert_close(
            network(image)[..., :16, :16], network(image[..., :32, :32])[..., :16, :16]
        )


class TestSkips:
    def test_each_skip_reaches_the_logits(self):
        network = make(widths=(4, 6, 8, 10)).eval()
        image = random_image(1, 2, 16, 16)
        for level, width in enumerate((4, 6, 8)):
            silenced = copy.deepcopy(network)
            with torch.no_grad():
                silenced.decoder[level].conv1.weight[:, -width:] = 0
            assert not torch.allclose(silenced(image), network(image)), f"skip {level}"

    def test_without_skips_only_by_name(self):
        assert UNetConfig(in_channels=1, out_channels=1, widths=(4, 8)).skips
        network = make(skips=False)
        assert [block.conv1.in_channels for block in network.decoder] == [6, 8]
        assert network(random_image(1, 2, 8, 8)).shape == (1, 3, 8, 8)

    def test_summary_shows_each_stage_and_each_skip(self):
        rows = {line.split("  ")[0]: line for line in UNet(TUTORIAL).summary().splitlines()}
        assert "skip 1: 32 channels to decoder 1" in rows["encoder 1"]
        assert "32 x size/2" in rows["encoder 1"]
        assert "36,928" in rows["decoder 1"]
        assert "skip 0: 16 channels from encoder 0" in rows["decoder 0"]
        assert "64 x size/4" in rows["bottleneck"]
        assert "117,985" in rows["total"]

    def test_summary_shows_that_skips_are_missing(self):
        summary = make(skips=False).summary()
        assert "channels to decoder" not in summary
        assert summary.count("none") == 4

    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    def test_summary_adds_up(self, upsampling):
        lines = make(upsampling=upsampling).summary().splitlines()
        counts = [
            int(cell.replace(",", ""))
            for line in lines
            for cell in line.split("  ")
            if cell.strip().replace(",", "").isdigit()
        ]
        assert sum(counts[:-1]) == counts[-1] == make(upsampling=upsampling).num_parameters


class TestFreshWeights:
    def test_same_seed_same_weights(self):
        weights, again, other = (make(seed).head.weight for seed in (0, 0, 1))
        assert torch.equal(weights, again)
        assert not torch.equal(weights, other)

    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    def test_signal_keeps_its_size_without_normalization(self, upsampling):
        network = make(widths=(32, 32, 32, 32, 32), normalization="none", upsampling=upsampling)
        sizes = []
        network.decoder[0].register_forward_hook(
            lambda _module, _inputs, features: sizes.append(features.square().mean().sqrt().item())
        )
        network(random_image(4, 2, 64, 64))
        assert 0.2 < sizes[0] < 5

    def test_no_class_starts_above_the_others_everywhere(self):
        for seed in range(8):  # features are never negative: one sign alone could not go both ways
            torch.manual_seed(seed)
            weight = make(widths=(8, 16, 32), out_channels=3).head.weight
            assert weight.sum(1).abs().max() < 1e-5
            assert (weight.amax(1) > 0.1).all() and (weight.amin(1) < -0.1).all()

    def test_a_single_feature_is_not_left_out(self):
        assert make(widths=(1, 2)).head.weight.abs().min() > 0

    def test_biases_start_at_zero(self):
        assert (make(widths=(16, 32, 64)).head.bias == 0).all()


class TestStartFromShares:
    def start(self, shares, task, num_logits=1, **options):
        network = make(widths=(8, 16), out_channels=num_logits, **options)
        start_from_shares(network, shares, task)
        return network.head.bias.detach()

    def test_binary(self):
        assert self.start((0.8, 0.2), Task.BINARY).sigmoid().item() == pytest.approx(0.2)

    def test_exclusive_classes(self):
        shares = [0.5, 0.2, 0.3]
        biases = self.start(shares, Task.MULTICLASS, 3)
        assert biases.softmax(0).tolist() == pytest.approx(shares)

    def test_classes_that_overlap(self):
        shares = [0.7, 0.4]
        biases = self.start(shares, Task.MULTILABEL, 2)
        assert biases.sigmoid().tolist() == pytest.approx(shares)

    def test_none_starts_out_of_reach(self):
        assert self.start((1, 0), Task.BINARY).sigmoid().item() == pytest.approx(0.01)
        biases = self.start((1, 0, 0), Task.MULTICLASS, 3)
        assert biases.softmax(0)[1].item() == pytest.approx(0.01, rel=0.05)

    def test_of_volumes_too(self):
        biases = self.start((0.9, 0.1), Task.BINARY, spatial_dims=3)
        assert biases.sigmoid().item() == pytest.approx(0.1)


class TestCompiledAndMixed:
    def test_compiles_without_a_graph_break(self):
        network = make().eval()
        compiled = torch.compile(network, backend="eager", fullgraph=True)
        for size in ((8, 8), (9, 13)):
            image = random_image(1, 2, *size)
            assert torch.equal(compiled(image), network(image))

    def test_channels_last_stays_channels_last(self):
        network = make().eval()
        image = random_image(2, 2, 16, 16)
        expected = network(image)
        network.to(memory_format=torch.channels_last)
        logits = network(image.to(memory_format=torch.channels_last))
        assert logits.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)

    def test_bfloat16_autocast(self):
        network = make().eval()
        image = random_image(2, 2, 15, 9)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(image)
        assert logits.dtype == torch.bfloat16
        torch.testing.assert_close(logits.float(), network(image), rtol=0.1, atol=0.05)


class TestConfig:
    @pytest.mark.parametrize("widths", [(16,), (), (16, 0), (-1, 4)])
    def test_widths_that_make_no_network(self, widths):
        with pytest.raises(ValidationError, match="two or more positive integers"):
            make(widths=widths)

    @pytest.mark.parametrize(
        "option",
        [
            {"in_channels": 0},
            {"out_channels": 0},
            {"spatial_dims": 4},
            {"normalization": "layer"},
            {"upsampling": "cubic"},
            {"activation": "gelu"},
            {"depth": 4},
        ],
        ids=lambda option: next(iter(option)),
    )
    def test_other_values_are_refused_by_name(self, option):
        with pytest.raises(ValidationError, match=next(iter(option))):
            make(**option)

    def test_comes_back_from_json(self):
        config = make(normalization="group", skips=False).config
        assert UNetConfig.model_validate_json(config.model_dump_json()) == config
