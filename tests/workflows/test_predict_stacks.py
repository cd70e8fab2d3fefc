"""NIfTI in, NIfTI out; stacks and a model for pictures: planes are predicted, a stack comes out."""

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.io.test_volume_masks import OBLIQUE, save
from tests.workflows.test_predict_parts import EXACT

import pixelwise as pw
from pixelwise.io import read_image, read_mask_values
from pixelwise.network import IntensityScaling, Model, ModelConfig, UNet, UNetConfig, save_model
from pixelwise.task import Task
from pixelwise.workflows import predict_images

STACK = np.random.default_rng(3).integers(0, 256, (9, 40, 50), np.uint8)


def make_grey_model(folder, task=Task.BINARY):
    """A model of grey pictures that finds something in noise."""
    import torch

    torch.manual_seed(1)
    network = UNetConfig(in_channels=1, out_channels=task.num_logits(2), widths=(4, 8))
    model = Model(
        ModelConfig(
            network=network, task=task, class_names=("background", "cell"),
            class_colors=("#000000", "#ff0000"),
            scaling=IntensityScaling(scheme="statistics", mean=(127.0,), std=(70.0,)),
        ),
        UNet(network),
    )  # fmt: skip
    with torch.no_grad():
        model.network.head.weight.mul_(50)
        model.network.head.bias.zero_()
    save_model(folder / "model.safetensors", model)
    return folder / "model.safetensors"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_grey_model(tmp_path_factory.mktemp("model"))


def segment_planes(model, planes):
    segmenter = pw.load(model)
    masks = np.stack([segmenter.segment(plane) for plane in planes])
    assert 0.01 < masks.mean() < 0.99
    return masks


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 1, 50)])
def test_a_nifti_picture_gives_a_nifti_mask_that_lies_on_it(shape, model, tmp_path):
    path = save(tmp_path / "scan.nii.gz", STACK[0].reshape(shape), OBLIQUE)
    (mask,) = pw.predict(model, path, tmp_path / "out", **EXACT)
    assert mask.name == "scan.nii.gz"
    one, other = nib.load(mask), nib.load(path)
    np.testing.assert_array_equal(one.affine, other.affine)
    assert one.shape == shape
    expected = pw.load(model).segment(read_image(path))
    np.testing.assert_array_equal(read_mask_values(mask), expected)
    assert predict_images(model, path, tmp_path / "out", **EXACT).num_kept == 1  # known as its own
    (png,) = pw.predict(model, path, tmp_path / "png", format="png", **EXACT)
    np.testing.assert_array_equal(np.asarray(Image.open(png)), expected)


@pytest.mark.parametrize("columns", ["xyz", "zxy"])
def test_each_plane_of_a_nifti_volume_is_predicted_as_if_it_were_a_file(columns, model, tmp_path):
    affine = OBLIQUE[:, ["xyz".index(name) for name in columns] + [3]] @ np.diag([-1, 1, 1, 1])
    values = np.ascontiguousarray(np.moveaxis(STACK, 0, -1))  # (i, j, k)
    path = save(tmp_path / "scan.nii", values, affine)
    (mask,) = pw.predict(model, path, tmp_path / "out", **EXACT)
    found = nib.load(mask)
    np.testing.assert_array_equal(found.affine, nib.load(path).affine)
    (tmp_path / "planes").mkdir()
    planes = [
        save(tmp_path / "planes" / f"{k}.nii.gz", values[..., k : k + 1], affine)
        for k in range(values.shape[2])
    ]
    alone = pw.predict(model, planes, tmp_path / "alone", **EXACT)
    expected = np.concatenate([np.asarray(nib.load(one).dataobj) for one in alone], axis=2)
    assert 0.01 < expected.mean() < 0.99
    np.testing.assert_array_equal(np.asarray(found.dataobj), expected)


@pytest.mark.parametrize("kind", ["pages", "imagej"])
def test_a_stack_of_tiff_gives_a_stack(kind, model, tmp_path):
    options = {"imagej": True, "resolution": (4, 2), "metadata": {
        "axes": "ZYX", "unit": "um", "spacing": 1.5}} if kind == "imagej" else {}  # fmt: skip
    tifffile.imwrite(tmp_path / "stack.tif", STACK, **options)
    result = predict_images(model, tmp_path / "stack.tif", tmp_path / "out", **EXACT)
    (mask,) = result.written
    assert (mask.name, result.num_pixels) == ("stack.tif", STACK.size)
    np.testing.assert_array_equal(read_mask_values(mask), segment_planes(model, STACK))
    with tifffile.TiffFile(mask) as tiff:
        assert tiff.series[0].axes == "ZYX"


def test_a_nifti_volume_can_be_a_tiff_of_planes(model, tmp_path):
    path = save(tmp_path / "scan.nii", np.moveaxis(STACK, 0, -1), np.diag([1.0, 1.0, 2.0, 1.0]))
    nii, tif = (
        pw.predict(model, path, tmp_path / name, format=name, **EXACT)[0]
        for name in ("auto", "tif")
    )
    np.testing.assert_array_equal(read_mask_values(tif), read_mask_values(nii))


def test_classes_that_overlap_give_planes_of_planes(tmp_path):
    model = make_grey_model(tmp_path, Task.MULTILABEL)
    tifffile.imwrite(tmp_path / "stack.tif", STACK)
    (mask,) = pw.predict(model, tmp_path / "stack.tif", tmp_path / "out", **EXACT)
    values = read_mask_values(mask)
    expected = np.stack([pw.load(model).segment(plane) for plane in STACK])  # (D, H, W, K)
    np.testing.assert_array_equal(values[..., :2], expected)


@pytest.mark.parametrize(
    ("options", "named"), [({"save": ("mask", "overlay", "table")}, "--save overlay,table"),
                           ({"format": "png"}, "--format png")],
)  # fmt: skip
def test_what_no_stack_holds_is_refused_and_stops_nothing_else(options, named, model, tmp_path):
    Image.fromarray(STACK[0]).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "stack.tif", STACK)
    files = [tmp_path / "a.png", tmp_path / "stack.tif"]
    with pytest.raises(pw.DataError, match=rf"stack\.tif is a stack of 9 planes.*out {named},"):
        pw.predict(model, files, tmp_path / "out", **options, **EXACT)
    made = {path.name for path in (tmp_path / "out").glob("[!.]*")}
    others = {"a_overlay.png", "a_objects.csv"} if "save" in options else set()
    assert made == {"a.png", "errors.csv", *others}


def test_a_volume_of_another_format_is_refused(model, tmp_path):
    np.save(tmp_path / "a.npy", STACK[..., np.newaxis])
    with pytest.raises(pw.DataError, match=r"9x40x50.*Save it as TIFF or NIfTI"):
        pw.predict(model, tmp_path / "a.npy", tmp_path / "out", **EXACT)


def test_one_bad_plane_is_one_failed_image(model, tmp_path):
    values = STACK.astype(np.float32)
    values[7, 3, 4] = np.nan
    tifffile.imwrite(tmp_path / "bad.tif", values)
    tifffile.imwrite(tmp_path / "good.tif", STACK)
    files = [tmp_path / "bad.tif", tmp_path / "good.tif"]
    result = predict_images(model, files, tmp_path / "out", **EXACT)
    assert "NaN" in result.failed[files[0]]
    assert [path.name for path in result.written] == ["good.tif"]
    assert not (tmp_path / "out" / "bad.tif").exists()


def test_masks_of_an_earlier_run_are_no_images(model, tmp_path):
    save(tmp_path / "scan.nii.gz", STACK[0], OBLIQUE)
    pw.predict(model, tmp_path / "scan.nii.gz", tmp_path / "earlier", **EXACT)
    with pytest.warns(pw.PixelwiseWarning, match="pixelwise wrote it"):
        result = predict_images(model, tmp_path, tmp_path / "out", **EXACT)
    assert [path.parent.name for path in result.left_out] == ["earlier"]
    assert result.num_images == 1
