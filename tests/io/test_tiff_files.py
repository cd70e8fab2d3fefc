"""TIFF: number types, order and names of axes, colours, volumes; films and damage refused."""

import numpy as np
import pytest
import tifffile

from pixelwise.errors import FileError
from pixelwise.io import read_image, read_mask_values
from pixelwise.io.image_files import read_pixels
from pixelwise.io.turns import turn

CHANNELS = np.arange(5 * 40 * 50, dtype=np.uint16).reshape(5, 40, 50)


DTYPES = [
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
]  # fmt: skip
STORED = {
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "tiled": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 7},
    "predictor": {"compression": "zlib", "predictor": True},
    "tiled predictor": {"compression": "lzw", "predictor": True, "tile": (32, 16)},
    "PackBits": {"compression": "packbits"},
    "LZMA": {"compression": "lzma"},
    "JPEG 2000": {"compression": "jpeg2000"},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
def test_number_types_survive(save, dtype, compression):
    values = np.arange(20 * 30, dtype=dtype).reshape(20, 30)
    image = read_image(save("a.tif", values, compression=compression))
    assert image.dtype == dtype
    np.testing.assert_array_equal(image[:, :, 0], values)


@pytest.mark.parametrize("stored", STORED)
def test_every_way_to_store_gives_the_same_values(save, stored):
    values = (np.arange(40 * 50 * 3) % 999).astype(np.uint16).reshape(40, 50, 3)
    path = save("a.tif", values, photometric="rgb", **STORED[stored])
    np.testing.assert_array_equal(read_image(path), values)
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_predictor_of_floats(save):
    values = np.random.default_rng(0).random((20, 30), dtype=np.float32)
    path = save("a.tif", values, compression="zlib", predictor=3)
    np.testing.assert_array_equal(read_image(path)[..., 0], values)


def test_jpeg_compression_gives_rgb(save):
    values = np.full((32, 48, 3), (200, 100, 50), dtype=np.uint8)
    image = read_image(save("a.tif", values, photometric="rgb", compression="jpeg"))
    assert np.abs(image.astype(int) - values).max() <= 4


@pytest.mark.parametrize("bits", [2, 4, 12])
def test_few_bits_are_bright_as_image_and_raw_as_mask(tmp_path, bits):
    """As for PNG; 12 bits stay what they are, in 16."""
    values = np.array([[0, 1, 2**bits - 1, 2]], dtype=np.uint8 if bits < 8 else np.uint16)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_bits([0, 1, 2**bits - 1, 2], bits))
    np.testing.assert_array_equal(read_mask_values(path), values)
    scale = {2: 85, 4: 17, 12: 1}[bits]
    np.testing.assert_array_equal(read_image(path)[..., 0], values * scale)
    assert read_image(path).dtype == values.dtype


def tiff_of_bits(row: list[int], bits: int) -> bytes:
    """A grey TIFF of one row, packed by hand: tifffile writes whole bytes only."""
    number = "".join(f"{value:0{bits}b}" for value in row)
    packed = int(number + "0" * (-len(number) % 8), 2).to_bytes(-(-len(number) // 8), "big")
    tags = [
        (256, len(row)), (257, 1), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1),
        (279, len(packed)),
    ]  # fmt: skip
    start = 8 + len(packed)
    entries = b"".join(
        code.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
        for code, value in tags
    )
    head = b"II*\0" + start.to_bytes(4, "little") + packed
    return head + len(tags).to_bytes(2, "little") + entries + bytes(4)


def test_double_and_half_floats_become_single(save):
    for dtype in (np.float16, np.float64):
        image = read_image(save("a.tif", np.full((4, 5), 0.5, dtype=dtype)))
        assert image.dtype == np.float32
        assert (image == 0.5).all()


def test_int64_labels_with_no_data_are_kept(save):
    values = np.array([[-1, 0], [3, 7]], dtype=np.int64)
    np.testing.assert_array_equal(read_mask_values(save("a.tif", values)), values)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "CYX"}},
        {"ome": True, "metadata": {"axes": "CYX"}},
        {"metadata": {"axes": "CYX"}, "photometric": "minisblack"},
        {"photometric": "minisblack", "planarconfig": "separate"},
    ],
    ids=["imagej", "ome", "axes", "planar"],
)
def test_channel_first_is_read_from_the_metadata(save, options):
    image = read_image(save("a.tif", CHANNELS, **options))
    assert image.shape == (40, 50, 5)
    np.testing.assert_array_equal(image, np.moveaxis(CHANNELS, 0, 2))


def test_channel_last_is_read_from_the_metadata(save):
    values = np.moveaxis(CHANNELS, 0, 2)
    path = save("a.tif", values, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_image(path), values)


def test_rgb_tiff(save):
    values = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(save("a.tif", values, photometric="rgb")), values)


VOLUME = np.arange(6 * 40 * 50 * 2, dtype=np.uint16).reshape(6, 2, 40, 50)  # Z, C, Y, X


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "ZCYX"}},
        {"ome": True, "metadata": {"axes": "ZCYX"}},
        {"metadata": {"axes": "ZCYX"}, "photometric": "minisblack"},
    ],
    ids=["imagej", "ome", "axes"],
)
def test_stacks_are_volumes(save, options):
    pixels = read_pixels(save("a.tif", VOLUME, **options))
    assert (pixels.spatial_dims, pixels.note) == (3, "")
    np.testing.assert_array_equal(pixels.values, VOLUME.transpose(0, 2, 3, 1))
    mask = read_pixels(save("b.tif", VOLUME[:, 0], imagej=True, metadata={"axes": "ZYX"}), True)
    assert mask.spatial_dims == 3
    np.testing.assert_array_equal(mask.values, VOLUME[:, 0])


def test_ome_with_channels_first(save):
    values = np.ascontiguousarray(VOLUME.swapaxes(0, 1))  # C, Z, Y, X
    image = read_image(save("a.tif", values, ome=True, metadata={"axes": "CZYX"}))
    np.testing.assert_array_equal(image, values.transpose(1, 2, 3, 0))


def test_stack_in_colour(save):
    values = np.random.default_rng(0).integers(0, 256, (6, 7, 8, 3), dtype=np.uint8)
    path = save("a.tif", values, imagej=True, photometric="rgb", metadata={"axes": "ZYXS"})
    np.testing.assert_array_equal(read_image(path), values)


def test_unnamed_short_axis_is_taken_for_channels_and_said(save):
    pixels = read_pixels(save("a.tif", CHANNELS, photometric="minisblack", metadata=None))
    assert pixels.values.shape == (40, 50, 5)
    assert "the first was taken for channels" in pixels.note


def test_unnamed_pages_are_taken_for_slices_and_said(save):
    pixels = read_pixels(save("a.tif", np.zeros((12, 16, 20), np.uint8), metadata=None))
    assert pixels.values.shape == (12, 16, 20, 1)
    assert pixels.note == (
        "TIFF axes unnamed, shape (12, 16, 20): the first was taken for slices of a volume"
    )


def test_unnamed_axes_that_cannot_be_told_apart_are_refused(save):
    path = save("a.tif", np.zeros((40, 5, 50), np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(FileError, match="without the names of its axes"):
        read_image(path)


@pytest.mark.parametrize(
    "options", [{"imagej": True}, {"ome": True}, {"photometric": "minisblack"}], ids=str
)
def test_films_are_refused(save, options):
    path = save("a.tif", CHANNELS, metadata={"axes": "TYX"}, **options)
    with pytest.raises(FileError, match="5 moments: it is a film") as caught:
        read_image(path)
    assert "a.tif" in str(caught.value)


def test_of_pages_of_several_sizes_the_first_is_read_and_it_is_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for side in (8, 5):
            file.write(np.full((side, side), side, np.uint8), metadata=None)
    pixels = read_pixels(tmp_path / "a.tif")
    assert pixels.values.shape == (8, 8, 1)
    assert pixels.note == "the file holds 2 pictures, of which the first was read"


def test_the_first_of_the_levels_of_a_pyramid_is_read(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as file:
        file.write(values, subifds=1, metadata={"axes": "YX"})
        file.write(values[::2, ::2], subfiletype=1)
    pixels = read_pixels(tmp_path / "a.tif")
    np.testing.assert_array_equal(pixels.values[..., 0], values)
    assert pixels.note == ""


def test_axes_of_length_one_are_dropped(save):
    path = save("a.tif", CHANNELS[None, :1], imagej=True, metadata={"axes": "ZCYX"})
    assert read_image(path).shape == (40, 50, 1)


def test_one_bit_is_bright_as_image_and_one_as_mask(save):
    values = np.array([[0, 1, 1], [1, 0, 0]], dtype=bool)
    path = save("a.tif", values, photometric="minisblack")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], values * 255)
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_zero_is_white_is_turned_for_images_only(save):
    values = np.array([[0, 10], [255, 3]], dtype=np.uint8)
    path = save("a.tif", values, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path)[:, :, 0], 255 - values)
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_palette_is_expanded_for_images_only(save):
    colormap = np.zeros((3, 256), dtype=np.uint16)
    colormap[:, 1] = 256 * np.array([200, 100, 50])
    values = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    path = save("a.tif", values, photometric="palette", colormap=colormap)
    image = read_image(path)
    assert image.shape == (2, 2, 3)
    assert image[0, 1].tolist() == [200, 100, 50]
    np.testing.assert_array_equal(read_mask_values(path), values)


def test_palette_of_a_mask_is_kept(save):
    colormap = np.zeros((3, 256), dtype=np.uint16)
    colormap[:, 1] = 256 * np.array([200, 100, 50])
    path = save("a.tif", np.eye(4, dtype=np.uint8), photometric="palette", colormap=colormap)
    assert read_pixels(path, as_mask=True).palette[1].tolist() == [200, 100, 50]
    assert read_pixels(path).palette is None


def test_cmyk_becomes_rgb_and_other_colours_are_refused(save):
    values = np.zeros((8, 9, 4), np.uint8)
    assert (read_image(save("a.tif", values, photometric="separated")) == 255).all()
    path = save("b.tif", np.zeros((16, 16, 3), np.uint8), photometric="cielab")
    with pytest.raises(FileError, match="Save them as RGB"):
        read_image(path)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_turn_of_a_tiff_is_applied_to_images_and_masks(save, orientation):
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    path = save("a.tif", values, extratags=[(274, "H", 1, orientation, True)], metadata=None)
    for as_mask in (False, True):
        pixels = read_pixels(path, as_mask)
        np.testing.assert_array_equal(pixels.values.squeeze(), turn(values, orientation))
        assert pixels.turned == (orientation > 1)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_tiff_is_a_file_error(save, compression, share):
    noise = np.random.default_rng(0).integers(0, 9999, (6, 40, 50), dtype=np.uint16)
    path = save("a.tif", noise, imagej=not compression, compression=compression)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(FileError, match=r"truncated|damaged|pages|strips"):
        read_image(path)


def test_missing_strips_are_not_read_as_zeros(save):
    """The header claims more rows than there are strips for."""
    path = save("a.tif", np.ones((8, 8), np.uint8), rowsperstrip=4, compression="zstd")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["ImageLength"].overwrite(80)
    with pytest.raises(FileError, match="only 2 of 20 strips or tiles"):
        read_image(path)


def test_ome_tiff_in_several_files_is_refused(tmp_path):
    import uuid

    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as file:
        file.write(CHANNELS, metadata={"axes": "ZYX"})
    xml = tifffile.tiffcomment(tmp_path / "a.tif")
    xml = xml.replace(
        'PlaneCount="5"/>',
        f'PlaneCount="2"><UUID FileName="a.tif">{file_id(xml)}</UUID>'
        "</TiffData>" + f'<TiffData IFD="0" FirstZ="2" PlaneCount="3"><UUID FileName="b.tif">'
        f"urn:uuid:{uuid.uuid4()}</UUID></TiffData>",
    )
    tifffile.tiffcomment(tmp_path / "a.tif", xml.encode())
    with pytest.raises(FileError, match="in several files"):
        read_image(tmp_path / "a.tif")


def file_id(xml: str) -> str:
    return xml.split('UUID="')[1].split('"')[0]


def test_complex_numbers_are_refused(save):
    path = save("a.tif", np.zeros((4, 4), dtype=np.complex64))
    with pytest.raises(FileError, match="complex"):
        read_image(path)


def test_geotiff_of_many_bands(save):
    """Bands interleaved by pixel and by band, as GDAL writes them."""
    values = np.random.default_rng(0).random((20, 30, 13), dtype=np.float32)
    contig = save("a.tif", values, photometric="minisblack", planarconfig="contig", metadata=None)
    planar = save(
        "b.tif", np.moveaxis(values, 2, 0), photometric="minisblack", planarconfig="separate",
        metadata=None,
    )  # fmt: skip
    for path in (contig, planar):
        pixels = read_pixels(path)
        np.testing.assert_array_equal(pixels.values, values)
        assert pixels.note == ""
