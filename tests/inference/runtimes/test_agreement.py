"""Runtimes agree with torch in float32: a number for every kind of model."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from tests.export.models import KINDS, make_model

import pixelwise as pw
from pixelwise.device import has_bfloat16
from pixelwise.inference import Predictor
from pixelwise.inference.precision import file_predictor
from pixelwise.network import load_model

QUICK = ("3 classes",)
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind not in QUICK]
needs_bfloat16 = pytest.mark.skipif(
    not has_bfloat16(torch.device("cpu")), reason="the processor has no bfloat16"
)
EXACT = [("onnx", "float32"), ("openvino", "float32")]


def blobs(size=(140, 190), seed=0):
    """A picture of two channels: what has edges and noise, and is not noise alone."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.normal(0, 600, (2, *size)), (0, 4, 4))
    return (110 + smooth + random.normal(0, 4, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where graphs are kept from one test to the next."""
    return tmp_path_factory.mktemp("model")


def predict(kind, folder, runtime, precision, **options):
    predictor = file_predictor(
        make_model(**KINDS[kind]), device="cpu", runtime=runtime, precision=precision,
        folder=folder, **options,
    )  # fmt: skip
    assert (predictor.runtime.name, predictor.runtime.precision) == (runtime, precision)
    return predictor, predictor.probabilities(blobs())


def equal_share(predictor, one, other):
    return (predictor.to_mask(one) == predictor.to_mask(other)).mean()


@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
@pytest.mark.parametrize(("runtime", "precision"), EXACT)
def test_float32_gives_the_same_classes(kind, runtime, precision, folder):
    _, expected = predict(kind, folder, "torch", "float32")
    predictor, found = predict(kind, folder, runtime, precision)
    assert equal_share(predictor, found, expected) >= 0.9999
    np.testing.assert_allclose(found, expected, atol=1e-3)


@needs_bfloat16
@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bfloat16_changes_few_classes_of_random_networks(kind, runtime, folder):
    """Fewer of trained ones: here two classes are about as likely in many pixels."""
    _, expected = predict(kind, folder, "torch", "float32")
    predictor, found = predict(kind, folder, runtime, "bfloat16")
    assert equal_share(predictor, found, expected) >= 0.993
    assert np.abs(found - expected).max() > 1e-4  # it was computed in bfloat16 indeed


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network that tells bright blobs from dark ones, its model file, and a picture."""
    pictures = np.stack([blobs((64, 64), seed) for seed in range(8)]).transpose(0, 2, 3, 1)
    segmenter = pw.unet((64, 64, 2), widths=(8, 16), seed=0)
    segmenter.fit(pictures, pictures[..., :1] > 120, epochs=25, batch_size=2, verbose=0)
    path = tmp_path_factory.mktemp("trained") / "model.safetensors"
    segmenter.save(path)
    return path


@needs_bfloat16
@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bfloat16_changes_fewer_classes_of_a_trained_network(trained, runtime):
    def predict_with(runtime, precision):
        predictor = file_predictor(
            load_model(trained), device="cpu", runtime=runtime, precision=precision,
            folder=trained.parent,
        )  # fmt: skip
        return predictor.segment(blobs(seed=20))

    expected = predict_with("torch", "float32")
    assert (expected == (blobs(seed=20)[0] > 120)).mean() > 0.9  # it has learnt something
    assert (predict_with(runtime, "bfloat16") == expected).mean() >= 0.995


@pytest.mark.parametrize(("runtime", "precision"), EXACT)
def test_a_ready_made_encoder(timm, runtime, precision):
    image, options = blobs((70, 90)), {"widths": (4, 8, 16), "encoder": "resnet18"}
    expected = Predictor(make_model(**options), device="cpu").probabilities(image)
    predictor = file_predictor(
        make_model(**options), device="cpu", runtime=runtime, precision=precision
    )
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (8, 8), (97, 31)])
def test_any_size_alone_and_in_a_batch(runtime, size, folder):
    images = np.stack([blobs(size, seed) for seed in range(3)])
    model = make_model(**KINDS["3 classes"])
    predictor = file_predictor(model, device="cpu", runtime=runtime, folder=folder)
    expected = Predictor(model, device="cpu").batch_probabilities(images)
    np.testing.assert_allclose(predictor.batch_probabilities(images), expected, atol=0.1)
    exact = file_predictor(
        model, device="cpu", runtime=runtime, precision="float32", folder=folder
    )  # fmt: skip
    np.testing.assert_allclose(exact.batch_probabilities(images), expected, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_mirrored_copies_and_tiles(runtime, folder):
    """What stands around the runtime is the same for all of them."""
    options = {"tta": True, "precision": "float32"}
    predictor, found = predict("3 classes", folder, runtime, **options)
    torch_predictor, expected = predict("3 classes", folder, "torch", **options)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for one in (predictor, torch_predictor):
        one.tile_size = 64
    tiled = predictor.probabilities(blobs())
    np.testing.assert_allclose(tiled, torch_predictor.probabilities(blobs()), atol=1e-4)
    assert np.abs(tiled - found).max() > 1e-6
