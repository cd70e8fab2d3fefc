"""The pictures to predict: files, folders, and what is left out."""

import pytest

from pixelwise.data import find_images
from pixelwise.errors import FileError, LayoutError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.TIF", "notes.txt", ".hidden.png", "a_mask.png"):
        (tmp_path / name).touch()
    return tmp_path


def names(paths) -> list[str]:
    return [path.name for path in paths]


def test_folder_is_sorted_without_masks_and_texts(folder):
    assert names(find_images([folder])) == ["a.TIF", "b.png"]


def test_files_keep_their_order_and_come_once(folder):
    inputs = [folder / "b.png", folder / "a.TIF", folder]
    assert names(find_images(inputs)) == ["b.png", "a.TIF"]


def test_a_mask_named_by_hand_is_taken(folder):
    assert names(find_images([folder / "a_mask.png"])) == ["a_mask.png"]


def test_images_inside_a_data_folder_are_taken(folder):
    (folder / "images").mkdir()
    (folder / "images" / "c.png").touch()
    assert names(find_images([folder])) == ["c.png"]


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
