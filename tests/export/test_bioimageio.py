"""bioimage.io packages: what the specification asks for, and weights that compute the model."""

import gc
import io
import sys
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from tests.export.models import KINDS, make_model

from pixelwise.errors import ExportError, MissingExtraError, ModelFileError, PlanError
from pixelwise.export import bioimageio as package_export
from pixelwise.export.bioimageio import example_picture, export_bioimageio
from pixelwise.export.bioimageio_description import (
    allowed_name,
    read_me,
    reading_of,
    smallest_side,
)
from pixelwise.export.verify import Agreement, exact_predictor
from pixelwise.metrics import summarize
from pixelwise.task import Task

QUICK = ("binary",)
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind not in QUICK]
AGREEMENT = Agreement(
    num_pictures=9, num_given=0, num_pixels=100, max_difference=1e-6, equal_share=1
)

pytestmark = [  # bioimageio.spec leaves files open until they are collected
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def close_files():
    yield
    gc.collect()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported("binary"): the model, its .zip and how well they agree; each kind is made once."""
    made = {}

    def make(kind):
        if kind not in made:
            model, path = make_model(**KINDS[kind]), tmp_path_factory.mktemp("export") / "cells.zip"
            image = np.random.default_rng(0).integers(0, 256, (2, 300, 280)).astype(np.float32)
            agreement = export_bioimageio(model, path, {"a.png": image}, authors=["Ada L."])
            made[kind] = model, path, agreement
        return made[kind]

    return make


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read(path):
    """The description as the specification's own library reads and checks it."""
    spec = pytest.importorskip("bioimageio.spec")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = spec.load_description(path)
    assert not isinstance(found, spec.InvalidDescr), found.validation_summary.display()
    return found


@pytest.mark.parametrize("kind", [*QUICK, *OTHERS])
def test_both_weights_give_the_test_output_for_the_test_input(exported, kind):
    model, path, agreement = exported(kind)
    assert agreement.max_difference < 1e-4
    files = contents(path)
    image, expected = (np.load(io.BytesIO(files[f"test_{end}.npy"])) for end in ("input", "output"))
    np.testing.assert_array_equal(expected[0], exact_predictor(model).probabilities(image[0]))
    (by_onnx,) = onnxruntime.InferenceSession(files["weights.onnx"]).run(None, {"image": image})
    np.testing.assert_allclose(by_onnx, expected, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old
        script = torch.jit.load(io.BytesIO(files["weights.pt"]))
    with torch.no_grad():
        found = script(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_test_of_bioimageio_core_passes(exported, kind):
    core = pytest.importorskip("bioimageio.core")  # its pins exclude those of this project
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = core.test_model(exported(kind)[1])
    assert summary.status == "passed", summary.display()


def test_the_description_says_what_goes_in_and_comes_out(exported):
    description = read(exported("binary")[1])
    assert (description.type, description.format_version[:4]) == ("model", "0.5.")
    assert description.name == "cells"
    assert "class 0, class 1" in description.description
    assert [author.name for author in description.authors] == ["Ada L."]
    assert description.license is None
    assert str(description.cite[0].doi) == "10.1007/978-3-319-24574-4_28"
    (image,), (probabilities,) = description.inputs, description.outputs
    assert [axis.id for axis in image.axes] == ["batch", "channel", "y", "x"]
    assert (image.axes[2].size.min, image.axes[2].size.step) == (66, 2)
    assert probabilities.axes[1].channel_names == ["class 1"]
    assert probabilities.axes[2].halo == 32
    assert [step.id for step in image.preprocessing] == ["ensure_dtype"]  # float32, no scaling
    assert [step.id for step in probabilities.postprocessing] in ([], ["ensure_dtype"])
    assert description.weights.onnx.opset_version == 20
    assert description.weights.torchscript.pytorch_version.root in torch.__version__


def test_the_package_keeps_the_figures(exported):
    _, path, agreement = exported("binary")
    about = read(path).config.model_extra["pixelwise"]
    assert about["task"] == "binary"
    assert f'"max_difference": {agreement.max_difference}' in about["agreement"]


@pytest.mark.parametrize("worse", ["ONNX", "TorchScript"])
def test_the_figures_are_the_worse_of_both_weights(monkeypatch, tmp_path, worse):
    good, bad = AGREEMENT, replace(AGREEMENT, max_difference=4e-4, equal_share=0.9999)
    onnx, script = (bad, good) if worse == "ONNX" else (good, bad)
    monkeypatch.setattr(package_export, "build_torchscript", lambda *_: (b"", script))
    monkeypatch.setattr(package_export, "write_onnx", lambda *_: onnx)
    assert package_export._write_weights(make_model(), tmp_path, "m.zip", None) == bad


def test_the_picture_to_try_is_the_middle_of_the_first_that_was_given(exported):
    files = contents(exported("binary")[1])
    given = np.random.default_rng(0).integers(0, 256, (2, 300, 280))
    np.testing.assert_array_equal(
        np.load(io.BytesIO(files["test_input.npy"]))[0], given[:, 22:278, 12:268]
    )
    with Image.open(io.BytesIO(files["cover.png"])) as cover:
        assert (cover.size, cover.mode) == ((512, 256), "RGB")
    assert len(files["cover.png"]) < 500_000


def test_a_small_picture_is_extended_to_the_smallest_size():
    picture = np.arange(2 * 70 * 40, dtype=np.float32).reshape(2, 70, 40)
    found = example_picture(make_model().config, picture)
    assert found.shape == (2, 66, 66)
    np.testing.assert_array_equal(found[:, :, :40], picture[:, 2:68])
    assert (found[:, :, 40:] == found[:, :, 39:40]).all()


def test_without_a_picture_it_is_a_random_one():
    assert example_picture(make_model().config, None).shape == (2, 256, 256)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (66, 2, 32)),
        ({"widths": (4, 8, 8, 8)}, (72, 8, 32)),
        ({"working_scale": 0.5}, (130, 2, 64)),
        ({"working_scale": 0.05}, (514, 2, 256)),
    ],
)
def test_tiles_are_larger_than_what_is_thrown_away_of_them(options, expected):
    assert smallest_side(make_model(**options).config) == expected


def test_the_text_says_how_probabilities_become_classes_and_how_good_they_are():
    model = make_model(task=Task.MULTILABEL, threshold=0.4)
    text = read_me(model.config, "cells", AGREEMENT)
    assert "| 0 | class 0 |\n| 1 | class 1 |\n| 2 | class 2 |\n" in text
    assert "each class where its probability is at least 0.4." in text
    assert "## Validation\n\nThe model file has no scores." in text
    assert "classes equal in 100 % of pixels." in text
    binary = make_model(task=Task.BINARY).config
    assert reading_of(binary) == "A pixel is of class 1 where its probability is at least 0.5."
    counts = np.array([[[3, 1, 1], [6, 2, 2]]])
    scores = summarize(counts, ["a"], binary.class_names, background=True).to_json()
    scored = binary.model_copy(update={"scores": {**scores, "of": "1 validation image"}})
    assert "Mean Dice 0.750" in read_me(scored, "cells", AGREEMENT)
    assert "on 1 validation image." in read_me(scored, "cells", AGREEMENT)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cells", "cells"), ("day.2/a", "day-2-a"), ("a", "pixelwise a"), ("ü" * 90, "-" * 64)],
)
def test_names_are_made_of_what_the_specification_allows(name, expected):
    assert allowed_name(name) == expected


@pytest.mark.parametrize(
    "options", [{"license": "free for all"}, {"authors": ["a/b"]}], ids=["license", "author"]
)
def test_credits_that_are_none_are_refused_before_anything_is_done(tmp_path, monkeypatch, options):
    monkeypatch.setattr(package_export, "_write_weights", None)
    with pytest.raises(PlanError, match="without a slash, and a licence by its SPDX name"):
        export_bioimageio(make_model(), tmp_path / "m.zip", **options)


def test_weights_that_do_not_agree_are_not_written(monkeypatch, tmp_path):
    def build_wrong(model):
        return package_export_build(make_model(seed=1))

    package_export_build = package_export.build_onnx
    monkeypatch.setattr(package_export, "build_onnx", build_wrong)
    with pytest.raises(ExportError, match=r"m\.zip \(ONNX\) was not written"):
        export_bioimageio(make_model(), tmp_path / "m.zip")
    assert list(tmp_path.iterdir()) == []


def test_what_the_specification_refuses_is_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr(package_export, "_write_weights", lambda *_: AGREEMENT)  # no files
    with pytest.raises(ExportError, match=r"m\.zip was not written: bioimageio\.spec refuses"):
        export_bioimageio(make_model(), tmp_path / "m.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_one_message_with_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    with pytest.raises(MissingExtraError, match=r'pip install "pixelwise\[bioimageio\]"'):
        export_bioimageio(make_model(), tmp_path / "m.zip")


def test_a_model_of_volumes_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="model of volumes"):
        export_bioimageio(make_model(spatial_dims=3), tmp_path / "m.zip")
