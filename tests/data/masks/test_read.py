"""Masks read from where they are: files, parts, shapes; later parts lie over earlier ones."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.masks.read import SizeError, read_stored_mask
from pixelwise.data.masks.sources import MaskFile, MaskParts, MaskShapes, Shape
from pixelwise.errors import FileError, MaskError


@pytest.fixture
def halves(save):
    """Two files (2, 4): the left three columns and the right two, one column in both."""
    left, right = np.zeros((2, 4), np.uint8), np.zeros((2, 4), np.uint8)
    left[:, :3], right[:, 2:] = 255, 1
    return save("left.png", left), save("right.png", right)


def test_objects_are_painted_in_their_order_with_ids(halves):
    mask = read_stored_mask(MaskParts(halves, (1, 3)), None)
    assert mask.values.tolist() == [[1, 1, 3, 3]] * 2
    assert mask.instances.tolist() == [[1, 1, 2, 2]] * 2
    assert mask.num_overlap == 2


def test_files_of_classes_become_planes_and_files_of_one_class_are_joined(halves):
    mask = read_stored_mask(MaskParts(halves, (3, 1), are_objects=False), None)
    assert mask.form == "layers"
    assert mask.values[0].astype(int).tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]]
    joined = read_stored_mask(MaskParts(halves, (1, 1), are_objects=False), None)
    assert joined.values[..., 0].all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 100, 200, 255]], np.uint8),  # above the middle, where edges are grey
        np.array([[0, 0, 1, 1]], np.uint8),
        np.array([[[0] * 3, [0] * 3, [255, 0, 0], [0, 255, 0]]], np.uint8),
    ],
)
def test_what_is_set_in_a_part(save, pixels):
    mask = read_stored_mask(MaskParts((save("a.png", pixels),), (1,)), None)
    assert mask.values.tolist() == [[0, 0, 1, 1]]


def test_parts_of_several_sizes_are_refused(save, halves):
    small = save("small.png", np.ones((2, 2), np.uint8))
    with pytest.raises(MaskError, match=r"small\.png is 2x2 but .*left\.png is 2x4"):
        read_stored_mask(MaskParts((*halves, small), (1, 1, 1)), None)


def test_a_palette_comes_with_its_colours(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "a.png")
    mask = read_stored_mask(MaskFile(tmp_path / "a.png"), None)
    assert mask.values.tolist() == [[0, 1]]
    assert mask.palette[:2].tolist() == [[0, 0, 0], [255, 0, 0]]


def test_shapes_need_a_size_and_name_their_file(tmp_path):
    square = Shape(1, polygons=(np.array([[0, 0], [0, 2], [2, 2], [2, 0]], float),))
    source = MaskShapes(tmp_path / "a.json", (square,))
    assert read_stored_mask(source, (2, 3)).values.tolist() == [[1, 1, 0]] * 2
    with pytest.raises(MaskError, match=r"a\.json has shapes, which need an image"):
        read_stored_mask(source, None)
    broken = MaskShapes(tmp_path / "a.json", (Shape(1, runs=np.array([1, 99]), name="cat"),))
    with pytest.raises(MaskError, match=r"a\.json, cat: run lengths cover 100 pixels"):
        read_stored_mask(broken, (2, 3))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"gone\.png"):
        read_stored_mask(MaskFile(tmp_path / "gone.png"), None)


# --- sizes that an annotation claims, and files that make up one mask --------------------------


def square_in(size):
    ring = np.array([[1.0, 1.0], [1.0, 3.0], [3.0, 3.0], [3.0, 1.0]])
    return MaskShapes(Path("a.json"), (Shape(1, (ring,)),), size)


@pytest.mark.parametrize("size", [(8000, 8000), (2**29, 2**29), (4, 6)])
def test_a_claimed_size_is_compared_before_anything_is_painted(size):
    tracemalloc.start()
    with pytest.raises(SizeError, match=f"claims {size[0]}x{size[1]}, but the image is 4x5"):
        read_stored_mask(square_in(size), (4, 5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_an_image_that_lies_across_is_painted_so_that_the_turn_is_found():
    assert read_stored_mask(square_in((5, 4)), (4, 5)).size == (5, 4)


def test_without_an_image_no_more_is_painted_than_any_file_may_claim():
    assert read_stored_mask(square_in((4, 5)), None).values.sum() == 4
    with pytest.raises(FileError, match=r"a\.json: its header claims 8000x8000 pixels"):
        read_stored_mask(square_in((8000, 8000)), None)


def test_files_of_one_image_are_in_memory_one_after_the_other(save):
    """Sixty files of 100 x 100 pixels: all at once took 3 bytes a pixel and file."""
    paths, size = [], (100, 100)
    for number in range(60):
        part = np.zeros(size, np.uint8)
        part[number : number + 2] = 255
        paths.append(save(f"{number}.png", part))
    for are_objects in (True, False):
        tracemalloc.start()
        mask = read_stored_mask(MaskParts(tuple(paths), (1,) * 60, are_objects), size)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30 * 100 * 100
        assert mask.num_overlap == 59 * 100
        assert mask.instances is None or mask.instances.max() == 60
