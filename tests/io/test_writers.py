"""Writers: what is written is read back, whole or not at all."""

import json
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelwise.errors import ArrayError, OutputError
from pixelwise.io import (
    is_result,
    make_folder,
    read_image,
    read_mask_values,
    read_pixels,
    write_checked,
    write_image,
    write_json,
    write_mask,
    write_pixels,
    write_text,
)

COLORS = ("#000000", "#ff0000", "#00ff00")


@pytest.mark.parametrize("highest", [0, 1, 2, 5, 16, 255])
def test_mask_is_a_palette_png_of_indices(tmp_path, highest):
    mask = np.array([[0, highest], [highest // 2, 0]], dtype=np.uint8)
    path = write_mask(tmp_path / "a.png", mask, COLORS)
    assert path == tmp_path / "a.png"
    np.testing.assert_array_equal(read_mask_values(path), mask)
    with Image.open(path) as picture:
        assert picture.mode == "P"


@pytest.mark.parametrize("highest", [0, 1, 255, 256, 70_000])
def test_a_written_mask_is_known(tmp_path, highest):
    mask = np.full((3, 3), highest, np.int64)
    path = write_mask(tmp_path / "a.png", mask, COLORS)
    assert is_result(path)
    np.testing.assert_array_equal(read_mask_values(path), mask)
    drawn = tmp_path / "drawn.png"  # in a program that keeps the palette
    picture = Image.fromarray(np.zeros((3, 3), np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(drawn)
    assert not is_result(drawn)
    drawn.write_text("no picture")
    assert not is_result(drawn)
    assert not is_result(tmp_path)
    assert not is_result(tmp_path / "none.png")


def test_planes_and_signed_pictures_are_known_and_other_pictures_are_not(tmp_path):
    pixels = np.zeros((4, 5, 3), np.uint8)
    write_image(tmp_path / "overlay.png", pixels, signed=True)
    write_image(tmp_path / "image.png", pixels)
    planes = write_pixels(tmp_path / "planes", np.zeros((4, 5, 6), np.uint8), signed=True)
    stack = write_pixels(tmp_path / "stack", np.zeros((4, 5, 6), np.uint8))
    assert is_result(tmp_path / "overlay.png")
    assert is_result(planes)
    assert not is_result(tmp_path / "image.png")
    assert not is_result(stack)


def test_people_see_the_class_colours_and_white_for_ignored(tmp_path):
    mask = np.array([[0, 1], [2, 255]], dtype=np.int64)
    image = read_image(write_mask(tmp_path / "a.png", mask, COLORS))
    assert image.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 255]]]


def test_many_values_become_16_bit_tiff(tmp_path):
    mask = np.array([[0, 256], [65535, 1]], dtype=np.int32)
    path = write_mask(tmp_path / "a.png", mask, COLORS)
    assert path.name == "a.tif"
    assert tifffile.imread(path).dtype == np.uint16
    np.testing.assert_array_equal(read_mask_values(path), mask)
    wide = write_mask(tmp_path / "b.png", mask + 65535, COLORS)
    np.testing.assert_array_equal(read_mask_values(wide), mask + 65535)


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2)), np.array([[-1]])]
)
def test_what_is_no_mask_is_refused(tmp_path, mask):
    with pytest.raises(ArrayError, match=r"\(H, W\) integers from 0"):
        write_mask(tmp_path / "a.png", mask, COLORS)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3)])
def test_images(tmp_path, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_image(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").squeeze(), image)
    with pytest.raises(ArrayError, match="float64"):
        write_image(tmp_path / "a.png", image / 255)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "int64"])
@pytest.mark.parametrize("shape", [(5, 6, 1), (5, 6, 2), (9, 5, 6, 1), (9, 5, 6, 2)])
def test_pixels_of_every_type_come_back_with_their_size(tmp_path, dtype, shape):
    image = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    spacing = (2.0, 0.5, 0.25)[-(len(shape) - 1) :]
    pixels = read_pixels(write_pixels(tmp_path / "a.1", image, spacing))
    np.testing.assert_array_equal(pixels.values, image)
    assert (pixels.values.dtype, pixels.note) == (dtype, "")
    assert pixels.spacing_um == (None if dtype == "int64" else spacing)  # OME has no 64 bits


def test_pixels_without_size_are_png_where_that_holds_them(tmp_path):
    image = np.arange(30, dtype=np.uint8).reshape(5, 6, 1)
    path = write_pixels(tmp_path / "a.1", image)
    assert path.name == "a.1.png"
    np.testing.assert_array_equal(read_image(path), image)
    assert write_pixels(tmp_path / "b", image, (0.5, 0.5)).name == "b.tif"


def test_texts(tmp_path):
    write_text(tmp_path / "a.txt", "µm\n")
    assert (tmp_path / "a.txt").read_bytes() == "µm\n".encode()
    write_json(tmp_path / "a.json", {"dice": 0.5, "name": "Ä"})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"dice": 0.5, "name": "Ä"}


def test_json_never_holds_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"dice": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def fail(self, file, format):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_image(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_complete_before_it_takes_its_place(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    seen = []

    def look(temporary, target):
        seen.append((temporary.read_text(), target.read_text()))

    monkeypatch.setattr(type(path), "replace", look)
    write_text(path, "new")
    assert seen == [("new", "old")]
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="Make the folder"):
        write_text(tmp_path / "none" / "a.txt", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="A folder of that name is in the way"):
        write_text(tmp_path / "folder", "")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, where a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        make_folder(tmp_path / "file" / "inside")
    for write in (lambda path: write_text(path, ""), make_folder):  # a folder that takes none
        with pytest.raises(OutputError, match=r"cannot be written .* Choose another folder"):
            write("/proc/absent")
    with pytest.raises(OutputError, match=r"/proc/absent cannot .* Choose another folder"):
        make_folder("/proc/absent/inside")


def test_make_folder_makes_parents_and_keeps_what_is_there(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    write_text(folder / "c.txt", "kept")
    assert make_folder(folder) == folder
    assert (folder / "c.txt").read_text() == "kept"


def test_devices_and_pipes_are_written_into_and_stay(tmp_path):
    """As root, moving a file to /dev/null would replace it for everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "scores")
        assert os.read(reader, 100) == b"scores"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_names_that_are_not_utf8_are_written_and_read_back(tmp_path):
    name = b"a\xff.png".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"name": name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": name}
    write_text(tmp_path / "a.csv", name)
    assert (tmp_path / "a.csv").read_bytes() == b"a\xff.png"


def test_a_checked_file_takes_its_place_once_it_holds_its_data(tmp_path, monkeypatch):
    path, new = tmp_path / "state", tmp_path / "state.new"
    new.write_bytes(b"left by a process that was killed")
    write_checked(path, b"first", new)
    assert path.read_bytes() == b"first" and not new.exists()
    read = type(path).read_bytes
    monkeypatch.setattr(type(path), "read_bytes", lambda path: read(path)[:-1])
    with pytest.raises(OutputError, match=r"state\.new does not hold what was written.*is intact"):
        write_checked(path, b"second", new)
    monkeypatch.undo()
    assert path.read_bytes() == b"first"
