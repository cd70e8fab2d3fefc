"""Reading pictures and masks: every bit depth, palettes, alpha, EXIF turns, damaged files."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import FileError
from pixelwise.io import picture_files, read_image, read_mask_values
from pixelwise.io.image_files import is_image_file, read_pixels


def png_with_depth(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of `bits` bits a pixel, packed by hand: Pillow cannot write 2 or 4 bits."""
    import struct
    import zlib

    height, width = values.shape
    rows = []
    for row in values:
        number = "".join(f"{value:0{bits}b}" for value in row)
        number += "0" * (-len(number) % 8)
        rows.append(b"\0" + int(number, 2).to_bytes(len(number) // 8, "big"))

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("bits", "scale"), [(1, 255), (2, 85), (4, 17), (8, 1)], ids=lambda v: str(v)
)
def test_grey_png_of_each_depth_is_bright_as_image_and_raw_as_mask(tmp_path, bits, scale):
    values = np.array([[0, 1, 2**bits - 1], [1, 0, 1]], dtype=np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(png_with_depth(values, bits))
    image, mask = read_image(path), read_mask_values(path)
    assert image.shape == (2, 3, 1)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image[:, :, 0], values * scale)
    np.testing.assert_array_equal(mask, values)


def test_16_bit_png_keeps_its_values_in_grey_and_in_colour(tmp_path):
    grey = np.array([[0, 300], [65535, 257]], dtype=np.uint16)
    color = np.stack([grey, grey + 1, grey // 2], axis=2)
    for values in (grey, color):
        path = tmp_path / "a.png"
        path.write_bytes(imagecodecs.png_encode(values))
        assert read_image(path).dtype == np.uint16
        np.testing.assert_array_equal(read_image(path).squeeze(), values)
        np.testing.assert_array_equal(read_mask_values(path), values)


def test_palette_png_is_rgb_as_image_and_indices_as_mask(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / "a.png")
    expected = [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)
    np.testing.assert_array_equal(read_mask_values(tmp_path / "a.png"), [[0, 1], [2, 1]])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_alpha_and_colour_channels_are_kept(save, channels):
    values = np.arange(5 * 4 * channels, dtype=np.uint8).reshape(5, 4, channels)
    np.testing.assert_array_equal(read_image(save("a.png", values)), values)


def test_bmp_and_jpeg_are_read(save):
    values = np.full((8, 16, 3), (200, 100, 50), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(save("a.bmp", values)), values)
    jpeg = read_image(save("a.jpg", values, quality=95))
    assert jpeg.shape == values.shape
    assert np.abs(jpeg.astype(int) - values).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_those_of_pillow(tmp_path, orientation):
    from PIL import ImageOps

    values = np.zeros((16, 24), dtype=np.uint8)
    values[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.jpg", exif=exif, quality=100)
    with Image.open(tmp_path / "a.jpg") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg")[:, :, 0], expected)
    np.testing.assert_array_equal(read_mask_values(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_turns_count_in_every_format_for_images_and_masks(tmp_path, kind):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    path = tmp_path / "a.png"
    picture = Image.fromarray(values) if kind == "PNG" else Image.fromarray(values).convert("RGB")
    picture.save(path, format=kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    for as_mask in (False, True):
        pixels = read_pixels(path, as_mask)
        assert pixels.turned
        np.testing.assert_array_equal(pixels.values.reshape(3, 2, -1)[..., 0], np.rot90(values, -1))


def test_the_first_view_of_a_jpeg_of_several_is_read(tmp_path):
    """Phones write a second, smaller or deeper view behind the first (MPO)."""
    views = [Image.new("RGB", (8, 16), color) for color in ("red", "blue")]
    views[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=views[1:])
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (16, 8, 3)
    assert image[0, 0, 0] > 250


def test_gif_masks_of_one_frame_keep_their_indices(tmp_path):
    """As those of the DRIVE retina images."""
    values = np.array([[0, 1, 1], [2, 0, 1]], dtype=np.uint8)
    picture = Image.fromarray(values, mode="P")
    picture.putpalette([0, 0, 0, 255, 255, 255, 9, 9, 9])
    picture.save(tmp_path / "a.gif", optimize=False)
    pixels = read_pixels(tmp_path / "a.gif", as_mask=True)
    colors = pixels.palette[pixels.values]
    assert colors[1, 0].tolist() == [9, 9, 9]
    assert colors[0, 1].tolist() == [255, 255, 255]


def test_programs_in_disguise_are_no_pictures(tmp_path):
    """Pillow would hand PostScript to another program."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(FileError, match="is not a picture"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "is_image"),
    [
        ("a.png", True), ("a.JPG", True), ("a.ome.tif", True), ("a.nii", True), ("a.nii.gz", True),
        ("a.npy", True), ("a.npz", True), ("a.zarr", True), ("a.ome.zarr", True), ("a.gif", True),
        ("a.json", False), ("a.csv", False), ("a.txt", False), ("a.gz", False), ("a.tar.gz", False),
        ("a", False), (".a.png", False), (".nii.gz", False), ("png", False), ("a.h5", False),
    ],
)  # fmt: skip
def test_names_of_image_files(name, is_image):
    assert is_image_file(Path(name)) == is_image


def test_files_are_read_alike_from_many_threads(save):
    from concurrent.futures import ThreadPoolExecutor

    arrays = [np.full((40, 50), value, np.uint8) for value in range(40)]
    suffixes = (".png", ".tif", ".bmp")
    paths = [save(f"{i}{suffixes[i % 3]}", array) for i, array in enumerate(arrays)]
    with ThreadPoolExecutor(8) as pool:
        for array, image in zip(arrays, pool.map(read_image, paths), strict=True):
            np.testing.assert_array_equal(image[..., 0], array)


def test_content_decides_not_the_name(save, tmp_path):
    values = np.array([[1, 2], [3, 4]], dtype=np.uint16)
    tiff = save("a.tif", values)
    tiff.rename(tmp_path / "b.png")
    np.testing.assert_array_equal(read_mask_values(tmp_path / "b.png"), values)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (8, 8, 3)
    assert image.min() == 255


def truncated_png() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(file, format="PNG")
    return file.getvalue()[: len(file.getvalue()) // 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"no picture at all", "is not a picture"),
        (truncated_png(), "damaged or truncated"),
        (b"II*\0" + b"\xff" * 40, "damaged or truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "Remove it|remove it|not a picture"),
    ],
    ids=["empty", "text", "truncated", "bad-tiff", "bad-png"],
)
@pytest.mark.parametrize("read", [read_image, read_mask_values])
def test_bad_files_are_named_in_a_file_error(tmp_path, content, message, read):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(FileError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_file_errors(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        read_image(tmp_path / "none.png")
    with pytest.raises(FileError, match="is a folder"):
        read_image(tmp_path)


def test_unreadable_file_is_a_file_error(tmp_path, monkeypatch):
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(FileError, match="may not be read"):
        read_image(tmp_path / "a.png")


def test_absurd_header_is_refused_before_memory_is_taken(tmp_path):
    data = bytearray(png_with_depth(np.zeros((2, 2), dtype=np.uint8), 8))
    data[16:24] = (10**6).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(FileError, match="1000000x1000000 pixels"):
        read_image(tmp_path / "a.png")


def test_animations_are_refused(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="3 frames"):
        read_image(tmp_path / "a.gif")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_large_pictures_come_in_bands_with_the_same_values(tmp_path, monkeypatch, mode):
    random = np.random.default_rng(0)
    kind = np.uint16 if mode == "I;16" else np.uint8
    values = random.integers(0, 255, (37, 11, *{"RGB": (3,), "RGBA": (4,)}.get(mode, ())), kind)
    picture = Image.fromarray(values) if mode not in "1P" else Image.fromarray(values).convert(mode)
    picture.save(tmp_path / "a.png")
    whole = [read_image(tmp_path / "a.png"), read_mask_values(tmp_path / "a.png")]
    monkeypatch.setattr(picture_files, "BAND_PIXELS", 55)
    bands = [read_image(tmp_path / "a.png"), read_mask_values(tmp_path / "a.png")]
    for one, other in zip(whole, bands, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
