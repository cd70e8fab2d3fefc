"""Large pictures in windows: what is read in parts is what is read whole."""

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwise.errors import FileError
from pixelwise.io import open_windows, read_image

random = np.random.default_rng(0)
RGB = random.integers(0, 256, (150, 210, 3), np.uint8)
GREY16 = random.integers(0, 65536, (150, 210), np.uint16)
FLOATS = random.random((150, 210), np.float32)
PLANES = np.moveaxis(RGB, -1, 0).copy()

TIFFS = {
    "tiles": (RGB, {"tile": (64, 64), "compression": "zlib", "photometric": "rgb"}),
    "wide tiles": (RGB, {"tile": (32, 128), "compression": "lzw", "photometric": "rgb"}),
    "strips": (GREY16, {"rowsperstrip": 16, "compression": "zlib", "predictor": True}),
    "one strip": (GREY16, {"rowsperstrip": 150, "compression": "zlib"}),
    "floats": (FLOATS, {"tile": (64, 64), "compression": "zstd", "predictor": 3}),
    "JPEG": (RGB, {"tile": (64, 64), "compression": "jpeg", "photometric": "rgb"}),
    "BigTIFF": (RGB, {"tile": (64, 64), "compression": "zlib", "bigtiff": True,
                      "photometric": "rgb"}),
    "big-endian": (GREY16, {"tile": (64, 64), "compression": "zlib", "byteorder": ">"}),
    "planes": (PLANES, {"rowsperstrip": 32, "compression": "zlib", "photometric": "rgb",
                        "planarconfig": "separate"}),
    "plane tiles": (PLANES, {"tile": (64, 64), "compression": "zlib", "photometric": "rgb",
                             "planarconfig": "separate"}),
    "pages of OME": (PLANES, {"tile": (64, 64), "compression": "zlib", "ome": True,
                              "photometric": "minisblack", "metadata": {"axes": "CYX"}}),
    "white is 0": (RGB[..., 0], {"tile": (64, 64), "compression": "zlib",
                                 "photometric": "miniswhite"}),
    "palette": (RGB[..., 0], {"tile": (64, 64), "compression": "zlib", "photometric": "palette",
                              "colormap": random.integers(0, 65536, (3, 256), np.uint16)}),
    "uncompressed": (RGB, {"photometric": "rgb"}),
    "uncompressed planes": (PLANES, {"photometric": "rgb", "planarconfig": "separate"}),
    "uncompressed big-endian": (GREY16, {"byteorder": ">"}),
    "bits": (RGB[..., 0] > 128, {"compression": "zlib", "rowsperstrip": 8}),
}  # fmt: skip


def open_small(path):
    return open_windows(path, least_bytes=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind, with the whole picture as `read_image` gives it."""
    folder = tmp_path_factory.mktemp("tiffs")
    found = {}
    for name, (values, options) in TIFFS.items():
        path = folder / f"{name}.tif"
        tifffile.imwrite(path, values, **options)
        found[name] = path, read_image(path)
    return found


@pytest.mark.parametrize("name", TIFFS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(*[st.integers(0, 149), st.integers(1, 150)] * 2), min_size=1, max_size=4))
def test_any_windows_are_those_of_the_whole(files, name, corners):
    path, whole = files[name]
    windows = open_small(path)
    assert windows is not None
    assert windows.shape == whole.shape
    assert windows.dtype == whole.dtype
    for top, height, left, width in sorted(corners):  # from the top to the bottom
        place = slice(top, top + height), slice(left, left + width)
        np.testing.assert_array_equal(windows[place], whole[place])


def test_windows_above_are_read_again(files):
    path, whole = files["tiles"]
    windows = open_small(path)
    for top in (100, 0, 50):
        np.testing.assert_array_equal(windows[top : top + 40, 0:210], whole[top : top + 40])


def test_what_lies_above_is_forgotten(files):
    """Memory holds the segments of the rows that are asked for."""
    windows = open_small(files["strips"][0])
    for top in range(0, 144, 16):
        windows[top : top + 16, 0:210]
        assert len(windows._stored._kept) <= 2


def test_sparse_tiles_are_zeros(tmp_path):
    path = tmp_path / "sparse.tif"

    def tiles():
        yield np.full((64, 64), 7, np.uint8)
        yield from [None] * 3

    tifffile.imwrite(
        path, tiles(), shape=(128, 128), dtype=np.uint8, tile=(64, 64), compression="zlib"
    )
    windows = open_small(path)
    assert windows[0:128, 0:128].sum() == 7 * 64 * 64
    np.testing.assert_array_equal(windows[0:128, 0:128], read_image(path))


@pytest.mark.parametrize("values", [RGB, GREY16, FLOATS.astype(np.float64)])
def test_npy_files(values, tmp_path):
    np.save(tmp_path / "a.npy", values)
    windows, whole = open_small(tmp_path / "a.npy"), read_image(tmp_path / "a.npy")
    assert windows.shape == whole.shape
    np.testing.assert_array_equal(windows[20:90, 30:210], whole[20:90, 30:210])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["yx", "cyx"])
def test_zarr_images(version, axes, tmp_path):
    zarr = pytest.importorskip("zarr")
    values = PLANES if axes == "cyx" else GREY16
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    chunks = (1, 64, 64) if axes == "cyx" else (64, 64)
    array = group.create_array("0", shape=values.shape, dtype=values.dtype, chunks=chunks)
    array[...] = values
    named = [{"name": a, "type": "channel" if a == "c" else "space"} for a in axes]
    group.attrs["multiscales"] = [{"axes": named, "datasets": [{"path": "0"}]}]
    windows, whole = open_small(tmp_path / "a.zarr"), read_image(tmp_path / "a.zarr")
    assert windows.shape == whole.shape
    np.testing.assert_array_equal(windows[20:90, 30:210], whole[20:90, 30:210])


def test_small_pictures_and_other_formats_are_read_whole(files, tmp_path, save):
    assert open_windows(files["tiles"][0]) is None
    assert open_small(save("a.png", RGB)) is None
    turned = tmp_path / "turned.tif"
    tifffile.imwrite(turned, RGB, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert open_small(turned) is None
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.zeros((5, 20, 30), np.uint8), metadata={"axes": "ZYX"})
    assert open_small(stack) is None


def test_damage_is_named(files, tmp_path):
    path = tmp_path / "cut.tif"
    path.write_bytes(files["tiles"][0].read_bytes()[:-3000])
    with pytest.raises(FileError, match=r"cut\.tif"):
        windows = open_small(path)
        windows[0:150, 0:210]
    with pytest.raises(FileError, match="does not exist"):
        open_small(tmp_path / "none.tif")


def test_a_bomb_is_refused(tmp_path):
    """A header of a million by a million pixels on a file of one tile."""
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, RGB[:64, :64, 0], tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tiff.pages.first.tags[name].overwrite(2**16 - 1)
    with pytest.raises(FileError, match="claims"):
        open_small(path)


@pytest.mark.parametrize("name", ["tiles", "strips", "uncompressed"])
def test_the_overview_has_all_of_a_small_picture(files, name):
    path, whole = files[name]
    seen = open_small(path).overview()
    assert seen.shape == (150 * 210, 1, whole.shape[2])
    assert sorted(seen[..., 0].ravel().tolist()) == sorted(whole[..., 0].ravel().tolist())


def test_the_overview_of_a_large_one_is_a_share_of_it(tmp_path):
    path = tmp_path / "large.tif"
    values = np.tile(np.arange(4096, dtype=np.uint16), (4096, 1))
    tifffile.imwrite(path, values, tile=(128, 128), compression="zlib")
    seen = open_windows(path, least_bytes=0).overview()
    assert 2**19 < seen.size < 2**21
    for percent in (1, 50, 99):
        assert abs(np.percentile(seen, percent) - np.percentile(values, percent)) < 40


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("is_sharded", [False, True])
def test_five_axes_of_which_two_are_of_length_one(version, is_sharded, tmp_path):
    """As bioformats2raw and others write pictures: T, C, Z, Y, X, with a level of half the size."""
    zarr = pytest.importorskip("zarr")
    if is_sharded and version == 2:
        pytest.skip("Zarr 2 has no shards")
    values = PLANES[np.newaxis, :, np.newaxis]  # (1, 3, 1, 150, 210)
    options = {"shards": (1, 3, 1, 128, 128)} if is_sharded else {}
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=version)
    group.create_array("0", data=values, chunks=(1, 1, 1, 64, 64), **options)
    group.create_array("1", data=values[..., ::2, ::2], chunks=(1, 1, 1, 64, 64))
    axes = [{"name": name, "type": kind} for name, kind in zip(
        "tczyx", ("time", "channel", "space", "space", "space"), strict=True)]  # fmt: skip
    image = {"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}
    is_old = version == 2
    group.attrs.update({"multiscales": [image]} if is_old else {"ome": {"multiscales": [image]}})
    windows = open_small(tmp_path / "a.ome.zarr")
    assert windows.shape == RGB.shape
    np.testing.assert_array_equal(windows[20:130, 60:200], RGB[20:130, 60:200])
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.zarr"), RGB)
