"""`predict` takes what `export` wrote: the same masks as of the model, and one message else."""

import numpy as np
import onnx
import openvino
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter
from tests.export.models import KINDS, PERCENTILES, make_model
from typer.testing import CliRunner

import pixelwise as pw
from pixelwise.cli import app
from pixelwise.export import openvino as openvino_export
from pixelwise.export.onnx import build_onnx, export_onnx
from pixelwise.inference import predictor as predictor_module
from pixelwise.inference.runtimes.exported import load_any_model
from pixelwise.io import read_mask_values, windows
from pixelwise.network import load_model, look_at_intensities, save_model
from pixelwise.task import Task
from pixelwise.workflows import predict_images

FACTS = look_at_intensities([np.arange(256, dtype=np.uint8).reshape(1, 16, 16)])
EXACT = {"precision": "float32", "progress": False, "device": "cpu"}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The model file of a network at half scale, and it as ONNX and for OpenVINO."""
    folder = tmp_path_factory.mktemp("exports")
    model = make_model(**KINDS["half scale"], intensities=FACTS, threshold=0.4)
    paths = {name: folder / name for name in ("m.safetensors", "m.onnx", "m.xml")}
    save_model(paths["m.safetensors"], model)
    proto = build_onnx(model)  # once: it takes long
    with pytest.MonkeyPatch.context() as patch:
        for module in ("onnx", "openvino"):
            patch.setattr(f"pixelwise.export.{module}.build_onnx", lambda model: proto)
        export_onnx(model, paths["m.onnx"])
        openvino_export.export_openvino(model, paths["m.xml"])
    return paths


@pytest.fixture(scope="module")
def by_percentiles(tmp_path_factory):
    """A model that scales each image by its own percentiles: its file, and it as ONNX."""
    folder = tmp_path_factory.mktemp("percentiles")
    model = make_model(task=Task.BINARY, widths=(2, 3), scaling=PERCENTILES)
    save_model(folder / "m.safetensors", model)
    export_onnx(model, folder / "m.onnx")
    return folder / "m.safetensors", folder / "m.onnx"


@pytest.fixture
def images(tmp_path):
    """Two pictures of grey and alpha, as the models take them."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, size in enumerate([(70, 91), (33, 40)]):
        smooth = gaussian_filter(np.random.default_rng(seed).normal(0, 700, (*size, 2)), (4, 4, 0))
        pixels = (110 + smooth).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels, "LA").save(folder / f"{seed}.png")
    return folder


def masks(model, images, out, **options):
    written = pw.predict(model, images, out, **(EXACT | options))
    return [read_mask_values(path) for path in written]


@pytest.mark.parametrize("name", ["m.onnx", "m.xml"])
@pytest.mark.parametrize("tta", [False, True])
def test_masks_are_those_of_the_model(exports, images, tmp_path, name, tta):
    expected = masks(exports["m.safetensors"], images, tmp_path / "expected", tta=tta)
    found = masks(exports[name], images, tmp_path / "found", tta=tta)
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(np.unique(found[0])) > 1


@pytest.mark.parametrize("name", ["m.onnx", "m.xml"])
def test_everything_that_can_be_saved_is_the_same(exports, images, tmp_path, name):
    save = ("mask", "probability", "overlay", "table", "polygons")
    expected = pw.predict(exports["m.safetensors"], images, tmp_path / "a", save=save, **EXACT)
    found = pw.predict(exports[name], images, tmp_path / "b", save=save, **EXACT)
    assert [path.name for path in found] == [path.name for path in expected]
    for one, other in zip(found, expected, strict=True):
        if one.name.endswith("_probability.tif"):
            values = (tifffile.imread(path).astype(int) for path in (one, other))
            np.testing.assert_allclose(*values, atol=1)  # of 255: roundings of 1e-4 pass a half
        else:
            assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.parametrize("name", ["m.onnx", "m.xml"])
def test_large_images_go_in_parts_by_the_same_tiles(exports, tmp_path, name, monkeypatch):
    monkeypatch.setattr(predictor_module, "MAX_WHOLE_PIXELS", 4 * 60 * 60)
    monkeypatch.setitem(predictor_module.TILINGS, "normal", predictor_module.Tiling(32, 8))
    pixels = np.random.default_rng(0).integers(0, 256, (150, 170, 2), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(32, 32), photometric="minisblack")
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    (expected,) = masks(exports["m.safetensors"], tmp_path / "a.tif", tmp_path / "expected")
    (found,) = masks(exports[name], tmp_path / "a.tif", tmp_path / "found")
    assert (found == expected).mean() >= 0.9999


def test_floats_of_another_unit_are_converted_as_for_the_model(exports, tmp_path):
    pixels = np.random.default_rng(0).random((20, 30, 2), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    for name, out in (("m.safetensors", "expected"), ("m.onnx", "found")):
        with pytest.warns(pw.PixelwiseWarning, match="multiplied by 255"):
            pw.predict(exports[name], tmp_path / "a.tif", tmp_path / out, format="png", **EXACT)
    found, expected = (read_mask_values(tmp_path / out / "a.png") for out in ("found", "expected"))
    np.testing.assert_array_equal(found, expected)


def test_an_image_scaled_by_its_own_percentiles(by_percentiles, images, tmp_path):
    model, exported = by_percentiles
    expected, found = masks(model, images, tmp_path / "a"), masks(exported, images, tmp_path / "b")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tiles_with_percentiles_of_their_own_are_refused(
    by_percentiles, images, tmp_path, monkeypatch
):
    monkeypatch.setattr(predictor_module, "MAX_WHOLE_PIXELS", 2 * 50 * 50)
    monkeypatch.setitem(predictor_module.BATCH_PIXELS, "cpu", 50 * 50)
    result = predict_images(by_percentiles[1], images, tmp_path / "out", **EXACT)
    (path,) = result.failed
    assert path.name == "0.png"  # the smaller one goes through in one piece
    assert "70x91 pixels, too many for one piece" in result.failed[path]
    assert "Predict with the run folder or model file" in result.failed[path]
    assert not predict_images(by_percentiles[0], images, tmp_path / "own", **EXACT).failed


def test_the_closing_line_says_what_computed(exports, images, tmp_path):
    for number, (name, runtime, said) in enumerate(
        [
            ("m.onnx", "auto", "onnx on cpu in float32"),
            ("m.onnx", "openvino", "openvino on cpu in float32"),
            ("m.xml", "auto", "openvino on cpu in float32"),
            ("m.safetensors", "auto", "torch on cpu in float32"),
        ]
    ):
        result = predict_images(
            exports[name], images, tmp_path / str(number), runtime=runtime, **EXACT
        )  # fmt: skip
        assert f"computed by {said}" in result.describe(verbose=True)


def test_masks_of_another_runtime_or_file_are_not_taken_for_those_of_this_one(
    exports, images, tmp_path
):
    def num_kept(name, **options):
        return predict_images(exports[name], images, tmp_path / "out", **EXACT, **options).num_kept

    assert num_kept("m.onnx") == 0
    assert num_kept("m.onnx") == 2
    assert num_kept("m.onnx", runtime="openvino") == 0
    assert num_kept("m.xml") == 0
    assert num_kept("m.safetensors") == 0


def test_the_command_line_keeps_the_graph_beside_the_model(tmp_path, images):
    path = tmp_path / "run" / "model.safetensors"
    path.parent.mkdir()
    save_model(path, make_model(task=Task.BINARY, widths=(2, 3), intensities=FACTS))
    words = ["predict", str(path.parent), str(images), "--runtime", "onnx", "-v", "--out"]
    for out in ("a", "b"):
        result = CliRunner().invoke(app, [*words, str(tmp_path / out)])
        assert result.exit_code == 0, result.output
        assert "computed by onnx on cpu in float32" in result.stdout
    assert len(list((path.parent / ".compiled").iterdir())) == 1
    assert (tmp_path / "a" / "0.png").read_bytes() == (tmp_path / "b" / "0.png").read_bytes()


@pytest.mark.parametrize("name", ["m.onnx", "m.xml"])
def test_what_a_file_says_of_its_model_is_all_that_the_model_says(exports, name):
    model, exported = load_model(exports["m.safetensors"]), load_any_model(exports[name])
    assert exported.config == model.config
    assert exported.network.num_parameters == model.network.num_parameters
    result = CliRunner().invoke(app, ["info", str(exports[name])])
    assert result.exit_code == 0, result.output
    assert "class 0, class 1, class 2" in result.stdout


def foreign_onnx(path, exports):
    proto = onnx.load(exports["m.onnx"])
    del proto.metadata_props[:]
    onnx.save(proto, path)


def foreign_openvino(path, exports):
    openvino.save_model(openvino.convert_model(exports["m.onnx"]), path)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("f.onnx", foreign_onnx, "f.onnx was not written by `pixelwise export`"),
        ("f.xml", foreign_openvino, "f.xml was not written by `pixelwise export`"),
        ("f.onnx", lambda path, _: path.write_bytes(b"\x89PNG"), "f.onnx is no ONNX file"),
        ("f.xml", lambda path, e: path.write_bytes(e["m.xml"].read_bytes()), "f.bin"),
    ],
)
def test_a_file_that_is_no_export_is_one_message(exports, images, tmp_path, name, write, words):
    write(tmp_path / name, exports)
    with pytest.raises((pw.ModelFileError, pw.DataError), match=words):
        pw.predict(tmp_path / name, images, tmp_path / "out", **EXACT)
    assert not (tmp_path / "out").exists()


def test_an_xml_with_weights_of_another_is_refused(exports, images, tmp_path):
    (tmp_path / "f.xml").write_bytes(exports["m.xml"].read_bytes())
    (tmp_path / "f.bin").write_bytes(exports["m.xml"].with_suffix(".bin").read_bytes()[:100])
    with pytest.raises(pw.ModelFileError, match="cannot read this graph: Incorrect weights"):
        pw.predict(tmp_path / "f.xml", images, tmp_path / "out", **EXACT)


def test_an_export_is_evaluated_as_its_model_is(exports, images, tmp_path):
    data = tmp_path / "data"
    for folder in ("images", "masks"):
        (data / folder).mkdir(parents=True)
    for path in images.iterdir():
        (data / "images" / path.name).write_bytes(path.read_bytes())
        with Image.open(path) as image:
            size = image.size[::-1]
        values = np.random.default_rng(0).integers(0, 3, size, np.uint8)
        Image.fromarray(values).save(data / "masks" / path.name)
    one, other = (
        pw.evaluate(exports[name], data, split="all", progress=False)
        for name in ("m.safetensors", "m.onnx")
    )
    assert one.mean["dice"] == pytest.approx(other.mean["dice"], abs=1e-2)  # bfloat16 of the one
