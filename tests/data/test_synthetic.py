"""The generated cells: files in the right places, and pictures of which a network can learn."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from pixelwise.data.synthetic import generate_cells, write_cells
from pixelwise.errors import OutputError

SIZE = (96, 128)


def read(path):
    with Image.open(path) as picture:
        assert picture.mode == "L"  # 8-bit grey
        return np.array(picture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("cells"), num_images=12, size=SIZE, seed=3)


def test_files_lie_in_three_splits_with_a_mask_for_every_image(folder):
    numbers = {}
    for split in ("train", "val", "test"):
        images = sorted(path.name for path in (folder / split / "images").iterdir())
        masks = sorted(path.name for path in (folder / split / "masks").iterdir())
        assert images == masks
        numbers[split] = len(images)
    assert numbers == {"train": 8, "val": 2, "test": 2}


def test_masks_are_0_and_255_of_the_size_of_the_image(folder):
    for path in folder.glob("*/masks/*.png"):
        mask = read(path)
        assert mask.shape == SIZE == read(path.parent.parent / "images" / path.name).shape
        assert set(np.unique(mask)) == {0, 255}


def test_no_image_comes_twice(folder):
    contents = {path.read_bytes() for path in folder.glob("*/images/*.png")}
    assert len(contents) == 12


def test_same_seed_same_files_and_another_seed_others(tmp_path):
    one, same, other = (
        write_cells(tmp_path / name, num_images=3, size=SIZE, seed=seed)
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    )
    for path in sorted(one.glob("*/*/*.png")):
        place = path.relative_to(one)
        assert path.read_bytes() == (same / place).read_bytes()
        assert path.read_bytes() != (other / place).read_bytes()


def test_the_first_images_do_not_change_with_the_number_of_images(tmp_path):
    few = write_cells(tmp_path / "few", num_images=3, size=SIZE)
    more = write_cells(tmp_path / "more", num_images=6, size=SIZE)
    place = "train/images/cells_000.png"
    assert (few / place).read_bytes() == (more / place).read_bytes()


def test_fewer_than_three_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2 images cannot fill train, val and test"):
        write_cells(tmp_path, num_images=2)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "cells").write_text("mine")
    with pytest.raises(OutputError, match="cells"):
        write_cells(tmp_path / "cells", num_images=3, size=SIZE)
    assert (tmp_path / "cells").read_text() == "mine"


@pytest.mark.parametrize("seed", range(6))
def test_cells_are_brighter_than_what_is_around_them(seed):
    image, mask = generate_cells(np.random.default_rng(seed), (192, 256))
    inside = mask == 255
    assert 0.03 < inside.mean() < 0.6
    assert np.median(image[inside]) > 2 * np.median(image[~inside])
    assert (image == 255).mean() < 0.02  # few pixels saturate


def test_one_threshold_is_not_enough():
    """Dim cells and specks: the best single threshold of each image stays below a network."""
    best = []
    for seed in range(8):
        image, mask = generate_cells(np.random.default_rng(seed), (192, 256))
        inside = mask == 255
        best.append(max(dice(image > level, inside) for level in range(5, 250, 5)))
    assert 0.75 < np.mean(best) < 0.955


def test_some_cells_touch_and_most_have_the_size_of_a_cell():
    areas = []
    for seed in range(8):
        _, mask = generate_cells(np.random.default_rng(seed), (192, 256))
        regions, num_regions = label(mask)
        areas += list(np.bincount(regions.ravel())[1:])
        assert num_regions >= 3
    areas = np.array(areas)
    one_cell = np.pi * 11**2  # pixels
    assert 0.5 * one_cell < np.median(areas) < 1.5 * one_cell
    assert areas.max() > 2 * one_cell  # several in one


def test_sizes_smaller_than_a_cell_work():
    image, mask = generate_cells(np.random.default_rng(0), (7, 5))
    assert image.shape == mask.shape == (7, 5)


def dice(found, true):
    return 2 * (found & true).sum() / max(1, found.sum() + true.sum())
