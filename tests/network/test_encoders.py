"""Ready-made encoders: the real timm, with weight files that the tests make."""

import pytest
import torch
from safetensors.torch import save_file

from pixelwise.errors import MissingExtraError, PlanError
from pixelwise.network import (
    Model,
    ModelConfig,
    UNet,
    UNetConfig,
    encoders,
    load_model,
    save_model,
)
from pixelwise.network.encoders import channels_of, load_encoder, make_encoder

NAME = "resnet18"
CONFIG = UNetConfig(
    in_channels=3, out_channels=2, widths=(4, 8, 8, 16, 16, 16), normalization="instance",
    encoder=NAME,
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("timm")


@pytest.fixture(scope="module")
def full(timm):
    """The whole network with weights that stand for learnt ones."""
    torch.manual_seed(7)
    return timm.create_model(NAME)


@pytest.fixture(scope="module")
def weights(full, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(full.state_dict(), path)
    return path


def random_image(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestNetwork:
    def test_features_of_the_encoder_go_into_skips_and_bottleneck(self):
        torch.manual_seed(0)
        network = UNet(CONFIG).eval()
        assert channels_of(network.backbone) == [64, 64, 128, 256, 512]
        assert [block.num_skip for block in network.decoder] == [4, 64, 64, 128, 256]
        image = random_image(1, 3, 64, 96)
        *middle, deepest = network.backbone(image)
        assert [tuple(f.shape[2:]) for f in (*middle, deepest)] == [
            (32, 48), (16, 24), (8, 12), (4, 6), (2, 3),
        ]  # fmt: skip
        features = network.bottleneck(deepest)
        for level, skip in reversed(list(enumerate([network.encoder[0](image), *middle]))):
            features = network.decoder[level](features, skip)
        torch.testing.assert_close(network(image), network.head(features))

    @pytest.mark.parametrize("size", [(1, 1), (37, 50), (32, 33)])
    def test_images_of_any_size_keep_it(self, size):
        network = UNet(CONFIG)
        assert network.eval()(random_image(1, 3, *size)).shape == (1, 2, *size)
        assert network.train()(random_image(1, 3, *size)).shape == (1, 2, *size)

    def test_one_small_image_can_be_trained_on(self):
        """Its encoder takes statistics of a batch, which a single pixel has not."""
        network = UNet(CONFIG.model_copy(update={"normalization": "none"})).train()
        assert network(random_image(1, 3, 20, 20)).shape == (1, 2, 20, 20)

    def test_fewer_levels_take_fewer_features(self):
        network = UNet(CONFIG.model_copy(update={"widths": (4, 8, 16)}))
        assert channels_of(network.backbone) == [64, 64]
        assert not any("layer2" in name for name in network.state_dict())

    def test_every_weight_learns(self):
        network = UNet(CONFIG)
        network(random_image(2, 3, 64, 64)).square().mean().backward()
        without = [name for name, weight in network.named_parameters() if weight.grad is None]
        assert without == []

    def test_summary_counts_all_parameters(self):
        network = UNet(CONFIG)
        lines = network.summary().splitlines()
        row = next(line for line in lines if line.startswith("encoder 1 to 5"))
        assert "timm's resnet18" in row and "64, 64, 128, 256, 512 x size/2 to size/32" in row
        assert "skips 1 to 4" in row
        assert lines[-1].split()[-1] == f"{network.num_parameters:,}"

    def test_volumes_have_none(self):
        with pytest.raises(ValueError, match="encoder resnet18 is for pictures"):
            UNetConfig(in_channels=1, out_channels=1, widths=(4, 8), spatial_dims=3, encoder=NAME)

    def test_a_model_file_brings_it_back_without_its_weight_file(self, tmp_path):
        network = UNet(CONFIG).eval()
        config = ModelConfig(
            network=CONFIG,
            task="multiclass",
            class_names=("background", "cell"),
            class_colors=("#000000", "#ff0000"),
        )
        save_model(tmp_path / "model.safetensors", Model(config, network))
        image = random_image(1, 3, 40, 40)
        again = load_model(tmp_path / "model.safetensors")
        assert torch.equal(again.network(image), network(image))


class TestWeights:
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_they_are_those_of_the_file(self, full, weights, suffix, tmp_path):
        path = weights
        if suffix == ".pth":
            path = tmp_path / "resnet18.pth"
            torch.save(full.state_dict(), path)
        encoder = make_encoder(NAME, 3, 5)
        load_encoder(encoder, NAME, 3, path)
        there = full.state_dict()
        for name, weight in encoder.state_dict().items():
            assert torch.equal(weight, there[name]), name

    def test_grey_images_see_what_three_equal_channels_would(self, full, weights):
        encoder = make_encoder(NAME, 1, 2)
        load_encoder(encoder, NAME, 1, weights)
        image = random_image(1, 1, 32, 32)
        grey = encoder.eval()(image)[0]
        colour = full.eval().act1(full.bn1(full.conv1(image.expand(1, 3, 32, 32))))
        torch.testing.assert_close(grey, colour)

    def test_fresh_weights_are_left_alone_where_the_file_is_refused(self, tmp_path):
        encoder = make_encoder(NAME, 3, 5)
        before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
        path = tmp_path / "weights.safetensors"
        save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
        with pytest.raises(
            PlanError, match=r"does not hold the weights of resnet18 .*it lacks bn1"
        ):
            load_encoder(encoder, NAME, 3, path)
        assert all(torch.equal(before[n], weight) for n, weight in encoder.state_dict().items())

    def test_weights_of_a_deeper_network_are_refused(self, timm, tmp_path):
        path = tmp_path / "resnet34.safetensors"
        save_file(timm.create_model("resnet34").state_dict(), path)
        with pytest.raises(PlanError, match=r"it has layer1\.2.*which resnet18 has not"):
            load_encoder(make_encoder(NAME, 3, 5), NAME, 3, path)

    def test_a_head_of_other_classes_does_not_matter(self, timm, tmp_path):
        path = tmp_path / "own.safetensors"
        own = timm.create_model(NAME, num_classes=5)
        save_file(own.state_dict(), path)
        encoder = make_encoder(NAME, 3, 5)
        load_encoder(encoder, NAME, 3, path)
        assert torch.equal(encoder.state_dict()["conv1.weight"], own.conv1.weight)

    @pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
    def test_files_that_are_none_are_refused(self, name, tmp_path):
        path = tmp_path / name
        path.write_bytes(b"not weights")
        with pytest.raises(PlanError, match=f"{name} does not hold the weights of resnet18"):
            load_encoder(make_encoder(NAME, 3, 5), NAME, 3, path)
        with pytest.raises(PlanError, match="is not a file"):
            load_encoder(make_encoder(NAME, 3, 5), NAME, 3, tmp_path / "none.pth")

    def test_a_pickle_that_would_run_code_is_not_run(self, tmp_path):
        path, witness = tmp_path / "weights.pth", tmp_path / "witness"
        torch.save({"conv1.weight": Touch(str(witness))}, path)
        with pytest.raises(PlanError, match="does not hold the weights"):
            load_encoder(make_encoder(NAME, 3, 5), NAME, 3, path)
        assert not witness.exists()

    def test_without_a_file_and_a_network_it_says_so(self, timm, monkeypatch):
        real = timm.create_model

        def create(name, *, pretrained=False, **given):
            if pretrained:
                raise OSError("no route to host")
            return real(name, **given)

        encoder = make_encoder(NAME, 3, 5)
        monkeypatch.setattr(timm, "create_model", create)
        with pytest.raises(
            PlanError, match=r"not in timm's cache and cannot be downloaded .no route"
        ):
            load_encoder(encoder, NAME, 3)


class Touch:
    """A pickle that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


class TestRefusals:
    def test_unknown_names(self):
        with pytest.raises(
            PlanError, match=r"no network called resnet35\. Name one such as resnet18"
        ):
            make_encoder("resnet35", 3, 5)

    def test_networks_without_features_at_half_the_size(self):
        with pytest.raises(PlanError, match="convnext_atto has no features at 1/2"):
            make_encoder("convnext_atto", 3, 4)

    def test_more_levels_than_it_has(self):
        with pytest.raises(PlanError, match="resnet18 has no features at 1/2 to 1/64"):
            make_encoder(NAME, 3, 6)

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (ImportError("No module named 'timm'"), r'pip install "pixelwise\[encoders\]"'),
            (RuntimeError("operator torchvision::nms does not exist"), "built for torch 2"),
        ],
    )
    def test_a_timm_that_cannot_be_imported(self, error, said, monkeypatch):
        import builtins

        real = builtins.__import__

        def refuse(name, *args, **kwargs):
            if name == "timm":
                raise error
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", refuse)
        with pytest.raises(MissingExtraError, match=said):
            encoders.make_encoder(NAME, 3, 5)
