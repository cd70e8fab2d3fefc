"""OME-Zarr masks that are written band by band, read back by zarr and by ourselves."""

import json

import numpy as np
import pytest

from pixelwise.errors import OutputError
from pixelwise.io import (
    NOWHERE,
    Place,
    ZarrBands,
    is_result,
    levels,
    open_windows,
    read_mask_values,
    read_pixels,
    read_place,
    remove_result,
)  # fmt: skip

zarr = pytest.importorskip("zarr")
CLASSES = [("background", "#000000"), ("cell", "#ff0000"), ("dust", "#00ff80")]
MASK = np.random.default_rng(0).integers(0, 3, (1100, 700), np.uint8)


def write(path, mask=MASK, num_planes=None, place=NOWHERE):
    with ZarrBands(path, mask.shape[-2:], CLASSES, num_planes, place) as file:
        for top in range(0, mask.shape[-2], 170):
            file.write(mask[..., top : top + 170, :])
    return path


def attributes_of(path):
    return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]


def test_the_mask_comes_back_with_its_place(tmp_path):
    path = write(tmp_path / "a.ome.zarr", place=Place(spacing_um=(0.5, 0.25)))
    np.testing.assert_array_equal(zarr.open_group(path, mode="r")["0"][...], MASK)
    pixels = read_pixels(path, as_mask=True)
    np.testing.assert_array_equal(pixels.values, MASK)
    assert pixels.spacing_um == (0.5, 0.25)
    assert read_place(path) == Place(spacing_um=(0.5, 0.25))
    assert open_windows(path, least_bytes=0).part == (512, 512)
    assert is_result(path)
    assert list(tmp_path.iterdir()) == [path]
    assert read_place(write(tmp_path / "b.ome.zarr")) == NOWHERE


def test_classes_have_names_and_colours(tmp_path):
    label = attributes_of(write(tmp_path / "a.ome.zarr"))["image-label"]
    assert label["colors"] == [
        {"label-value": 0, "rgba": [0, 0, 0, 0]},
        {"label-value": 1, "rgba": [255, 0, 0, 255]},
        {"label-value": 2, "rgba": [0, 255, 128, 255]},
    ]
    assert [entry["class"] for entry in label["properties"]] == ["background", "cell", "dust"]


def test_levels_are_every_second_pixel(tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "LARGE_BYTES", 0)
    path = write(tmp_path / "a.ome.zarr", place=Place(spacing_um=(0.5, 0.25)))
    (image,) = attributes_of(path)["multiscales"]
    steps = [entry["coordinateTransformations"] for entry in image["datasets"]]
    assert steps == [
        [{"type": "scale", "scale": [0.5, 0.25]}], [{"type": "scale", "scale": [1.0, 0.5]}]
    ]  # fmt: skip
    group = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(group["1"][...], MASK[::2, ::2])
    assert sorted(group.array_keys()) == ["0", "1"]
    np.testing.assert_array_equal(read_mask_values(path), MASK)


def test_planes_of_classes_that_overlap(tmp_path):
    planes = np.stack([k == MASK for k in range(5)]).astype(np.uint8)
    path = write(tmp_path / "a.ome.zarr", planes, num_planes=5)
    np.testing.assert_array_equal(read_mask_values(path), np.moveaxis(planes, 0, -1))
    assert "image-label" not in attributes_of(path)


def test_an_earlier_one_is_replaced_and_removed(tmp_path):
    path = write(tmp_path / "a.ome.zarr")
    (path / "left over").touch()
    write(path, 2 - MASK[:600])
    np.testing.assert_array_equal(read_mask_values(path), 2 - MASK[:600])
    assert not (path / "left over").exists()
    assert list(tmp_path.iterdir()) == [path]
    remove_result(path)
    assert list(tmp_path.iterdir()) == []
    remove_result(path)


def test_nothing_is_left_where_it_breaks_off_and_the_earlier_one_stays(tmp_path):
    path = write(tmp_path / "a.ome.zarr")
    with pytest.raises(ZeroDivisionError), ZarrBands(path, MASK.shape, CLASSES) as file:
        file.write(MASK[:600])
        _ = 1 / 0
    np.testing.assert_array_equal(read_mask_values(path), MASK)
    with pytest.raises(AssertionError), ZarrBands(path, MASK.shape, CLASSES) as file:
        file.write(MASK[:600])
    np.testing.assert_array_equal(read_mask_values(path), MASK)
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.ome\.zarr cannot be written"):
        write(tmp_path / "file" / "a.ome.zarr")

    def fail(self, level, top, block):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ZarrBands, "_store", fail)
    with pytest.raises(OutputError, match=r"a\.ome\.zarr cannot be written.*Free some space"):
        write(tmp_path / "a.ome.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
