"""Masks that `predict --min-area` cleans: in the rows of one image, and in all files made of it."""

import csv
import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.objects.test_objects import MASKS, PLANES
from tests.workflows.test_predict_parts import EXACT, RGB, make_model

import pixelwise as pw
from pixelwise.data import overlay
from pixelwise.io import read_image, read_mask_values, windows
from pixelwise.network import load_model, save_model
from pixelwise.objects import clean_mask, find_regions
from pixelwise.workflows.prediction.clean_rows import clean_rows
from pixelwise.workflows.prediction.rows import Rows


def as_rows(mask, heights, *, with_probabilities):
    """Rows whose image and probabilities tell every pixel."""
    height, width = mask.shape[-2:]
    image = np.arange(height * width * 2).reshape(height, width, 2)
    probabilities = np.moveaxis(image, -1, 0).astype(np.float32) if with_probabilities else None
    cuts = np.cumsum(heights)
    parts = zip(np.split(image, cuts), np.split(mask, cuts, -2), strict=True)
    for number, (one, part) in enumerate(parts):
        piece = None if probabilities is None else np.split(probabilities, cuts, -2)[number]
        yield Rows(one, part, piece)


@settings(deadline=None, max_examples=60)
@given(st.one_of(MASKS, PLANES), st.integers(1, 9), st.booleans(), st.data())
def test_image_and_probabilities_keep_their_rows(mask, min_area, with_probabilities, data):
    height = mask.shape[-2]
    cuts = sorted(data.draw(st.lists(st.integers(0, height), max_size=height)))
    rows = as_rows(mask, np.diff(cuts, prepend=0), with_probabilities=with_probabilities)
    found = list(clean_rows(rows, min_area))
    (whole,) = as_rows(mask, [], with_probabilities=with_probabilities)
    np.testing.assert_array_equal(np.concatenate([r.image for r in found]), whole.image)
    cleaned = np.concatenate([r.mask for r in found], -2)
    np.testing.assert_array_equal(cleaned, clean_mask(mask, min_area))
    for one in found:
        assert len(one.image) == one.mask.shape[-2]
        assert (one.probabilities is None) == (not with_probabilities)
        if one.probabilities is not None:
            np.testing.assert_array_equal(one.probabilities, np.moveaxis(one.image, -1, 0))


def test_without_an_area_rows_are_as_they_were():
    (rows,) = as_rows(np.zeros((2, 3), np.uint8), [], with_probabilities=False)
    assert list(clean_rows(iter([rows]), 1)) == [rows]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A model, an image, and the mask of the image as it is without cleaning."""
    folder = tmp_path_factory.mktemp("clean")
    model, path = make_model(folder), folder / "x.tif"
    tifffile.imwrite(path, RGB[:200, :150], photometric="rgb")
    (mask,) = pw.predict(model, path, folder / "plain", **EXACT)
    return model, path, read_mask_values(mask)


def test_all_files_are_made_of_the_cleaned_mask(case, tmp_path):
    model, path, plain = case
    save = ("mask", "probability", "overlay", "table", "polygons")
    files = pw.predict(model, path, tmp_path, **EXACT, save=save, min_area=30)
    mask, probability, picture, table, polygons = files
    cleaned, colors = read_mask_values(mask), load_model(model).config.class_colors
    np.testing.assert_array_equal(cleaned, clean_mask(plain, 30))
    assert (cleaned != plain).any()
    np.testing.assert_array_equal(read_image(picture), overlay(RGB[:200, :150], cleaned, colors))
    number = len(find_regions(cleaned, has_background=True))
    assert len(list(csv.DictReader(table.read_text().splitlines()))) == number
    assert len(json.loads(polygons.read_text())["features"]) == number
    probabilities = np.moveaxis(read_image(probability), -1, 0)
    np.testing.assert_array_equal(probabilities.argmax(0), plain)  # as they were computed


def test_in_parts_the_mask_is_cleaned_alike(case, tmp_path, monkeypatch):
    model, path, plain = case
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    (mask,) = pw.predict(model, path, tmp_path, **EXACT, min_area=30)
    assert mask.suffix == ".tif"
    np.testing.assert_array_equal(read_mask_values(mask), clean_mask(plain, 30))


def test_the_area_of_the_model_is_taken_unless_another_is_asked_for(case, tmp_path, monkeypatch):
    model, path, plain = case
    loaded, image = load_model(model).with_config(min_area=30), read_image(path)
    own = tmp_path / "own.safetensors"
    save_model(own, loaded)
    (mask,) = pw.predict(own, path, tmp_path / "a", **EXACT)
    np.testing.assert_array_equal(read_mask_values(mask), clean_mask(plain, 30))
    (mask, _) = pw.predict(own, path, tmp_path / "b", **EXACT, save=("mask", "probability"))
    np.testing.assert_array_equal(read_mask_values(mask), clean_mask(plain, 30))
    (mask,) = pw.predict(own, path, tmp_path / "c", **EXACT, min_area=1)
    np.testing.assert_array_equal(read_mask_values(mask), plain)
    monkeypatch.setattr(windows, "LARGE_BYTES", 0)
    (mask,) = pw.predict(own, path, tmp_path / "d", **EXACT)
    np.testing.assert_array_equal(read_mask_values(mask), clean_mask(plain, 30))
    segmenter = pw.load(own, device="cpu")
    np.testing.assert_array_equal(segmenter.segment(image), clean_mask(plain, 30))


def test_masks_of_another_area_are_made_again(case, tmp_path):
    model, path, plain = case
    pw.predict(model, path, tmp_path, **EXACT, min_area=30)
    again = pw.workflows.predict_images(model, path, tmp_path, **EXACT, min_area=30)
    other = pw.workflows.predict_images(model, path, tmp_path, **EXACT)
    assert (again.num_kept, other.num_kept) == (1, 0)
    np.testing.assert_array_equal(read_mask_values(other.written[0]), plain)


def test_an_area_of_no_pixels_is_refused(case, tmp_path):
    model, path, _ = case
    with pytest.raises(pw.PlanError, match=r"of 0 pixels is none\. Give 1, "):
        pw.predict(model, path, tmp_path / "out", min_area=0)
    assert not (tmp_path / "out").exists()
