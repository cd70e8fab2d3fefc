"""Torch modules of other libraries, wrapped: any size of image, logits found, mistakes named."""

import numpy as np
import pytest
import torch
from torch import nn

import pixelwise as pw
from pixelwise.inference import TorchRuntime
from pixelwise.network.wrapped import enlarge, find_logits, sides_of, wrap_module


class Halving(nn.Module):
    """Works at a fraction of the size, so that sides have to be multiples of it."""

    def __init__(self, fraction=4, channels=3, classes=2, kind="tensor", grows=True):
        super().__init__()
        self.down = nn.Conv2d(channels, 5, fraction, stride=fraction)
        self.up = nn.ConvTranspose2d(5, classes, fraction, stride=fraction)
        self.same = nn.Conv2d(5, classes, 1)
        self.kind, self.grows, self.fraction = kind, grows, fraction

    def forward(self, image):
        if any(side % self.fraction for side in image.shape[2:]):
            raise RuntimeError(f"sides must be multiples of {self.fraction}")
        features = self.down(image).relu()
        logits = self.up(features) if self.grows else self.same(features)
        return {"tensor": logits, "dict": {"aux": 0, "out": logits}, "tuple": (logits, 3)}[
            self.kind
        ]


def wrapped(module, out_channels=2, in_channels=3, spatial_dims=2):
    return wrap_module(
        module, in_channels=in_channels, out_channels=out_channels, spatial_dims=spatial_dims
    )


class TestSizes:
    @pytest.mark.parametrize("fraction", [1, 4, 32])
    def test_the_multiple_is_found(self, fraction):
        assert wrapped(Halving(fraction)).config.multiple == fraction

    @pytest.mark.parametrize("size", [(1, 1), (4, 8), (37, 50)])
    def test_images_of_any_size_give_logits_of_their_size(self, size):
        assert wrapped(Halving())(torch.randn(2, 3, *size)).shape == (2, 2, *size)

    def test_an_image_of_the_right_size_goes_straight_through(self):
        module, image = Halving(), torch.randn(1, 3, 8, 12)
        assert torch.equal(wrapped(module)(image), module(image))

    def test_others_are_extended_by_their_last_row_and_column(self):
        module = Halving()
        image = torch.randn(1, 3, 8, 8)
        image[:, :, 6:], image[..., 5:] = image[:, :, 5:6], image[..., 4:5]
        cut = wrapped(module)(image[:, :, :6, :5])
        assert torch.allclose(cut, module(image)[:, :, :6, :5], atol=1e-6)

    def test_smaller_logits_are_enlarged(self):
        module = Halving(grows=False)
        found = wrapped(module)(torch.randn(1, 3, 16, 24))
        assert found.shape == (1, 2, 16, 24)
        assert module(torch.zeros(1, 3, 16, 24)).shape == (1, 2, 4, 6)

    def test_volumes(self):
        network = wrapped(nn.Conv3d(1, 2, 3, padding=1), in_channels=1, spatial_dims=3)
        assert network(torch.zeros(1, 1, 5, 6, 7)).shape == (1, 2, 5, 6, 7)

    def test_sides_are_multiples_of_a_number_and_of_no_larger_power_of_two(self):
        for multiple in (1, 2, 4, 8, 16, 32, 64):
            for side in sides_of(multiple):
                assert side % multiple == 0 and side % (2 * multiple) and side >= 64

    def test_the_width_is_what_a_layer_keeps_for_a_pixel(self):
        module = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 2, 1))
        assert wrapped(module).config.width == 24


class TestOutputs:
    @pytest.mark.parametrize("kind", ["tensor", "dict", "tuple"])
    def test_logits_are_found(self, kind):
        assert wrapped(Halving(kind=kind))(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)

    def test_an_object_with_logits(self):
        logits = torch.zeros(1, 2, 3, 3)
        assert find_logits(type("Output", (), {"logits": logits})()) is logits

    def test_nothing_of_the_kind(self):
        with pytest.raises(TypeError, match="gave a str"):
            find_logits("logits")

    def test_only_whole_fractions_are_enlarged(self):
        odd = torch.zeros(1, 1, 5, 6)
        assert enlarge(odd, (8, 8)) is odd
        assert enlarge(torch.zeros(1, 1, 4, 2), (8, 8)).shape == (1, 1, 4, 2)
        assert enlarge(torch.zeros(1, 1, 4, 4), (8, 8)).shape == (1, 1, 8, 8)


class TestMistakes:
    @pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid()])
    def test_probabilities(self, last):
        with pytest.raises(pw.PlanError, match=r"gives probabilities.*Leave out its last"):
            wrapped(nn.Sequential(Halving(), last))

    def test_other_classes(self):
        with pytest.raises(pw.PlanError, match=r"gives 2 channels .* give num_classes=2"):
            wrapped(Halving(), out_channels=1)

    def test_other_channels(self):
        with pytest.raises(pw.PlanError, match=r"many sizes.*expected input"):
            wrapped(Halving(), in_channels=1)

    def test_logits_of_another_size(self):
        with pytest.raises(pw.PlanError, match=r"no logits of their size.* it gave"):
            wrapped(nn.Conv2d(3, 2, 3))

    def test_what_is_no_module(self):
        with pytest.raises(pw.PlanError, match="is no torch module"):
            pw.wrap("unet", (8, 8, 3))

    def test_a_module_that_answers_otherwise_in_training(self):
        class Fickle(Halving):
            def forward(self, image):
                return super().forward(image)[:, :1] if self.training else super().forward(image)

        network = wrapped(Fickle()).train()
        with pytest.raises(pw.PlanError, match="Expected 2 logits for each pixel"):
            network(torch.zeros(1, 3, 8, 8))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    x = rng.random((6, 13, 18, 3), np.float32)
    return x, (x.mean(-1) > 0.5).astype(np.uint8)


class TestSegmenter:
    def test_it_trains_predicts_and_comes_back_from_a_file(self, images, tmp_path):
        x, y = images
        model = pw.wrap(Halving(), (None, None, 3), num_classes=2, class_names=("no", "yes"))
        before = model.get_weights()
        history = model.fit(x, y, epochs=2, batch_size=3, validation_split=0.4, verbose=False)
        assert set(history.history) == {"loss", "val_loss"}
        assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
        model.save(tmp_path / "own.safetensors")
        again = pw.load(tmp_path / "own.safetensors", module=Halving())
        assert again.class_names == ("no", "yes")
        np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-6)
        assert model.segment(x[0]).shape == (13, 18)
        assert set(model.evaluate(x, y, verbose=False, return_dict=True)) == {"loss"}

    def test_large_images_are_cut_into_tiles(self, monkeypatch):
        from pixelwise.inference import predictor

        monkeypatch.setattr(predictor, "MAX_WHOLE_PIXELS", 5 * 64 * 64)
        module = nn.Conv2d(3, 2, 3, padding=1)  # sees a pixel around, so that tiles agree
        whole = torch.rand(300, 200, 3)
        model = pw.wrap(module, (None, None, 3), num_classes=2)
        found = model.predict(whole[np.newaxis].numpy())
        expected = module(whole.movedim(-1, 0)[np.newaxis]).softmax(1)[0].movedim(0, -1)
        assert np.abs(found[0] - expected.detach().numpy()).max() < 1e-5

    def test_the_mode_of_its_layers_stays(self):
        module = Halving().eval()
        wrapped(module)
        assert not module.training
        module.down.train()
        wrapped(module)
        assert module.down.training and not module.up.training

    def test_its_layers_are_not_folded_since_they_may_mean_anything(self):
        """Here the normalization of a convolution's name comes after a ReLU."""
        block = nn.Sequential()
        block.add_module("conv1", nn.Conv2d(3, 2, 1))
        block.add_module("between", nn.ReLU())
        block.add_module("norm1", nn.BatchNorm2d(2))
        block.norm1.running_mean.fill_(3.0)
        nn.init.ones_(block.conv1.weight[:1]), nn.init.zeros_(block.conv1.weight[1:])
        model, batch = pw.wrap(block, (None, None, 3), num_classes=2).model, torch.rand(1, 3, 8, 8)
        expected = block.eval()(batch).softmax(1)
        found = TorchRuntime(model, torch.device("cpu"), fold=True)(batch)
        assert torch.allclose(found, expected, atol=1e-6)


class TestExport:
    def test_the_module_itself_is_what_is_exported(self):
        from pixelwise.network.plain import PlainNetwork

        model = pw.wrap(Halving(), (None, None, 3), num_classes=2).model
        with pytest.raises(pw.ModelFileError, match=r"only U-Nets.*torch\.onnx\.export"):
            PlainNetwork(model)


class TestFile:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "own.safetensors"
        pw.wrap(Halving(), (None, None, 3), num_classes=2).save(path)
        return path

    def test_it_needs_the_module(self, file):
        with pytest.raises(pw.ModelFileError, match=r"weights of a .*Halving.*load\(path, module"):
            pw.load(file)

    def test_another_class(self, file):
        with pytest.raises(pw.ModelFileError, match=r"a torch.nn.modules.conv.Conv2d was given"):
            pw.load(file, module=nn.Conv2d(3, 2, 1))

    def test_other_settings(self, file):
        with pytest.raises(pw.ModelFileError, match=r"in another way .*`down.weight` differs"):
            pw.load(file, module=Halving(8))

    def test_more_or_fewer_weights(self, file, tmp_path):
        class Grown(Halving):
            __qualname__ = Halving.__qualname__

            def __init__(self):
                super().__init__()
                self.extra = nn.Conv2d(1, 1, 1)

        path = tmp_path / "grown.safetensors"
        with pytest.raises(pw.ModelFileError, match=r"its `extra.bias` is not in the file"):
            pw.load(file, module=Grown())
        pw.wrap(Grown(), (None, None, 3), num_classes=2).save(path)
        with pytest.raises(pw.ModelFileError, match=r"its `extra.bias` differs"):
            pw.load(path, module=Halving())

    def test_a_module_for_a_unet(self, tmp_path):
        pw.unet((8, 8, 3)).save(tmp_path / "unet.safetensors")
        with pytest.raises(pw.ModelFileError, match="Load it without"):
            pw.load(tmp_path / "unet.safetensors", module=Halving())

    def test_it_starts_no_training(self, file):
        model = pw.load(file, module=Halving())
        with pytest.raises(pw.ModelFileError, match="only `fit` of a Segmenter"):
            _ = model.model.unet
