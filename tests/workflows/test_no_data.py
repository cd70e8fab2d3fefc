"""What is no picture: pixels that a GeoTIFF declares as no data, and glass on whole slides."""

import numpy as np
import pytest
import tifffile
from tests.io.test_places import GEO
from tests.workflows.test_predict_parts import EXACT, in_parts, make_model  # noqa: F401

import pixelwise as pw
from pixelwise.data import fill_no_data, is_no_data, mark_no_data
from pixelwise.inference.glass import Glass
from pixelwise.task import Task
from pixelwise.workflows import predict_images

NO_DATA = 42113
random = np.random.default_rng(0)


def write_tiff(path, image, no_data):
    """A GeoTIFF in tiles that declares a value for no data."""
    tags = [*GEO, (NO_DATA, 2, len(no_data) + 1, no_data, True)]
    tifffile.imwrite(path, image, photometric="rgb", tile=(64, 64), extratags=tags)


def picture(dtype=np.uint8):
    """200 x 240, of which the left 130 columns and a single pixel have no data."""
    image = random.integers(1, 256, (200, 240, 3)).astype(dtype)
    image[:, :130] = 0
    image[7, 200] = 0
    image[8, 200, 0] = 0  # one channel: a dark pixel
    return image


@pytest.mark.parametrize("is_large", [False, True])
def test_masks_say_255_where_there_are_no_data(tmp_path, monkeypatch, is_large):
    from pixelwise.io import windows

    monkeypatch.setattr(windows, "LARGE_BYTES", 0 if is_large else 2**24)
    image = picture()
    write_tiff(tmp_path / "a.tif", image, "0")
    save = ("mask", "table", "overlay")
    pw.predict(make_model(tmp_path), tmp_path / "a.tif", tmp_path / "out", save=save, **EXACT)
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as mask:
        values = mask.series[0].asarray()
        assert mask.pages[0].tags[NO_DATA].value == "255"
    expected = (image == 0).all(-1)
    np.testing.assert_array_equal(values == 255, expected)
    assert expected.sum() == 200 * 130 + 1
    rows = (tmp_path / "out" / "a_objects.csv").read_text().splitlines()
    assert all(row.split(",")[1] in ("a", "b") for row in rows[1:])


def test_nothing_is_marked_where_nothing_is_declared(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb", extratags=GEO)
    pw.predict(make_model(tmp_path), tmp_path / "a.tif", tmp_path / "out", **EXACT)
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as mask:
        assert NO_DATA not in mask.pages[0].tags
        assert mask.series[0].asarray().max() < 255


@pytest.mark.parametrize("is_large", [False, True])
def test_nan_that_is_declared_is_no_data_and_no_error(tmp_path, monkeypatch, is_large):
    from pixelwise.io import windows

    monkeypatch.setattr(windows, "LARGE_BYTES", 0 if is_large else 2**24)
    image = picture(np.float32)
    image[(image == 0).all(-1)] = np.nan
    write_tiff(tmp_path / "a.tif", image, "nan")
    pw.predict(make_model(tmp_path), tmp_path / "a.tif", tmp_path / "out", **EXACT)
    values = tifffile.imread(tmp_path / "out" / "a.tif")
    np.testing.assert_array_equal(values == 255, np.isnan(image).all(-1))
    write_tiff(tmp_path / "b.tif", image, "0")
    with pytest.raises(pw.DataError, match="NaN"):
        pw.predict(make_model(tmp_path), tmp_path / "b.tif", tmp_path / "out", **EXACT)


def test_tiles_without_data_are_not_computed(tmp_path, in_parts):  # noqa: F811
    image = np.zeros((1100, 1100, 3), np.uint8)
    image[:, 900:] = random.integers(1, 256, (1100, 200, 3))
    write_tiff(tmp_path / "a.tif", image, "0")
    result = predict_images(make_model(tmp_path), tmp_path / "a.tif", tmp_path / "out", **EXACT)
    assert "were left out as no-data or background" in result.describe(verbose=True)


def test_by_hand():
    image = np.array([[[0, 0], [0, 7]], [[5, 0], [0, 0]]])
    np.testing.assert_array_equal(is_no_data(image, 0), [[True, False], [False, True]])
    mask = np.array([[1, 1], [2, 0]], np.uint8)
    np.testing.assert_array_equal(mark_no_data(mask, image, 0), [[255, 1], [2, 255]])
    assert mark_no_data(mask, image, None) is mask
    several = np.ones((3, 2, 2), bool)
    assert mark_no_data(several, image, 0) is several
    values = np.array([[1.5, np.nan]], np.float32)
    np.testing.assert_array_equal(fill_no_data(values, float("nan")), [[1.5, 0]])
    assert fill_no_data(values, 0.0) is values


def test_a_value_that_float32_rounds_is_found():
    lowest = -3.4028234663852886e38
    image = np.full((1, 2, 1), lowest, np.float32)
    image[0, 0] = 4
    np.testing.assert_array_equal(is_no_data(image, -3.4028235e38), [[False, True]])


def slide(height=1100, width=1100):
    """Bright glass with noise, and pink tissue in its lower right quarter."""
    image = random.normal(235, 3, (height, width, 3))
    image[height // 2 :, width // 2 :] = random.normal(
        (190, 90, 150), 12, (height - height // 2, width - width // 2, 3)
    )
    return image.clip(0, 255).astype(np.uint8)


def test_glass_is_bright_and_without_colour():
    image = slide()
    glass = Glass.of(image[::8, ::8].reshape(-1, 1, 3))
    assert glass.fills(image[:512, :512])
    assert not glass.fills(image[600:, 600:])
    assert not glass.fills(image[300:800, 300:800])  # some tissue
    assert not glass.fills(np.full((64, 64, 3), 20, np.uint8))  # dark, without colour
    assert Glass.of(np.full((100, 1, 3), 240, np.uint8)).fills(np.full((64, 64, 3), 240, np.uint8))
    tissue = image[600:, 600:]
    assert not Glass.of(tissue.reshape(-1, 1, 3)).fills(tissue[:100, :100])


def test_glass_is_background_without_being_computed(tmp_path, in_parts):  # noqa: F811
    image = slide()
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", tile=(128, 128))
    model, options = make_model(tmp_path), {**EXACT, "overwrite": True}
    plain = predict_images(model, tmp_path / "a.tif", tmp_path / "out", **options)
    expected = tifffile.imread(tmp_path / "out" / "a.tif")
    skipped = predict_images(
        model, tmp_path / "a.tif", tmp_path / "out", skip_background=True, **options
    )
    found = tifffile.imread(tmp_path / "out" / "a.tif")
    assert "left out" not in plain.describe(verbose=True)
    assert "left out as no-data or background" in skipped.describe(verbose=True)
    assert (found[:400, :400] == 0).all()
    np.testing.assert_array_equal(found[650:, 650:], expected[650:, 650:])


def test_models_without_background_cannot_skip_it(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", picture(), photometric="rgb")
    model = make_model(tmp_path, Task.MULTILABEL)
    with pytest.raises(pw.PlanError, match="whose class 0 is background"):
        pw.predict(model, tmp_path / "a.tif", tmp_path / "out", skip_background=True, **EXACT)
