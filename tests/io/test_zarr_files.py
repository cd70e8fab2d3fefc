"""Zarr: OME-Zarr of both versions, the finest level, axes and spacing; nothing that runs code."""

import json

import numpy as np
import pytest
import zarr
from tests.reading import read_dataset

from pixelwise.data import find_images
from pixelwise.errors import FileError
from pixelwise.io import read_image, read_mask_values
from pixelwise.io.image_files import is_image_file, read_pixels

VOLUME = np.arange(2 * 6 * 20 * 30, dtype=np.uint16).reshape(2, 6, 20, 30)  # C, Z, Y, X
TYPES = {"t": "time", "c": "channel"}


def write_image(path, values, axes, version, scale=None, unit="micrometer", **options):
    """An OME-Zarr image of two levels."""
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("s0", data=values, **options)
    half = values[..., ::2, ::2]
    group.create_array("s1", data=half)
    entries = [
        {"name": axis, "type": TYPES.get(axis, "space")}
        | ({} if axis in TYPES or unit is None else {"unit": unit})
        for axis in axes
    ]
    steps = [{"type": "scale", "scale": scale or [1.0] * len(axes)}]
    datasets = [{"path": p, "coordinateTransformations": steps} for p in ("s0", "s1")]
    image = {"version": "0.4", "axes": entries, "datasets": datasets}
    group.attrs.update(
        {"multiscales": [image]}
        if version == 2
        else {"ome": {"version": "0.5", "multiscales": [image]}}
    )
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_volume_with_channels_and_spacing(tmp_path, version):
    path = write_image(tmp_path / "a.ome.zarr", VOLUME, "czyx", version, [1, 2.0, 0.5, 0.25])
    pixels = read_pixels(path)
    assert (pixels.spatial_dims, pixels.note) == (3, "")
    np.testing.assert_array_equal(pixels.values, VOLUME.transpose(1, 2, 3, 0))
    assert pixels.spacing_um == (2.0, 0.5, 0.25)
    assert pixels.num_bytes > 100


@pytest.mark.parametrize("version", [2, 3])
def test_picture_of_five_axes_and_mask(tmp_path, version):
    """As most programs write it: TCZYX, with one moment, channel and slice."""
    values = VOLUME[:1, :1, np.newaxis]
    path = write_image(
        tmp_path / "a.zarr", values, "tczyx", version, [1, 1, 1, 0.5, 0.5], "nanometer"
    )
    pixels = read_pixels(path, as_mask=True)
    np.testing.assert_array_equal(pixels.values, VOLUME[0, 0])
    assert pixels.spacing_um == (0.0005, 0.0005)
    assert read_image(path).shape == (20, 30, 1)


def test_without_units_no_spacing_is_known(tmp_path):
    path = write_image(tmp_path / "a.zarr", VOLUME[0], "zyx", 3, [2, 1, 1], unit=None)
    assert read_pixels(path).spacing_um is None


def test_scales_of_image_and_level_multiply(tmp_path):
    path = write_image(tmp_path / "a.zarr", VOLUME[0], "zyx", 2, [2.0, 1.0, 1.0])
    content = json.loads((path / ".zattrs").read_text())
    content["multiscales"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1, 0.5, 0.5]}
    ]
    (path / ".zattrs").write_text(json.dumps(content))
    assert read_pixels(path).spacing_um == (2.0, 0.5, 0.5)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", "bool", ">u2"])
def test_types_and_chunks(tmp_path, version, dtype):
    values = (VOLUME[0] % 2).astype(dtype)
    path = write_image(tmp_path / "a.zarr", values, "zyx", version, chunks=(4, 7, 30))
    np.testing.assert_array_equal(read_mask_values(path), VOLUME[0] % 2)


def test_shards(tmp_path):
    path = write_image(
        tmp_path / "a.zarr", VOLUME[0], "zyx", 3, chunks=(2, 10, 10), shards=(6, 20, 30)
    )
    np.testing.assert_array_equal(read_mask_values(path), VOLUME[0])


@pytest.mark.parametrize("version", [2, 3])
def test_plain_arrays(tmp_path, version):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=VOLUME[0, 0], zarr_format=version)
    np.testing.assert_array_equal(read_mask_values(path), VOLUME[0, 0])
    zarr.create_array(tmp_path / "b.zarr", data=VOLUME.swapaxes(0, 1)[0], zarr_format=version)
    assert "first was taken for channels" in read_pixels(tmp_path / "b.zarr").note


def test_names_of_the_axes_of_a_plain_array(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=VOLUME[0], dimension_names=["z", "y", "x"])
    assert (read_pixels(path).spatial_dims, read_pixels(path).note) == (3, "")


def test_layout_of_bioformats2raw(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    write_image(tmp_path / "a.zarr" / "0", VOLUME[0], "zyx", 2)
    np.testing.assert_array_equal(read_mask_values(tmp_path / "a.zarr"), VOLUME[0])


def test_films_plates_and_groups_are_refused(tmp_path):
    path = write_image(tmp_path / "a.zarr", VOLUME[0], "tyx", 3)
    with pytest.raises(FileError, match=r"a\.zarr: it holds 6 moments"):
        read_image(path)
    group = zarr.open_group(tmp_path / "b.zarr", mode="w")
    with pytest.raises(FileError, match="holds no image"):
        read_image(tmp_path / "b.zarr")
    group.attrs["ome"] = {"plate": {}}
    with pytest.raises(FileError, match="is a plate of many images"):
        read_image(tmp_path / "b.zarr")


def test_pickle_is_never_opened(tmp_path):
    """The numcodecs of version 2 hold a codec that runs code."""
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=VOLUME[0, 0], zarr_format=2)
    content = json.loads((path / ".zarray").read_text())
    for change, message in (
        ({"filters": [{"id": "pickle"}]}, "packed with pickle"),
        ({"compressor": {"id": "pickle"}}, "packed with pickle"),
        ({"dtype": "|O"}, r"values of type \|O"),
        ({"dtype": [["a", "<u2"]]}, "values of type"),
    ):
        (path / ".zarray").write_text(json.dumps(content | change))
        with pytest.raises(FileError, match=message):
            read_image(path)


def test_levels_outside_of_the_folder_are_refused(tmp_path):
    for place in ("../s0", "/s0"):
        path = write_image(tmp_path / "a.zarr", VOLUME[0], "zyx", 2)
        text = (path / ".zattrs").read_text().replace('"s0"', f'"{place}"')
        (path / ".zattrs").write_text(text)
        with pytest.raises(FileError, match="a level outside of it"):
            read_image(path)


@pytest.mark.parametrize("version", [2, 3])
def test_absurd_sizes_and_missing_levels(tmp_path, version):
    path = write_image(tmp_path / "a.zarr", VOLUME[0, 0], "yx", version)
    name = ".zarray" if version == 2 else "zarr.json"
    content = json.loads((path / "s0" / name).read_text())
    (path / "s0" / name).write_text(json.dumps(content | {"shape": [10**6, 10**6]}))
    with pytest.raises(FileError, match="claims 1000000x1000000 pixels"):
        read_image(path)
    (path / "s0" / name).unlink()
    with pytest.raises(FileError, match="level s0 is missing"):
        read_image(path)


def test_a_damaged_chunk_is_a_file_error(tmp_path):
    path = write_image(tmp_path / "a.zarr", VOLUME[0], "zyx", 2)
    chunk = next(p for p in sorted((path / "s0").rglob("*")) if p.is_file() and p.name[0] != ".")
    chunk.write_bytes(chunk.read_bytes()[:-20])
    with pytest.raises(FileError, match=r"a\.zarr is damaged"):
        read_image(path)


def test_a_folder_of_zarr_images_is_a_data_set(tmp_path):
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 255, (20, 30), dtype=np.uint8)
        write_image(tmp_path / "images" / f"{number}.ome.zarr", values, "yx", 3, [0.65, 0.65])
        write_image(tmp_path / "masks" / f"{number}.ome.zarr", (values > 99) * np.uint8(1), "yx", 3)
    dataset = read_dataset(tmp_path)
    assert dataset.describe().endswith("grey; spacing 0.65 x 0.65 um")
    assert len(dataset.files) == 3
    found = list(find_images([tmp_path / "images" / "1.ome.zarr"]).places)
    assert found == [tmp_path / "images" / "1.ome.zarr"]
    assert is_image_file(found[0])
