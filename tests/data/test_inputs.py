"""The pictures to predict: files, folders, what is left out and what everything is called."""

import os

import numpy as np
import pytest
from PIL import Image

from pixelwise.data import find_images, walk_images
from pixelwise.errors import FileError, LayoutError
from pixelwise.io import write_image, write_mask


def make(root, *names):
    """Files with nothing in them, and their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write_result(path):
    """A mask as `predict` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_mask(path, np.zeros((2, 2), np.uint8), ("#000000", "#ff0000"))


def places(*inputs, **options) -> list[str]:
    return [place.as_posix() for place in find_images(list(inputs), **options).places.values()]


def left_out(*inputs, **options) -> dict[str, str]:
    found = find_images(list(inputs), **options).left_out
    return {path.relative_to(inputs[0]).as_posix(): why for path, why in found.items()}


# --- what is taken ----------------------------------------------------------------------------


def test_a_folder_means_all_its_pictures_and_those_below(tmp_path):
    make(tmp_path, "b.png", "a.TIF", "notes.txt", ".hidden.png", "day1/q.jpg", "day1/x/r.png")
    assert places(tmp_path) == ["a.TIF", "b.png", "day1/q.jpg", "day1/x/r.png"]
    assert left_out(tmp_path) == {}


@pytest.mark.parametrize("name", ["raw", "images", "rgb", "photo", "x"])
def test_pictures_beside_a_folder_of_images_are_taken_too(tmp_path, name):
    make(tmp_path, "a.png", "b.png", f"{name}/z.png")
    assert places(tmp_path) == ["a.png", "b.png", f"{name}/z.png"]


def test_folders_inside_can_be_left_out(tmp_path):
    make(tmp_path, "a.png", "day1/q.png")
    assert places(tmp_path, recursive=False) == ["a.png"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(LayoutError, match=r"holds no images, only day1/\."):
        find_images([tmp_path], recursive=False)


def test_files_keep_their_order_and_come_once(tmp_path, monkeypatch):
    make(tmp_path, "b.png", "a.png", "day1/q.png")
    inputs = [tmp_path / "b.png", tmp_path / "a.png", tmp_path, tmp_path / "day1"]
    assert places(*inputs) == ["b.png", "a.png", "day1/q.png"]
    monkeypatch.chdir(tmp_path)
    assert places(*map(type(tmp_path), ["a.png", "./a.png", tmp_path / "a.png"])) == ["a.png"]
    assert places(type(tmp_path)()) == ["a.png", "b.png", "day1/q.png"]


def test_links_that_go_in_circles_end(tmp_path):
    make(tmp_path, "in/a.png", "in/day1/q.png", "other/z.png")
    (tmp_path / "in/day1/self").symlink_to(".")
    (tmp_path / "in/day1/up").symlink_to("..")
    (tmp_path / "in/above").symlink_to("../..")
    (tmp_path / "in/loop").symlink_to("loop")
    (tmp_path / "in/other").symlink_to("../other")  # a folder elsewhere is taken
    assert places(tmp_path / "in") == ["a.png", "day1/q.png", "other/z.png"]
    assert len(walk_images(tmp_path / "in")) == 3


# --- what is left out, and why ----------------------------------------------------------------


@pytest.mark.parametrize("end", ["_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_MASK"])
def test_a_mask_beside_its_image_by_its_name(tmp_path, end):
    make(tmp_path, "x.jpg", f"x{end}.png", f"y{end}.png")
    assert places(tmp_path) == ["x.jpg", f"y{end}.png"]  # there is no y
    assert left_out(tmp_path) == {f"x{end}.png": "the mask of x.jpg by its name"}
    assert len(places(tmp_path, take_all=True)) == 3
    assert left_out(tmp_path, take_all=True) == {}


@pytest.mark.parametrize(
    ("names", "masks"),
    [
        (["images/a.png", "masks/a.png"], ["masks/a.png"]),
        (["images/a.png", "masks/other.png"], ["masks/other.png"]),  # one file an object
        (["top/a.png", "gts/a.png"], ["gts/a.png"]),
        (["a.png", "labels/a.tif"], ["labels/a.tif"]),
        (["a.png", "labels/a_mask.tif"], ["labels/a_mask.tif"]),
        (["train/images/a.png", "train/masks/a.png", "val/images/b.png"], ["train/masks/a.png"]),
        (["images/train/a.png", "labels/train/a.png"], ["labels/train/a.png"]),
        (["imagesTr/a.png", "labelsTr/a.png", "imagesTs/b.png"], ["labelsTr/a.png"]),
        (["ID1/images/ID1.png", "ID1/masks/o1.png"], ["ID1/masks/o1.png"]),
        (["images/a.png", "masks/a.png", "instances/a.png"], ["instances/a.png", "masks/a.png"]),
        # pictures in folders whose names alone are those of masks
        (["a.png", "labels/b.png"], []),
        (["labels/b.png"], []),
        (["target/b.png", "output/c.png"], []),
    ],
)
def test_folders_of_masks_stand_beside_their_images(tmp_path, names, masks):
    make(tmp_path, *names)
    assert sorted(left_out(tmp_path)) == masks
    assert sorted(places(tmp_path)) == sorted(set(names) - set(masks))
    assert sorted(places(tmp_path, take_all=True)) == sorted(names)
    assert all("a folder of masks by its name" in why for why in left_out(tmp_path).values())


def test_a_folder_of_masks_that_is_given_is_taken(tmp_path):
    make(tmp_path, "images/a.png", "masks/a.png")
    assert places(tmp_path / "masks") == ["a.png"]
    assert places(tmp_path / "images", tmp_path / "masks") == ["images/a.png", "masks/a.png"]


def test_a_file_that_is_given_is_taken(tmp_path):
    make(tmp_path, "a.png", "a_mask.png")
    assert places(tmp_path / "a_mask.png") == ["a_mask.png"]
    found = find_images([tmp_path, tmp_path / "a_mask.png"])
    assert [place.name for place in found.places.values()] == ["a.png", "a_mask.png"]
    assert found.left_out == {}


def test_what_pixelwise_wrote_is_left_out_wherever_it_is(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    write_result(tmp_path / "out/a.png")
    write_image(tmp_path / "out/a_overlay.png", np.zeros((2, 2, 3), np.uint8), signed=True)
    write_image(tmp_path / "b_overlay.png", np.zeros((2, 2, 3), np.uint8))  # of another program
    assert places(tmp_path) == ["a.png", "b_overlay.png"]
    assert left_out(tmp_path) == {
        "out/a.png": "pixelwise wrote it",
        "out/a_overlay.png": "pixelwise wrote it",
    }
    assert len(places(tmp_path, take_all=True)) == 4
    assert len(places(tmp_path, take_all=True, out=tmp_path / "out")) == 2  # never its own results


def test_nothing_but_masks_is_said(tmp_path):
    write_result(tmp_path / "a.png")
    with pytest.raises(LayoutError, match=r"holds 1 pictures, but none .*a\.png \(pixelwise wro"):
        find_images([tmp_path])


# --- places -----------------------------------------------------------------------------------


def test_places_are_below_the_folder_given_or_the_one_of_all(tmp_path):
    make(tmp_path, "p1/0.png", "p1/1.png", "p2/1.tif", "p2/2.png", "q/deep/7.png")
    assert places(tmp_path / "q") == ["deep/7.png"]
    assert places(tmp_path / "p1/1.png", tmp_path / "p1/0.png") == ["1.png", "0.png"]
    assert places(tmp_path / "p1", tmp_path / "q") == ["p1/0.png", "p1/1.png", "q/deep/7.png"]
    assert places(tmp_path / "p1/1.png", tmp_path / "p2/1.tif") == ["p1/1.png", "p2/1.tif"]
    assert places(tmp_path / "p1/1.png", tmp_path) == [
        "p1/1.png", "p1/0.png", "p2/1.tif", "p2/2.png", "q/deep/7.png",
    ]  # fmt: skip


def test_nothing_to_predict_is_an_error(tmp_path):
    with pytest.raises(LayoutError, match="no images were given"):
        find_images([])
    with pytest.raises(LayoutError, match=r"holds no images\. Name the folder"):
        find_images([tmp_path])
    (tmp_path / "train").mkdir()
    with pytest.raises(LayoutError, match=r"only train/. Name the folder"):
        find_images([tmp_path])
    with pytest.raises(FileError, match="does not exist"):
        find_images([tmp_path / "none.png"])
    (tmp_path / "a.txt").touch()
    with pytest.raises(FileError, match="not a picture by its name"):
        find_images([tmp_path / "a.txt"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path):
    make(tmp_path, "a.png", "locked/b.png")
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(LayoutError, match="may not be read"):
            find_images([tmp_path])
    finally:
        (tmp_path / "locked").chmod(0o700)
