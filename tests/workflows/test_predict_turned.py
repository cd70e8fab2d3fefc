"""Photos that a camera turned by EXIF: their masks store pixels as they do, and carry the turn."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from tests.reading import read_dataset
from tests.workflows.test_predict_parts import EXACT, make_model

import pixelwise as pw
from pixelwise.data import FolderSamples
from pixelwise.io import exif_orientation, read_image, read_mask_values
from pixelwise.io.turns import turn_back
from pixelwise.objects import find_regions, table_format

UPRIGHT = np.random.default_rng(5).integers(0, 256, (24, 40, 3), np.uint8)
ORIENTATIONS = range(1, 9)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def upright_mask(model):
    mask = pw.load(model).segment(UPRIGHT)
    assert len(np.unique(mask)) > 1
    return mask


def write_turned(path, orientation):
    """A picture that people see as `UPRIGHT`."""
    stored = np.ascontiguousarray(turn_back(UPRIGHT, orientation))
    if path.suffix == ".tif":
        tags = [(274, 3, 1, orientation, True)]
        tifffile.imwrite(path, stored, photometric="rgb", extratags=tags)
    else:
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(stored).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), UPRIGHT)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("format", ["png", "tif"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_mask_is_stored_and_turned_as_its_image(
    orientation, format, suffix, model, upright_mask, tmp_path
):
    path = write_turned(tmp_path / f"photo{suffix}", orientation)
    (mask,) = pw.predict(model, path, tmp_path / "out", format=format, **EXACT)
    assert exif_orientation(mask) == orientation
    stored = tifffile.imread(mask) if format == "tif" else np.asarray(Image.open(mask))
    np.testing.assert_array_equal(stored, turn_back(upright_mask, orientation))
    np.testing.assert_array_equal(read_mask_values(mask), upright_mask)
    if format == "png":  # as Pillow sees it
        seen = np.asarray(ImageOps.exif_transpose(Image.open(mask)))
        np.testing.assert_array_equal(seen, upright_mask)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_all_that_is_saved_lies_on_the_stored_picture(orientation, model, upright_mask, tmp_path):
    path = write_turned(tmp_path / "photo.png", orientation)
    save = ("mask", "probability", "overlay", "table")
    _, probability, overlay, table = pw.predict(model, path, tmp_path / "o", save=save, **EXACT)
    stored = np.asarray(Image.open(path))
    assert np.asarray(Image.open(overlay)).shape == stored.shape
    assert exif_orientation(overlay) == orientation
    drawn = read_image(overlay)
    np.testing.assert_array_equal(drawn[upright_mask == 0], UPRIGHT[upright_mask == 0])
    values = tifffile.imread(probability)
    np.testing.assert_array_equal(values.argmax(0), turn_back(upright_mask, orientation))
    assert read_image(probability).shape == (*UPRIGHT.shape[:2], 3)
    regions = find_regions(turn_back(upright_mask, orientation), stored, has_background=True)
    form = table_format(("background", "a", "b"), 3)
    assert table.read_text() == form.start + form.write(regions) + form.end


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_large_photo_is_turned_back_too(orientation, model, upright_mask, tmp_path, monkeypatch):
    monkeypatch.setattr("pixelwise.workflows.prediction.files.LARGE", 0)
    path = write_turned(tmp_path / "photo.png", orientation)
    (mask,) = pw.predict(model, path, tmp_path / "out", **EXACT)
    assert exif_orientation(mask) == orientation
    stored = np.asarray(Image.open(mask))
    np.testing.assert_array_equal(stored, turn_back(upright_mask, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_masks_that_were_predicted_pair_as_masks_for_training(
    orientation, model, upright_mask, tmp_path
):
    (tmp_path / "data" / "images").mkdir(parents=True)
    path = write_turned(tmp_path / "data" / "images" / "photo.png", orientation)
    pw.predict(model, path, tmp_path / "data" / "masks", **EXACT)
    dataset = read_dataset(tmp_path / "data")
    (sample,) = FolderSamples(dataset.files, dataset.in_channels, dataset.encoding)
    np.testing.assert_array_equal(np.moveaxis(sample.image, 0, -1), UPRIGHT)
    np.testing.assert_array_equal(sample.mask > 0, upright_mask > 0)  # of two classes used


@pytest.mark.parametrize("orientation", [2, 6])
def test_masks_that_were_predicted_score_right(orientation, model, upright_mask, tmp_path):
    """Beside masks that a person drew on the photo as it is seen."""
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    path = write_turned(tmp_path / "data" / "images" / "photo.png", orientation)
    Image.fromarray(upright_mask).save(tmp_path / "data" / "masks" / "photo.png")
    pw.predict(model, path, tmp_path / "predicted", **EXACT)
    scores = pw.evaluate(
        data=tmp_path / "data", predictions=tmp_path / "predicted", split="all", progress=False
    )
    assert scores.pooled["dice"] == 1
