"""Predict files and folders: a mask for every image, and no file of anybody lost."""

import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

import pixelwise as pw
from pixelwise.data import read_image, read_mask_values
from pixelwise.folders.predict import unique_names


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of grey images from files, saved by a Segmenter."""
    segmenter = pw.unet((8, 8, 1), widths=(4, 8), seed=0)
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 1), dtype=np.uint8)
    segmenter.fit(images, images > 120, epochs=3, verbose=0)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    segmenter.save(path)
    return path


@pytest.fixture
def images(data):
    return data / "test" / "images"


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_masks_are_those_of_segment_in_the_size_of_each_image(model, tmp_path):
    (tmp_path / "images").mkdir()
    random = np.random.default_rng(1)
    for index, size in enumerate([(1, 1), (7, 30), (40, 9)]):
        pixels = random.integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
    written = pw.predict(model, tmp_path / "images", tmp_path / "masks")
    assert [path.name for path in written] == ["0.png", "1.png", "2.png"]
    segmenter = pw.load(model)
    for path in written:
        expected = segmenter.segment(read_image(tmp_path / "images" / path.name))
        np.testing.assert_array_equal(read_mask_values(path), expected)


def test_everything_that_can_be_saved(model, images, tmp_path):
    steps = []
    written = pw.predict(
        model,
        [images / "test0.png"],
        tmp_path,
        save=("mask", "probability", "overlay"),
        progress=lambda *step: steps.append(step),
    )
    names = ["test0.png", "test0_probability.tif", "test0_overlay.png"]
    assert [path.name for path in written] == names
    image = read_image(images / "test0.png")
    probabilities = tifffile.imread(written[1])
    expected = pw.load(model).predict(image[np.newaxis])[0]
    np.testing.assert_allclose(probabilities, np.moveaxis(expected, -1, 0), atol=1e-6)
    np.testing.assert_array_equal(read_mask_values(written[0]), probabilities[0] >= 0.5)
    assert read_image(written[2]).shape == (*image.shape[:2], 3)
    assert steps == [(1, 1)]


def test_mirrored_copies_change_little_and_are_symmetric(model, tmp_path):
    """Averaged over flips, a mirrored image has the mirrored probabilities."""
    pixels = np.random.default_rng(2).integers(0, 255, (8, 16), dtype=np.uint8)
    for name, content in (("a", pixels), ("b", pixels[:, ::-1])):
        Image.fromarray(np.ascontiguousarray(content)).save(tmp_path / f"{name}.png")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    one, other = pw.predict(model, files, tmp_path / "out", save=("probability",), tta=True)
    np.testing.assert_allclose(
        tifffile.imread(one), tifffile.imread(other)[..., ::-1], atol=1e-6
    )  # fmt: skip


def test_one_broken_image_does_not_lose_the_others(model, images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    (tmp_path / "images" / "a_broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(pw.DataError) as info:
        pw.predict(model, tmp_path / "images", tmp_path / "masks")
    for word in ("1 of 3 images", "a_broken.png", str(tmp_path / "masks")):
        assert word in str(info.value)
    names = {path.name for path in (tmp_path / "masks").iterdir()}
    assert names == {"test0.png", "test1.png"}


def test_an_image_of_other_channels_is_named_and_the_others_written(model, images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "images" / "colour.png")
    with pytest.raises(pw.DataError, match=r"colour\.png is a colour image"):
        pw.predict(model, tmp_path / "images", tmp_path / "masks")
    assert len(list((tmp_path / "masks").iterdir())) == 2


def test_predictions_are_replaced_but_nothing_that_a_person_made(model, data, images, tmp_path):
    pw.predict(model, images, tmp_path / "masks")
    before = contents(tmp_path)
    pw.predict(model, images, tmp_path / "masks")
    assert contents(tmp_path) == before
    drawn = contents(data)
    with pytest.raises(pw.OutputError, match="no mask that this model wrote"):
        pw.predict(model, images, data / "test" / "masks")  # the masks that the scores rest on
    with pytest.raises(pw.OutputError, match="holds the image test0"):
        pw.predict(model, images, images)
    assert contents(data) == drawn


def test_nothing_to_save_and_unknown_things_are_refused(model, images, tmp_path):
    for save in ((), ("masks",)):
        with pytest.raises(pw.PlanError, match="mask, probability, overlay"):
            pw.predict(model, images, tmp_path / "masks", save=save)
    assert not (tmp_path / "masks").exists()


def test_models_whose_masks_no_file_can_hold_are_refused(data, images, tmp_path):
    pw.unet((8, 8, 8, 1), widths=(4, 8)).save(tmp_path / "model.safetensors")
    with pytest.raises(pw.ModelFileError, match="volumes"):
        pw.predict(tmp_path / "model.safetensors", images, tmp_path / "masks")
    with pytest.raises(pw.ModelFileError, match="volumes"):
        pw.evaluate(data, model=tmp_path / "model.safetensors")
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/1.png", "a/2.png"], ["1", "2"]),
        (["a/1.png", "a/1.tif"], ["1_png", "1_tif"]),
        (["a/1.png", "b/1.png"], ["a_1", "b_1"]),
    ],
)
def test_results_have_names_of_their_own(files, names, tmp_path):
    assert unique_names([tmp_path / file for file in files]) == names


def test_images_that_would_share_a_name_are_refused(tmp_path):
    with pytest.raises(pw.DataError, match="a_1"):
        unique_names([tmp_path / "x" / "a" / "1.png", tmp_path / "y" / "a" / "1.png"])
